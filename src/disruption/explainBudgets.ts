// What the budgets of a Provisioner allow now, reason by reason.
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { BudgetRoom } from './budgets.ts';
import type { BudgetExplanation, ExplainedReason } from './explanation.ts';

const REASONS: readonly ExplainedReason[] = ['Empty', 'Expired', 'Underutilized'];

/** One line for each reason. */
export function explainBudgets(
  { name }: Provisioner,
  snapshot: ClusterSnapshot,
): readonly BudgetExplanation[] {
  const room = new BudgetRoom(snapshot);
  return REASONS.map((reason) => {
    const left = room.left(name, reason);
    const isFree = left === Number.POSITIVE_INFINITY;
    const message = isFree ? 'no budget bounds it' : `${left} more nodes may go now`;
    return { reason, left: isFree ? null : left, message, changesAtMs: null };
  });
}
