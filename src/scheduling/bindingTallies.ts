// Counts that decide whether one more pod may be bound to a node now, as the kube-scheduler keeps them.
import type { ClassInPlay } from './assignment.ts';
import { isSeen } from './domainWorld.ts';
import type { Placement } from './placements.ts';
import { possibly, type Target } from './targets.ts';
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
const NO_DOMAINS: readonly number[] = [];

/** Domains of one topology key, numbered. */
export interface KeyDomains {
  /** By place; -1 where it has none, or is not known yet. */
  readonly ofPlace: Int32Array;
  /** By place: all that it may turn out to have. */
  readonly possible: readonly (readonly number[])[];
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
    const possible = this.all.map(({ labels }) =>
      Array.from(labels.get(key) ?? [], (domain) => {
        const number = numbers.get(domain) ?? numbers.size;
        numbers.set(domain, number);
        return number;
      }),
    );
    const ofPlace = Int32Array.from(possible, ([only, other]) =>
      other === undefined ? (only ?? NO_DOMAIN) : NO_DOMAIN,
    );
    const domains = { ofPlace, possible, size: numbers.size };
    this.#byKey.set(key, domains);
    return domains;
  }
}

/**
 * Pods of one spread by domain, on the nodes that it looks at. Source: kube-scheduler, PodTopologySpread. Claims in
 * flight may come up in one domain or another, or as what is not looked at: the worst of it counts.
 */
export class SpreadTally implements Tally {
  readonly selector: number;
  readonly #term: SpreadTerm;
  /** By place; -1 for those that are not looked at. */
  readonly #domains: Int32Array;
  readonly #counts: Float64Array;
  /** By place: domains that it may turn out to count for, where that is not certain. */
  readonly #maybe: readonly (readonly number[])[];
  /** Pods by domain on such places. */
  readonly #extra: Float64Array;
  /** True when a domain may come to be that no certain place is in: it would be empty. */
  readonly #mayBeEmpty: boolean;
  readonly #isJudged: Uint8Array;
  readonly #judged: number;

  /** @param keys of all hard spreads of the pod: nodes without one of them are not looked at */
  constructor(term: SpreadTerm, keys: readonly string[], placement: Placement, places: Places) {
    this.selector = term.selector;
    this.#term = term;
    const { ofPlace, possible, size } = places.domains(term.key);
    const hasKeys = places.all.map(({ labels }) => keys.every((key) => labels.has(key)));
    this.#domains = ofPlace.map((domain, at) =>
      domain !== NO_DOMAIN && hasKeys[at] && isSeen(places.all[at] as Place, term, placement)
        ? domain
        : NO_DOMAIN,
    );
    this.#maybe = possible.map((domains, at) => {
      const isCertain = this.#domains[at] !== NO_DOMAIN || !hasKeys[at];
      return isCertain || !isSeen(places.all[at] as Place, term, placement, possibly) ? NO_DOMAINS : domains;
    });
    this.#extra = new Float64Array(size);
    this.#counts = new Float64Array(size);
    this.#isJudged = new Uint8Array(size);
    for (const domain of this.#domains) if (domain !== NO_DOMAIN) this.#isJudged[domain] = 1;
    this.#judged = this.#isJudged.reduce((sum, one) => sum + one, 0);
    this.#mayBeEmpty = this.#maybe.some((domains) => domains.some((one) => this.#isJudged[one] === 0));
  }

  reset(): void {
    this.#counts.fill(0);
    this.#extra.fill(0);
  }

  add(place: number, { count, leaving }: Counted): void {
    if (leaving) return;
    const domain = this.#domains[place] as number;
    if (domain !== NO_DOMAIN) this.#counts[domain] = (this.#counts[domain] as number) + count;
    for (const one of this.#maybe[place] ?? NO_DOMAINS) {
      this.#extra[one] = (this.#extra[one] as number) + count;
    }
  }

  allows({ rules }: ClassInPlay, place: number): boolean {
    const domain = this.#domains[place] as number;
    if (domain === NO_DOMAIN) return false;
    const own = rules.matches.has(this.selector) ? 1 : 0;
    const most = (this.#counts[domain] as number) + (this.#extra[domain] as number) + own;
    return most - this.#minimum() <= this.#term.maxSkew;
  }

  isLowest(place: number): boolean {
    const domain = this.#domains[place] as number;
    return domain !== NO_DOMAIN && this.#counts[domain] === this.#minimum();
  }

  #minimum(): number {
    if (this.#mayBeEmpty || this.#judged < this.#term.minDomains) return 0;
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
  readonly #keys: readonly (KeyDomains & { readonly isOccupied: Uint8Array })[];
  #isAnywhere = false;

  /** @param terms all of one selector */
  constructor(terms: readonly PodTerm[], places: Places) {
    this.selector = terms[0]?.selector ?? -1;
    this.#keys = terms.map(({ key }) => {
      const domains = places.domains(key);
      return { ...domains, isOccupied: new Uint8Array(domains.size) };
    });
  }

  reset(): void {
    this.#isAnywhere = false;
    for (const { isOccupied } of this.#keys) isOccupied.fill(0);
  }

  add(place: number): void {
    for (const { ofPlace, possible, isOccupied } of this.#keys) {
      const domain = ofPlace[place] as number;
      if (domain !== NO_DOMAIN) isOccupied[domain] = 1;
      if (possible[place]?.length) this.#isAnywhere = true;
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
