// Pod selectors in play: interned with the namespaces they look into, and matched against labels once per label set.
import { type LabelSelector, selectorMatches } from '../model/labelSelector.ts';
import type { PodAffinityTerm } from '../model/pod.ts';
import type { Namespace } from '../model/workloads.ts';

interface InternedSelector {
  /** Selectors that must all match; empty for a plain one. */
  readonly all: readonly number[];
  readonly selector: LabelSelector;
  /** Namespaces looked into; null for all. */
  readonly namespaces: ReadonlySet<string> | null;
}

export const NO_SELECTOR = -1;

type Labels = Readonly<Record<string, string>>;

const NO_MATCHES: readonly number[] = [];

/** All selectors of one planning pass, by number. Intern all of them before asking for matches. */
export class SelectorTable {
  readonly #namespaces: readonly Namespace[];
  readonly #selectors: InternedSelector[] = [];
  readonly #byKey = new Map<string, number>();
  /** By namespace and labels, which are one object for equal labels of most pods. */
  readonly #matches = new Map<string, Map<Labels, readonly number[]>>();
  /** One array for equal matches. */
  readonly #distinct = new Map<string, readonly number[]>();
  /** Selectors that need `key=value`, by that text; those that need no one value. */
  readonly #byPair = new Map<string, number[]>();
  readonly #withoutPair: number[] = [];

  constructor(namespaces: readonly Namespace[]) {
    this.#namespaces = namespaces;
  }

  get size(): number {
    return this.#selectors.length;
  }

  /** A selector over the pod's own namespace (topology spread). A null selector matches nothing. */
  internOwn(selector: LabelSelector | null, namespace: string): number {
    return selector === null ? NO_SELECTOR : this.#intern(selector, new Set([namespace]));
  }

  /** The pods that a pod affinity term speaks of. Source: Kubernetes API, PodAffinityTerm. */
  internTerm(term: PodAffinityTerm, ownNamespace: string): number {
    if (term.selector === null) return NO_SELECTOR;
    return this.#intern(term.selector, this.#namespacesOf(term, ownNamespace));
  }

  /** Pods that all terms speak of: required affinity counts only those. Source: kube-scheduler, InterPodAffinity. */
  internAll(terms: readonly PodAffinityTerm[], ownNamespace: string): number {
    const all = [...new Set(terms.map((term) => this.internTerm(term, ownNamespace)))].sort((a, b) => a - b);
    const [first = NO_SELECTOR] = all;
    if (all.length < 2 || first === NO_SELECTOR) return first;
    const key = `all|${all.join(',')}`;
    const held = this.#byKey.get(key);
    if (held !== undefined) return held;
    const id = this.#selectors.length;
    this.#selectors.push({ selector: { expressions: [] }, namespaces: null, all });
    this.#byKey.set(key, id);
    this.#matches.clear();
    this.#withoutPair.push(id);
    return id;
  }

  #namespacesOf(term: PodAffinityTerm, ownNamespace: string): ReadonlySet<string> | null {
    const { namespaceSelector, namespaces } = term;
    if (namespaceSelector === null) return new Set(namespaces.length > 0 ? namespaces : [ownNamespace]);
    if (namespaceSelector.expressions.length === 0) return null;
    const selected = this.#namespaces.filter((one) => selectorMatches(namespaceSelector, one.labels));
    return new Set([...namespaces, ...selected.map((one) => one.name)]);
  }

  #intern(selector: LabelSelector, namespaces: ReadonlySet<string> | null): number {
    const where = namespaces === null ? '*' : [...namespaces].sort().join(',');
    const key = `${where}|${JSON.stringify(selector.expressions)}`;
    const held = this.#byKey.get(key);
    if (held !== undefined) return held;
    const id = this.#selectors.length;
    this.#selectors.push({ selector, namespaces, all: [] });
    this.#byKey.set(key, id);
    this.#matches.clear();
    this.#index(id, selector);
    return id;
  }

  #index(id: number, selector: LabelSelector): void {
    const exact = selector.expressions.find((one) => one.operator === 'In');
    if (exact === undefined) {
      this.#withoutPair.push(id);
      return;
    }
    for (const value of new Set(exact.values)) {
      const pair = `${exact.key}=${value}`;
      const held = this.#byPair.get(pair);
      if (held === undefined) this.#byPair.set(pair, [id]);
      else held.push(id);
    }
  }

  /** The selectors that match a pod with these labels in that namespace, ascending; one array for equal ones. */
  matchesOf(namespace: string, labels: Labels): readonly number[] {
    if (this.#selectors.length === 0) return NO_MATCHES;
    const held = this.#matches.get(namespace);
    const known = held?.get(labels);
    if (known !== undefined) return known;
    const candidates = [...this.#withoutPair];
    for (const name in labels) candidates.push(...(this.#byPair.get(`${name}=${labels[name]}`) ?? []));
    const found = candidates.filter((id) => this.#isMatch(id, namespace, labels)).sort((a, b) => a - b);
    const key = found.join(',');
    const matches = this.#distinct.get(key) ?? found;
    this.#distinct.set(key, matches);
    if (held === undefined) this.#matches.set(namespace, new Map([[labels, matches]]));
    else held.set(labels, matches);
    return matches;
  }

  #isMatch(id: number, namespace: string, labels: Labels): boolean {
    const one = this.#selectors[id];
    if (one === undefined) return false;
    if (one.all.length > 0) return one.all.every((part) => this.#isMatch(part, namespace, labels));
    if (one.namespaces !== null && !one.namespaces.has(namespace)) return false;
    return selectorMatches(one.selector, labels);
  }
}
