// Which nodes leave now because they are empty, what holds others back, and when to look again.
import type { BudgetedReason } from '../model/disruptionPolicy.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { DisruptionPlan } from '../model/plan.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { BudgetRoom } from './budgets.ts';
import { decideEmptiness, type EmptinessChange, type EmptinessDue } from './emptiness.ts';

/** A claim that would go now, and what keeps it. */
export interface HeldDisruption {
  readonly claim: NodeClaim;
  readonly reason: BudgetedReason;
  /** One sentence for the journal. */
  readonly message: string;
}

export interface DisruptionDecision {
  readonly plans: readonly DisruptionPlan[];
  readonly held: readonly HeldDisruption[];
  readonly emptinessChanges: readonly EmptinessChange[];
  /** When the next node is due if nothing changes, in milliseconds since the epoch; Infinity for never. */
  readonly nextAtMs: number;
}

/** Windows of budgets begin and end with a minute. */
const BUDGET_AGAIN_MS = 60_000;

/**
 * Decides which empty nodes go; those that are due first go first, as far as budgets let them.
 * Pure: the shell writes the stamps and deletes the claims.
 * @param nominatedUntilMs by node or claim name: until when pods are on their way to it, 0 for not at all
 */
export function disrupt(
  snapshot: ClusterSnapshot,
  nominatedUntilMs: (name: string) => number,
): DisruptionDecision {
  const nowMs = snapshot.takenAtMs;
  const emptiness = decideEmptiness(snapshot, nominatedUntilMs);
  const { plans, held } = withinBudgets(inOrder(emptiness.due, nowMs), snapshot);
  const later = emptiness.due.map(({ dueAtMs }) => dueAtMs).filter((dueAtMs) => dueAtMs > nowMs);
  const nominated = snapshot.nodeClaims.flatMap(({ name, status }) => [
    nominatedUntilMs(name),
    nominatedUntilMs(status.nodeName),
  ]);
  const nominationEnds = nominated.filter((untilMs) => untilMs > nowMs);
  const budgetsAgain = held.length > 0 ? [nowMs + BUDGET_AGAIN_MS] : [];
  const nextAtMs = smallest([...later, ...nominationEnds, ...budgetsAgain]);
  const forbidding = emptiness.forbidding.map(({ claim, annotation }): HeldDisruption => {
    return { claim, reason: 'Empty', message: `the node forbids it by ${annotation}` };
  });
  return { plans, held: [...held, ...forbidding], emptinessChanges: emptiness.changes, nextAtMs };
}

function withinBudgets(
  due: readonly EmptinessDue[],
  snapshot: ClusterSnapshot,
): Pick<DisruptionDecision, 'plans' | 'held'> {
  const room = new BudgetRoom(snapshot);
  const plans: DisruptionPlan[] = [];
  const held: HeldDisruption[] = [];
  const reason = 'Empty';
  for (const one of due) {
    const { claim } = one;
    const { provisioner } = claim.spec;
    if (room.left(provisioner, reason) < 1) {
      const message = `spec.disruption.budgets of Provisioner ${provisioner} let no more nodes go as ${reason} now`;
      held.push({ claim, reason, message });
      continue;
    }
    room.take(provisioner, 1);
    const message = messageOf(one, snapshot.takenAtMs);
    plans.push({ reason, nodeClaims: [claim.name], replacements: [], message });
  }
  return { plans, held };
}

function messageOf({ claim, dueAtMs }: EmptinessDue, nowMs: number): string {
  const seconds = Math.round((nowMs - (claim.emptySinceMs ?? dueAtMs)) / 1000);
  return `node is empty since ${seconds} s, as long as Provisioner ${claim.spec.provisioner} keeps empty nodes`;
}

/** Those whose time is up, the longest first; of several at once, by name. */
function inOrder(due: readonly EmptinessDue[], nowMs: number): readonly EmptinessDue[] {
  return due
    .filter(({ dueAtMs }) => dueAtMs <= nowMs)
    .sort((left, right) => left.dueAtMs - right.dueAtMs || (left.claim.name < right.claim.name ? -1 : 1));
}

function smallest(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
}
