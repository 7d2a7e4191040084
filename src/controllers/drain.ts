// Emptying a node: evictions in order, deletions near the end of its time, and who is told what stands in the way.
import {
  type DrainStep,
  drainEndMs,
  isDrained,
  keptDaemons,
  nextDrainStep,
} from '../disruption/drainStep.ts';
import type { Node } from '../model/node.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { Ports } from '../ports/ports.ts';
import type { Backoff } from './backoff.ts';
import { concurrently, independently } from './concurrently.ts';
import { type DrainTelling, tellBlocked } from './drainEvents.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, sooner, WHEN_CHANGED } from './nextRun.ts';
import { type Surging, surge } from './surge.ts';

/** A pod that was evicted or deleted is asked again after this long if nothing has come of it. */
const ASKED_HOLD_MS = 30_000;
/** How often a drain that waits for pods looks again, beside the events it gets. */
const DRAIN_AGAIN_MS = 5_000;
/** A pod whose eviction failed is tried again after this long. */
const FAILED_AGAIN_MS = 5_000;

/** What drains remember, over all claims. */
export interface Draining extends Surging {
  readonly live: LiveState;
  /** By pod key: pauses after a disruption budget said no. */
  readonly evictions: Backoff;
  /** By claim uid: EC2 was asked a moment ago, and is not asked again before its answer can have changed. */
  readonly questions: Backoff;
  /** By pod uid: since when its eviction has been refused, by budgets or otherwise. */
  readonly refusals: Map<string, number>;
  /** By pod uid: why its eviction was denied or has failed, though no budget refused it. */
  readonly denials: Map<string, string>;
  readonly telling: DrainTelling;
}

/** The node and its pods, as far as the watch has told of them. */
export interface DrainSight {
  readonly node: Node;
  readonly pods: readonly Pod[];
}

/** How a drain stands: it goes on, or it is over, perhaps because its time is up with pods still there. */
export type DrainOutcome =
  | { readonly kind: 'going'; readonly next: NextRun }
  | { readonly kind: 'over'; readonly isTimeUp: boolean; readonly left: readonly Pod[] };

/**
 * One step of a drain. The watch may be any time behind while writes go through, so what cannot be taken back (an
 * eviction, a deletion, the end of the instance) rests on the server's own word.
 */
export async function drain(
  ports: Ports,
  draining: Draining,
  claim: NodeClaim,
  seen: DrainSight,
): Promise<DrainOutcome> {
  const endMs = drainEndMs(claim, draining.starts.of(claim));
  const look = (pods: readonly Pod[]): DrainStep => {
    const nowMs = ports.clock.nowMs();
    return nextDrainStep(pods, nowMs, endMs, keptDaemons(pods, draining.refusals, nowMs));
  };
  let step = look(seen.pods);
  if (endMs !== null && ports.clock.nowMs() >= endMs)
    return { kind: 'over', isTimeUp: true, left: waitedFor(step) };
  if (isIrreversible(draining, claim, step, ports.clock.nowMs())) {
    step = look(await ports.kube.readNodePods(seen.node.name));
  }
  if (isDrained(step)) return { kind: 'over', isTimeUp: false, left: [] };
  let next: NextRun = { afterMs: Math.min(DRAIN_AGAIN_MS, step.nextEndMs - ports.clock.nowMs()) };
  const { writesAtOnce } = draining.settings;
  await concurrently(step.remove, writesAtOnce, async ({ pod, graceSeconds }) => {
    // Not in one expression: `next` would be read before the wait.
    const again = await remove(ports, draining, pod, graceSeconds);
    next = sooner(next, again);
  });
  await independently(
    step.evict,
    writesAtOnce,
    async (pod) => {
      // Not in one expression: `next` would be read before the wait.
      const again = await evict(ports, draining, claim, pod);
      next = sooner(next, again);
    },
    (pod, failure) => noteDenied(ports, draining, pod, String(failure)),
  );
  await tellBlocked(ports, draining, claim, step);
  return { kind: 'going', next };
}

function waitedFor({ evict, leaving, forbidding, remove, later }: DrainStep): readonly Pod[] {
  const others = [...forbidding, ...remove].map(({ pod }) => pod);
  return [...evict, ...leaving, ...others, ...later];
}

/** True when the step would send a pod away now, or lets the instance be ended for the first time. */
function isIrreversible(
  { evictions, questions }: Draining,
  claim: NodeClaim,
  step: DrainStep,
  nowMs: number,
): boolean {
  if (isDrained(step))
    return questions.waitMs(claim.uid, nowMs) === 0 && !hasCondition(claim, 'InstanceTerminating');
  const isEvicting = step.evict.some((pod) => evictions.waitMs(podKey(pod), nowMs) === 0);
  return isEvicting || step.remove.some(({ pod }) => evictions.waitMs(deletionOf(pod), nowMs) === 0);
}

/** A webhook, say, that denies it: whoever looks at the claim has to learn which pod, and why. */
function noteDenied(
  { clock, telemetry }: Ports,
  { evictions, denials }: Draining,
  pod: Pod,
  reason: string,
): void {
  evictions.hold(podKey(pod), clock.nowMs() + FAILED_AGAIN_MS);
  if (denials.get(pod.uid) === reason) return;
  denials.set(pod.uid, reason);
  telemetry.log.error({ pod: podKey(pod), node: pod.nodeName, error: reason }, 'pod not evicted');
}

async function evict(ports: Ports, draining: Draining, claim: NodeClaim, pod: Pod): Promise<NextRun> {
  const { evictions, refusals, denials } = draining;
  const key = podKey(pod);
  const nowMs = ports.clock.nowMs();
  const waitMs = evictions.waitMs(key, nowMs);
  if (waitMs > 0) return { afterMs: waitMs };
  const surging = await surge(ports, draining, claim, pod);
  if (surging !== null) {
    evictions.hold(key, nowMs + surging.afterMs);
    return surging;
  }
  const outcome = await ports.kube.evictPod(pod);
  const isRefused = outcome !== 'evicted' && outcome !== 'gone';
  if (isRefused && !refusals.has(pod.uid)) refusals.set(pod.uid, nowMs);
  if (typeof outcome === 'object') {
    noteDenied(ports, draining, pod, outcome.reason);
    return { afterMs: FAILED_AGAIN_MS };
  }
  denials.delete(pod.uid);
  if (outcome === 'blocked') return { afterMs: evictions.failed(key, nowMs) - nowMs };
  refusals.delete(pod.uid);
  evictions.succeeded(key);
  // The event that it is terminating may be late: the pod is not asked again before it could have left.
  evictions.hold(key, nowMs + ASKED_HOLD_MS);
  if (outcome === 'gone') return WHEN_CHANGED;
  const facts = { node: pod.nodeName };
  ports.telemetry.log.info({ pod: key, ...facts }, 'pod evicted');
  const message = `Evicted from ${pod.nodeName}: the node is being taken away`;
  await record(ports, pod, { reason: 'Evict', why: 'its node is going', message, facts });
  return WHEN_CHANGED;
}

/** Ends the pod although a budget or its own annotation forbids it: the drain's time is nearly up. */
async function remove(
  ports: Ports,
  { evictions, refusals }: Draining,
  pod: Pod,
  graceSeconds: number,
): Promise<NextRun> {
  const nowMs = ports.clock.nowMs();
  const waitMs = evictions.waitMs(deletionOf(pod), nowMs);
  if (waitMs > 0) return { afterMs: waitMs };
  const outcome = await ports.kube.deletePod(pod, graceSeconds);
  refusals.delete(pod.uid);
  evictions.hold(deletionOf(pod), nowMs + ASKED_HOLD_MS);
  if (outcome === 'gone') return WHEN_CHANGED;
  const facts = { node: pod.nodeName, graceSeconds };
  ports.telemetry.log.warn({ pod: podKey(pod), ...facts }, 'pod deleted: the drain may take no longer');
  const message =
    `Deleted from ${pod.nodeName} with ${graceSeconds} s to stop: ` +
    "the node's terminationGracePeriod ends then, whatever budgets and annotations forbid";
  await record(ports, pod, { reason: 'Disrupted', why: 'its terminationGracePeriod ends', message, facts });
  return WHEN_CHANGED;
}

/** Deletions are held apart from evictions: a pod that could not be evicted is deleted all the same. */
function deletionOf(pod: Pod): string {
  return `delete ${podKey(pod)}`;
}

interface Departure {
  readonly reason: 'Evict' | 'Disrupted';
  readonly why: string;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

async function record(ports: Ports, pod: Pod, { reason, why, message, facts }: Departure): Promise<void> {
  const atMs = ports.clock.nowMs();
  ports.journal.append({ atMs, kind: 'Evicted', subject: podKey(pod), reason: why, facts });
  const about = { kind: 'Pod' as const, namespace: pod.namespace, name: pod.name, uid: pod.uid };
  const type = reason === 'Evict' ? 'Normal' : 'Warning';
  await ports.kube.publishEvent({ about, type, reason, message });
}
