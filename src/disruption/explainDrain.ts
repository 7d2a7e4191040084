// How far a node has come in leaving: which pods are still on it, and what each one waits for.
import type { NodeClaim } from '../model/nodeClaim.ts';
import { hasCondition } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { isStuckTerminating, mustLeave, nextDrainStep } from './evictable.ts';
import { EvictionRoom } from './evictionRoom.ts';
import type { DrainExplanation } from './explanation.ts';

type DrainingPod = DrainExplanation['pods'][number];

/** Null for a claim whose deletion nobody has asked for. */
export function explainDrain(claim: NodeClaim, snapshot: ClusterSnapshot): DrainExplanation | null {
  const sinceMs = claim.deletionRequestedAtMs;
  if (sinceMs === null) return null;
  const { nodeName } = claim.status;
  const onNode = snapshot.pods.filter((pod) => nodeName !== '' && pod.nodeName === nodeName);
  const step = nextDrainStep(onNode, snapshot.takenAtMs);
  const room = new EvictionRoom(snapshot.disruptionBudgets);
  const forbidden = new Map(step.forbidding.map(({ pod, annotation }) => [podKey(pod), annotation]));
  const evicting = new Set(step.evict.map(podKey));
  const there = onNode.filter((pod) => mustLeave(pod) && !isStuckTerminating(pod, snapshot.takenAtMs));
  const explain = (pod: Pod): DrainingPod => {
    const key = podKey(pod);
    const annotation = forbidden.get(key);
    if (pod.deletionRequestedAtMs !== null) return terminating(pod, snapshot.takenAtMs);
    if (annotation !== undefined)
      return {
        pod: key,
        state: 'kept',
        message: `forbids it by ${annotation}; remove it, or delete the pod`,
      };
    const obstacle = room.obstacle([pod]);
    if (obstacle !== null) return { pod: key, state: 'kept', message: obstacle.message };
    if (evicting.has(key)) return { pod: key, state: 'evicted next', message: '' };
    return { pod: key, state: 'waits its turn', message: 'goes once less critical pods have gone' };
  };
  const pods = there.map(explain).sort((left, right) => (left.pod < right.pod ? -1 : 1));
  return { sinceMs, message: stageOf(claim, pods), pods };
}

function terminating(pod: Pod, nowMs: number): DrainingPod {
  const sinceMs = pod.deletionRequestedAtMs ?? nowMs;
  const { terminationGraceSeconds } = pod.spec;
  const forSeconds = Math.max(0, Math.round((nowMs - sinceMs) / 1000));
  const message = `for ${forSeconds} s, of the ${terminationGraceSeconds} s that it is given`;
  return { pod: podKey(pod), state: 'terminating', message };
}

function stageOf(claim: NodeClaim, pods: readonly DrainingPod[]): string {
  if (hasCondition(claim, 'InstanceTerminating')) return 'EC2 has been told to end the instance';
  const kept = pods.filter(({ state }) => state === 'kept').length;
  if (kept > 0) return `the drain waits for ${kept} of ${pods.length} pods that may not be evicted now`;
  if (pods.length > 0) return `the drain waits for ${pods.length} pods`;
  return claim.status.providerId === ''
    ? 'it was never launched'
    : 'all pods have gone; its instance is next';
}
