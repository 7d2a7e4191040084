// Nodes that are to go for their age or their drift: which, in what order, what keeps others, what they need first.
import { isReady } from '../model/node.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import type { PlannedNodeClaim, SchedulingPlan } from '../model/plan.ts';
import { podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { BudgetRoom } from './budgets.ts';
import { type Displacement, displacedPods } from './displaced.ts';
import { decideExpiration } from './expiration.ts';
import {
  claimsBeingReplaced,
  type OpenReplacement,
  replacementsInWait,
  withoutMarks,
} from './replacements.ts';

/** A claim that is to go, its replacement first. */
export interface Leaving {
  readonly claim: NodeClaim;
  readonly reason: 'Expired' | 'Drifted';
  /** One sentence: why it goes. */
  readonly message: string;
}

/** One that is due, and what keeps it. */
export interface HeldLeaving extends Leaving {
  readonly held: string;
}

export interface LeavingDecision {
  /** Those that may go now, the longest due first. */
  readonly leaving: readonly Leaving[];
  readonly held: readonly HeldLeaving[];
  /** When the next node is due if nothing changes; Infinity for never. */
  readonly nextAtMs: number;
}

/** With a larger share of its nodes unready, a cluster has other troubles (Karpenter v1). */
const UNREADY_SHARE = 0.2;
/** Windows of budgets begin and end with a minute. */
const BUDGET_AGAIN_MS = 60_000;

/** Nodes past their age, whatever may keep them: the longest overdue first; of several at once, by name. */
export function expiredNodes(snapshot: ClusterSnapshot): readonly Leaving[] {
  return decideExpiration(snapshot)
    .filter(({ dueAtMs }) => dueAtMs <= snapshot.takenAtMs)
    .sort((left, right) => left.dueAtMs - right.dueAtMs || (left.claim.name < right.claim.name ? -1 : 1))
    .map(({ claim }) => ({
      claim,
      reason: 'Expired',
      message: `node is older than ttlSecondsUntilExpired of Provisioner ${claim.spec.provisioner} allows`,
    }));
}

/**
 * Which of the nodes that are due may go now. Those that are being replaced already are left out, and use up budgets.
 * @param due in the order in which they are to go; a claim that is there twice goes for the first reason
 * @param waitMs by claim name: how long it is left alone after a try that came to nothing, 0 for not at all
 */
export function decideLeaving(
  snapshot: ClusterSnapshot,
  due: readonly Leaving[],
  waitMs: (claim: string) => number,
): LeavingDecision {
  const nowMs = snapshot.takenAtMs;
  const replaced = claimsBeingReplaced(snapshot);
  const replacing = replacementsInWait(snapshot);
  const room = new BudgetRoom(snapshot);
  const halted = unreadyHalt(snapshot);
  const leaving: Leaving[] = [];
  const held: HeldLeaving[] = [];
  const taken = new Set<string>();
  let nextAtMs = Number.POSITIVE_INFINITY;
  for (const one of due) {
    const { claim, reason } = one;
    if (taken.has(claim.name) || replaced.has(claim.name) || replacing.has(claim.name)) continue;
    taken.add(claim.name);
    const pauseMs = waitMs(claim.name);
    if (pauseMs > 0) {
      nextAtMs = Math.min(nextAtMs, nowMs + pauseMs);
      continue;
    }
    // Age is a matter of patches and certificates: it does not wait for better times.
    const keeps = (reason === 'Drifted' ? halted : null) ?? outOfBudget(room, one);
    if (keeps !== null) {
      held.push({ ...one, held: keeps });
      nextAtMs = Math.min(nextAtMs, nowMs + BUDGET_AGAIN_MS);
      continue;
    }
    room.take(claim.spec.provisioner, 1);
    leaving.push({ claim, reason, message: one.message });
  }
  for (const { dueAtMs } of decideExpiration(snapshot))
    if (dueAtMs > nowMs) nextAtMs = Math.min(nextAtMs, dueAtMs);
  return { leaving, held, nextAtMs };
}

function outOfBudget(room: BudgetRoom, { claim, reason }: Leaving): string | null {
  const { provisioner } = claim.spec;
  if (room.left(provisioner, reason) >= 1) return null;
  return `spec.disruption.budgets of Provisioner ${provisioner} let no more nodes go as ${reason} now`;
}

/** Nodes that come up are not ready either, and say nothing about the cluster. */
function unreadyHalt({ nodes, nodeClaims }: ClusterSnapshot): string | null {
  const rising = new Set(
    nodeClaims.filter((claim) => !hasCondition(claim, 'Initialized')).map(({ status }) => status.nodeName),
  );
  const settled = nodes.filter(({ name }) => !rising.has(name));
  const unready = settled.filter((node) => !isReady(node)).length;
  if (unready <= UNREADY_SHARE * settled.length) return null;
  return `${unready} of ${settled.length} nodes are not ready`;
}

/** Why an order whose replacements are up is not carried out after all, in one sentence; null when it is. */
export function notLeavingBecause(
  snapshot: ClusterSnapshot,
  due: readonly Leaving[],
  { nodeClaims, replacements }: OpenReplacement,
): string | null {
  const ordered = new Set(nodeClaims);
  const standing = snapshot.nodeClaims.filter(
    ({ name, deletionRequestedAtMs }) => ordered.has(name) && deletionRequestedAtMs === null,
  );
  if (standing.length === 0) return 'the node has gone meanwhile';
  const own = due.filter(({ claim }) => ordered.has(claim.name));
  const isDue = new Set(own.map(({ claim }) => claim.name));
  if (standing.some(({ name }) => !isDue.has(name))) return 'the node need not go any more';
  const { held } = decideLeaving(withoutMarks(snapshot, replacements), own, () => 0);
  return held[0]?.held ?? null;
}

/**
 * What has to be planned to learn what these nodes need before they go: all that leave are reckoned as gone. Nodes that
 * come up for other pods, or were given up, are no places to count on; those on order for other nodes that leave are.
 */
export function leavingTrial(snapshot: ClusterSnapshot, claims: readonly string[]): Displacement {
  const names = new Set([...claims, ...claimsBeingReplaced(snapshot)]);
  const onOrder = replacementsInWait(snapshot);
  const nodeClaims = snapshot.nodeClaims.map((claim) => {
    const isUseless = !hasCondition(claim, 'Initialized') && !onOrder.has(claim.name);
    return (names.has(claim.name) || isUseless) && claim.deletionRequestedAtMs === null
      ? { ...claim, deletionRequestedAtMs: snapshot.takenAtMs }
      : claim;
  });
  return displacedPods({ ...snapshot, nodeClaims });
}

export type LeavingNeeds =
  /** Launch these first; none: the pods find places as it is. */
  | { readonly kind: 'places'; readonly replacements: readonly PlannedNodeClaim[] }
  /** The pods find places on nodes that are still to come up. */
  | { readonly kind: 'later' }
  | { readonly kind: 'unplaceable'; readonly message: string };

/** Keys of the pods that are on these claims' nodes. */
function podsOn(snapshot: ClusterSnapshot, claims: readonly string[]): ReadonlySet<string> {
  const names = new Set(claims);
  const nodes = new Set(
    snapshot.nodeClaims.filter(({ name }) => names.has(name)).map(({ status }) => status.nodeName),
  );
  return new Set(snapshot.pods.filter(({ nodeName }) => nodes.has(nodeName)).map(podKey));
}

/**
 * What the nodes need, given the plan of their trial; null for one that was not made or has failed its check.
 * Pods are as good as each other: a new node may be planned for a pod of another node that leaves, whose place goes to
 * one of ours. So what counts is by how much more the trial asks than the same trial without these nodes.
 * @param others the plan of that; null when no other pods are on the move
 */
export function leavingNeeds(
  snapshot: ClusterSnapshot,
  claims: readonly string[],
  plan: SchedulingPlan | null,
  others: SchedulingPlan | null,
): LeavingNeeds {
  if (plan === null) return { kind: 'unplaceable', message: 'no plan for its pods passes its check' };
  const own = podsOn(snapshot, claims);
  const refusal = plan.refusals.find(({ pod }) => own.has(pod)) ?? plan.refusals[0];
  if (refusal !== undefined && plan.refusals.length > (others?.refusals.length ?? 0))
    return { kind: 'unplaceable', message: `pod ${refusal.pod} would find no place: ${refusal.reason}` };
  const count = plan.nodeClaims.length - (others?.nodeClaims.length ?? 0);
  const isOwn = ({ pods }: PlannedNodeClaim): boolean => pods.some((pod) => own.has(pod));
  const ownFirst = [...plan.nodeClaims.filter(isOwn), ...plan.nodeClaims.filter((one) => !isOwn(one))];
  if (count > 0) return { kind: 'places', replacements: ownFirst.slice(0, count) };
  const rising = new Set(
    snapshot.nodeClaims
      .filter((claim) => !hasCondition(claim, 'Initialized'))
      .flatMap(({ name, status }) => [name, status.nodeName]),
  );
  const isLater = plan.nominations.some(({ pod, target }) => own.has(pod) && rising.has(target.name));
  return isLater ? { kind: 'later' } : { kind: 'places', replacements: [] };
}
