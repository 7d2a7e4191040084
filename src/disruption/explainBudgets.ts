// What the budgets of a Provisioner allow now, reason by reason, and when their windows change it.
import type { BudgetedReason } from '../model/disruptionPolicy.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { BudgetRoom, budgetState, nextBudgetChange } from './budgets.ts';
import type { BudgetExplanation } from './explanation.ts';

/** One line for each of the reasons. */
export function explainBudgets(
  { name, disruption }: Provisioner,
  snapshot: ClusterSnapshot,
  reasons: readonly BudgetedReason[],
): readonly BudgetExplanation[] {
  const room = new BudgetRoom(snapshot);
  const { nodes, going } = room.counts(name);
  const pool = { nodes, atMs: snapshot.takenAtMs };
  return reasons.map((reason) => {
    const left = room.left(name, reason);
    const isFree = left === Number.POSITIVE_INFINITY;
    const { boundBy } = budgetState(disruption, reason, pool);
    const field = boundBy < 0 ? 'the usual budget of 10 %' : `spec.disruption.budgets[${boundBy}]`;
    const next = nextBudgetChange(disruption, reason, pool);
    const others = going === 0 ? '' : `, ${going} of ${nodes} are going or not ready`;
    const message = isFree ? 'no budget bounds it now' : `${left} more may go now by ${field}${others}`;
    return {
      reason,
      left: isFree ? null : left,
      message: next === null ? message : `${message}; then ${allowance(next.most)}`,
      changesAtMs: next?.atMs ?? null,
    };
  });
}

function allowance(most: number): string {
  return most === Number.POSITIVE_INFINITY ? 'any number at once' : `${most} at once`;
}

/** When a window lets nodes go again that none may leave now; null when they may, or when no window decides. */
export function nextOpeningMs(
  { name, disruption }: Provisioner,
  snapshot: ClusterSnapshot,
  reason: BudgetedReason,
): number | null {
  const room = new BudgetRoom(snapshot);
  if (room.left(name, reason) >= 1) return null;
  const { nodes } = room.counts(name);
  return nextBudgetChange(disruption, reason, { nodes, atMs: snapshot.takenAtMs })?.atMs ?? null;
}
