// What has to change before planning anew for pods that wait for the end of off-hours could bring anything.
import type { Refusal } from '../model/plan.ts';
import type { Pod } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';

/** All that such a refusal rests on, to be compared by identity: lists and types stay the same until they change. */
export type Ground = readonly unknown[];

/**
 * What a plan for these pods goes by, but for the pods and nodes of others: a pod is told of off-hours only when
 * every Provisioner that is on is out by its labels, taints or stock, and room that comes free on a node is taken by
 * the kube-scheduler without us. The end of a window, a pause or a shortage changes what is sold.
 */
export function groundOf(snapshot: ClusterSnapshot, catalogue: Catalogue, pods: readonly Pod[]): Ground {
  return [
    snapshot.provisioners,
    snapshot.nodeClasses,
    snapshot.daemonSets,
    snapshot.namespaces,
    snapshot.persistentVolumes,
    snapshot.persistentVolumeClaims,
    snapshot.storageClasses,
    ...[...catalogue].flat(),
    ...pods,
  ];
}

export function isSameGround(left: Ground, right: Ground): boolean {
  return left.length === right.length && left.every((part, index) => part === right[index]);
}

/** True when each of so many pods was refused, and only because of off-hours. */
export function waitsForHours(refusals: readonly Refusal[], pods: number): boolean {
  return refusals.length === pods && refusals.every(({ code }) => code === 'OffHours');
}
