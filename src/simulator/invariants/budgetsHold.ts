// No eviction leaves fewer pods ready than a PodDisruptionBudget wants, counted anew from all pods.
import { selectorMatches } from '../../model/labelSelector.ts';
import type { BudgetSpec } from '../disruptionBudgets.ts';
import type { Invariant } from './invariant.ts';

export const budgetsHold: Invariant = ({ simulation, report }) => {
  const { kube, store, setup } = simulation;
  kube.observe({
    evicted: (key, outcome) => {
      const evicted = outcome === 'evicted' ? store.get('pod', key) : undefined;
      if (evicted === undefined || !evicted.ready) return;
      for (const budget of setup.budgets) {
        if (budget.namespace !== evicted.namespace || !selectorMatches(budget.selector, evicted.labels))
          continue;
        let ready = 0;
        for (const pod of store.values('pod')) {
          const isCovered =
            pod.namespace === budget.namespace && selectorMatches(budget.selector, pod.labels);
          if (isCovered && pod.ready && pod.deletionRequestedAtMs === null) ready += 1;
        }
        const wanted = absoluteMinimum(budget);
        if (wanted !== null && ready < wanted) {
          report(`evicting pod ${key} leaves ${ready} ready, budget ${budget.name} wants ${wanted}`);
        }
      }
    },
  });
  return undefined;
};

/** Only budgets with a plain number can be counted without knowing how many pods their owners want. */
function absoluteMinimum({ minAvailable }: BudgetSpec): number | null {
  return minAvailable === null || minAvailable.endsWith('%') ? null : Number(minAvailable);
}
