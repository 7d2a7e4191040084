// Which nodes leave now because they are empty or too old, what holds others back, and when to look again.
import type { BudgetedReason } from '../model/disruptionPolicy.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { DisruptionPlan } from '../model/plan.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { BudgetRoom } from './budgets.ts';
import { decideEmptiness, type EmptinessChange } from './emptiness.ts';
import { decideExpiration } from './expiration.ts';

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

/** One claim that is due. */
interface Leaving {
  readonly claim: NodeClaim;
  readonly reason: 'Empty' | 'Expired';
  readonly dueAtMs: number;
}

/**
 * Decides what leaves. Pure: the shell writes the stamps and deletes the claims.
 * Budgets hold for both reasons; nodes that are due first go first, empty ones before the others.
 * @param nominatedUntilMs by node or claim name: until when pods are on their way to it, 0 for not at all
 */
export function disrupt(
  snapshot: ClusterSnapshot,
  nominatedUntilMs: (name: string) => number,
): DisruptionDecision {
  const nowMs = snapshot.takenAtMs;
  const emptiness = decideEmptiness(snapshot, nominatedUntilMs);
  const expiration = decideExpiration(snapshot);
  const expired = inOrder(expiration, nowMs).map((one): Leaving => ({ ...one, reason: 'Expired' }));
  const gone = new Set(expired.map(({ claim }) => claim.name));
  const empty = inOrder(emptiness.due, nowMs)
    .filter(({ claim }) => !gone.has(claim.name))
    .map((one): Leaving => ({ ...one, reason: 'Empty' }));
  const { plans, held } = withinBudgets([...empty, ...expired], snapshot);
  const later = [...emptiness.due, ...expiration]
    .map(({ dueAtMs }) => dueAtMs)
    .filter((dueAtMs) => dueAtMs > nowMs);
  const nominated = snapshot.nodeClaims.flatMap(({ name, status }) => [
    nominatedUntilMs(name),
    nominatedUntilMs(status.nodeName),
  ]);
  const nominationEnds = nominated.filter((untilMs) => untilMs > nowMs);
  const budgetsAgain = held.length > 0 ? [nowMs + BUDGET_AGAIN_MS] : [];
  const nextAtMs = smallest([...later, ...nominationEnds, ...budgetsAgain]);
  const forbidding = emptiness.forbidding
    .filter(({ claim }) => !gone.has(claim.name))
    .map(({ claim, annotation }): HeldDisruption => {
      return { claim, reason: 'Empty', message: `the node forbids it by ${annotation}` };
    });
  return { plans, held: [...held, ...forbidding], emptinessChanges: emptiness.changes, nextAtMs };
}

function withinBudgets(
  leaving: readonly Leaving[],
  snapshot: ClusterSnapshot,
): Pick<DisruptionDecision, 'plans' | 'held'> {
  const room = new BudgetRoom(snapshot);
  const plans: DisruptionPlan[] = [];
  const held: HeldDisruption[] = [];
  for (const one of leaving) {
    const { claim, reason } = one;
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

function messageOf({ claim, reason, dueAtMs }: Leaving, nowMs: number): string {
  const { provisioner } = claim.spec;
  if (reason === 'Expired')
    return `node is older than ttlSecondsUntilExpired of Provisioner ${provisioner} allows`;
  const seconds = Math.round((nowMs - (claim.emptySinceMs ?? dueAtMs)) / 1000);
  return `node is empty since ${seconds} s, as long as Provisioner ${provisioner} keeps empty nodes`;
}

/** Those whose time is up, the longest first; of several at once, by name. */
function inOrder<T extends { readonly claim: NodeClaim; readonly dueAtMs: number }>(
  due: readonly T[],
  nowMs: number,
): readonly T[] {
  return due
    .filter(({ dueAtMs }) => dueAtMs <= nowMs)
    .sort((left, right) => left.dueAtMs - right.dueAtMs || (left.claim.name < right.claim.name ? -1 : 1));
}

function smallest(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
}
