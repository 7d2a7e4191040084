// PodDisruptionBudgets: what each allows, kept up to date pod by pod, and asked by the Eviction API.

import type { LabelSelector } from '../model/labelSelector.ts';
import { selectorMatches } from '../model/labelSelector.ts';
import { isTerminal, type Pod, podKey } from '../model/pod.ts';
import type { ObjectStore } from './objectStore.ts';

/** As users write it; exactly one of the two is not null. Percentages are of the pods that match, rounded up. */
export interface BudgetSpec {
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector;
  readonly minAvailable: string | null;
  readonly maxUnavailable: string | null;
  /** Kubernetes' default is IfHealthyBudget. */
  readonly unhealthyPodEvictionPolicy?: 'IfHealthyBudget' | 'AlwaysAllow';
}

interface Budget {
  readonly spec: BudgetSpec;
  readonly healthy: Set<string>;
  /** Pods that match, by the uid of their owner ('' without one). */
  readonly podsByOwner: Map<string, Set<string>>;
}

export class DisruptionBudgets {
  readonly #store: ObjectStore;
  readonly #byNamespace = new Map<string, Budget[]>();
  readonly #scales = new Map<string, number>();

  constructor(store: ObjectStore) {
    this.#store = store;
    store.subscribe((event, before) => {
      if (event.kind !== 'pod') return;
      if (event.type === 'upsert') this.#note(event.object);
      else this.#forget(before as Pod);
    });
  }

  add(spec: BudgetSpec): void {
    const budget: Budget = { spec, healthy: new Set(), podsByOwner: new Map() };
    const held = this.#byNamespace.get(spec.namespace) ?? [];
    this.#byNamespace.set(spec.namespace, [...held, budget]);
    for (const pod of this.#store.values('pod')) {
      if (pod.namespace === spec.namespace) this.#count(budget, pod);
    }
    this.#publish(budget);
  }

  /** How many pods a controller wants: budgets expect that many, whatever is there just now. */
  setScale(ownerUid: string, replicas: number): void {
    this.#scales.set(ownerUid, replicas);
  }

  /** The budgets that cover the pod. */
  covering(pod: Pod): readonly BudgetSpec[] {
    return this.#matching(pod).map((budget) => budget.spec);
  }

  /**
   * True, and one disruption less to come, when every budget over the pod allows it.
   * Source: Kubernetes, "Unhealthy Pod Eviction Policy": pods that have not started are not covered, those that run
   * and are not ready may go if the policy says so, or while enough others are healthy.
   */
  takeDisruption(pod: Pod): boolean {
    if (pod.phase !== 'Running' || pod.deletionRequestedAtMs !== null) return true;
    const budgets = this.#matching(pod);
    if (!pod.ready) return budgets.every((budget) => this.#letsUnhealthyGo(budget));
    if (budgets.some((budget) => this.#allowed(budget) <= 0)) return false;
    for (const budget of budgets) {
      budget.healthy.delete(podKey(pod));
      this.#publish(budget);
    }
    return true;
  }

  #matching(pod: Pod): readonly Budget[] {
    const budgets = this.#byNamespace.get(pod.namespace) ?? [];
    return budgets.filter(({ spec }) => selectorMatches(spec.selector, pod.labels));
  }

  #note(pod: Pod): void {
    for (const budget of this.#matching(pod)) {
      this.#count(budget, pod);
      this.#publish(budget);
    }
  }

  #forget(pod: Pod): void {
    for (const budget of this.#matching(pod)) {
      budget.healthy.delete(podKey(pod));
      budget.podsByOwner.get(pod.owner?.uid ?? '')?.delete(podKey(pod));
      this.#publish(budget);
    }
  }

  #count(budget: Budget, pod: Pod): void {
    if (!selectorMatches(budget.spec.selector, pod.labels)) return;
    const key = podKey(pod);
    if (isHealthy(pod)) budget.healthy.add(key);
    else budget.healthy.delete(key);
    const owner = pod.owner?.uid ?? '';
    const siblings = budget.podsByOwner.get(owner) ?? new Set();
    if (isTerminal(pod)) siblings.delete(key);
    else siblings.add(key);
    budget.podsByOwner.set(owner, siblings);
  }

  #publish(budget: Budget): void {
    const { namespace, name, selector } = budget.spec;
    const key = `${namespace}/${name}`;
    const allowed = this.#allowed(budget);
    if (this.#store.get('disruptionBudget', key)?.disruptionsAllowed === allowed) return;
    this.#store.put('disruptionBudget', key, { namespace, name, selector, disruptionsAllowed: allowed });
  }

  #letsUnhealthyGo(budget: Budget): boolean {
    if (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
    return budget.healthy.size >= this.#wanted(budget);
  }

  #allowed(budget: Budget): number {
    return Math.max(0, budget.healthy.size - this.#wanted(budget));
  }

  /** Source: Kubernetes, "Specifying a Disruption Budget": percentages round up for both fields. */
  #wanted({ spec, podsByOwner }: Budget): number {
    let expected = 0;
    for (const [owner, pods] of podsByOwner) {
      if (pods.size > 0) expected += this.#scales.get(owner) ?? pods.size;
    }
    return spec.minAvailable !== null
      ? portion(spec.minAvailable, expected)
      : expected - portion(spec.maxUnavailable ?? '0', expected);
  }
}

function isHealthy(pod: Pod): boolean {
  return pod.ready && pod.phase === 'Running' && pod.deletionRequestedAtMs === null;
}

function portion(text: string, whole: number): number {
  return text.endsWith('%') ? Math.ceil((Number.parseFloat(text) * whole) / 100) : Number(text);
}
