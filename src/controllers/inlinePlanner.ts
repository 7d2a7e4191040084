// Plans in the thread that asks: for the simulator, where one thread and a virtual clock make histories repeat.
import { consolidate, stillPays } from '../disruption/consolidation.ts';
import { decided } from '../disruption/consolidationSearch.ts';
import type { Clock } from '../ports/clock.ts';
import type { Planner } from '../ports/planner.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { type CheckedPlan, checkedPlan } from '../scheduling/checkedPlan.ts';

/** A planner that answers before anything else can run. */
export function inlinePlanner(clock: Clock, telemetry: Telemetry): Planner {
  return {
    async plan({ snapshot, catalogue, pods, nominated, budgetMs }) {
      const startedAtMs = clock.nowMs();
      const elapsedMs = (): number => clock.nowMs() - startedAtMs;
      let checked: CheckedPlan;
      try {
        checked = checkedPlan(snapshot, catalogue, pods, { budgetMs, elapsedMs, nominated });
      } catch (failure) {
        return {
          kind: 'failed',
          reason: `planning failed, which is a fault of Cooper: ${String(failure)}`,
        };
      }
      const { plan, violations } = checked;
      if (violations.length === 0) return { kind: 'passed', plan };
      const found = { violations, plan, pods, snapshot, catalogue: [...catalogue] };
      return { kind: 'violating', violations, dump: telemetry.dump('rejected-plan', found) };
    },
    consolidate: async (consolidation) => decided(consolidate(consolidation)),
    stillPays: async (consolidation, ordered) => decided(stillPays(consolidation, ordered)),
  };
}
