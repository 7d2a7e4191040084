// Covering rows: conditions that every plan for the pods meets, whatever its nodes.
import type { CapacityTable } from './capacityTable.ts';
import type { LotStore } from './lots.ts';
import { isSubset, type OfferSet, type OfferSets, setSize } from './offerSets.ts';
import { timesFitting, type Vector } from './resourceAxis.ts';

/** Rows beyond these bind too little to be worth their time. */
const MOST_CAP_ROWS = 12;
const MOST_SHAPE_ROWS = 12;
const MOST_SETS = 16;
/** A set of pods that the largest types hold more of than this loses next to nothing to whole numbers. */
const BULKY_TIMES = 8;

/** One row: the amounts that pods add to what is asked for, and what one node of a type can give at most. */
export interface Row {
  readonly lots: readonly number[];
  readonly amounts: readonly number[];
  readonly offers: OfferSet;
  readonly given: (provisioner: number, type: number, room: Vector) => number;
  /** The resource that is summed; -1 for rows that count pods. */
  readonly place: number;
  /** True for rows of pods that may share no node: every node that is forced has one, so they favour none. */
  readonly isCap: boolean;
}

/** A lot that waits, with the offers that may hold its pods. */
export interface WaitingLot {
  readonly id: number;
  readonly offers: OfferSet;
}

interface Tables {
  readonly store: LotStore;
  readonly capacity: CapacityTable;
  readonly sets: OfferSets;
}

/** All rows for these lots. */
export function coveringRows(waiting: readonly WaitingLot[], tables: Tables): Row[] {
  return [...resourceRows(waiting, tables), ...capRows(waiting, tables), ...shapeRows(waiting, tables)];
}

/** Totals of each resource: of all pods, and of those that only some of the offers can hold. */
function resourceRows(waiting: readonly WaitingLot[], { store, sets }: Tables): Row[] {
  const lotsOfSet = Map.groupBy(waiting, ({ offers }) => offers);
  const all = sets.union([...lotsOfSet.keys()]);
  const restrictive = restrictiveSets(all, [...lotsOfSet.keys()]);
  return [all, ...restrictive].flatMap((whole) => {
    const lots: number[] = [];
    for (const [set, members] of lotsOfSet)
      if (isSubset(set, whole)) for (const { id } of members) lots.push(id);
    return Array.from({ length: store.axis.size }, (_, place): Row => {
      const asking = lots.filter((id) => (store.lot(id).requests[place] as number) > 0);
      const amounts = asking.map((id) => store.lot(id).requests[place] as number);
      return {
        lots: asking,
        amounts,
        offers: whole,
        place,
        given: (_p, _t, room) => room[place] as number,
        isCap: false,
      };
    }).filter((row) => row.lots.length > 0);
  });
}

/** Sets that rule out a good part of all offers, thinned out evenly by size where there are many. */
function restrictiveSets(all: OfferSet, sets: readonly OfferSet[]): OfferSet[] {
  const whole = setSize(all);
  const sized = sets.map((set) => ({ set, size: setSize(set) })).filter(({ size }) => size < 0.8 * whole);
  sized.sort((left, right) => left.size - right.size);
  const step = Math.max(1, sized.length / MOST_SETS);
  const kept: OfferSet[] = [];
  for (let at = 0; at < sized.length; at += step) {
    const found = sized[Math.floor(at)];
    if (found !== undefined) kept.push(found.set);
  }
  return kept;
}

interface Group {
  readonly lots: number[];
  readonly amounts: number[];
  readonly sets: Set<OfferSet>;
  readonly least: Vector;
  readonly cap: number;
  /** The most that one pod (bundle) adds. */
  mostEach: number;
  count: number;
}

function addToGroup(
  groups: Map<string, Group>,
  key: string,
  { waiting, amount, cap, store }: { waiting: WaitingLot; amount: number; cap: number; store: LotStore },
): void {
  const { requests } = store.lot(waiting.id);
  let group = groups.get(key);
  if (group === undefined) {
    group = {
      lots: [],
      amounts: [],
      sets: new Set(),
      least: Float64Array.from(requests),
      cap,
      mostEach: 0,
      count: 0,
    };
    groups.set(key, group);
  }
  group.lots.push(waiting.id);
  group.amounts.push(amount);
  group.mostEach = Math.max(group.mostEach, amount);
  group.sets.add(waiting.offers);
  group.count += amount * (store.left[waiting.id] as number);
  for (let place = 0; place < requests.length; place++) {
    group.least[place] = Math.min(group.least[place] as number, requests[place] as number);
  }
}

/** Pods of which a node holds at most so many: each needs its share of a node. */
function capRows(waiting: readonly WaitingLot[], { store, capacity, sets }: Tables): Row[] {
  const groups = new Map<string, Group>();
  for (const one of waiting) {
    const { caps, adds } = store.lot(one.id);
    for (const { counter, cap } of caps) {
      const own = adds.find((add) => add.counter === counter)?.count ?? 0;
      if (own > 0) addToGroup(groups, `${counter}|${cap}`, { waiting: one, amount: own, cap, store });
    }
  }
  return [...groups.values()]
    .sort((left, right) => right.count / right.cap - left.count / left.cap)
    .slice(0, MOST_CAP_ROWS)
    .map(({ cap, least, mostEach, ...group }) => {
      const given: Row['given'] = (provisioner, type) =>
        Math.min(cap, mostEach * timesFitting(least, roomOf(capacity, provisioner, type)));
      return {
        lots: group.lots,
        amounts: group.amounts,
        offers: sets.union([...group.sets]),
        given,
        place: -1,
        isCap: true,
      };
    });
}

/** Bulky pods of one shape: a node holds a whole number of them, which totals do not see. */
function shapeRows(waiting: readonly WaitingLot[], { store, capacity, sets }: Tables): Row[] {
  const largest = new Float64Array(store.axis.size);
  for (const { room } of capacity.provisioners) {
    for (const one of room) {
      for (let place = 0; place < largest.length; place++) {
        largest[place] = Math.max(largest[place] as number, one[place] as number);
      }
    }
  }
  const groups = new Map<string, Group>();
  for (const one of waiting) {
    const { requests } = store.lot(one.id);
    if (timesFitting(requests, largest) > BULKY_TIMES) continue;
    addToGroup(groups, String(store.shapeOf[one.id]), { waiting: one, amount: 1, cap: 0, store });
  }
  const share = ({ least, count }: Group): number => {
    let most = 0;
    for (let place = 0; place < least.length; place++) {
      if ((least[place] as number) > 0)
        most = Math.max(most, (least[place] as number) / (largest[place] as number));
    }
    return most * count;
  };
  return [...groups.values()]
    .sort((left, right) => share(right) - share(left))
    .slice(0, MOST_SHAPE_ROWS)
    .map(({ least, ...group }) => {
      const given: Row['given'] = (provisioner, type) =>
        timesFitting(least, roomOf(capacity, provisioner, type));
      return {
        lots: group.lots,
        amounts: group.amounts,
        offers: sets.union([...group.sets]),
        given,
        place: -1,
        isCap: false,
      };
    });
}

const NO_ROOM = new Float64Array();

function roomOf(capacity: CapacityTable, provisioner: number, type: number): Vector {
  return capacity.provisioner(provisioner).room[type] ?? NO_ROOM;
}

/** What is asked for in the row by the pods that are left. */
export function rowDemand({ lots, amounts }: Row, left: Int32Array): number {
  let demand = 0;
  for (let at = 0; at < lots.length; at++)
    demand += (amounts[at] as number) * (left[lots[at] as number] as number);
  return demand;
}

/** Adds what each resource row is worth to the resource's price. */
export function placePrices(rows: readonly Row[], prices: Vector, size: number): Vector {
  const byPlace = new Float64Array(size);
  for (const [at, { place }] of rows.entries()) {
    if (place >= 0) byPlace[place] = (byPlace[place] as number) + (prices[at] as number);
  }
  return byPlace;
}
