// Counts that decide whether one more pod may be bound to a node now, as the kube-scheduler keeps them.
import type { ClassInPlay } from './assignment.ts';
import { isSeen } from './domainWorld.ts';
import type { Placement } from './placements.ts';
import type { Target } from './targets.ts';
import type { PodTerm, SpreadTerm } from './topology.ts';

/** A node, there or to come. */
export type Place = Pick<Target, 'labels' | 'taints'>;

export interface Counted {
  readonly count: number;
  /** Pods being deleted still draw others, and are left out of spreads. */
  readonly leaving: boolean;
}

export interface Tally {
  /** The pods that are counted. */
  readonly selector: number;
  reset(): void;
  add(place: Place, counted: Counted): void;
  /** True when one more pod of the class may be bound there now. */
  allows(one: ClassInPlay, place: Place): boolean;
  /** True where more pods would raise the minimum. */
  isLowest(place: Place): boolean;
}

function domainOf({ labels }: Place, key: string): string | undefined {
  const values = labels.get(key);
  return values?.size === 1 ? [...values][0] : undefined;
}

/** Pods of one spread by domain, on the nodes that it looks at. Source: kube-scheduler, PodTopologySpread. */
export class SpreadTally implements Tally {
  readonly selector: number;
  readonly #term: SpreadTerm;
  readonly #domains = new Map<Place, string>();
  readonly #counts = new Map<string, number>();

  /** @param keys of all hard spreads of the pod: nodes without one of them are not looked at */
  constructor(term: SpreadTerm, keys: readonly string[], placement: Placement, places: readonly Place[]) {
    this.selector = term.selector;
    this.#term = term;
    for (const place of places) {
      const domain = domainOf(place, term.key);
      if (domain === undefined || !keys.every((key) => place.labels.has(key))) continue;
      if (isSeen(place, term, placement)) this.#domains.set(place, domain);
    }
    this.reset();
  }

  reset(): void {
    for (const domain of this.#domains.values()) this.#counts.set(domain, 0);
  }

  add(place: Place, { count, leaving }: Counted): void {
    const domain = this.#domains.get(place);
    if (domain === undefined || leaving) return;
    this.#counts.set(domain, (this.#counts.get(domain) ?? 0) + count);
  }

  allows({ rules }: ClassInPlay, place: Place): boolean {
    const domain = this.#domains.get(place);
    if (domain === undefined) return false;
    const own = rules.matches.has(this.selector) ? 1 : 0;
    return (this.#counts.get(domain) ?? 0) + own - this.#minimum() <= this.#term.maxSkew;
  }

  isLowest(place: Place): boolean {
    const domain = this.#domains.get(place);
    return domain !== undefined && this.#counts.get(domain) === this.#minimum();
  }

  #minimum(): number {
    if (this.#counts.size < this.#term.minDomains) return 0;
    let least = Number.POSITIVE_INFINITY;
    for (const count of this.#counts.values()) least = Math.min(least, count);
    return least;
  }
}

/** Where the pods stand that one set of affinity terms is drawn to. Source: kube-scheduler, InterPodAffinity. */
export class DrawnTally implements Tally {
  readonly selector: number;
  readonly #keys: readonly string[];
  readonly #occupied = new Set<string>();

  /** @param terms all of one selector */
  constructor(terms: readonly PodTerm[]) {
    this.selector = terms[0]?.selector ?? -1;
    this.#keys = terms.map(({ key }) => key);
  }

  reset(): void {
    this.#occupied.clear();
  }

  add(place: Place): void {
    for (const key of this.#keys) {
      const domain = domainOf(place, key);
      if (domain !== undefined) this.#occupied.add(`${key}|${domain}`);
    }
  }

  /** The first of a group that is drawn to itself may start anywhere. */
  allows({ rules }: ClassInPlay, place: Place): boolean {
    const domains = this.#keys.map((key) => domainOf(place, key));
    if (domains.includes(undefined)) return false;
    if (this.#keys.every((key, at) => this.#occupied.has(`${key}|${domains[at]}`))) return true;
    return this.#occupied.size === 0 && rules.matches.has(this.selector);
  }

  isLowest(): boolean {
    return false;
  }
}
