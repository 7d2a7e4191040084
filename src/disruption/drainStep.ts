// What a drain does next: which pods are evicted, waited for, or, near the end of its time, deleted.
import { CLAIM_ANNOTATION } from '../model/labels.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { isOwnedByDaemonSet, type Pod } from '../model/pod.ts';
import { isSeenOff, isStuckTerminating, optOut } from './evictable.ts';

/** Pods of these priority classes go last: their values start at two thousand million (Kubernetes, "Pod Priority"). */
const CRITICAL_PRIORITY = 2_000_000_000;

export interface DrainStep {
  /** Pods to evict now: all of the first group that is left, once the groups before it have gone. */
  readonly evict: readonly Pod[];
  /** Pods that are on their way out. */
  readonly leaving: readonly Pod[];
  /** Pods that forbid it, with the annotation that says so. */
  readonly forbidding: readonly { readonly pod: Pod; readonly annotation: string }[];
  /** Pods to delete now whatever forbids it, with the seconds that they are given to stop. */
  readonly remove: readonly { readonly pod: Pod; readonly graceSeconds: number }[];
  /** Pods to evict once those before them have gone. */
  readonly later: readonly Pod[];
  /** When the next pod has to be deleted, or all is over; Infinity without an end. */
  readonly nextEndMs: number;
}

const NONE: ReadonlySet<string> = new Set();
/** A daemon whose eviction is refused is waited for this long: its node would be paid for without end. */
const DAEMON_PATIENCE_MS = 60_000;

/**
 * Uids of daemons that are left on the node to its end, since their eviction has been refused for a minute: by a
 * budget, or by an admission webhook that denies it or is not there.
 * @param refusals by pod uid: since when evictions have been refused
 */
export function keptDaemons(
  pods: readonly Pod[],
  refusals: ReadonlyMap<string, number>,
  nowMs: number,
): ReadonlySet<string> {
  if (refusals.size === 0) return NONE;
  const isKept = (pod: Pod): boolean =>
    isOwnedByDaemonSet(pod) && nowMs >= (refusals.get(pod.uid) ?? nowMs) + DAEMON_PATIENCE_MS;
  return new Set(pods.filter(isKept).map(({ uid }) => uid));
}

/**
 * When all that is left on the node ends: by `terminationGracePeriod`, or by the end that an unhealthy node was given,
 * whichever is sooner; null when the drain has no end. An end before the start is of a deletion that never came.
 */
export function drainEndMs({ spec, annotations }: NodeClaim, startedAtMs: number | null): number | null {
  if (startedAtMs === null) return null;
  const given = Date.parse(annotations?.[CLAIM_ANNOTATION.drainEnd] ?? '');
  const own = given > startedAtMs ? given : Number.NaN;
  const ends = [startedAtMs + (spec.terminationGracePeriodMs ?? Number.NaN), own];
  const known = ends.filter((endMs) => !Number.isNaN(endMs));
  return known.length === 0 ? null : Math.min(...known);
}

/**
 * What to do next to empty a node. The drain is over when nothing is left to do or to wait for, or at `endMs`.
 * Before the end each pod is deleted early enough for its own grace period, whatever budgets and annotations say.
 * Source of the four groups and of early deletion: Karpenter v1, "Termination Controller" and `terminationGracePeriod`.
 * @param kept uids of daemons whose eviction has been refused for too long to wait for them
 */
export function nextDrainStep(
  podsOnNode: readonly Pod[],
  nowMs: number,
  endMs: number | null = null,
  kept: ReadonlySet<string> = NONE,
): DrainStep {
  const there = podsOnNode.filter(
    (pod) => isSeenOff(pod, nowMs) && !isStuckTerminating(pod, nowMs) && !kept.has(pod.uid),
  );
  const leaving = there.filter((pod) => pod.deletionRequestedAtMs !== null);
  const staying = there.filter((pod) => pod.deletionRequestedAtMs === null);
  const isDue = (pod: Pod): boolean => deletionDueMs(pod, endMs) <= nowMs;
  const remove = staying.filter(isDue).map((pod) => ({ pod, graceSeconds: secondsLeft(nowMs, endMs) }));
  const others = staying.filter((pod) => !isDue(pod));
  const forbidding = others.flatMap((pod) => {
    const annotation = optOut(pod, nowMs);
    return annotation === null ? [] : [{ pod, annotation }];
  });
  const willing = others.filter((pod) => optOut(pod, nowMs) === null);
  const first = Math.min(...there.map(evictionGroup));
  const evict = willing.filter((pod) => evictionGroup(pod) === first);
  const later = willing.filter((pod) => evictionGroup(pod) !== first);
  return { evict, leaving, forbidding, remove, later, nextEndMs: nextEndMs(others, endMs) };
}

/** True when nothing is left that the drain would move or wait for. */
export function isDrained({ evict, leaving, forbidding, remove, later }: DrainStep): boolean {
  return evict.length + leaving.length + forbidding.length + remove.length + later.length === 0;
}

/**
 * The order in which pods go: ordinary pods, their daemons, critical pods, critical daemons. What serves other pods
 * (name service, logs, volumes, network) outlives them.
 */
export function evictionGroup(pod: Pod): number {
  const isCritical = pod.spec.priority >= CRITICAL_PRIORITY;
  return (isCritical ? 2 : 0) + (isOwnedByDaemonSet(pod) ? 1 : 0);
}

/** When the pod has to be deleted so that it can use its whole grace period before the end; Infinity without an end. */
function deletionDueMs(pod: Pod, endMs: number | null): number {
  return endMs === null ? Number.POSITIVE_INFINITY : endMs - pod.spec.terminationGraceSeconds * 1000;
}

/** At least one: none would take the pod off the record while its containers still run. */
function secondsLeft(nowMs: number, endMs: number | null): number {
  return Math.max(1, Math.floor(((endMs ?? nowMs) - nowMs) / 1000));
}

function nextEndMs(pods: readonly Pod[], endMs: number | null): number {
  return Math.min(endMs ?? Number.POSITIVE_INFINITY, ...pods.map((pod) => deletionDueMs(pod, endMs)));
}
