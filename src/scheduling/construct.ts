// The first complete plan: nodes chosen one pattern at a time by price per worth of what they hold.
import { type Bin, offerCharge, provisionerName, type Workshop } from './bins.ts';
import { hasBit } from './bits.ts';
import type { Candidate, CandidateTable, LotGroup } from './candidates.ts';
import { dropEmpty, type Filling, putBack } from './fill.ts';
import { ForcedNodes } from './forced.ts';
import type { Market } from './market.ts';
import type { RandomDraws } from './randomDraws.ts';
import { addScaled, type Vector } from './resourceAxis.ts';
import { NO_SCOPE } from './scopes.ts';

/** How many candidates are filled for each pattern; the others are ruled out by a bound on their worth. */
const TRIED = 6;
/** Prices of resources are worked out anew when this share of the demand they were made for is left. */
const STALE_SHARE = 0.7;
/** Candidates are compared anew when this share of what was left then is left. */
const LISTED_SHARE = 0.97;
/** So that pods whose resources are worth nothing now still count for something. */
const LEAST_WORTH = 1e-12;
/** Near-ties go to the pattern that holds more: fewer nodes. */
const NEAR_TIE = 1.005;

/** A node may hold this much more than its share of what is left, where nodes are forced. */
const SHARE_SLACK = 1.1;

interface Pattern {
  readonly candidate: Candidate;
  readonly filling: Filling;
  readonly offer: number;
  readonly usdPerHour: number;
  readonly worth: number;
}

/** A variation on the greedy choice, for improvement: prices stay as they are. */
export interface Tweak {
  /** By resource: what its weight in the fill is multiplied by. */
  readonly factors: Vector;
  /** The chance to pass over a candidate. */
  readonly skip: number;
  readonly draws: RandomDraws;
}

/** A candidate with the least that it can cost for its worth. */
interface Shortlisted {
  readonly candidate: Candidate;
  readonly score: number;
  /** By resource: what the whole room is worth. */
  readonly weights: Vector;
}

/** What guides the buying. */
export interface Buying {
  readonly market: Market;
  readonly table: CandidateTable;
  readonly tweak?: Tweak | null;
}

/** Where the packing stands: what is left, and what it is worth. */
interface Stand {
  readonly market: Market;
  readonly demands: GroupDemands;
  readonly forced: ForcedNodes;
  readonly tweak: Tweak | null;
  left: number;
}

/**
 * Buys nodes of these Provisioners until no lot that is left fits one, or limits end it.
 * Takes the pods that it places out of the store, and charges the ledger.
 */
export function construct(
  shop: Workshop,
  provisioners: readonly number[],
  { market, table, tweak = null }: Buying,
): Bin[] {
  const bins: Bin[] = [];
  const waiting: number[] = [];
  for (let lot = 0; lot < shop.store.lots.length; lot++)
    if ((shop.store.left[lot] as number) > 0) waiting.push(lot);
  let candidates = table.of(shop, provisioners, waiting);
  const stand: Stand = {
    market,
    demands: demandsOf(shop, candidates),
    forced: new ForcedNodes(shop.store, waiting),
    left: market.worthOfLeft(waiting),
    tweak,
  };
  let pricedFor = stand.left;
  let shortlist: readonly Shortlisted[] = [];
  let listedFor = Number.POSITIVE_INFINITY;
  while (candidates.length > 0) {
    if (tweak === null && stand.left < STALE_SHARE * pricedFor) {
      candidates = withLotsLeft(shop, candidates);
      market.refresh();
      stand.left = market.worthOfLeft(waiting);
      pricedFor = stand.left;
      listedFor = Number.POSITIVE_INFINITY;
    }
    if (stand.left < LISTED_SHARE * listedFor) {
      if (tweak === null) market.countDemands();
      else market.countDemandsOf(waiting);
      shortlist = promising(shop, candidates, stand);
      shop.filler.work += 4 * candidates.length;
      for (const group of stand.demands.keys()) dropEmpty(group.menu, shop.store.left);
      if (shortlist.length === 0) shortlist = promising(shop, candidates, { ...stand, tweak: null });
      listedFor = stand.left;
    }
    const { pattern, exhausted } = bestPattern(shop, shortlist, stand);
    if (exhausted.size > 0) {
      candidates = candidates.filter((one) => !exhausted.has(one));
      listedFor = Number.POSITIVE_INFINITY;
    }
    if (pattern === null && exhausted.size === 0) break;
    if (pattern === null) continue;
    const bought = committed(shop, pattern, stand.forced);
    bins.push(...bought);
    stand.left -= pattern.worth * bought.length;
    for (const [group, demand] of stand.demands) {
      subtractPlaced(shop, { group, demand }, { pattern, times: bought.length });
    }
  }
  return bins;
}

/** What each group of lots still asks for. */
type GroupDemands = ReadonlyMap<LotGroup, Vector>;

function demandsOf({ store }: Workshop, candidates: readonly Candidate[]): Map<LotGroup, Vector> {
  const demands = new Map<LotGroup, Vector>();
  for (const { group } of candidates) {
    if (demands.has(group)) continue;
    const sum = new Float64Array(store.axis.size);
    for (const lot of group.lots) {
      const left = store.left[lot] as number;
      if (left > 0) addScaled(sum, store.lot(lot).requests, left);
    }
    demands.set(group, sum);
  }
  return demands;
}

function subtractPlaced(
  { store }: Workshop,
  { group, demand }: { readonly group: LotGroup; readonly demand: Vector },
  { pattern, times }: { readonly pattern: Pattern; readonly times: number },
): void {
  const { lots, counts } = pattern.filling;
  for (let at = 0; at < lots.length; at++) {
    const lot = lots[at] as number;
    if (group.members.has(lot)) addScaled(demand, store.lot(lot).requests, -(counts[at] as number) * times);
  }
}

function withLotsLeft({ store }: Workshop, candidates: readonly Candidate[]): Candidate[] {
  const groups = new Set(candidates.map(({ group }) => group));
  for (const group of groups)
    if (!group.lots.some((lot) => (store.left[lot] as number) > 0)) groups.delete(group);
  return candidates.filter(({ group }) => groups.has(group));
}

/** Fills the most promising candidates and picks the one that costs least for its worth. */
function bestPattern(
  shop: Workshop,
  shortlist: readonly Shortlisted[],
  stand: Stand,
): { readonly pattern: Pattern | null; readonly exhausted: ReadonlySet<Candidate> } {
  const exhausted = new Set<Candidate>();
  let best: Pattern | null = null;
  for (const listed of shortlist) {
    if (best !== null && listed.score * best.worth > best.usdPerHour * NEAR_TIE) break;
    const pattern = patternOf(shop, listed, stand);
    if (pattern === null) exhausted.add(listed.candidate);
    else if (best === null || isBetter(pattern, best)) best = pattern;
  }
  return { pattern: best, exhausted };
}

function isBetter(one: Pattern, other: Pattern): boolean {
  const cost = one.usdPerHour * other.worth;
  const otherCost = other.usdPerHour * one.worth;
  if (cost * NEAR_TIE < otherCost) return true;
  return cost < otherCost * NEAR_TIE && one.worth > other.worth;
}

/**
 * Candidates by price per worth of what is left for them. Where many nodes are forced, large ones would take what
 * belongs on the others: a node may hold little more than its share.
 */
function promising(shop: Workshop, candidates: readonly Candidate[], stand: Stand): Shortlisted[] {
  const { market, demands, forced, left, tweak } = stand;
  const share = (SHARE_SLACK * left) / Math.max(1, forced.nodes);
  const scored: Scored[] = [];
  for (const candidate of candidates) {
    const demand = demands.get(candidate.group);
    if (demand === undefined) continue;
    if (tweak !== null && tweak.skip > 0 && tweak.draws.next() < tweak.skip) continue;
    const worth = Math.min(market.mostWorth(candidate.column, demand), share);
    const score = worth > 0 ? candidate.usdPerHour / worth : Number.MAX_VALUE;
    if (scored.length < TRIED || score < (scored[scored.length - 1]?.score ?? 0)) {
      insert(scored, { candidate, score });
    }
  }
  return scored.map((one) => ({ ...one, weights: weightsOf(shop, one.candidate, stand) }));
}

type Scored = Omit<Shortlisted, 'weights'>;

function weightsOf({ capacity }: Workshop, { group, offer }: Candidate, { market, tweak }: Stand): Vector {
  const room = capacity.room(group.provisioner, offer);
  return market.placePrices.map(
    (price, place) => price * Math.max(0, room[place] as number) * (tweak?.factors[place] ?? 1),
  );
}

function insert(sorted: Scored[], one: Scored): void {
  let at = sorted.length;
  while (at > 0 && (sorted[at - 1]?.score ?? 0) > one.score) at--;
  sorted.splice(at, 0, one);
  if (sorted.length > TRIED) sorted.pop();
}

/** Fills the candidate and puts the pods back; null when nothing goes in or limits forbid it. */
function patternOf(
  shop: Workshop,
  { candidate, weights }: Shortlisted,
  { market, forced }: Stand,
): Pattern | null {
  const { capacity, store, filler, ledger } = shop;
  const { group, offer } = candidate;
  const { provisioner } = group;
  const room = capacity.room(provisioner, offer);
  const seeds = forced.seeds(market.worth, (lot) => allowsOffer(shop, lot, candidate));
  const filling = filler.fill({ menu: group.menu, room, weights, scope: group.root, provisioner, seeds });
  putBack(store, filling);
  if (filling.lots.length === 0) return null;
  const name = provisionerName(capacity, provisioner);
  const allowed = (id: number): boolean =>
    ledger.times(name, offerCharge(capacity, provisioner, { offer: id })) >= 1;
  const cheapest = capacity.cheapest(
    filling.scope,
    filling.used,
    ledger.isLimited(name) ? allowed : undefined,
  );
  if (cheapest === null) return null;
  let worth = LEAST_WORTH;
  for (let at = 0; at < filling.lots.length; at++)
    worth += (market.worth[filling.lots[at] as number] as number) * (filling.counts[at] as number);
  return { candidate, filling, offer: cheapest.offer, usdPerHour: cheapest.usdPerHour, worth };
}

function allowsOffer({ store, scopes }: Workshop, lot: number, { group, offer }: Candidate): boolean {
  const scope = store.lot(lot).scopes[group.provisioner] ?? NO_SCOPE;
  return scope !== NO_SCOPE && hasBit(scopes.at(scope).offers, offer);
}

/** Buys the pattern as often as pods and limits last. */
function committed({ store, capacity, ledger }: Workshop, pattern: Pattern, forced: ForcedNodes): Bin[] {
  const { candidate, filling, offer, usdPerHour } = pattern;
  const { provisioner } = candidate.group;
  const { lots, counts, used, scope } = filling;
  const name = provisionerName(capacity, provisioner);
  const charge = ledger.isLimited(name) ? offerCharge(capacity, provisioner, { offer }) : null;
  let times = charge === null ? Number.POSITIVE_INFINITY : Math.max(1, ledger.times(name, charge));
  for (let at = 0; at < lots.length; at++) {
    const left = store.left[lots[at] as number] as number;
    times = Math.min(times, Math.floor(left / (counts[at] as number)));
  }
  if (charge !== null) ledger.add(name, charge, times);
  forced.placed(lots, counts, times);
  for (let at = 0; at < lots.length; at++) {
    const lot = lots[at] as number;
    store.left[lot] = (store.left[lot] as number) - (counts[at] as number) * times;
  }
  return Array.from({ length: times }, () => ({ provisioner, scope, offer, usdPerHour, used, lots, counts }));
}
