// How many more nodes of each Provisioner may go just now, by reason: what its budgets leave.
import { lastStartMs } from '../model/cronSchedule.ts';
import type { BudgetedReason, NodeBudget } from '../model/disruptionPolicy.ts';
import { isReady } from '../model/node.ts';
import { hasCondition } from '../model/nodeClaim.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

/** Without budgets of its own a Provisioner loses at most a tenth of its nodes at once to save money (NodePool v1). */
const USUAL_BUDGETS: readonly NodeBudget[] = [
  { nodes: { kind: 'percent', amount: 10 }, reasons: ['Underutilized'], window: null },
];

interface Pool {
  nodes: number;
  /** Being deleted, or not ready: these use the budget up, for whatever reason they go. */
  going: number;
  readonly budgets: readonly NodeBudget[];
}

/** What is left of the budgets at one instant, and less of it with every node that is taken. */
export class BudgetRoom {
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #atMs: number;

  /** Counts nodes that have been initialized: those that come up are neither lost nor in use. */
  constructor(snapshot: ClusterSnapshot) {
    const pools = new Map<string, Pool>();
    for (const { name, disruption } of snapshot.provisioners) {
      const budgets = disruption.budgets.length > 0 ? disruption.budgets : USUAL_BUDGETS;
      pools.set(name, { nodes: 0, going: 0, budgets });
    }
    const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
    for (const claim of snapshot.nodeClaims) {
      const pool = pools.get(claim.spec.provisioner);
      if (pool === undefined || !hasCondition(claim, 'Initialized')) continue;
      const node = nodes.get(claim.status.nodeName);
      pool.nodes += 1;
      if (claim.deletionRequestedAtMs !== null || node === undefined || !isReady(node)) pool.going += 1;
    }
    this.#pools = pools;
    this.#atMs = snapshot.takenAtMs;
  }

  /** How many more nodes of the Provisioner may go for that reason; Infinity without a budget that says otherwise. */
  left(provisioner: string, reason: BudgetedReason): number {
    const pool = this.#pools.get(provisioner);
    if (pool === undefined) return Number.POSITIVE_INFINITY;
    let least = Number.POSITIVE_INFINITY;
    for (const budget of pool.budgets) {
      if (budget.reasons !== null && !budget.reasons.includes(reason)) continue;
      if (!isOpen(budget, this.#atMs)) continue;
      least = Math.min(least, allowedBy(budget, pool.nodes) - pool.going);
    }
    return Math.max(0, least);
  }

  /** Notes that so many of its nodes go now. */
  take(provisioner: string, count: number): void {
    const pool = this.#pools.get(provisioner);
    if (pool !== undefined) pool.going += count;
  }
}

/** True while a budget without a window or within it holds. */
function isOpen({ window }: NodeBudget, atMs: number): boolean {
  if (window === null) return true;
  const { schedule, timeZone, durationMs } = window;
  return lastStartMs(schedule, timeZone, { sinceMs: atMs - durationMs, atMs }) !== null;
}

/** Percentages are rounded up, as those of a NodePool are. */
function allowedBy({ nodes: { kind, amount } }: NodeBudget, nodes: number): number {
  return kind === 'count' ? amount : Math.ceil((amount * nodes) / 100);
}
