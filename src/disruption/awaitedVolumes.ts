// Which volumes have to be detached from a drained node before its instance may end.
import { isTerminal, type Pod } from '../model/pod.ts';
import type { PersistentVolumeClaim, VolumeAttachment } from '../model/volumes.ts';
import { isSeenOff, isStuckTerminating } from './evictable.ts';

/**
 * Names of the volumes that are still attached and that nothing keeps: an instance that ends under them leaves the pods
 * that wait for them elsewhere waiting for minutes. Volumes of pods that stay to the end will not be detached before,
 * and inline ones have no record to wait for. Volumes that several nodes may share are waited for too: they leave as
 * fast, and an attachment that outlives its node stays on record. Source: Karpenter v1, node termination.
 * @param pods those on the node
 * @param claims by `namespace/name`
 */
export function awaitedVolumes(
  attachedToNode: readonly VolumeAttachment[],
  pods: readonly Pod[],
  claims: (key: string) => PersistentVolumeClaim | undefined,
  nowMs: number,
): readonly string[] {
  const kept = new Set(
    pods.filter((pod) => staysToTheEnd(pod, nowMs)).flatMap((pod) => volumesOf(pod, claims)),
  );
  const names = attachedToNode.map(({ volumeName }) => volumeName);
  return [...new Set(names)].filter((name) => name !== '' && !kept.has(name)).sort();
}

function staysToTheEnd(pod: Pod, nowMs: number): boolean {
  return !isTerminal(pod) && (!isSeenOff(pod, nowMs) || isStuckTerminating(pod, nowMs));
}

/** Names of the volumes that the pod's claims are bound to. */
function volumesOf(pod: Pod, claims: (key: string) => PersistentVolumeClaim | undefined): readonly string[] {
  return pod.spec.volumes.flatMap((volume) => {
    const name = volume.kind === 'claim' ? volume.claimName : `${pod.name}-${volume.volumeName}`;
    const bound = claims(`${pod.namespace}/${name}`)?.volumeName ?? '';
    return bound === '' ? [] : [bound];
  });
}
