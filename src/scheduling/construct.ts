// The first complete plan: nodes chosen one pattern at a time by price per worth of what they hold.
import { type Bin, offerCharge, provisionerName, type Workshop } from './bins.ts';
import { hasBit } from './bits.ts';
import { type Candidate, candidatesOf, type LotGroup } from './candidates.ts';
import { type Filling, putBack } from './fill.ts';
import { ForcedNodes, worthOf } from './forced.ts';
import { addScaled, type Vector } from './resourceAxis.ts';
import { NO_SCOPE } from './scopes.ts';
import { packingPrices } from './simplex.ts';

/** How many candidates are filled for each pattern; the others are ruled out by a bound on their worth. */
const TRIED = 6;
/** Prices of resources are worked out anew when this share of the demand they were made for is left. */
const STALE_SHARE = 0.8;
/** Candidates are compared anew when this share of what was left then is left. */
const LISTED_SHARE = 0.99;
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

/**
 * Buys nodes of these Provisioners until no lot that is left fits one, or limits end it.
 * Takes the pods that it places out of the store, and charges the ledger.
 */
export function construct(shop: Workshop, provisioners: readonly number[]): Bin[] {
  const bins: Bin[] = [];
  const forced = new ForcedNodes(shop.store);
  let candidates = candidatesOf(shop, provisioners);
  const demands = demandsOf(shop, candidates);
  let prices = pricesOf(shop, candidates, demands);
  let pricedFor = totalWorth(prices, demands);
  let shortlist: readonly Candidate[] = [];
  let listedFor = Number.POSITIVE_INFINITY;
  while (candidates.length > 0) {
    let left = totalWorth(prices, demands);
    if (left < STALE_SHARE * pricedFor) {
      candidates = candidates.filter(({ group }) => anyLeft(shop, group));
      prices = pricesOf(shop, candidates, demands);
      left = totalWorth(prices, demands);
      pricedFor = left;
      listedFor = Number.POSITIVE_INFINITY;
    }
    if (left < LISTED_SHARE * listedFor) {
      shortlist = promising(shop, candidates, { demands, prices, forced, left });
      listedFor = left;
    }
    const { pattern, exhausted } = bestPattern(shop, shortlist, { demands, prices, forced, left });
    if (exhausted.size > 0) candidates = candidates.filter((one) => !exhausted.has(one));
    if (pattern === null) {
      if (exhausted.size === 0) break;
      listedFor = Number.POSITIVE_INFINITY;
      continue;
    }
    if (exhausted.size > 0) listedFor = Number.POSITIVE_INFINITY;
    const bought = committed(shop, pattern, forced);
    bins.push(...bought);
    for (const [group, demand] of demands)
      subtractPlaced(shop, { group, demand }, { pattern, times: bought.length });
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
  for (const [at, lot] of lots.entries()) {
    if (group.members.has(lot)) addScaled(demand, store.lot(lot).requests, -(counts[at] as number) * times);
  }
}

function totalWorth(prices: Vector, demands: GroupDemands): number {
  let total = 0;
  for (const demand of demands.values()) total += worthOf(prices, demand);
  return total;
}

function anyLeft({ store }: Workshop, group: LotGroup): boolean {
  return group.lots.some((lot) => (store.left[lot] as number) > 0);
}

/** What a unit of each resource is worth at today's offers and demand. */
function pricesOf(shop: Workshop, candidates: readonly Candidate[], demands: GroupDemands): Vector {
  const { store, capacity } = shop;
  const total = new Float64Array(store.axis.size);
  for (let lot = 0; lot < store.lots.length; lot++) {
    const left = store.left[lot] as number;
    if (left > 0) addScaled(total, store.lot(lot).requests, left);
  }
  const columns: Float64Array[] = [];
  const costs: number[] = [];
  for (const { group, offer, usdPerHour } of candidates) {
    const demand = demands.get(group) ?? total;
    const room = capacity.room(group.provisioner, offer);
    columns.push(room.map((amount, place) => Math.max(0, Math.min(amount, demand[place] as number))));
    costs.push(usdPerHour);
  }
  return packingPrices({ demands: total, columns, costs: Float64Array.from(costs) }).prices;
}

interface Market {
  readonly demands: GroupDemands;
  readonly prices: Vector;
  readonly forced: ForcedNodes;
  /** Worth of all that is left. */
  readonly left: number;
}

/** Fills the most promising candidates and picks the one that costs least for its worth. */
function bestPattern(
  shop: Workshop,
  shortlist: readonly Candidate[],
  market: Market,
): { readonly pattern: Pattern | null; readonly exhausted: ReadonlySet<Candidate> } {
  const exhausted = new Set<Candidate>();
  let best: Pattern | null = null;
  for (const candidate of shortlist) {
    const pattern = patternOf(shop, candidate, market);
    if (pattern === null) exhausted.add(candidate);
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
function promising({ capacity }: Workshop, candidates: readonly Candidate[], market: Market): Candidate[] {
  const share = (SHARE_SLACK * market.left) / Math.max(1, market.forced.nodes);
  const scored: { readonly candidate: Candidate; readonly score: number }[] = [];
  for (const candidate of candidates) {
    const { group, offer, usdPerHour } = candidate;
    const room = capacity.room(group.provisioner, offer);
    const demand = market.demands.get(group);
    if (demand === undefined) continue;
    let worth = 0;
    for (let place = 0; place < room.length; place++) {
      const usable = Math.min(room[place] as number, demand[place] as number);
      worth += usable * (market.prices[place] as number);
    }
    const score = worth > 0 ? usdPerHour / Math.min(worth, share) : Number.MAX_VALUE;
    if (scored.length < TRIED || score < (scored[scored.length - 1]?.score ?? 0)) {
      insert(scored, { candidate, score });
    }
  }
  return scored.map(({ candidate }) => candidate);
}

function insert<T extends { readonly score: number }>(sorted: T[], one: T): void {
  let at = sorted.length;
  while (at > 0 && (sorted[at - 1]?.score ?? 0) > one.score) at--;
  sorted.splice(at, 0, one);
  if (sorted.length > TRIED) sorted.pop();
}

/** Fills the candidate and puts the pods back; null when nothing goes in or limits forbid it. */
function patternOf(shop: Workshop, candidate: Candidate, { prices, forced }: Market): Pattern | null {
  const { capacity, store, filler, ledger } = shop;
  const { group, offer } = candidate;
  const { provisioner } = group;
  const room = capacity.room(provisioner, offer);
  const weights = prices.map((price, place) => price * Math.max(0, room[place] as number));
  const seeds = forced.seeds(prices, (lot) => allowsOffer(shop, lot, candidate));
  const filling = filler.fill({ menu: group.menu, room, weights, scope: group.root, provisioner, seeds });
  putBack(store, filling);
  if (filling.lots.length === 0) return null;
  const name = provisionerName(capacity, provisioner);
  const allowed = (id: number): boolean => {
    const usdPerHour = capacity.offer(provisioner, id).usdPerHour;
    return ledger.times(name, offerCharge(capacity, provisioner, { offer: id, usdPerHour })) >= 1;
  };
  const cheapest = capacity.cheapest(
    filling.scope,
    filling.used,
    ledger.isLimited(name) ? allowed : undefined,
  );
  if (cheapest === null) return null;
  const worth = Math.max(worthOf(prices, filling.used), Number.MIN_VALUE);
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
  const name = provisionerName(capacity, provisioner);
  const charge = offerCharge(capacity, provisioner, { offer, usdPerHour });
  let times = Math.max(1, ledger.times(name, charge));
  for (const [at, lot] of filling.lots.entries()) {
    times = Math.min(times, Math.floor((store.left[lot] as number) / (filling.counts[at] as number)));
  }
  ledger.add(name, charge, times);
  forced.placed(filling.lots, filling.counts, times);
  for (const [at, lot] of filling.lots.entries()) {
    store.left[lot] = (store.left[lot] as number) - (filling.counts[at] as number) * times;
  }
  const { lots, counts, used, scope } = filling;
  return Array.from({ length: times }, () => ({ provisioner, scope, offer, usdPerHour, used, lots, counts }));
}
