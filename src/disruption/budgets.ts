// How many more nodes of each Provisioner may go just now, by reason: what its budgets leave, and when that changes.
import type { BudgetedReason, DisruptionPolicy, NodeBudget } from '../model/disruptionPolicy.ts';
import { isReady } from '../model/node.ts';
import { hasCondition } from '../model/nodeClaim.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { isOpen, nextBoundaryMs } from '../model/timeWindow.ts';
import { claimsBeingReplaced } from './replacements.ts';

/** Without budgets of its own a Provisioner loses at most a tenth of its nodes at once to save money (NodePool v1). */
const USUAL_BUDGETS: readonly NodeBudget[] = [
  { nodes: { kind: 'percent', amount: 10 }, reasons: ['Underutilized', 'Drifted'], window: null },
];

interface Pool {
  nodes: number;
  /** Being deleted, or about to be once replaced, or not ready: these use the budget up, whatever the reason. */
  going: number;
  readonly budgets: readonly NodeBudget[];
  /** By reason: how many may be going. Windows take time to work out, and each node asks. */
  readonly most: Map<BudgetedReason, number>;
}

/** What is left of the budgets at one instant, and less of it with every node that is taken. */
export class BudgetRoom {
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #atMs: number;

  /** Counts nodes that have been initialized: those that come up are neither lost nor in use. */
  constructor(snapshot: ClusterSnapshot) {
    const pools = new Map<string, Pool>();
    for (const { name, disruption } of snapshot.provisioners) {
      pools.set(name, { nodes: 0, going: 0, budgets: budgetsOf(disruption), most: new Map() });
    }
    const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
    const replaced = claimsBeingReplaced(snapshot);
    for (const claim of snapshot.nodeClaims) {
      const pool = pools.get(claim.spec.provisioner);
      if (pool === undefined || !hasCondition(claim, 'Initialized')) continue;
      const node = nodes.get(claim.status.nodeName);
      pool.nodes += 1;
      const isGoing = claim.deletionRequestedAtMs !== null || replaced.has(claim.name);
      if (isGoing || node === undefined || !isReady(node)) pool.going += 1;
    }
    this.#pools = pools;
    this.#atMs = snapshot.takenAtMs;
  }

  /** How many more nodes of the Provisioner may go for that reason; Infinity without a budget that says otherwise. */
  left(provisioner: string, reason: BudgetedReason): number {
    const pool = this.#pools.get(provisioner);
    if (pool === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.#mostOf(pool, reason) - pool.going);
  }

  #mostOf({ budgets, nodes, most: known }: Pool, reason: BudgetedReason): number {
    const held = known.get(reason);
    if (held !== undefined) return held;
    const { most } = mostGoing(budgets, reason, { nodes, atMs: this.#atMs });
    known.set(reason, most);
    return most;
  }

  /** How many initialized nodes the Provisioner has, and how many of them are going or not ready. */
  counts(provisioner: string): { readonly nodes: number; readonly going: number } {
    const { nodes, going } = this.#pools.get(provisioner) ?? { nodes: 0, going: 0 };
    return { nodes, going };
  }

  /** Notes that so many of its nodes go now. */
  take(provisioner: string, count: number): void {
    const pool = this.#pools.get(provisioner);
    if (pool !== undefined) pool.going += count;
  }
}

/** What budgets are reckoned with. */
interface BudgetedPool {
  /** Initialized nodes of the Provisioner. */
  readonly nodes: number;
  readonly atMs: number;
}

/** How many nodes may be going for one reason at one instant, and which budget says so. */
export interface BudgetState {
  /** Infinity when no budget speaks of the reason. */
  readonly most: number;
  /** Index of the budget in `spec.disruption.budgets`; -1 when none of them bounds it. */
  readonly boundBy: number;
}

/**
 * What the budgets of a Provisioner allow for a reason. Of several that apply the least counts; with maintenance
 * windows (`onlyWithin`) for the reason, nothing is allowed while all of them are closed.
 */
export function budgetState(
  policy: DisruptionPolicy,
  reason: BudgetedReason,
  pool: BudgetedPool,
): BudgetState {
  const state = mostGoing(budgetsOf(policy), reason, pool);
  return policy.budgets.length > 0 ? state : { ...state, boundBy: -1 };
}

/** Windows that follow one another without a change of what is allowed are looked at this often. */
const CHANGES_MOST = 200;

/**
 * The first instant after `pool.atMs` at which the budgets allow a different number of nodes for the reason, and how
 * many then; null when windows never change it.
 */
export function nextBudgetChange(
  policy: DisruptionPolicy,
  reason: BudgetedReason,
  pool: BudgetedPool,
): (BudgetState & { readonly atMs: number }) | null {
  const windows = budgetsOf(policy).flatMap(({ reasons, window }) =>
    window !== null && (reasons?.includes(reason) ?? true) ? [window] : [],
  );
  const { most } = budgetState(policy, reason, pool);
  let atMs = pool.atMs;
  for (let changes = 0; changes < CHANGES_MOST; changes += 1) {
    atMs = windows.reduce(
      (soonest, window) => Math.min(soonest, nextBoundaryMs(window, atMs)),
      Number.POSITIVE_INFINITY,
    );
    if (atMs === Number.POSITIVE_INFINITY) return null;
    const state = budgetState(policy, reason, { ...pool, atMs });
    if (state.most !== most) return { ...state, atMs };
  }
  return null;
}

function budgetsOf({ budgets }: DisruptionPolicy): readonly NodeBudget[] {
  return budgets.length > 0 ? budgets : USUAL_BUDGETS;
}

function mostGoing(
  budgets: readonly NodeBudget[],
  reason: BudgetedReason,
  { nodes, atMs }: BudgetedPool,
): BudgetState {
  let state: BudgetState = { most: Number.POSITIVE_INFINITY, boundBy: -1 };
  /** The first maintenance window for the reason, as long as none is open. */
  let closed = -1;
  let isWithin = false;
  for (const [index, budget] of budgets.entries()) {
    if (budget.reasons !== null && !budget.reasons.includes(reason)) continue;
    const holds = budget.window === null || isOpen(budget.window, atMs);
    if (budget.onlyWithin === true) {
      isWithin ||= holds;
      if (closed < 0) closed = index;
    }
    if (!holds) continue;
    const most = allowedBy(budget, nodes);
    if (most < state.most) state = { most, boundBy: index };
  }
  return closed >= 0 && !isWithin ? { most: 0, boundBy: closed } : state;
}

/** Percentages are rounded up, as those of a NodePool are. */
function allowedBy({ nodes: { kind, amount } }: NodeBudget, nodes: number): number {
  return kind === 'count' ? amount : Math.ceil((amount * nodes) / 100);
}
