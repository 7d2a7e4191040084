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
  /** @param place a number of the place, as in `Places` */
  add(place: number, counted: Counted): void;
  /** True when one more pod of the class may be bound there now. */
  allows(one: ClassInPlay, place: number): boolean;
  /** True where more pods would raise the minimum. */
  isLowest(place: number): boolean;
}

const NO_DOMAIN = -1;

/** Domains of one topology key, numbered. */
export interface KeyDomains {
  /** By place; -1 where it has none. */
  readonly ofPlace: Int32Array;
  readonly size: number;
}

/** All nodes of one plan, by number, with their domains by topology key. */
export class Places {
  readonly all: readonly Place[];
  readonly #byKey = new Map<string, KeyDomains>();

  constructor(all: readonly Place[]) {
    this.all = all;
  }

  domains(key: string): KeyDomains {
    const held = this.#byKey.get(key);
    if (held !== undefined) return held;
    const numbers = new Map<string, number>();
    const ofPlace = Int32Array.from(this.all, ({ labels }) => {
      const values = labels.get(key);
      if (values?.size !== 1) return NO_DOMAIN;
      const [domain = ''] = values;
      const number = numbers.get(domain) ?? numbers.size;
      numbers.set(domain, number);
      return number;
    });
    const domains = { ofPlace, size: numbers.size };
    this.#byKey.set(key, domains);
    return domains;
  }
}

/** Pods of one spread by domain, on the nodes that it looks at. Source: kube-scheduler, PodTopologySpread. */
export class SpreadTally implements Tally {
  readonly selector: number;
  readonly #term: SpreadTerm;
  /** By place; -1 for those that are not looked at. */
  readonly #domains: Int32Array;
  readonly #counts: Float64Array;
  readonly #isJudged: Uint8Array;
  readonly #judged: number;

  /** @param keys of all hard spreads of the pod: nodes without one of them are not looked at */
  constructor(term: SpreadTerm, keys: readonly string[], placement: Placement, places: Places) {
    this.selector = term.selector;
    this.#term = term;
    const { ofPlace, size } = places.domains(term.key);
    this.#domains = ofPlace.map((domain, at) => {
      const place = places.all[at] as Place;
      const looked = domain !== NO_DOMAIN && keys.every((key) => place.labels.has(key));
      return looked && isSeen(place, term, placement) ? domain : NO_DOMAIN;
    });
    this.#counts = new Float64Array(size);
    this.#isJudged = new Uint8Array(size);
    for (const domain of this.#domains) if (domain !== NO_DOMAIN) this.#isJudged[domain] = 1;
    this.#judged = this.#isJudged.reduce((sum, one) => sum + one, 0);
  }

  reset(): void {
    this.#counts.fill(0);
  }

  add(place: number, { count, leaving }: Counted): void {
    const domain = this.#domains[place] as number;
    if (domain === NO_DOMAIN || leaving) return;
    this.#counts[domain] = (this.#counts[domain] as number) + count;
  }

  allows({ rules }: ClassInPlay, place: number): boolean {
    const domain = this.#domains[place] as number;
    if (domain === NO_DOMAIN) return false;
    const own = rules.matches.has(this.selector) ? 1 : 0;
    return (this.#counts[domain] as number) + own - this.#minimum() <= this.#term.maxSkew;
  }

  isLowest(place: number): boolean {
    const domain = this.#domains[place] as number;
    return domain !== NO_DOMAIN && this.#counts[domain] === this.#minimum();
  }

  #minimum(): number {
    if (this.#judged < this.#term.minDomains) return 0;
    let least = Number.POSITIVE_INFINITY;
    for (let domain = 0; domain < this.#counts.length; domain++) {
      const count = this.#counts[domain] as number;
      if (this.#isJudged[domain] === 1 && count < least) least = count;
    }
    return least;
  }
}

/** Where the pods stand that one set of affinity terms is drawn to. Source: kube-scheduler, InterPodAffinity. */
export class DrawnTally implements Tally {
  readonly selector: number;
  readonly #keys: readonly { readonly ofPlace: Int32Array; readonly isOccupied: Uint8Array }[];
  #isAnywhere = false;

  /** @param terms all of one selector */
  constructor(terms: readonly PodTerm[], places: Places) {
    this.selector = terms[0]?.selector ?? -1;
    this.#keys = terms.map(({ key }) => {
      const { ofPlace, size } = places.domains(key);
      return { ofPlace, isOccupied: new Uint8Array(size) };
    });
  }

  reset(): void {
    this.#isAnywhere = false;
    for (const { isOccupied } of this.#keys) isOccupied.fill(0);
  }

  add(place: number): void {
    for (const { ofPlace, isOccupied } of this.#keys) {
      const domain = ofPlace[place] as number;
      if (domain === NO_DOMAIN) continue;
      isOccupied[domain] = 1;
      this.#isAnywhere = true;
    }
  }

  /** The first of a group that is drawn to itself may start anywhere. */
  allows({ rules }: ClassInPlay, place: number): boolean {
    let isNear = true;
    for (const { ofPlace, isOccupied } of this.#keys) {
      const domain = ofPlace[place] as number;
      if (domain === NO_DOMAIN) return false;
      if (isOccupied[domain] === 0) isNear = false;
    }
    return isNear || (!this.#isAnywhere && rules.matches.has(this.selector));
  }

  isLowest(): boolean {
    return false;
  }
}
