// What pods are worth: the covering LP's prices, which guide the packer and bound every plan from below.
import { hasBit } from './bits.ts';
import type { CapacityTable } from './capacityTable.ts';
import type { Offer } from './compiledProvisioner.ts';
import type { CoverProblem } from './cover.ts';
import type { Lot, LotStore } from './lots.ts';
import { type OfferSet, OfferSets } from './offerSets.ts';
import { CPU, type Vector } from './resourceAxis.ts';
import { coveringRows, placePrices, type Row, rowDemand } from './rows.ts';
import { packingPrices } from './simplex.ts';
import { withWholeNodes } from './wholeNodes.ts';

interface LotEntries {
  readonly rows: number[];
  readonly amounts: number[];
}

/** Nodes to buy as the LP sees them: what column `at` gives to each row begins at `at * rows`. */
interface Columns {
  readonly given: Float64Array;
  readonly costs: Float64Array;
  /** Burstable types, as 1: CPU entries must not be cut, since two columns are mixed to stand for one node. */
  readonly exactCpu: Uint8Array;
}

/**
 * Prices for the lots that wait. Rows and columns are made once; prices follow what is left.
 * Each row holds for every plan (total of a resource, pods that may share no node, pods that need certain offers),
 * so the LP is a relaxation: its value bounds all plans from below.
 */
export class Market {
  readonly #store: LotStore;
  readonly #rows: readonly Row[];
  readonly #columns: Columns;
  /** The columns cut to what is asked for. */
  readonly #useful: Float64Array;
  readonly #isCpu: Uint8Array;
  /** By Provisioner and offer. */
  readonly #columnOf: Int32Array[] = [];
  /** Each set of offers that rows have, and by row which it is. */
  readonly #sets: readonly OfferSet[];
  readonly #setOfRow: readonly number[];
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
    this.#setOfRow = this.#rows.map((row) => this.#sets.indexOf(row.offers));
    this.#columns = this.#columnsOf(capacity);
    this.#useful = new Float64Array(this.#columns.given.length);
    this.#isCpu = Uint8Array.from(this.#rows, ({ place }) => (place === CPU ? 1 : 0));
    this.#entries = store.lots.map(() => ({ rows: [], amounts: [] }));
    for (const [row, { lots, amounts }] of this.#rows.entries()) {
      for (let at = 0; at < lots.length; at++) {
        const entries = this.#entries[lots[at] as number] as LotEntries;
        entries.rows.push(row);
        entries.amounts.push(amounts[at] as number);
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
    this.#cutToDemands();
    const { prices, value } = packingPrices({
      demands: this.#demands,
      columns: this.#useful,
      costs: this.#columns.costs,
    });
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

  #cutToDemands(): void {
    const { given, costs, exactCpu } = this.#columns;
    const rows = this.#rows.length;
    for (let column = 0; column < costs.length; column++) {
      for (let row = 0; row < rows; row++) {
        const amount = given[column * rows + row] as number;
        const asked = this.#demands[row] as number;
        const whole = amount <= asked || (exactCpu[column] === 1 && this.#isCpu[row] === 1);
        this.#useful[column * rows + row] = whole ? amount : asked;
      }
    }
  }

  /**
   * A bound for the lots that are left now that knows that nodes are bought whole. Prices stay as they are.
   * @returns at least `usdPerHour` as of the last refresh, when nothing was placed since
   */
  wholeNodesUsdPerHour(): number {
    this.countDemands();
    this.#cutToDemands();
    const plain = { demands: this.#demands, columns: this.#useful, costs: this.#columns.costs };
    const { prices } = packingPrices(plain);
    return packingPrices(withWholeNodes(plain, prices, this.#wholeNodes())).value;
  }

  /** What whole nodes give: of the two columns that stand for a burstable node, the second says it for both. */
  #wholeNodes(): Float64Array {
    const { given, costs, exactCpu } = this.#columns;
    const rows = this.#rows.length;
    const whole = Float64Array.from(given);
    for (let column = 0; column < costs.length; column++) {
      if (exactCpu[column] !== 1) continue;
      whole.copyWithin(column * rows, (column + 1) * rows, (column + 2) * rows);
      column++;
    }
    return whole;
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
    const { given } = this.#columns;
    const start = column * this.#rows.length;
    let worth = 0;
    for (const at of this.#guiding) {
      const price = this.#prices[at] as number;
      const { place } = this.#rows[at] as Row;
      const asked =
        place < 0
          ? (this.#demands[at] as number)
          : Math.min(demand[place] as number, this.#demands[at] as number);
      worth += price * Math.min(given[start + at] as number, asked);
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
      const start = id * this.#rows.length;
      for (let at = 0; at < rows.length; at++)
        given[index * rows.length + at] = this.#columns.given[start + (rows[at] as number)] as number;
    }
    return {
      demands: Float64Array.from(rows, (at) => this.#demands[at] as number),
      prices: Float64Array.from(rows, (at) => this.#prices[at] as number),
      given,
      costs: Float64Array.from(columns, (id) => this.#columns.costs[id] as number),
    };
  }

  /** The column that stands for an offer when it is used in full; -1 when it serves no row. */
  columnOf(provisioner: number, offer: number): number {
    return this.#columnOf[provisioner]?.[offer] ?? -1;
  }

  /** The cheapest offer of each type for each set of rows that it can serve. */
  #columnsOf(capacity: CapacityTable): Columns {
    const given: number[] = [];
    const costs: number[] = [];
    const exact: number[] = [];
    const add = (column: Float64Array, usdPerHour: number, exactCpu: boolean): void => {
      for (const amount of column) given.push(amount);
      costs.push(usdPerHour);
      exact.push(exactCpu ? 1 : 0);
    };
    const cpuRows = this.#rows.filter((row) => row.place === CPU);
    const total = Math.max(0, ...cpuRows.map((row) => rowDemand(row, this.#store.left)));
    for (const [provisioner, one] of capacity.provisioners.entries()) {
      const { compiled, room, freeMillis, usdPerMilli } = one;
      const known = new Map<string, number>();
      const columnOf = new Int32Array(compiled.offers.length).fill(-1);
      this.#columnOf.push(columnOf);
      for (let id = 0; id < compiled.offers.length; id++) {
        const { type, usdPerHour } = compiled.offers[id] as Offer;
        const served = this.#servedBy(provisioner, id);
        if (!served.includes(true)) continue;
        const key = `${type}|${served.join()}`;
        const same = known.get(key);
        if (same !== undefined) {
          columnOf[id] = same;
          continue;
        }
        const full = room[type] as Vector;
        const free = freeMillis[type] as number;
        const most = Math.min(full[CPU] as number, total);
        const exactCpu = most > free;
        const give = (usable: Vector) => this.#givenBy(served, { provisioner, type, room: usable });
        // Within the baseline at the plain price, and at most use at its price: all between is a mix of both.
        if (exactCpu) add(give(withCpu(full, Math.max(0, free))), usdPerHour, true);
        columnOf[id] = costs.length;
        known.set(key, costs.length);
        const dearer = exactCpu ? (most - Math.max(0, free)) * (usdPerMilli[type] as number) : 0;
        add(give(exactCpu ? withCpu(full, most) : full), usdPerHour + dearer, exactCpu);
      }
    }
    return {
      given: Float64Array.from(given),
      costs: Float64Array.from(costs),
      exactCpu: Uint8Array.from(exact),
    };
  }

  /** By set of offers: whether the offer is in it. */
  #servedBy(provisioner: number, offer: number): readonly boolean[] {
    return this.#sets.map((set) => {
      const bits = set[provisioner] ?? null;
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
      served[this.#setOfRow[at] as number] ? Math.max(0, row.given(provisioner, type, room)) : 0,
    );
  }
}

function withCpu(room: Vector, millis: number): Vector {
  const changed = Float64Array.from(room);
  changed[CPU] = millis;
  return changed;
}
