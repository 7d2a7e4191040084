// Rules between pods, counted by domain while pods move on paper: who may go where as things stand.
import { LABEL } from '../model/labels.ts';
import type { Pod, PodSpec } from '../model/pod.ts';
import type { Namespace } from '../model/workloads.ts';
import { SelectorTable } from '../scheduling/selectors.ts';
import { type ClassRules, isHostname, type PodTerm, RuleReader } from '../scheduling/topology.ts';
import type { Seat } from './consolidationRooms.ts';

/** Pods counted by the domains of one topology key. */
interface Tally {
  /** By seat; -1 for a node without the label. */
  readonly domains: Int32Array;
  readonly counts: Int32Array;
  readonly isByHost: boolean;
  /** All that are counted. */
  total: number;
  /** How many domains hold so many, and the least that any holds. */
  readonly domainsWith: Map<number, number>;
  least: number;
}

/** What pods of one spec and like labels ask of each other. */
export interface PodRules {
  /** Where each of them is counted. */
  readonly raised: readonly Tally[];
  readonly spreads: readonly { readonly tally: Tally; readonly maxSkew: number; readonly own: number }[];
  /** Domains where any of these are counted are closed to it. */
  readonly apart: readonly Tally[];
  /** It has to be where these are counted, unless it is the first of its kind. */
  readonly near: readonly { readonly tally: Tally; readonly isOwn: boolean }[];
}

/** Rules by what they depend on beside the spec. */
interface Ruled {
  readonly namespace: string;
  readonly matches: readonly number[];
  readonly rules: PodRules;
}

const NO_RULES: PodRules = { raised: [], spreads: [], apart: [], near: [] };
const NO_MATCHES: readonly number[] = [];

/**
 * Spread, affinity, anti-affinity and ports of hosts as far as they decide on most moves. Policies that leave nodes out
 * of a spread, `minDomains` and what depends on the order of binding are left to the check of the plan.
 */
export class Tallies {
  readonly #seats: readonly Seat[];
  readonly #selectors: SelectorTable;
  readonly #reader: RuleReader;
  readonly #domains = new Map<string, { readonly domains: Int32Array; readonly size: number }>();
  /** By selector and key: pods that the selector matches, and pods that keep such pods off. */
  readonly #matched = new Map<string, Tally>();
  readonly #holding = new Map<string, Tally>();
  readonly #matchedBy = new Map<number, Tally[]>();
  readonly #holdingOff = new Map<number, Tally[]>();
  /** By protocol and number. */
  readonly #ports = new Map<string, Tally>();
  readonly #rules = new Map<PodSpec, Ruled[]>();

  constructor(seats: readonly Seat[], namespaces: readonly Namespace[]) {
    this.#seats = seats;
    this.#selectors = new SelectorTable(namespaces);
    this.#reader = new RuleReader(this.#selectors);
    const seen = new Map<PodSpec, string>();
    for (const { pods } of seats)
      for (const { spec, namespace } of pods) {
        if (seen.get(spec) === namespace) continue;
        seen.set(spec, namespace);
        this.#declare(this.#reader.of({ spec, namespace, matches: NO_MATCHES }));
      }
    const holdsPorts = [...seen.keys()].some(({ hostPorts }) => hostPorts.length > 0);
    if (this.#selectors.size === 0 && !holdsPorts) return;
    for (const [seat, { pods }] of seats.entries())
      for (const pod of pods) this.count(this.rulesOf(pod), seat, 1);
  }

  rulesOf({ spec, namespace, labels }: Pod): PodRules {
    if (this.#selectors.size === 0 && spec.hostPorts.length === 0) return NO_RULES;
    const matches = this.#selectors.matchesOf(namespace, labels);
    const known = this.#rules.get(spec) ?? [];
    this.#rules.set(spec, known);
    const held = known.find((one) => one.matches === matches && one.namespace === namespace);
    if (held !== undefined) return held.rules;
    const rules = this.#withPorts(
      this.#rulesFrom(this.#reader.of({ spec, namespace, matches }), matches),
      spec,
    );
    known.push({ namespace, matches, rules });
    return rules;
  }

  /** Counts a pod in where it comes to, or out of where it leaves. */
  count({ raised }: PodRules, seat: number, by: 1 | -1): void {
    for (const tally of raised) {
      const domain = tally.domains[seat] as number;
      if (domain >= 0) raise(tally, domain, by);
    }
  }

  /** Whether such a pod, counted nowhere now, may go there. */
  allows({ spreads, apart, near }: PodRules, seat: number): boolean {
    for (const { domains, counts } of apart) {
      const domain = domains[seat] as number;
      if (domain >= 0 && (counts[domain] as number) > 0) return false;
    }
    for (const { tally, maxSkew, own } of spreads) {
      const domain = tally.domains[seat] as number;
      if (domain < 0) return false;
      if ((tally.counts[domain] as number) + own - (tally.isByHost ? 0 : tally.least) > maxSkew) return false;
    }
    for (const { tally, isOwn } of near) {
      const domain = tally.domains[seat] as number;
      if (domain < 0) return false;
      if ((tally.counts[domain] as number) === 0 && !(isOwn && tally.total === 0)) return false;
    }
    return true;
  }

  #declare({ spread, affinity, antiAffinity }: ClassRules): void {
    for (const term of [...spread, ...affinity, ...antiAffinity])
      this.#tallyOf(term, this.#matched, this.#matchedBy);
    for (const term of antiAffinity) this.#tallyOf(term, this.#holding, this.#holdingOff);
  }

  #rulesFrom(
    { spread, affinity, antiAffinity, matches: own }: ClassRules,
    matches: readonly number[],
  ): PodRules {
    const matched = (term: PodTerm): Tally => this.#tallyOf(term, this.#matched, this.#matchedBy);
    const holding = (term: PodTerm): Tally => this.#tallyOf(term, this.#holding, this.#holdingOff);
    const rules = {
      raised: [...matches.flatMap((id) => this.#matchedBy.get(id) ?? []), ...antiAffinity.map(holding)],
      spreads: spread.map((term) => ({
        tally: matched(term),
        maxSkew: term.maxSkew,
        own: own.has(term.selector) ? 1 : 0,
      })),
      apart: [...antiAffinity.map(matched), ...matches.flatMap((id) => this.#holdingOff.get(id) ?? [])],
      near: affinity.map((term) => ({ tally: matched(term), isOwn: own.has(term.selector) })),
    };
    return Object.values(rules).every((list) => list.length === 0) ? NO_RULES : rules;
  }

  /** Pods that hold a port of their host keep each other off it; addresses are not told apart. */
  #withPorts(rules: PodRules, { hostPorts }: PodSpec): PodRules {
    if (hostPorts.length === 0) return rules;
    const tallies = hostPorts.map(({ protocol, port }) => this.#portTally(`${protocol}/${port}`));
    return { ...rules, raised: [...rules.raised, ...tallies], apart: [...rules.apart, ...tallies] };
  }

  #portTally(port: string): Tally {
    const held = this.#ports.get(port) ?? this.#newTally(LABEL.hostname);
    this.#ports.set(port, held);
    return held;
  }

  #tallyOf({ selector, key }: PodTerm, held: Map<string, Tally>, bySelector: Map<number, Tally[]>): Tally {
    const name = `${selector}|${key}`;
    const found = held.get(name);
    if (found !== undefined) return found;
    const tally = this.#newTally(key);
    held.set(name, tally);
    const others = bySelector.get(selector);
    if (others === undefined) bySelector.set(selector, [tally]);
    else others.push(tally);
    return tally;
  }

  #newTally(key: string): Tally {
    const { domains, size } = this.#domainsOf(key);
    return {
      ...{ domains, counts: new Int32Array(size), isByHost: isHostname(key) },
      ...{ total: 0, domainsWith: new Map([[0, size]]), least: 0 },
    };
  }

  #domainsOf(key: string): { readonly domains: Int32Array; readonly size: number } {
    const held = this.#domains.get(key);
    if (held !== undefined) return held;
    const numbers = new Map<string, number>();
    const domains = Int32Array.from(this.#seats, ({ node }, at) => {
      if (isHostname(key)) return at;
      const value = node.labels[key];
      if (value === undefined) return -1;
      const number = numbers.get(value) ?? numbers.size;
      numbers.set(value, number);
      return number;
    });
    const made = { domains, size: isHostname(key) ? this.#seats.length : numbers.size };
    this.#domains.set(key, made);
    return made;
  }
}

function raise(tally: Tally, domain: number, by: 1 | -1): void {
  const { counts, domainsWith } = tally;
  const before = counts[domain] as number;
  const after = before + by;
  counts[domain] = after;
  tally.total += by;
  // Some node of many has none: by host name the least is not asked for.
  if (tally.isByHost) return;
  domainsWith.set(before, (domainsWith.get(before) ?? 0) - 1);
  domainsWith.set(after, (domainsWith.get(after) ?? 0) + 1);
  if (after < tally.least) tally.least = after;
  else if (domainsWith.get(tally.least) === 0) tally.least += 1;
}
