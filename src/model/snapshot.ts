// The cluster at one instant, as plain JSON: all that a decision may look at.
import type { InstanceType } from './instanceType.ts';
import type { Node } from './node.ts';
import type { NodeClaim } from './nodeClaim.ts';
import type { NodeClass } from './nodeClass.ts';
import type { Pod } from './pod.ts';
import type { Provisioner } from './provisioner.ts';
import type { CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass } from './volumes.ts';
import type { DaemonSet, Namespace, PodDisruptionBudget } from './workloads.ts';

export interface ClusterSnapshot {
  readonly takenAtMs: number;
  readonly provisioners: readonly Provisioner[];
  readonly nodeClasses: readonly NodeClass[];
  readonly nodes: readonly Node[];
  readonly nodeClaims: readonly NodeClaim[];
  readonly pods: readonly Pod[];
  readonly daemonSets: readonly DaemonSet[];
  readonly namespaces: readonly Namespace[];
  readonly disruptionBudgets: readonly PodDisruptionBudget[];
  readonly persistentVolumes: readonly PersistentVolume[];
  readonly persistentVolumeClaims: readonly PersistentVolumeClaim[];
  readonly storageClasses: readonly StorageClass[];
  readonly csiNodes: readonly CsiNode[];
}

/** What each Provisioner may buy, by Provisioner name: its kubelet settings and node class change what a type holds. */
export type Catalogue = ReadonlyMap<string, readonly InstanceType[]>;
