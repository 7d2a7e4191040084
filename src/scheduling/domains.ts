// Which domain of each topology key every pod goes to: spread, affinity and anti-affinity settled before packing.
import { LABEL } from '../model/labels.ts';
import type { RefusalCode } from '../model/plan.ts';
import type { RequirementSet } from '../model/requirementSet.ts';
import {
  type Assigned,
  type ClassInPlay,
  cheapestPrice,
  type DomainRefusal,
  domainNames,
  type Judged,
  type Noted,
  type Option,
  pin,
  pinOf,
  pinToNone,
  type Waiting,
} from './assignment.ts';
import { inOrder } from './assignmentOrder.ts';
import type { CapacityTable } from './capacityTable.ts';
import { compareText } from './compiledProvisioner.ts';
import type { DomainCounts } from './domainCounts.ts';
import type { DomainWorld } from './domainWorld.ts';
import type { Placement, PlacementTable } from './placements.ts';
import type { Vector } from './resourceAxis.ts';
import type { Target } from './targets.ts';
import type { SpreadTerm } from './topology.ts';

interface Tables {
  readonly capacity: CapacityTable;
  readonly placements: PlacementTable;
  readonly targets: readonly Target[];
  readonly world: DomainWorld;
  /** How many pods of a class turned out to have room in its domains, by `class|key|domain&key|domain`. */
  readonly closed: ReadonlyMap<string, number>;
}

/** Rounds of moving pods until all spreads hold; what does not hold then is given up. */
const MOST_ROUNDS = 4;

const NO_KEYS: readonly string[] = [];
const ONE_MORE = { count: 1, leaving: false } as const;
const ONE_LESS = { count: -1, leaving: false } as const;

/** Assigns all classes. Classes that no topology rule concerns stay free to go anywhere. */
export class DomainAssigner {
  readonly #tables: Tables;
  readonly #counts = new Map<string, DomainCounts>();
  /** By key, the placement that the options are within, and what is asked for. */
  readonly #options = new Map<string, Map<Placement, Map<Vector, readonly Option[]>>>();
  readonly #pins = new Map<string, RequirementSet>();
  readonly #judged = new Map<SpreadTerm, Judged>();
  readonly #assigned: Noted[] = [];
  readonly #refusals: DomainRefusal[] = [];

  constructor(tables: Tables) {
    this.#tables = tables;
    for (const key of tables.world.keys) this.#counts.set(key, tables.world.countsOf(key));
  }

  /** @param withheld by class: how many of its pods are left out */
  assign(classes: readonly ClassInPlay[], withheld: ReadonlyMap<number, number>): Assigned {
    let waiting = inOrder(classes).map((one) => this.#waitingOf(one, withheld.get(one.index) ?? 0));
    for (;;) {
      const before = waiting.reduce((sum, { left }) => sum + left, 0);
      for (const entry of waiting) {
        while (entry.left > 0 && this.#assignOne(entry))
          entry.left = entry.keys.length === 0 ? 0 : entry.left - 1;
      }
      waiting = waiting.filter(({ left }) => left > 0);
      const after = waiting.reduce((sum, { left }) => sum + left, 0);
      if (after === 0 || after === before) break;
    }
    for (const entry of waiting) this.#refuse(entry);
    this.#settle();
    const assigned = this.#assigned.filter(({ count }) => count > 0);
    const assignments = assigned.map(({ entry, placement, count, domains }) => ({
      index: entry.one.index,
      placement,
      count,
      domains: domainNames(entry.keys, domains),
    }));
    return { assignments, refusals: this.#refusals };
  }

  #waitingOf(one: ClassInPlay, withheld: number): Waiting {
    const keys = this.#keysOf(one);
    return {
      one,
      keys,
      left: one.podClass.pods.length - withheld,
      balanced: keys.map((key) => this.#balancedOver(one, key)),
      noted: [],
    };
  }

  #balancedOver({ podClass }: ClassInPlay, key: string): readonly number[] {
    const spreadSelectors = this.#tables.world.spreadSelectors(key);
    return podClass.matches.filter((selector) => spreadSelectors.has(selector));
  }

  /** Topology keys that concern the class: by its own rules, or because others count it. */
  #keysOf({ rules, podClass }: ClassInPlay): readonly string[] {
    const keys = new Set<string>();
    for (const { key } of rules.spread) keys.add(key);
    for (const { key } of rules.affinity) keys.add(key);
    for (const { key } of rules.antiAffinity) keys.add(key);
    for (const selector of podClass.matches)
      for (const key of this.#tables.world.keysOf(selector)) keys.add(key);
    keys.delete(LABEL.hostname);
    return keys.size === 0 ? NO_KEYS : [...keys].sort(compareText);
  }

  /** Assigns one pod (all of them when nothing concerns the class); false when no domain is permitted now. */
  #assignOne(entry: Waiting): boolean {
    const { one, keys, left } = entry;
    if (keys.length === 0) {
      this.#note(entry, { placement: one.placement, domains: [] }, left);
      return true;
    }
    const chosen = this.#choose(entry, [], one.placement);
    if (chosen === null) return false;
    this.#count(entry, chosen.domains, 1);
    this.#note(entry, chosen, 1);
    return true;
  }

  /** Counts a pod in its domains, or takes it out again. */
  #count({ one, keys }: Waiting, domains: readonly string[], count: 1 | -1): void {
    const how = count === 1 ? ONE_MORE : ONE_LESS;
    for (let at = 0; at < domains.length; at++) {
      const key = keys[at] as string;
      const domain = domains[at] as string;
      if (domain === '') continue;
      const counts = this.#counts.get(key);
      counts?.addPods(one.podClass.matches, domain, how);
      for (const term of one.rules.antiAffinity) {
        if (term.key === key) counts?.addAntiAffinity(term.selector, domain, count);
      }
    }
  }

  /** Pods counted later may have unbalanced a spread that held before: moves its pods, or gives them up. */
  #settle(): void {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      let settled = true;
      for (const noted of [...this.#assigned]) {
        while (noted.count > 0 && !this.#holds(noted)) {
          settled = false;
          noted.count -= 1;
          this.#count(noted.entry, noted.domains, -1);
          if (round === MOST_ROUNDS - 1 || !this.#assignOne(noted.entry))
            this.#refuse({ ...noted.entry, left: 1 });
        }
      }
      if (settled) return;
    }
  }

  /** True when the spreads and affinities of pods in these domains hold as things stand. */
  #holds({ entry, domains }: Noted): boolean {
    const { spread, affinity } = entry.one.rules;
    if (spread.length === 0 && affinity.length === 0) return true;
    return domains.every((domain, at) => {
      const key = entry.keys[at] as string;
      for (const term of affinity) {
        if (term.key === key && (this.#counts.get(key)?.all(term.selector, domain) ?? 0) === 0) return false;
      }
      for (const term of spread) {
        if (term.key === key && !this.#withinSkew(entry, term, domain, 0)) return false;
      }
      return true;
    });
  }

  #note(entry: Waiting, { placement, domains }: Pick<Noted, 'placement' | 'domains'>, count: number): void {
    const held = notedAt(entry, placement);
    if (held !== undefined) {
      held.count += count;
      return;
    }
    const noted = { entry, placement, domains, count };
    entry.noted.push(noted);
    this.#assigned.push(noted);
  }

  /** The best permitted domain for one key, then for the others within it; '' where the label is not needed. */
  #choose(
    entry: Waiting,
    path: readonly string[],
    placement: Placement,
  ): Pick<Noted, 'placement' | 'domains'> | null {
    const key = entry.keys[path.length];
    if (key === undefined) return this.#hasRoom(entry, placement, path) ? { domains: [], placement } : null;
    const options = this.#optionsOf(entry.one, key, placement);
    const tried: Option[] = [];
    for (;;) {
      const option = this.#best(entry, path.length, options, tried);
      if (option === null) break;
      const rest = this.#choose(entry, [...path, option.domain], option.placement);
      if (rest !== null) return { domains: [option.domain, ...rest.domains], placement: rest.placement };
      tried.push(option);
    }
    if (options.length > 0 || !this.#mayLack(entry.one, key)) return null;
    const without = this.#tables.placements.narrow(placement, pinToNone(key));
    const rest = this.#choose(entry, [...path, ''], without);
    return rest === null ? null : { domains: ['', ...rest.domains], placement: rest.placement };
  }

  /** False when as many pods as found room in these domains before are there already. */
  #hasRoom(entry: Waiting, placement: Placement, path: readonly string[]): boolean {
    const { closed } = this.#tables;
    if (closed.size === 0) return true;
    const room = closed.get(pinOf(entry.one.index, domainNames(entry.keys, path)));
    return room === undefined || (notedAt(entry, placement)?.count ?? 0) < room;
  }

  /** A node without the label satisfies anti-affinity, and is not counted; spread and affinity need the label. */
  #mayLack({ rules }: ClassInPlay, key: string): boolean {
    return ![...rules.spread, ...rules.affinity].some((term) => term.key === key);
  }

  #optionsOf({ requests }: ClassInPlay, key: string, placement: Placement): readonly Option[] {
    const byPlacement = this.#options.get(key) ?? new Map<Placement, Map<Vector, readonly Option[]>>();
    this.#options.set(key, byPlacement);
    const byRequests = byPlacement.get(placement) ?? new Map<Vector, readonly Option[]>();
    byPlacement.set(placement, byRequests);
    const held = byRequests.get(requests);
    if (held !== undefined) return held;
    const { placements, capacity, targets, world } = this.#tables;
    const options: Option[] = [];
    for (const domain of world.domainsOf(key)) {
      const pinned = placements.narrow(placement, this.#pin(key, domain));
      const usdPerHour = cheapestPrice(pinned, requests, capacity);
      const hasTarget = targets.some((target) => target.open && placements.allows(pinned, target));
      if (usdPerHour !== null || hasTarget) {
        options.push({ domain, placement: pinned, usdPerHour: usdPerHour ?? 0, hasTarget });
      }
    }
    byRequests.set(requests, options);
    return options;
  }

  #pin(key: string, domain: string): RequirementSet {
    const name = `${key}|${domain}`;
    const conditions = this.#pins.get(name) ?? pin(key, domain);
    this.#pins.set(name, conditions);
    return conditions;
  }

  #permits(entry: Waiting, key: string, domain: string): boolean {
    const counts = this.#counts.get(key);
    if (counts === undefined) return true;
    const { rules, podClass } = entry.one;
    for (const term of rules.antiAffinity) {
      if (term.key === key && counts.all(term.selector, domain) > 0) return false;
    }
    for (const selector of podClass.matches) if (counts.keepsOff(selector, domain) > 0) return false;
    for (const term of rules.affinity) {
      if (term.key !== key || counts.all(term.selector, domain) > 0) continue;
      // The first pod of a group that looks for itself may start anywhere. Source: Kubernetes, inter-pod affinity.
      if (!(rules.matches.has(term.selector) && counts.isNowhere(term.selector))) return false;
    }
    for (const term of rules.spread) {
      if (term.key === key && !this.#withinSkew(entry, term, domain, 1)) return false;
    }
    return true;
  }

  /** @param added how many of the class's pods are to join the domain */
  #withinSkew(entry: Waiting, term: SpreadTerm, domain: string, added: number): boolean {
    const counts = this.#counts.get(term.key);
    if (counts === undefined) return true;
    const { selector, minDomains, maxSkew } = term;
    const { eligible, unseen } = this.#judgedBy(entry, term);
    const own = entry.one.rules.matches.has(selector) ? added : 0;
    let least = Number.POSITIVE_INFINITY;
    if (eligible.length < minDomains || eligible.length === 0) least = 0;
    for (const one of eligible) {
      const count = counts.spread(selector, one) - unseen.spread(selector, one);
      if (count < least) least = count;
    }
    const here = counts.spread(selector, domain) - unseen.spread(selector, domain);
    return here + own - least <= maxSkew;
  }

  #judgedBy(entry: Waiting, term: SpreadTerm): Judged {
    const held = this.#judged.get(term);
    if (held !== undefined) return held;
    const unseen = this.#tables.world.unseen(term, entry.one.bySelector);
    const judged = { eligible: this.#eligible(entry, term), unseen };
    this.#judged.set(term, judged);
    return judged;
  }

  /** Domains that the spread is judged over: those that nodes of other pods would make as well, as zero. */
  #eligible({ one }: Waiting, term: SpreadTerm): readonly string[] {
    const { world, placements } = this.#tables;
    const all = world.domainsOf(term.key);
    const { bySelector, anyTaint } = one;
    const looking = term.nodeTaintsPolicy === 'Ignore' ? anyTaint : bySelector;
    const mayExist = (domain: string): boolean =>
      world.hasNode(domain, term, bySelector) ||
      placements.narrow(looking, this.#pin(term.key, domain)).scopes.some((scopes) => scopes.length > 0);
    return term.nodeAffinityPolicy === 'Ignore' ? all : all.filter(mayExist);
  }

  /** Balance what is counted first, then prefer nodes that are there, then the price; null when none is permitted. */
  #best(entry: Waiting, depth: number, options: readonly Option[], tried: readonly Option[]): Option | null {
    const key = entry.keys[depth] as string;
    const counts = this.#counts.get(key);
    const balanced = entry.balanced[depth] ?? [];
    let best: Option | null = null;
    let bestLoad = 0;
    for (const option of options) {
      if (tried.includes(option) || !this.#permits(entry, key, option.domain)) continue;
      let load = 0;
      for (const selector of balanced) load += counts?.spread(selector, option.domain) ?? 0;
      if (best === null || load < bestLoad || (load === bestLoad && compareOptions(option, best) < 0)) {
        best = option;
        bestLoad = load;
      }
    }
    return best;
  }

  #refuse(entry: Waiting): void {
    const { one, keys, left: count } = entry;
    const key = keys.find((candidate) => {
      const options = this.#optionsOf(one, candidate, one.placement);
      return !options.some(({ domain }) => this.#permits(entry, candidate, domain));
    });
    if (key === undefined) {
      const reason = 'its topology rules cannot all hold in one domain';
      this.#refusals.push({ index: one.index, count, code: 'TopologySpread', reason });
      return;
    }
    if (this.#optionsOf(one, key, one.placement).length === 0) {
      const alone = cheapestPrice(one.placement, one.requests, this.#tables.capacity) !== null;
      const reason = `no node that it could use, new or there already, has the label ${key}`;
      this.#refusals.push({ index: one.index, count, code: alone ? 'TopologySpread' : null, reason });
      return;
    }
    this.#refusals.push({ index: one.index, count, ...this.#blame(one, key) });
  }

  #blame({ rules }: ClassInPlay, key: string): { readonly code: RefusalCode; readonly reason: string } {
    const counts = this.#counts.get(key);
    const lacking = rules.affinity.find(
      (term) =>
        term.key === key && (counts?.isNowhere(term.selector) ?? true) && !rules.matches.has(term.selector),
    );
    if (lacking !== undefined) {
      const reason = `required pod affinity over ${key}: no pod that it looks for is running or planned`;
      return { code: 'PodAffinity', reason };
    }
    if (rules.antiAffinity.some((term) => term.key === key)) {
      const reason = `required pod anti-affinity over ${key}: each domain has a pod that it must keep away from`;
      return { code: 'PodAntiAffinity', reason };
    }
    const spread = rules.spread.find((term) => term.key === key);
    if (spread !== undefined) {
      const { maxSkew } = spread;
      const reason = `topology spread over ${key} with maxSkew ${maxSkew}: no domain that it may use is low enough`;
      return { code: 'TopologySpread', reason };
    }
    if (rules.affinity.some((term) => term.key === key)) {
      const reason = `required pod affinity over ${key}: the domain of those pods has no node for it`;
      return { code: 'PodAffinity', reason };
    }
    const reason = `anti-affinity of other pods over ${key} keeps it off every domain`;
    return { code: 'PodAntiAffinity', reason };
  }
}

function notedAt({ noted }: Waiting, placement: Placement): Noted | undefined {
  return noted.find((one) => one.placement === placement);
}

function compareOptions(left: Option, right: Option): number {
  return (
    Number(right.hasTarget) - Number(left.hasTarget) ||
    left.usdPerHour - right.usdPerHour ||
    compareText(left.domain, right.domain)
  );
}
