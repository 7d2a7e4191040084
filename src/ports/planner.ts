// Making plans and judging them: in this thread or in another one, which the controllers need not know.
import type { Consolidation, ConsolidationDecision, OrderedConsolidation } from '../model/consolidation.ts';
import type { SchedulingPlan } from '../model/plan.ts';
import type { Pod } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';

export interface PlanProblem {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  /** The pods to place, unbound; each in the snapshot or not. */
  readonly pods: readonly Pod[];
  /** Where earlier plans have sent pods: target names by pod key. */
  readonly nominated: ReadonlyMap<string, string>;
  /** How long improvement may go on after the first complete plan. */
  readonly budgetMs: number;
}

export type PlanOutcome =
  /** The plan has passed the independent check. */
  | { readonly kind: 'passed'; readonly plan: SchedulingPlan }
  /** A plan was made and must not be carried out. `dump` says where plan and problem are kept. */
  | { readonly kind: 'violating'; readonly violations: readonly string[]; readonly dump: string }
  /** No plan was made; the reason is a sentence for people. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Planner {
  /** Plans and checks. Deterministic: equal problems give equal plans, wherever they are made. Does not throw. */
  plan(problem: PlanProblem): Promise<PlanOutcome>;
  /**
   * Looks for the nodes that are best taken away. Plans that are asked for meanwhile do not wait for it. Does not
   * throw: a decision that cannot be made says why in `halted`.
   */
  consolidate(consolidation: Consolidation): Promise<ConsolidationDecision>;
  /** Whether an action may be carried out now. Null when it may, else a sentence that says what has changed. */
  stillPays(consolidation: Consolidation, ordered: OrderedConsolidation): Promise<string | null>;
}
