// Which pods go where, and what to launch for the rest: the one entry to the packer.
import type { SchedulingPlan } from '../model/plan.ts';
import type { Pod } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';

export interface SchedulingOptions {
  /** How long improvement may go on after the first complete plan, in milliseconds of `elapsedMs`; 0 for none. */
  readonly budgetMs: number;
  /** Milliseconds since the call began, given from outside so that the core reads no clock. */
  readonly elapsedMs: () => number;
}

export const FIRST_PLAN_ONLY: SchedulingOptions = { budgetMs: 0, elapsedMs: () => 0 };

/**
 * Places the pods on existing nodes, claims in flight and new nodes, as cheaply as it can.
 * Pure and deterministic: the same snapshot gives the same plan.
 * @param snapshot the cluster; its pods that are bound take room on their nodes
 * @param catalogue what each Provisioner may buy
 * @param pods the pods to place, unbound, each in the snapshot or not
 */
export function schedule(
  _snapshot: ClusterSnapshot,
  _catalogue: Catalogue,
  _pods: readonly Pod[],
  _options: SchedulingOptions = FIRST_PLAN_ONLY,
): SchedulingPlan {
  throw new Error('not built yet');
}
