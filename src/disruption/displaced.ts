// Pods that are about to lose their node: planned for before they are evicted, so that they land together.
import { type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { mustLeave, optOut } from './evictable.ts';

export interface Displacement {
  /** The cluster as it will be: without those pods. */
  readonly snapshot: ClusterSnapshot;
  /** What their owners will make in their place: the same pods, unbound. */
  readonly pods: readonly Pod[];
}

/**
 * Takes the pods of nodes whose claims are being deleted off those nodes. Left out: pods that are terminating already
 * (their replacements are pending by themselves), that forbid their eviction, or that nobody would make again.
 */
export function displacedPods(snapshot: ClusterSnapshot): Displacement {
  const leaving = new Set(
    snapshot.nodeClaims
      .filter(({ deletionRequestedAtMs, status }) => deletionRequestedAtMs !== null && status.nodeName !== '')
      .map(({ status }) => status.nodeName),
  );
  if (leaving.size === 0) return { snapshot, pods: [] };
  const displaced = snapshot.pods.filter(
    (pod) => leaving.has(pod.nodeName) && comesBack(pod, snapshot.takenAtMs),
  );
  if (displaced.length === 0) return { snapshot, pods: [] };
  const keys = new Set(displaced.map(podKey));
  const staying = snapshot.pods.filter((pod) => !keys.has(podKey(pod)));
  const unbound = displaced.map(
    (pod): Pod => ({
      ...pod,
      nodeName: '',
      nominatedNodeName: '',
      phase: 'Pending',
      ready: false,
      unschedulableSinceMs: snapshot.takenAtMs,
    }),
  );
  return { snapshot: { ...snapshot, pods: staying }, pods: unbound };
}

function comesBack(pod: Pod, nowMs: number): boolean {
  if (pod.deletionRequestedAtMs !== null || pod.owner === null) return false;
  return mustLeave(pod) && optOut(pod, nowMs) === null;
}
