// Pods that are their owner's only one: their Deployment is rolled first, so that another is ready when they go.
import { ANNOTATION } from '../model/labels.ts';
import type { Pod } from '../model/pod.ts';
import type { Rollout } from '../model/workloads.ts';

/** From the start of a rollout: time for a node, the image and the pod's own start. Then the pod goes all the same. */
const SURGE_MOST_MS = 5 * 60_000;

/** What to do with a pod that is to be evicted; `untilMs` is when it is evicted at the latest. */
export type SurgeStep =
  | { readonly kind: 'evict' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'wait'; readonly untilMs: number };

const EVICT: SurgeStep = { kind: 'evict' };

/** True for ready pods of a ReplicaSet whose template asks for it. A pod that is not ready has nothing to hand over. */
export function asksForSurge({ annotations, owner, ready }: Pod): boolean {
  return ready && owner?.kind === 'ReplicaSet' && annotations[ANNOTATION.surge] === 'true';
}

/**
 * A rolling update makes the new pod before it deletes the old one; the new one goes to another node, since this one is
 * cordoned. A rollout that somebody else has begun since the drain's start will do. Owners of several pods are left to
 * disruption budgets, and those whose strategy deletes first gain nothing.
 */
export function surgeStep(rollout: Rollout | null, drainStartedAtMs: number, nowMs: number): SurgeStep {
  if (rollout === null || rollout.replicas !== 1 || !rollout.surges) return EVICT;
  const { restartedAtMs } = rollout;
  if (restartedAtMs === null || restartedAtMs < drainStartedAtMs) return { kind: 'restart' };
  const untilMs = restartedAtMs + SURGE_MOST_MS;
  return nowMs < untilMs ? { kind: 'wait', untilMs } : EVICT;
}
