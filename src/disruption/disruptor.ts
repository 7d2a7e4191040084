// Which nodes leave now: empty ones, and those of a Provisioner that is off; what holds others; when to look again.
import type { BudgetedReason } from '../model/disruptionPolicy.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { DisruptionPlan } from '../model/plan.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { BudgetRoom } from './budgets.ts';
import { decideEmptiness, type EmptinessChange, type EmptinessDue } from './emptiness.ts';
import { decideOffHours, offUntil } from './offHours.ts';

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

/** Windows of budgets begin and end with a minute; opt-outs end at any time. */
const HELD_AGAIN_MS = 60_000;

/** One claim that is due. */
interface Due {
  readonly claim: NodeClaim;
  readonly reason: 'Empty' | 'OffHours';
  /** One sentence. */
  readonly message: string;
}

/**
 * Decides which nodes go, as far as budgets let them: empty ones, those that are due first, then those that are not
 * wanted at this hour.
 * Pure: the shell writes the stamps and deletes the claims.
 * @param nominatedUntilMs by node or claim name: until when pods are on their way to it, 0 for not at all
 */
export function disrupt(
  snapshot: ClusterSnapshot,
  nominatedUntilMs: (name: string) => number,
): DisruptionDecision {
  const nowMs = snapshot.takenAtMs;
  const emptiness = decideEmptiness(snapshot, nominatedUntilMs);
  const empty = inOrder(emptiness.due, nowMs).map((one): Due => {
    return { claim: one.claim, reason: 'Empty', message: emptyFor(one, nowMs) };
  });
  const isEmpty = new Set(empty.map(({ claim }) => claim.name));
  const offHours = decideOffHours(snapshot);
  const notWanted = new Map<string, string>();
  const off = offHours.leaving
    .filter(({ name }) => !isEmpty.has(name))
    .map((claim): Due => {
      const { provisioner } = claim.spec;
      const message = notWanted.get(provisioner) ?? notWantedMessage(provisioner, snapshot);
      notWanted.set(provisioner, message);
      return { claim, reason: 'OffHours', message };
    });
  const { plans, held } = withinBudgets([...empty, ...off], snapshot);
  const later = emptiness.due.map(({ dueAtMs }) => dueAtMs).filter((dueAtMs) => dueAtMs > nowMs);
  const nominated = snapshot.nodeClaims.flatMap(({ name, status }) => [
    nominatedUntilMs(name),
    nominatedUntilMs(status.nodeName),
  ]);
  const nominationEnds = nominated.filter((untilMs) => untilMs > nowMs);
  const keptOn = offHours.kept
    .filter(({ claim }) => !isEmpty.has(claim.name))
    .map(({ claim, message }): HeldDisruption => ({ claim, reason: 'OffHours', message }));
  const told = new Set([...off, ...keptOn].map(({ claim }) => claim.name));
  const forbidding = emptiness.forbidding
    .filter(({ claim }) => !told.has(claim.name))
    .map(({ claim, annotation }): HeldDisruption => {
      return { claim, reason: 'Empty', message: `the node forbids it by ${annotation}` };
    });
  const allHeld = [...held, ...forbidding, ...keptOn];
  const heldAgain = allHeld.length > 0 ? [nowMs + HELD_AGAIN_MS] : [];
  const nextAtMs = smallest([...later, ...nominationEnds, ...heldAgain, offHours.nextAtMs]);
  return { plans, held: allHeld, emptinessChanges: emptiness.changes, nextAtMs };
}

function withinBudgets(
  due: readonly Due[],
  snapshot: ClusterSnapshot,
): Pick<DisruptionDecision, 'plans' | 'held'> {
  const room = new BudgetRoom(snapshot);
  const plans: DisruptionPlan[] = [];
  const held: HeldDisruption[] = [];
  for (const { claim, reason, message } of due) {
    const { provisioner } = claim.spec;
    if (room.left(provisioner, reason) < 1) {
      const blocked = `spec.disruption.budgets of Provisioner ${provisioner} let no more nodes go as ${reason} now`;
      held.push({ claim, reason, message: blocked });
      continue;
    }
    room.take(provisioner, 1);
    plans.push({ reason, nodeClaims: [claim.name], replacements: [], message });
  }
  return { plans, held };
}

/** When the window ends takes time to work out: this is for all nodes of the Provisioner. */
function notWantedMessage(name: string, { provisioners, takenAtMs }: ClusterSnapshot): string {
  const owner = provisioners.find((one) => one.name === name);
  return `Provisioner ${name} ${offUntil(owner ?? {}, takenAtMs)} by its spec.schedule`;
}

function emptyFor({ claim, dueAtMs }: EmptinessDue, nowMs: number): string {
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
