// What stands in the way of a drain: said in an event and in the claim's Drained condition, once per change.
import type { DrainStep } from '../disruption/drainStep.ts';
import type { Obstacle } from '../disruption/obstacle.ts';
import { selectorMatches } from '../model/labelSelector.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { isOwnedByDaemonSet, type Pod, podKey } from '../model/pod.ts';
import type { PodDisruptionBudget } from '../model/workloads.ts';
import type { Ports } from '../ports/ports.ts';
import { writeCondition } from './claimConditions.ts';
import { tellKept } from './claimEvents.ts';
import type { LiveState } from './liveState.ts';

/** What blocks changes with every pod that goes: it is told at most this often. */
const TOLD_EVERY_MS = 10_000;
/** Pods named in one message; the rest is a number. */
const NAMED_MOST = 3;

/** By claim uid: what was told last, and when. */
export type DrainTelling = Map<string, { readonly message: string; readonly atMs: number }>;

interface Telling {
  readonly live: LiveState;
  readonly telling: DrainTelling;
  readonly refusals: ReadonlyMap<string, number>;
  readonly denials: ReadonlyMap<string, string>;
}

/** Tells what blocks the drain, if anything does and it has not been told yet. */
export async function tellBlocked(
  ports: Ports,
  { telling, ...known }: Telling,
  claim: NodeClaim,
  step: DrainStep,
): Promise<void> {
  const { live } = known;
  const blocks = blocksOf(step, known);
  const [first] = blocks;
  if (first === undefined) return;
  const more = blocks.length > NAMED_MOST ? `; and ${blocks.length - NAMED_MOST} more` : '';
  const named = blocks.slice(0, NAMED_MOST).map((block) => block.message);
  const message = `${named.join('; ')}${more}`;
  const told = telling.get(claim.uid);
  const nowMs = ports.clock.nowMs();
  if (told !== undefined && told.message !== message && nowMs < told.atMs + TOLD_EVERY_MS) return;
  // Each time: a write that conflicted is made up for, and one that changes nothing is not made.
  const condition = { type: 'Drained', status: 'Unknown', reason: 'Draining', message } as const;
  await writeCondition(ports, live, claim, condition);
  if (told?.message === message) return;
  telling.set(claim.uid, { message, atMs: nowMs });
  const { blockedBy } = first;
  const why = { type: 'Warning', reason: 'FailedDraining', message, disruption: 'Draining' } as const;
  await tellKept(ports, live, claim, blockedBy === undefined ? why : { ...why, blockedBy });
}

/** One sentence for each pod that cannot go now, in the order of their names. */
function blocksOf(
  { forbidding, evict }: DrainStep,
  { live, refusals, denials }: Omit<Telling, 'telling'>,
): readonly Obstacle[] {
  const denied = evict.filter((pod) => denials.has(pod.uid));
  const refused = evict.filter((pod) => refusals.has(pod.uid) && !denials.has(pod.uid));
  if (forbidding.length + refused.length + denied.length === 0) return [];
  const budgets = Map.groupBy(live.snapshot().disruptionBudgets, ({ namespace }) => namespace);
  return [
    ...forbidding.map(({ pod, annotation }) => ({
      message: `pod ${podKey(pod)} forbids the drain by ${annotation}: remove the annotation or the pod`,
      blockedBy: podKey(pod),
    })),
    ...denied.map((pod) => ({
      message: `pod ${podKey(pod)} cannot be evicted: ${denials.get(pod.uid) ?? ''}${patienceWith(pod)}`,
      blockedBy: podKey(pod),
    })),
    ...refused.map((pod) => ({
      message: `${refusalOf(pod, budgets.get(pod.namespace) ?? [])}${patienceWith(pod)}`,
      blockedBy: podKey(pod),
    })),
  ].sort((left, right) => (left.message < right.message ? -1 : 1));
}

/** See `keptDaemons`. */
function patienceWith(pod: Pod): string {
  return isOwnedByDaemonSet(pod) ? ' (a daemon is waited for no longer than a minute)' : '';
}

/** The server says only that a budget refuses; which one is told from the budgets as the watch has them. */
function refusalOf(pod: Pod, budgets: readonly PodDisruptionBudget[]): string {
  const covering = budgets.filter(({ selector }) => selectorMatches(selector, pod.labels)).map(podKey);
  const [first] = covering;
  if (first === undefined) return `pod ${podKey(pod)} is refused its eviction for now`;
  if (covering.length === 1) return `PodDisruptionBudget ${first} lets pod ${podKey(pod)} not go now`;
  return `pod ${podKey(pod)} is under several disruption budgets, and never evicted so: ${covering.join(', ')}`;
}
