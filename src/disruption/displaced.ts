// Pods that are about to lose their node: planned for before they are evicted, so that they land together.
import type { NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { drainEndMs } from './drainStep.ts';
import { mustLeave, optOut } from './evictable.ts';
import { EvictionRoom } from './evictionRoom.ts';

export interface Displacement {
  /** The cluster as it will be: without those pods. */
  readonly snapshot: ClusterSnapshot;
  /** What their owners will make in their place: the same pods, unbound. */
  readonly pods: readonly Pod[];
}

/**
 * Pods of a node that has been leaving for longer are planned for only while a disruption budget lets them go: one that
 * never does would else keep an idle node beside theirs for as long. Once it does they are evicted, and then wait.
 */
const KEPT_BY_BUDGET_MS = 600_000;

/**
 * Takes the pods of nodes whose claims are being deleted off those nodes. Left out: pods that are terminating already
 * (their replacements are pending by themselves), that forbid their eviction, that a disruption budget has kept for
 * long, or that nobody would make again.
 */
export function displacedPods(snapshot: ClusterSnapshot): Displacement {
  const nowMs = snapshot.takenAtMs;
  const leaving = new Map(
    snapshot.nodeClaims
      .filter(({ deletionRequestedAtMs, status }) => deletionRequestedAtMs !== null && status.nodeName !== '')
      .map((claim) => [claim.status.nodeName, claim]),
  );
  if (leaving.size === 0) return { snapshot, pods: [] };
  const evictions = new EvictionRoom(snapshot.disruptionBudgets);
  const displaced = snapshot.pods.filter((pod) => {
    const claim = leaving.get(pod.nodeName);
    if (claim === undefined || !comesBack(pod, nowMs)) return false;
    return !isHeldUp(claim, nowMs) || evictions.obstacle([pod]) === null;
  });
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

/** True when the node has been leaving for long, and `terminationGracePeriod` does not end that soon. */
function isHeldUp(claim: NodeClaim, nowMs: number): boolean {
  const sinceMs = claim.deletionRequestedAtMs ?? nowMs;
  const endMs = drainEndMs(claim, sinceMs) ?? Number.POSITIVE_INFINITY;
  return nowMs - sinceMs >= KEPT_BY_BUDGET_MS && endMs - nowMs > KEPT_BY_BUDGET_MS;
}
