// How a Provisioner's nodes may be disrupted of our own accord: when, how many at once, and for what gain.
import type { TimeWindow } from './timeWindow.ts';

/** Never: nodes are neither removed nor replaced to save money, unless `ttlSecondsAfterEmpty` says so. */
export type ConsolidationPolicy = 'Never' | 'WhenEmpty' | 'WhenEmptyOrUnderutilized';

/** Reasons that a budget can be written for. */
export type BudgetedReason = 'Empty' | 'Underutilized' | 'Expired' | 'Drifted' | 'OffHours';

export const BUDGETED_REASONS: readonly BudgetedReason[] = [
  'Empty',
  'Underutilized',
  'Expired',
  'Drifted',
  'OffHours',
];

/** How many of a Provisioner's nodes may be going at the same time. */
export interface NodeBudget {
  readonly nodes: { readonly kind: 'count' | 'percent'; readonly amount: number };
  /** Null for every reason. */
  readonly reasons: readonly BudgetedReason[] | null;
  /** When it holds; null for always. */
  readonly window: TimeWindow | null;
  /** True for a maintenance window: none may go outside of it. */
  readonly onlyWithin?: boolean;
}

/** A replacement that saves less than any of these is not made. */
export interface MinimumSavings {
  /** Of the price of the nodes that go. */
  readonly percent: number;
  readonly usdPerHour: number;
  readonly usdPerHourPerEvictedPod: number;
}

/** What becomes of nodes that have been unhealthy for long: Observe tells of them and leaves them alone. */
export interface RepairPolicy {
  readonly policy: 'Observe' | 'Replace';
  /** How long any of the conditions is borne; null for as long as each usually is. */
  readonly toleratedMs: number | null;
}

export const DEFAULT_REPAIR: RepairPolicy = { policy: 'Observe', toleratedMs: null };

/** Never: drift is not looked for. Observe: it is told, and nothing is replaced. Replace: they are replaced. */
export type DriftPolicy = 'Never' | 'Observe' | 'Replace';

/** How drifted nodes are replaced: so many first, and the others once those have been Ready for so long. */
export interface DriftRules {
  readonly policy: DriftPolicy;
  readonly canary: { readonly nodes: number; readonly soakMs: number };
}

export interface DisruptionPolicy {
  readonly consolidation: ConsolidationPolicy;
  /** How long a node's pods must not have changed before it is consolidated. */
  readonly consolidateAfterMs: number;
  readonly budgets: readonly NodeBudget[];
  readonly minimumSavings: MinimumSavings;
  /** Younger nodes are not consolidated. */
  readonly minimumNodeAgeMs: number;
  /** Nodes expire by up to this much early, each by a share of its own. */
  readonly expireJitterMs: number;
  /** `DEFAULT_REPAIR` when absent. */
  readonly repair?: RepairPolicy;
  readonly drift: DriftRules;
}

export const NO_CONSOLIDATION: DisruptionPolicy = {
  consolidation: 'Never',
  consolidateAfterMs: 0,
  budgets: [],
  minimumSavings: { percent: 0, usdPerHour: 0, usdPerHourPerEvictedPod: 0 },
  minimumNodeAgeMs: 300_000,
  expireJitterMs: 0,
  drift: { policy: 'Observe', canary: { nodes: 1, soakMs: 600_000 } },
};
