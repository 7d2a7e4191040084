// Which domain of each topology key every pod goes to: spread, affinity and anti-affinity settled before packing.
import type { RefusalCode } from '../model/plan.ts';
import {
  type Assigned,
  type ClassInPlay,
  cheapestPrice,
  type DomainRefusal,
  domainNames,
  type Noted,
  type Option,
  pin,
  pinOf,
  pinToNone,
  type Waiting,
} from './assignment.ts';
import type { CapacityTable } from './capacityTable.ts';
import { compareText } from './compiledProvisioner.ts';
import type { DomainCounts } from './domainCounts.ts';
import type { DomainWorld } from './domainWorld.ts';
import type { Placement, PlacementTable } from './placements.ts';
import type { Target } from './targets.ts';
import { isHostname, type SpreadTerm } from './topology.ts';

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

/** Assigns all classes. Classes that no topology rule concerns stay free to go anywhere. */
export class DomainAssigner {
  readonly #tables: Tables;
  readonly #counts = new Map<string, DomainCounts>();
  readonly #assigned: Noted[] = [];
  readonly #refusals: DomainRefusal[] = [];

  constructor(tables: Tables) {
    this.#tables = tables;
    for (const key of tables.world.keys) this.#counts.set(key, tables.world.countsOf(key));
  }

  /** @param withheld by class: how many of its pods are left out */
  assign(classes: readonly ClassInPlay[], withheld: ReadonlyMap<number, number>): Assigned {
    let waiting = classes.map((one) => this.#waitingOf(one, withheld.get(one.index) ?? 0));
    waiting.sort((left, right) => this.#order(left.one, right.one));
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
    const assignments = assigned.map(({ one, placement, count, domains }) => ({
      index: one.index,
      placement,
      count,
      domains,
    }));
    return { assignments, refusals: this.#refusals };
  }

  #waitingOf(one: ClassInPlay, withheld: number): Waiting {
    return {
      one,
      keys: this.#keysOf(one),
      left: one.podClass.pods.length - withheld,
      options: new Map(),
      eligible: new Map(),
      noted: new Map(),
    };
  }

  /** Topology keys that concern the class: by its own rules, or because others count it. */
  #keysOf({ rules }: ClassInPlay): readonly string[] {
    const keys = new Set<string>();
    for (const { key } of [...rules.spread, ...rules.affinity, ...rules.antiAffinity]) keys.add(key);
    for (const selector of rules.matches)
      for (const key of this.#tables.world.keysOf(selector)) keys.add(key);
    return [...keys].filter((key) => !isHostname(key)).sort(compareText);
  }

  /** Pods that only are counted go first, then the loosest rules: the tightest see the final counts. */
  #order(left: ClassInPlay, right: ClassInPlay): number {
    const rank = ({ rules }: ClassInPlay): number => {
      if (rules.affinity.some(({ selector }) => !rules.matches.has(selector))) return 3;
      return rules.spread.some(({ key }) => !isHostname(key)) ? 2 : 1;
    };
    const skew = ({ rules }: ClassInPlay): number => Math.min(...rules.spread.map((one) => one.maxSkew));
    const freedom = ({ placement }: ClassInPlay): number => placement.scopes.flat().length;
    return (
      right.podClass.spec.priority - left.podClass.spec.priority ||
      rank(left) - rank(right) ||
      freedom(left) - freedom(right) ||
      (skew(right) === skew(left) ? 0 : skew(right) - skew(left)) ||
      left.index - right.index
    );
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
    this.#count(entry, domainNames(keys, chosen.domains), 1);
    this.#note(entry, chosen, 1);
    return true;
  }

  /** Counts a pod in its domains, or takes it out again. */
  #count({ one }: Waiting, domains: readonly string[], count: 1 | -1): void {
    for (const name of domains) {
      const cut = name.indexOf('|');
      const key = name.slice(0, cut);
      const domain = name.slice(cut + 1);
      if (domain === '') continue;
      const counts = this.#counts.get(key);
      counts?.addPods(one.rules.matches, domain, { count, leaving: false });
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
    return domains.every((name) => {
      const cut = name.indexOf('|');
      const key = name.slice(0, cut);
      const domain = name.slice(cut + 1);
      const near = entry.one.rules.affinity.every(
        (term) => term.key !== key || (this.#counts.get(key)?.all(term.selector, domain) ?? 0) > 0,
      );
      return (
        near &&
        entry.one.rules.spread.every(
          (term) => term.key !== key || this.#withinSkew(entry, term, { domain, added: 0 }),
        )
      );
    });
  }

  #note(entry: Waiting, where: Pick<Noted, 'placement' | 'domains'>, count: number): void {
    const held = entry.noted.get(where.placement.id);
    if (held !== undefined) {
      held.count += count;
      return;
    }
    const domains = domainNames(entry.keys, where.domains);
    const noted = { entry, one: entry.one, placement: where.placement, domains, count };
    entry.noted.set(where.placement.id, noted);
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
    const options = this.#optionsOf(entry, key, placement);
    const permitted = options.filter(({ domain }) => this.#permits(entry, key, domain));
    for (const option of this.#ranked(entry.one, key, permitted)) {
      const rest = this.#choose(entry, [...path, option.domain], option.placement);
      if (rest !== null) return { domains: [option.domain, ...rest.domains], placement: rest.placement };
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
    return room === undefined || (entry.noted.get(placement.id)?.count ?? 0) < room;
  }

  /** A node without the label satisfies anti-affinity, and is not counted; spread and affinity need the label. */
  #mayLack({ rules }: ClassInPlay, key: string): boolean {
    return ![...rules.spread, ...rules.affinity].some((term) => term.key === key);
  }

  #optionsOf(entry: Waiting, key: string, placement: Placement): readonly Option[] {
    const { one, options: known } = entry;
    const name = `${key}|${placement.id}`;
    const held = known.get(name);
    if (held !== undefined) return held;
    const { placements, capacity, targets, world } = this.#tables;
    const options: Option[] = [];
    for (const domain of world.domainsOf(key)) {
      const pinned = placements.narrow(placement, pin(key, domain));
      const usdPerHour = cheapestPrice(pinned, one.requests, capacity);
      const hasTarget = targets.some((target) => target.open && placements.allows(pinned, target));
      if (usdPerHour !== null || hasTarget) {
        options.push({ domain, placement: pinned, usdPerHour: usdPerHour ?? 0, hasTarget });
      }
    }
    known.set(name, options);
    return options;
  }

  #permits(entry: Waiting, key: string, domain: string): boolean {
    const counts = this.#counts.get(key);
    if (counts === undefined) return true;
    const { rules } = entry.one;
    for (const term of rules.antiAffinity) {
      if (term.key === key && counts.all(term.selector, domain) > 0) return false;
    }
    for (const selector of rules.matches) if (counts.keepsOff(selector, domain) > 0) return false;
    for (const term of rules.affinity) {
      if (term.key !== key || counts.all(term.selector, domain) > 0) continue;
      // The first pod of a group that looks for itself may start anywhere. Source: Kubernetes, inter-pod affinity.
      if (!(rules.matches.has(term.selector) && counts.isNowhere(term.selector))) return false;
    }
    return rules.spread.every(
      (term) => term.key !== key || this.#withinSkew(entry, term, { domain, added: 1 }),
    );
  }

  #withinSkew(
    entry: Waiting,
    term: SpreadTerm,
    { domain, added }: { readonly domain: string; readonly added: number },
  ): boolean {
    const counts = this.#counts.get(term.key);
    if (counts === undefined) return true;
    const own = entry.one.rules.matches.has(term.selector) ? added : 0;
    const unseen = this.#tables.world.unseen(term, entry.one.bySelector);
    const count = (where: string): number =>
      counts.spread(term.selector, where) - unseen.spread(term.selector, where);
    const eligible = this.#eligible(entry, term);
    let least = Number.POSITIVE_INFINITY;
    if (eligible.length < term.minDomains || eligible.length === 0) least = 0;
    for (const one of eligible) least = Math.min(least, count(one));
    return count(domain) + own - least <= term.maxSkew;
  }

  /** Domains that the spread is judged over: those that nodes of other pods would make as well, as zero. */
  #eligible(entry: Waiting, term: SpreadTerm): readonly string[] {
    const held = entry.eligible.get(term);
    if (held !== undefined) return held;
    const { world, placements } = this.#tables;
    const all = world.domainsOf(term.key);
    const { bySelector, anyTaint } = entry.one;
    const looking = term.nodeTaintsPolicy === 'Ignore' ? anyTaint : bySelector;
    const mayExist = (domain: string): boolean =>
      world.hasNode(domain, term, bySelector) ||
      placements.narrow(looking, pin(term.key, domain)).scopes.some((scopes) => scopes.length > 0);
    const eligible = term.nodeAffinityPolicy === 'Ignore' ? all : all.filter(mayExist);
    entry.eligible.set(term, eligible);
    return eligible;
  }

  /** Balance what is counted first, then prefer nodes that are there, then the price. */
  #ranked(one: ClassInPlay, key: string, options: readonly Option[]): readonly Option[] {
    if (options.length < 2) return options;
    const counts = this.#counts.get(key);
    const spreadSelectors = this.#tables.world.spreadSelectors(key);
    const load = (domain: string): number => {
      let sum = 0;
      for (const selector of one.rules.matches) {
        if (spreadSelectors.has(selector)) sum += counts?.spread(selector, domain) ?? 0;
      }
      return sum;
    };
    const ranked = options.map((option) => ({ option, load: load(option.domain) }));
    ranked.sort(
      (left, right) =>
        left.load - right.load ||
        Number(right.option.hasTarget) - Number(left.option.hasTarget) ||
        left.option.usdPerHour - right.option.usdPerHour ||
        compareText(left.option.domain, right.option.domain),
    );
    return ranked.map(({ option }) => option);
  }

  #refuse(entry: Waiting): void {
    const { one, keys, left: count } = entry;
    const key = keys.find((candidate) => {
      const options = this.#optionsOf(entry, candidate, one.placement);
      return !options.some(({ domain }) => this.#permits(entry, candidate, domain));
    });
    if (key === undefined) {
      const reason = 'its topology rules cannot all hold in one domain';
      this.#refusals.push({ index: one.index, count, code: 'TopologySpread', reason });
      return;
    }
    if (this.#optionsOf(entry, key, one.placement).length === 0) {
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
