// How far a node has come in leaving: which pods are still on it, and what each one waits for.
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import { graceSecondsOf, type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { type DrainStep, drainEndMs, nextDrainStep } from './drainStep.ts';
import { EvictionRoom } from './evictionRoom.ts';
import type { DrainExplanation } from './explanation.ts';
import { asksForSurge } from './surge.ts';

type DrainingPod = DrainExplanation['pods'][number];

/** Null for a claim whose deletion nobody has asked for. */
export function explainDrain(claim: NodeClaim, snapshot: ClusterSnapshot): DrainExplanation | null {
  const sinceMs = claim.deletionRequestedAtMs;
  if (sinceMs === null) return null;
  const { nodeName } = claim.status;
  const onNode = snapshot.pods.filter((pod) => nodeName !== '' && pod.nodeName === nodeName);
  const endMs = drainEndMs(claim, sinceMs);
  const step = nextDrainStep(onNode, snapshot.takenAtMs, endMs);
  const pods = drainingPods(step, snapshot);
  return { sinceMs, endsAtMs: endMs, message: stageOf(claim, pods), pods };
}

/** The pods that hold the drain up first, then the others, each by name. */
function drainingPods(step: DrainStep, snapshot: ClusterSnapshot): readonly DrainingPod[] {
  const room = new EvictionRoom(snapshot.disruptionBudgets);
  const forbidding = step.forbidding.map(({ pod, annotation }): DrainingPod => {
    const message = `forbids it by ${annotation}: remove the annotation or the pod`;
    return { pod: podKey(pod), state: 'kept', message };
  });
  const evicted = step.evict.map((pod): DrainingPod => {
    const obstacle = room.obstacle([pod]);
    const message = asksForSurge(pod) ? 'once its Deployment was rolled, if it is the only pod of it' : '';
    if (obstacle === null) return { pod: podKey(pod), state: 'evicted next', message };
    return { pod: podKey(pod), state: 'kept', message: obstacle.message };
  });
  const removed = step.remove.map(({ pod, graceSeconds }): DrainingPod => {
    const message = `the end of the drain is near: deleted with ${graceSeconds} s to stop`;
    return { pod: podKey(pod), state: 'deleted next', message };
  });
  const later = step.later.map((pod): DrainingPod => {
    return { pod: podKey(pod), state: 'waits its turn', message: 'goes once the pods before it have gone' };
  });
  const leaving = step.leaving.map((pod) => terminating(pod, snapshot.takenAtMs));
  const order = ['kept', 'deleted next', 'evicted next', 'terminating', 'waits its turn'];
  return [...forbidding, ...evicted, ...removed, ...later, ...leaving].sort(
    (left, right) =>
      order.indexOf(left.state) - order.indexOf(right.state) || (left.pod < right.pod ? -1 : 1),
  );
}

function terminating(pod: Pod, nowMs: number): DrainingPod {
  const sinceMs = pod.deletionRequestedAtMs ?? nowMs;
  const forSeconds = Math.max(0, Math.round((nowMs - sinceMs) / 1000));
  const message = `for ${forSeconds} s, of the ${graceSecondsOf(pod)} s that it is given`;
  return { pod: podKey(pod), state: 'terminating', message };
}

function stageOf(claim: NodeClaim, pods: readonly DrainingPod[]): string {
  if (hasCondition(claim, 'InstanceTerminating')) return 'EC2 has been told to end the instance';
  if (claim.status.providerId === '')
    return 'it has no instance on record; it is released once EC2 knows of none';
  const kept = pods.filter(({ state }) => state === 'kept').length;
  if (kept > 0) return `the drain waits for ${kept} of ${pods.length} pods, which may not be evicted now`;
  if (pods.length > 0) return `the drain waits for ${pods.length} pods`;
  return 'all pods have gone; its instance is next';
}
