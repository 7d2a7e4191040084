// No eviction leaves fewer pods healthy than a PodDisruptionBudget wants, in any of its forms, counted anew each time.
import { selectorMatches } from '../../model/labelSelector.ts';
import { isTerminal, type Pod } from '../../model/pod.ts';
import type { BudgetSpec } from '../disruptionBudgets.ts';
import type { Simulation } from '../simulation.ts';
import type { Invariant } from './invariant.ts';

export const budgetsHold: Invariant = ({ simulation, report }) => {
  const { kube, store, setup } = simulation;
  kube.observe({
    evicted: (key, outcome) => {
      const evicted = outcome === 'evicted' ? store.get('pod', key) : undefined;
      // A pod that has not started, or has ended, is not covered by any budget.
      if (evicted === undefined || evicted.phase !== 'Running') return;
      for (const budget of setup.budgets) {
        if (!covers(budget, evicted)) continue;
        if (!evicted.ready && budget.unhealthyPodEvictionPolicy === 'AlwaysAllow') continue;
        const { healthy, expected } = countPods(budget, simulation);
        const wanted = wantedHealthy(budget, expected);
        if (healthy >= wanted) continue;
        const kind = evicted.ready ? '' : ', itself not ready,';
        report(`evicting pod ${key}${kind} leaves ${healthy} healthy, budget ${budget.name} wants ${wanted}`);
      }
    },
  });
  return undefined;
};

function covers(budget: BudgetSpec, pod: Pod): boolean {
  return pod.namespace === budget.namespace && selectorMatches(budget.selector, pod.labels);
}

/** Healthy pods as they are after the eviction, and how many there should be: their owners' scales. */
function countPods(
  budget: BudgetSpec,
  { store, workloads }: Simulation,
): { readonly healthy: number; readonly expected: number } {
  let healthy = 0;
  const podsOf = new Map<string, number>();
  for (const pod of store.values('pod')) {
    if (!covers(budget, pod)) continue;
    if (pod.ready && pod.phase === 'Running' && pod.deletionRequestedAtMs === null) healthy += 1;
    const owner = pod.owner?.uid ?? '';
    if (!isTerminal(pod)) podsOf.set(owner, (podsOf.get(owner) ?? 0) + 1);
  }
  let expected = 0;
  for (const [owner, pods] of podsOf) expected += workloads.wantedOf(owner) ?? pods;
  return { healthy, expected };
}

/** Percentages round up, for both fields (Kubernetes, "Specifying a Disruption Budget for your Application"). */
function wantedHealthy({ minAvailable, maxUnavailable }: BudgetSpec, expected: number): number {
  const amount = (text: string): number =>
    text.endsWith('%') ? Math.ceil((Number.parseFloat(text) * expected) / 100) : Number(text);
  return minAvailable !== null ? amount(minAvailable) : expected - amount(maxUnavailable ?? '0');
}
