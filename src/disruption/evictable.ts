// Which pods a drain must move, which stay to the end, and which forbid it.
import { parseDurationMs } from '../model/duration.ts';
import { ANNOTATION, DISRUPTED_TAINT_KEY } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import { graceSecondsOf, isOwnedByDaemonSet, isTerminal, type Pod } from '../model/pod.ts';
import { type Taint, untoleratedTaint } from '../model/taint.ts';

export const DISRUPTED_TAINT: Taint = { key: DISRUPTED_TAINT_KEY, value: '', effect: 'NoSchedule' };

/** A pod that is still there this long after its grace period is waited for no longer (Karpenter v0.16). */
const STUCK_AFTER_MS = 60_000;

/** True for pods that make a node count as in use: finished, daemon and static pods do not. */
export function occupiesNode(pod: Pod): boolean {
  return !isTerminal(pod) && !pod.mirror && !isOwnedByDaemonSet(pod) && pod.owner?.kind !== 'Node';
}

/** True for pods that a drain has to move off: those that occupy the node and do not choose to stay on it. */
export function mustLeave(pod: Pod): boolean {
  return occupiesNode(pod) && !toleratesLeaving(pod);
}

/**
 * True for pods that a drain sees off: those that must leave, and daemons that neither tolerate the taint of leaving
 * nodes nor opt out. An annotation on a daemon keeps the daemon to the end, but no node: it has no other place.
 */
export function isSeenOff(pod: Pod, nowMs: number): boolean {
  if (!isOwnedByDaemonSet(pod)) return mustLeave(pod);
  return !isTerminal(pod) && !pod.mirror && !toleratesLeaving(pod) && optOut(pod, nowMs) === null;
}

function toleratesLeaving(pod: Pod): boolean {
  return untoleratedTaint([DISRUPTED_TAINT], pod.spec.tolerations) === null;
}

/**
 * The annotation by which the pod forbids its eviction, or null. `do-not-disrupt` may name a duration in place of
 * `true`: it holds for so long from the pod's creation on.
 */
export function optOut(pod: Pod, nowMs: number): string | null {
  const { annotations } = pod;
  if (annotations[ANNOTATION.doNotEvict] === 'true') return ANNOTATION.doNotEvict;
  if (holds(annotations[ANNOTATION.doNotDisrupt], pod.createdAtMs, nowMs)) return ANNOTATION.doNotDisrupt;
  return annotations[ANNOTATION.safeToEvict] === 'false' ? ANNOTATION.safeToEvict : null;
}

/** The annotation by which the pod keeps its node from being consolidated, though not from other drains, or null. */
export function consolidationOptOut(pod: Pod, nowMs: number): string | null {
  if (pod.annotations[ANNOTATION.doNotConsolidate] === 'true') return ANNOTATION.doNotConsolidate;
  return optOut(pod, nowMs);
}

/**
 * The annotation by which a node is not taken away to save money, or null; it expires all the same. `do-not-disrupt`
 * may name a duration: it holds for so long from the node's creation on.
 */
export function nodeOptOut(node: Node, nowMs: number): string | null {
  const { annotations } = node;
  if (forbidsDisruption(node, nowMs)) return ANNOTATION.doNotDisrupt;
  if (annotations[ANNOTATION.doNotConsolidate] === 'true') return ANNOTATION.doNotConsolidate;
  return annotations[ANNOTATION.scaleDownDisabled] === 'true' ? ANNOTATION.scaleDownDisabled : null;
}

/** True when the node forbids all that is of our own accord, and not consolidation alone. */
export function forbidsDisruption({ annotations, createdAtMs }: Node, nowMs: number): boolean {
  return holds(annotations[ANNOTATION.doNotDisrupt], createdAtMs, nowMs);
}

/** When a `do-not-disrupt` that names a duration is over; null where there is none. */
export function optOutEndsAtMs({
  annotations,
  createdAtMs,
}: Pick<Pod | Node, 'annotations' | 'createdAtMs'>): number | null {
  const durationMs = parseDurationMs(annotations[ANNOTATION.doNotDisrupt] ?? '');
  return durationMs === null ? null : createdAtMs + durationMs;
}

/** An annotation that is neither `true` nor a duration forbids nothing. */
function holds(text: string | undefined, sinceMs: number, nowMs: number): boolean {
  if (text === undefined || text === 'true') return text === 'true';
  const durationMs = parseDurationMs(text);
  return durationMs !== null && nowMs < sinceMs + durationMs;
}

/** True when the pod has been terminating for so long that nothing will come of waiting. */
export function isStuckTerminating(pod: Pod, nowMs: number): boolean {
  const { deletionRequestedAtMs } = pod;
  return (
    deletionRequestedAtMs !== null &&
    nowMs > deletionRequestedAtMs + graceSecondsOf(pod) * 1000 + STUCK_AFTER_MS
  );
}
