// What pods are worth: the covering LP's prices, which guide the packer and bound every plan from below.
import { hasBit } from './bits.ts';
import type { CapacityTable } from './capacityTable.ts';
import type { CoverProblem } from './cover.ts';
import type { Lot, LotStore } from './lots.ts';
import { type OfferSet, OfferSets } from './offerSets.ts';
import { CPU, type Vector } from './resourceAxis.ts';
import { coveringRows, placePrices, type Row, rowDemand } from './rows.ts';
import { packingPrices } from './simplex.ts';

interface LotEntries {
  readonly rows: number[];
  readonly amounts: number[];
}

/** A node to buy as the LP sees it: what it gives to each row at which price. */
interface Column {
  readonly given: Float64Array;
  readonly usdPerHour: number;
  /** Burstable types: CPU entries must not be cut, since two columns are mixed to stand for one node. */
  readonly exactCpu: boolean;
}

/**
 * Prices for the lots that wait. Rows and columns are made once; prices follow what is left.
 * Each row holds for every plan (total of a resource, pods that may share no node, pods that need certain offers),
 * so the LP is a relaxation: its value bounds all plans from below.
 */
export class Market {
  readonly #store: LotStore;
  readonly #rows: readonly Row[];
  readonly #columns: readonly Column[];
  readonly #columnOf = new Map<string, number>();
  readonly #sets: readonly OfferSet[];
  /** By lot: the rows that it adds to. */
  readonly #entries: LotEntries[];
  /** Rows with a price that is to guide the choice of nodes. */
  #guiding: readonly number[] = [];
  #prices: Float64Array;
  #demands: Float64Array;
  /** By lot: what one pod (bundle) is worth. No node can hold more worth than it costs. */
  readonly worth: Float64Array;
  /** By resource: what a unit is worth. */
  placePrices: Vector;
  /** No plan for the lots that were left when prices were last worked out costs less. */
  usdPerHour = 0;

  /** @param provisionersOf which Provisioners a lot may use at all */
  constructor(
    { store, capacity }: { readonly store: LotStore; readonly capacity: CapacityTable },
    provisionersOf: (lot: Lot) => readonly number[],
  ) {
    this.#store = store;
    const sets = new OfferSets(capacity);
    const waiting = [...store.left.keys()]
      .filter((id) => (store.left[id] as number) > 0)
      .map((id) => ({ id, offers: sets.of(store.lot(id), provisionersOf(store.lot(id))) }));
    this.#rows = waiting.length === 0 ? [] : coveringRows(waiting, { store, capacity, sets });
    this.#sets = [...new Set(this.#rows.map((row) => row.offers))];
    this.#columns = this.#columnsOf(capacity);
    this.#entries = store.lots.map(() => ({ rows: [], amounts: [] }));
    for (const [row, { lots, amounts }] of this.#rows.entries()) {
      for (const [at, lot] of lots.entries()) {
        this.#entries[lot]?.rows.push(row);
        this.#entries[lot]?.amounts.push(amounts[at] as number);
      }
    }
    this.#demands = new Float64Array(this.#rows.length);
    this.#prices = new Float64Array(this.#rows.length);
    this.worth = new Float64Array(store.lots.length);
    this.placePrices = new Float64Array(store.axis.size);
    this.refresh();
  }

  /** Works prices out anew for what is left now. */
  refresh(): void {
    this.countDemands();
    const columns = this.#columns.map(({ given, exactCpu }) =>
      given.map((amount, at) =>
        exactCpu && this.#rows[at]?.place === CPU ? amount : Math.min(amount, this.#demands[at] as number),
      ),
    );
    const costs = Float64Array.from(this.#columns, (column) => column.usdPerHour);
    const { prices, value } = packingPrices({ demands: this.#demands, columns, costs });
    this.#prices = prices;
    this.usdPerHour = value;
    this.placePrices = placePrices(this.#rows, prices, this.#store.axis.size);
    this.worth.fill(0);
    this.#guiding = [...prices.keys()].filter(
      (at) => (prices[at] as number) > 0 && this.#rows[at]?.isCap === false,
    );
    for (const [at, { lots, amounts, isCap }] of this.#rows.entries()) {
      const price = prices[at] as number;
      if (price === 0 || isCap) continue;
      for (let index = 0; index < lots.length; index++) {
        const id = lots[index] as number;
        this.worth[id] = (this.worth[id] as number) + price * (amounts[index] as number);
      }
    }
  }

  /** Brings what is asked for up to date, prices unchanged. */
  countDemands(): void {
    for (const [at, row] of this.#rows.entries()) this.#demands[at] = rowDemand(row, this.#store.left);
  }

  /** The same where no other lots than these are left. */
  countDemandsOf(lots: readonly number[]): void {
    this.#demands.fill(0);
    for (const lot of lots) {
      const left = this.#store.left[lot] as number;
      const { rows, amounts } = this.#entries[lot] as LotEntries;
      for (let at = 0; at < rows.length; at++) {
        const row = rows[at] as number;
        this.#demands[row] = (this.#demands[row] as number) + (amounts[at] as number) * left;
      }
    }
  }

  /** Worth of what is left of these lots. */
  worthOfLeft(lots: readonly number[]): number {
    let sum = 0;
    for (const lot of lots) sum += (this.worth[lot] as number) * (this.#store.left[lot] as number);
    return sum;
  }

  /**
   * The most worth that a node of the offer could hold now.
   * @param demand what the lots that may go on it still ask for, by resource
   */
  mostWorth(column: number, demand: Vector): number {
    const given = (this.#columns[column] as Column).given;
    let worth = 0;
    for (const at of this.#guiding) {
      const price = this.#prices[at] as number;
      const { place } = this.#rows[at] as Row;
      const asked =
        place < 0
          ? (this.#demands[at] as number)
          : Math.min(demand[place] as number, this.#demands[at] as number);
      worth += price * Math.min(given[at] as number, asked);
    }
    return worth;
  }

  /** What these lots ask for, caps aside, and what each of the columns gives to it. */
  coverOf(lots: readonly number[], columns: readonly number[]): CoverProblem {
    this.countDemandsOf(lots);
    const rows = [...this.#rows.keys()].filter(
      (at) => (this.#demands[at] as number) > 0 && this.#rows[at]?.isCap === false,
    );
    const given = new Float64Array(columns.length * rows.length);
    for (const [index, id] of columns.entries()) {
      const all = (this.#columns[id] as Column).given;
      for (let at = 0; at < rows.length; at++)
        given[index * rows.length + at] = all[rows[at] as number] as number;
    }
    return {
      demands: Float64Array.from(rows, (at) => this.#demands[at] as number),
      prices: Float64Array.from(rows, (at) => this.#prices[at] as number),
      given,
      costs: Float64Array.from(columns, (id) => (this.#columns[id] as Column).usdPerHour),
    };
  }

  /** The column that stands for an offer when it is used in full; -1 when it serves no row. */
  columnOf(capacity: CapacityTable, provisioner: number, offer: number): number {
    const key = this.#columnKey(capacity, provisioner, offer);
    return this.#columnOf.get(key) ?? -1;
  }

  #columnKey(capacity: CapacityTable, provisioner: number, offer: number): string {
    const served = this.#sets.map((set) => {
      const bits = set[provisioner] ?? null;
      return bits !== null && hasBit(bits, offer) ? '1' : '0';
    });
    return `${provisioner}|${capacity.offer(provisioner, offer).type}|${served.join('')}`;
  }

  /** The cheapest offer of each type for each set of rows that it can serve. */
  #columnsOf(capacity: CapacityTable): Column[] {
    const columns: Column[] = [];
    if (this.#rows.length === 0) return columns;
    const total = Math.max(
      0,
      ...this.#rows.filter((row) => row.place === CPU).map((row) => rowDemand(row, this.#store.left)),
    );
    for (const [
      provisioner,
      { compiled, room, freeMillis, usdPerMilli },
    ] of capacity.provisioners.entries()) {
      for (const [id, { type, usdPerHour }] of compiled.offers.entries()) {
        const key = this.#columnKey(capacity, provisioner, id);
        if (this.#columnOf.has(key) || !key.includes('1', key.lastIndexOf('|'))) continue;
        const full = room[type] as Vector;
        const free = freeMillis[type] as number;
        const most = Math.min(full[CPU] as number, total);
        const exactCpu = most > free;
        const served = this.#servedBy(provisioner, id);
        const column = (usable: Vector, cost: number): Column => ({
          given: this.#givenBy(served, { provisioner, type, room: usable }),
          usdPerHour: cost,
          exactCpu,
        });
        // Within the baseline at the plain price, and at most use at its price: all between is a mix of both.
        if (exactCpu) columns.push(column(withCpu(full, Math.max(0, free)), usdPerHour));
        this.#columnOf.set(key, columns.length);
        const dearer = exactCpu ? (most - Math.max(0, free)) * (usdPerMilli[type] as number) : 0;
        columns.push(column(exactCpu ? withCpu(full, most) : full, usdPerHour + dearer));
      }
    }
    return columns;
  }

  #servedBy(provisioner: number, offer: number): readonly boolean[] {
    return this.#rows.map(({ offers }) => {
      const bits = offers[provisioner] ?? null;
      return bits !== null && hasBit(bits, offer);
    });
  }

  #givenBy(
    served: readonly boolean[],
    {
      provisioner,
      type,
      room,
    }: { readonly provisioner: number; readonly type: number; readonly room: Vector },
  ): Float64Array {
    return Float64Array.from(this.#rows, (row, at) =>
      served[at] ? Math.max(0, row.given(provisioner, type, room)) : 0,
    );
  }
}

function withCpu(room: Vector, millis: number): Vector {
  const changed = Float64Array.from(room);
  changed[CPU] = millis;
  return changed;
}
