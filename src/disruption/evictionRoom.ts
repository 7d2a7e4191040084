// Which pods may be evicted together: what PodDisruptionBudgets leave, and less of it with every pod taken.
import { selectorMatches } from '../model/labelSelector.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { PodDisruptionBudget } from '../model/workloads.ts';
import type { Obstacle } from './obstacle.ts';

export class EvictionRoom {
  readonly #byNamespace: ReadonlyMap<string, readonly PodDisruptionBudget[]>;
  readonly #taken = new Map<PodDisruptionBudget, number>();

  constructor(budgets: readonly PodDisruptionBudget[]) {
    this.#byNamespace = Map.groupBy(budgets, ({ namespace }) => namespace);
  }

  /** Why these pods cannot all be evicted now, with the pod's name; null when they can. */
  obstacle(pods: readonly Pod[]): Obstacle | null {
    const wanted = new Map<PodDisruptionBudget, number>();
    for (const pod of pods) {
      const budgets = this.covering(pod);
      // Kubernetes, "Disruptions": the eviction of a pod under several budgets is refused whatever they say.
      if (budgets.length > 1)
        return {
          message: `pod ${podKey(pod)} is under ${budgets.length} disruption budgets at once`,
          blockedBy: podKey(pod),
        };
      for (const budget of budgets) {
        const count = (wanted.get(budget) ?? 0) + 1;
        wanted.set(budget, count);
        const left = budget.disruptionsAllowed - (this.#taken.get(budget) ?? 0);
        if (count <= left) continue;
        const message = `PodDisruptionBudget ${podKey(budget)} lets pod ${podKey(pod)} not go now (${left} left)`;
        return { message, blockedBy: podKey(pod) };
      }
    }
    return null;
  }

  take(pods: readonly Pod[]): void {
    for (const pod of pods)
      for (const budget of this.covering(pod)) this.#taken.set(budget, (this.#taken.get(budget) ?? 0) + 1);
  }

  /** The budgets that the pod is under. */
  covering(pod: Pod): readonly PodDisruptionBudget[] {
    const budgets = this.#byNamespace.get(pod.namespace) ?? [];
    return budgets.filter(({ selector }) => selectorMatches(selector, pod.labels));
  }
}
