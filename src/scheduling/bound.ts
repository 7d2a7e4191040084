// What no plan can go below: a covering LP over what the pods ask for, with rows for what binds some of them.
import type { Bin } from './bins.ts';
import { type Bits, bitIds, countBits, hasBit, isWithin } from './bits.ts';
import type { CapacityTable } from './capacityTable.ts';
import type { Offer } from './compiledProvisioner.ts';
import type { Lot, LotStore } from './lots.ts';
import { addScaled, CPU, fitsWithin, timesFitting, type Vector } from './resourceAxis.ts';
import { NO_SCOPE } from './scopes.ts';
import { packingPrices } from './simplex.ts';

/** Rows beyond these bind too little to be worth their time. */
const MOST_OFFER_SETS = 8;
const MOST_SETS_WEIGHED = 24;
const MOST_CAP_ROWS = 12;
const MOST_SHAPE_ROWS = 16;

/** So many pods (bundles) of a lot. */
interface Demand {
  readonly lot: Lot;
  readonly count: number;
}

/** Offers by Provisioner that some pods may use. */
type OfferSet = readonly (Bits | null)[];

/** One covering row: how much is asked for, and what one node of an offer can give at most. */
interface Row {
  readonly demand: number;
  readonly offers: OfferSet;
  readonly given: (provisioner: number, type: number, room: Vector) => number;
  /** True for totals of CPU, of which burstable types give more at a higher price. */
  readonly isCpu: boolean;
}

interface ResourceRow extends Row {
  readonly place: number;
}

/**
 * A lower bound on the price of any nodes that hold the pods of these bins. Every row is a condition that each
 * plan meets (total of a resource, pods that may share no node, pods that need certain offers), so the LP is a
 * relaxation; entries are cut to the demand, which integer plans allow; prices are made feasible after rounding.
 * @param tierOf which Provisioners a lot may use at all, heavier ones first come
 */
export function lowerBound(
  bins: readonly Bin[],
  { store, capacity }: { readonly store: LotStore; readonly capacity: CapacityTable },
  tierOf: (lot: Lot) => readonly number[],
): number {
  if (bins.length === 0) return 0;
  const counts = new Map<number, number>();
  for (const { lots, counts: held } of bins) {
    for (const [at, id] of lots.entries()) counts.set(id, (counts.get(id) ?? 0) + (held[at] as number));
  }
  const demands = [...counts].map(([id, count]) => ({ lot: store.lot(id), count }));
  const setOf = offerSets(demands, capacity, tierOf);
  const rows = [
    ...resourceRows(totalsOf(demands, setOf, store.axis.size), capacity),
    ...capRows(demands, setOf, capacity),
    ...shapeRows(demands, setOf, capacity),
  ];
  const { columns, costs } = columnsOf(rows, capacity);
  if (columns.length === 0) return 0;
  return packingPrices({ demands: Float64Array.from(rows, (row) => row.demand), columns, costs }).value;
}

/** The offers that can hold a pod of the lot, before any domain was chosen for it: a choice is no constraint. */
function offerSets(
  demands: readonly Demand[],
  capacity: CapacityTable,
  tierOf: (lot: Lot) => readonly number[],
): ReadonlyMap<Lot, OfferSet> {
  const interned = new Map<string, OfferSet>();
  const sets = new Map<Lot, OfferSet>();
  const byPlacement = new Map<Lot['free'], Map<string, OfferSet>>();
  for (const { lot } of demands) {
    const tier = tierOf(lot);
    const held = byPlacement.get(lot.free) ?? new Map<string, OfferSet>();
    byPlacement.set(lot.free, held);
    const localKey = `${tier.join(',')}|${lot.requests.join(',')}`;
    let set = held.get(localKey);
    if (set === undefined) {
      const fresh = capacity.provisioners.map((_, index) =>
        tier.includes(index) ? fittingOffers(lot, index, capacity) : null,
      );
      const key = fresh.map((bits) => bits?.join(',') ?? '-').join('|');
      set = interned.get(key) ?? fresh;
      interned.set(key, set);
      held.set(localKey, set);
    }
    sets.set(lot, set);
  }
  return sets;
}

function fittingOffers({ free, requests }: Lot, provisioner: number, capacity: CapacityTable): Bits | null {
  const union = unionOfScopes(free.scopes[provisioner] ?? [], capacity);
  if (union === null) return null;
  const { compiled, room } = capacity.provisioner(provisioner);
  const fits = room.map((one) => fitsWithin(requests, one));
  for (const [id, { type }] of compiled.offers.entries()) {
    if (!fits[type]) union[id >>> 5] = (union[id >>> 5] as number) & ~(1 << (id & 31));
  }
  return union;
}

function unionOfScopes(scopes: readonly number[], capacity: CapacityTable): Bits | null {
  let union: Bits | null = null;
  for (const scope of scopes) {
    if (scope === NO_SCOPE) continue;
    const { offers } = capacity.scope(scope);
    if (union === null) union = Uint32Array.from(offers);
    else
      for (let word = 0; word < union.length; word++) union[word] = (union[word] ?? 0) | (offers[word] ?? 0);
  }
  return union;
}

function withinSet(part: OfferSet, whole: OfferSet): boolean {
  return part.every((bits, index) => {
    const other = whole[index] ?? null;
    return bits === null || (other !== null && isWithin(bits, other));
  });
}

function unionOfSets(sets: readonly OfferSet[]): OfferSet {
  const [first = []] = sets;
  return first.map((_, index) => {
    const bits = sets.flatMap((set) => set[index] ?? []);
    if (bits.length === 0) return null;
    const union = Uint32Array.from(bits[0] as Bits);
    for (const one of bits)
      for (let word = 0; word < union.length; word++) union[word] = (union[word] ?? 0) | (one[word] ?? 0);
    return union;
  });
}

/** What is asked for by the pods of each set of offers. */
type Totals = ReadonlyMap<OfferSet, Float64Array>;

function totalsOf(demands: readonly Demand[], setOf: ReadonlyMap<Lot, OfferSet>, size: number): Totals {
  const totals = new Map<OfferSet, Float64Array>();
  for (const { lot, count } of demands) {
    const set = setOf.get(lot) ?? [];
    const total = totals.get(set) ?? new Float64Array(size);
    totals.set(set, total);
    addScaled(total, lot.requests, count);
  }
  return totals;
}

/** Totals over all pods, and over those that are bound to dear offers: the sets that raise the bound the most. */
function resourceRows(totals: Totals, capacity: CapacityTable): Row[] {
  const all = unionOfSets([...totals.keys()]);
  const overall = rowsWithin(all, totals);
  const { columns, costs } = columnsOf(overall, capacity);
  if (columns.length === 0) return [];
  const { prices } = packingPrices({
    demands: Float64Array.from(overall, (row) => row.demand),
    columns,
    costs,
  });
  const byPlace = new Float64Array(capacity.axis.size);
  for (const [at, row] of overall.entries()) byPlace[row.place] = prices[at] as number;
  const ranked = restrictiveSets(all, totals)
    .map((set) => ({ set, gain: gainOf(set, { totals, capacity, byPlace }) }))
    .filter(({ gain }) => gain > 0)
    .sort((left, right) => right.gain - left.gain)
    .slice(0, MOST_OFFER_SETS);
  return [...overall, ...ranked.flatMap(({ set }) => rowsWithin(set, totals))];
}

/** Sets that rule out a good part of all offers, thinned out evenly by size where there are many. */
function restrictiveSets(all: OfferSet, totals: Totals): OfferSet[] {
  const sizeOf = (set: OfferSet): number =>
    set.reduce((sum, bits) => sum + (bits === null ? 0 : countBits(bits)), 0);
  const whole = sizeOf(all);
  const sized = [...totals.keys()]
    .map((set) => ({ set, size: sizeOf(set) }))
    .filter(({ size }) => size < 0.8 * whole);
  sized.sort((left, right) => left.size - right.size);
  const step = Math.max(1, sized.length / MOST_SETS_WEIGHED);
  const kept: OfferSet[] = [];
  for (let at = 0; at < sized.length; at += step) kept.push((sized[Math.floor(at)] as { set: OfferSet }).set);
  return kept;
}

/** How much dearer the set's pods are by their own offers than by all. */
function gainOf(
  set: OfferSet,
  {
    totals,
    capacity,
    byPlace,
  }: { readonly totals: Totals; readonly capacity: CapacityTable; readonly byPlace: Vector },
): number {
  const demand = demandWithin(set, totals);
  let cheapest = Number.POSITIVE_INFINITY;
  for (const [provisioner, bits] of set.entries()) {
    if (bits === null) continue;
    for (const id of bitIds(bits)) {
      const room = capacity.room(provisioner, id);
      let worth = 0;
      for (let place = 0; place < byPlace.length; place++) {
        worth += (byPlace[place] as number) * Math.min(room[place] as number, demand[place] as number);
      }
      cheapest = Math.min(cheapest, capacity.offer(provisioner, id).usdPerHour / worth);
    }
  }
  let total = 0;
  for (let place = 0; place < byPlace.length; place++)
    total += (byPlace[place] as number) * (demand[place] as number);
  return Number.isFinite(cheapest) && cheapest > 1.0001 ? (cheapest - 1) * total : 0;
}

function demandWithin(whole: OfferSet, totals: Totals): Float64Array {
  const [first] = totals.values();
  const demand = new Float64Array(first?.length ?? 0);
  for (const [set, total] of totals) if (withinSet(set, whole)) addScaled(demand, total, 1);
  return demand;
}

function rowsWithin(whole: OfferSet, totals: Totals): ResourceRow[] {
  const rows: ResourceRow[] = [];
  for (const [place, demand] of demandWithin(whole, totals).entries()) {
    const given: Row['given'] = (_provisioner, _type, room) => room[place] as number;
    if (demand > 0) rows.push({ demand, offers: whole, given, isCpu: place === CPU, place });
  }
  return rows;
}

/** Pods of which a node holds at most so many: each needs its share of a node. */
function capRows(
  demands: readonly Demand[],
  setOf: ReadonlyMap<Lot, OfferSet>,
  capacity: CapacityTable,
): Row[] {
  const groups = new Map<
    string,
    { readonly cap: number; count: number; readonly sets: Set<OfferSet>; least: Vector }
  >();
  for (const { lot, count } of demands) {
    for (const { counter, cap } of lot.caps) {
      const own = lot.adds.find((one) => one.counter === counter)?.count ?? 0;
      if (own === 0) continue;
      const key = `${counter}|${cap}`;
      const set = setOf.get(lot) ?? [];
      const held = groups.get(key);
      if (held === undefined) {
        groups.set(key, {
          cap,
          count: count * own,
          sets: new Set([set]),
          least: Float64Array.from(lot.requests),
        });
      } else {
        held.count += count * own;
        held.sets.add(set);
        held.least = held.least.map((amount, place) => Math.min(amount, lot.requests[place] as number));
      }
    }
  }
  return [...groups.values()]
    .sort((left, right) => right.count / right.cap - left.count / left.cap)
    .slice(0, MOST_CAP_ROWS)
    .map(({ cap, count, sets, least }) => ({
      demand: count,
      offers: unionOfSets([...sets]),
      given: (provisioner, type) => {
        const room = capacity.provisioner(provisioner).room[type];
        return room === undefined ? 0 : Math.min(cap, timesFitting(least, room));
      },
      isCpu: false,
    }));
}

/** Large pods of one shape: a node holds a whole number of them, which totals do not see. */
function shapeRows(
  demands: readonly Demand[],
  setOf: ReadonlyMap<Lot, OfferSet>,
  capacity: CapacityTable,
): Row[] {
  const groups = new Map<
    string,
    { readonly requests: Vector; count: number; readonly sets: Set<OfferSet> }
  >();
  for (const { lot, count } of demands) {
    const key = lot.requests.join(',');
    const held = groups.get(key) ?? { requests: lot.requests, count: 0, sets: new Set<OfferSet>() };
    held.count += count;
    held.sets.add(setOf.get(lot) ?? []);
    groups.set(key, held);
  }
  const weight = ({ requests, count }: { readonly requests: Vector; readonly count: number }): number => {
    let rare = 0;
    for (let place = 3; place < requests.length; place++) if ((requests[place] as number) > 0) rare = 1e12;
    return rare + ((requests[CPU] as number) + (requests[1] as number) / 4e6) * count;
  };
  return [...groups.values()]
    .sort((left, right) => weight(right) - weight(left))
    .slice(0, MOST_SHAPE_ROWS)
    .map(({ requests, count, sets }) => ({
      demand: count,
      offers: unionOfSets([...sets]),
      given: (provisioner, type) => {
        const room = capacity.provisioner(provisioner).room[type];
        return room === undefined ? 0 : timesFitting(requests, room);
      },
      isCpu: false,
    }));
}

/** The cheapest offer of each type for each set of rows that it can serve. */
function columnsOf(
  rows: readonly Row[],
  capacity: CapacityTable,
): { readonly columns: Float64Array[]; readonly costs: Float64Array } {
  const columns: Float64Array[] = [];
  const costs: number[] = [];
  const distinct = [...new Set(rows.map((row) => row.offers))];
  const total = Math.max(0, ...rows.filter((row) => row.isCpu).map((row) => row.demand));
  for (const [provisioner, { compiled, room, freeMillis, usdPerMilli }] of capacity.provisioners.entries()) {
    const seen = new Set<string>();
    for (const [id, { type, usdPerHour }] of compiled.offers.entries()) {
      const serves = distinct.map((set) => {
        const bits = set[provisioner] ?? null;
        return bits !== null && hasBit(bits, id);
      });
      const key = `${type}|${serves.map(Number).join('')}`;
      if (!serves.includes(true) || seen.has(key)) continue;
      seen.add(key);
      const served = new Set(distinct.filter((_, at) => serves[at]));
      const full = room[type] as Vector;
      const node = { provisioner, type, served };
      const free = freeMillis[type] as number;
      const most = Math.min(full[CPU] as number, total);
      if (most > free) {
        // Within the baseline at the plain price, and at most use at its price: all between is a mix of both.
        columns.push(columnOf(rows, node, { room: withCpu(full, Math.max(0, free)), exact: true }));
        columns.push(columnOf(rows, node, { room: withCpu(full, most), exact: true }));
        costs.push(usdPerHour, usdPerHour + (most - free) * (usdPerMilli[type] as number));
      } else {
        columns.push(columnOf(rows, node, { room: full, exact: false }));
        costs.push(usdPerHour);
      }
    }
  }
  return { columns, costs: Float64Array.from(costs) };
}

function withCpu(room: Vector, millis: number): Vector {
  const changed = Float64Array.from(room);
  changed[CPU] = millis;
  return changed;
}

interface ColumnNode {
  readonly provisioner: number;
  readonly type: Offer['type'];
  readonly served: ReadonlySet<OfferSet>;
}

/** Entries are cut to the demand, except CPU of burstable types: a mix of two cut columns would give too little. */
function columnOf(
  rows: readonly Row[],
  { provisioner, type, served }: ColumnNode,
  { room, exact }: { readonly room: Vector; readonly exact: boolean },
): Float64Array {
  return Float64Array.from(rows, (row) => {
    if (!served.has(row.offers)) return 0;
    const given = Math.max(0, row.given(provisioner, type, room));
    return exact && row.isCpu ? given : Math.min(row.demand, given);
  });
}
