// A plan together with what the independent check says of it.
import type { SchedulingPlan } from '../model/plan.ts';
import type { Pod } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { checkPlan } from './checker/checkPlan.ts';
import { type SchedulingOptions, schedule } from './scheduler.ts';

export interface CheckedPlan {
  readonly plan: SchedulingPlan;
  /** Empty for a plan that may be carried out. */
  readonly violations: readonly string[];
}

/** Plans for the pods, and checks the plan. Parameters as for `schedule`. */
export function checkedPlan(
  snapshot: ClusterSnapshot,
  catalogue: Catalogue,
  pods: readonly Pod[],
  options: SchedulingOptions,
): CheckedPlan {
  const plan = schedule(snapshot, catalogue, pods, options);
  return { plan, violations: checkPlan(snapshot, catalogue, pods, plan) };
}
