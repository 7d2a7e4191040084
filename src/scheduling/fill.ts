// Filling one node: the shape that goes best with the room that is left, again and again, until nothing fits.
import type { LotStore } from './lots.ts';
import type { Vector } from './resourceAxis.ts';
import { NO_SCOPE, type ScopeTable } from './scopes.ts';

/** Lots that may go on a node at all, by shape. */
export interface Menu {
  readonly shapes: number[];
  readonly lotsOfShape: number[][];
}

/** What goes on one node: lots and how many pods of each. */
export interface Filling {
  readonly lots: number[];
  readonly counts: number[];
  readonly used: Vector;
  readonly scope: number;
}

export interface FillRequest {
  readonly menu: Menu;
  readonly room: Vector;
  /** By resource: how much a share of the room counts when shapes are compared. */
  readonly weights: Vector;
  /** What the node may be; ANY_SCOPE for a node that is there already. */
  readonly scope: number;
  readonly provisioner: number;
  /** Lots of which one pod goes in before anything else, where it fits. */
  readonly seeds?: readonly number[];
}

export const ANY_SCOPE = -2;
const NO_CAP = 0x7fffffff;
const END = -1;
/** So many shapes are compared at a time, so that a thousand different pods cost no thousand looks for each. */
const WINDOW = 48;

/** Puts lots into a menu; `order` says which lots of one shape go first. */
export function menuOf(store: LotStore, lots: readonly number[]): Menu {
  const byShape = new Map<number, number[]>();
  for (const lot of lots) {
    const shape = store.shapeOf[lot] as number;
    const held = byShape.get(shape);
    if (held === undefined) byShape.set(shape, [lot]);
    else held.push(lot);
  }
  const shapes = [...byShape.keys()].sort((left, right) => store.bySize(left) - store.bySize(right));
  return { shapes, lotsOfShape: shapes.map((shape) => byShape.get(shape) ?? []) };
}

/** Takes lots out of the menu of which no pod is left. */
export function dropEmpty({ shapes, lotsOfShape }: Menu, left: Int32Array): void {
  let kept = 0;
  for (let slot = 0; slot < shapes.length; slot++) {
    const lots = lotsOfShape[slot] as number[];
    let some = 0;
    for (const lot of lots) if ((left[lot] as number) > 0) lots[some++] = lot;
    lots.length = some;
    if (some === 0) continue;
    shapes[kept] = shapes[slot] as number;
    lotsOfShape[kept++] = lots;
  }
  shapes.length = kept;
  lotsOfShape.length = kept;
}

/** One filler for a pass: its scratch memory is reused from node to node. */
export class Filler {
  readonly #store: LotStore;
  readonly #scopes: ScopeTable;
  readonly #counts: Int32Array;
  readonly #caps: Int32Array;
  readonly #touched: number[] = [];
  /** Shapes of the menu that are still looked at: a list linked in order of size. */
  readonly #next: Int32Array;
  #head = END;
  #bestBefore = END;
  readonly #room: Float64Array;
  readonly #factors: Float64Array;
  /** Shapes looked at so far: how much work was done, the same on every machine. */
  work = 0;

  constructor(store: LotStore, scopes: ScopeTable) {
    this.#store = store;
    this.#scopes = scopes;
    this.#counts = new Int32Array(store.counters);
    this.#caps = new Int32Array(store.counters).fill(NO_CAP);
    this.#next = new Int32Array(store.shapes.length);
    this.#room = new Float64Array(store.axis.size);
    this.#factors = new Float64Array(store.axis.size);
  }

  /** Sets counters of pods that are on the node already, before `fill`. */
  preset({
    counter,
    count,
    cap,
  }: {
    readonly counter: number;
    readonly count: number;
    readonly cap: number;
  }): void {
    this.#touched.push(counter);
    this.#counts[counter] = (this.#counts[counter] as number) + count;
    this.#caps[counter] = Math.min(this.#caps[counter] as number, cap);
  }

  /** Takes pods out of the store's `left` and says which; the caller puts them back if it does not want them. */
  fill({ menu, room, weights, scope: startScope, provisioner, seeds = [] }: FillRequest): Filling {
    const left = this.#store.left;
    this.#room.set(room);
    this.#setFactors(weights, room);
    this.work += menu.shapes.length + 20;
    const slots = menu.shapes.length;
    for (let slot = 0; slot < slots; slot++) this.#next[slot] = slot + 1;
    this.#next[slots - 1] = END;
    this.#head = slots === 0 ? END : 0;
    const filling = { lots: [] as number[], counts: [] as number[], used: new Float64Array(room.length) };
    let scope = startScope;
    for (const seed of seeds) {
      if (!this.#fits(seed) || this.#firstLot([seed], scope, provisioner) < 0) continue;
      if (startScope !== ANY_SCOPE) {
        scope = this.#scopes.intersect(scope, this.#store.lot(seed).scopes[provisioner] as number);
      }
      this.#take(seed, filling);
      left[seed] = (left[seed] as number) - 1;
    }
    for (;;) {
      const best = this.#bestShape(menu);
      if (best === END) break;
      const lot = this.#firstLot(menu.lotsOfShape[best] as number[], scope, provisioner);
      if (lot < 0) {
        this.#unlink(best, this.#bestBefore);
        continue;
      }
      if (startScope !== ANY_SCOPE) {
        scope = this.#scopes.intersect(scope, this.#store.lot(lot).scopes[provisioner] as number);
      }
      this.#take(lot, filling);
      left[lot] = (left[lot] as number) - 1;
    }
    this.#reset();
    return { ...filling, scope };
  }

  #setFactors(weights: Vector, room: Vector): void {
    for (let place = 0; place < room.length; place++) {
      const size = room[place] as number;
      this.#factors[place] = size > 0 ? (weights[place] as number) / (size * size) : 0;
    }
  }

  /** The best of the first shapes that still fit, largest first; those that do not are dropped as they are met. */
  #bestShape(menu: Menu): number {
    const size = this.#room.length;
    let best = END;
    let bestScore = -1;
    let before = END;
    let seen = 0;
    for (let slot = this.#head; slot !== END && seen < WINDOW; slot = this.#next[slot] as number) {
      const shape = this.#store.shapes[menu.shapes[slot] as number] as Vector;
      let score = 0;
      let place = 0;
      for (; place < size; place++) {
        const asked = shape[place] as number;
        const there = this.#room[place] as number;
        if (asked > there) break;
        score += asked * there * (this.#factors[place] as number);
      }
      this.work++;
      if (place < size) {
        this.#unlink(slot, before);
        continue;
      }
      seen++;
      if (score > bestScore) {
        bestScore = score;
        best = slot;
        this.#bestBefore = before;
      }
      before = slot;
    }
    return best;
  }

  #unlink(slot: number, before: number): void {
    if (before === END) this.#head = this.#next[slot] as number;
    else this.#next[before] = this.#next[slot] as number;
  }

  #fits(lot: number): boolean {
    const { requests } = this.#store.lot(lot);
    for (let place = 0; place < requests.length; place++) {
      if ((requests[place] as number) > (this.#room[place] as number)) return false;
    }
    return true;
  }

  #firstLot(lots: number[], scope: number, provisioner: number): number {
    const { left } = this.#store;
    for (const lot of lots) {
      if ((left[lot] as number) === 0) continue;
      if (!this.#countersAllow(lot)) continue;
      if (scope === ANY_SCOPE) return lot;
      const other = this.#store.lot(lot).scopes[provisioner] as number;
      if (other === scope || (other >= 0 && this.#scopes.intersect(scope, other) !== NO_SCOPE)) return lot;
    }
    return -1;
  }

  #countersAllow(lotId: number): boolean {
    const { adds, caps } = this.#store.lot(lotId);
    for (const { counter, count } of adds) {
      if ((this.#counts[counter] as number) + count > (this.#caps[counter] as number)) return false;
    }
    for (const { counter, cap } of caps) {
      let sum = this.#counts[counter] as number;
      for (const one of adds) if (one.counter === counter) sum += one.count;
      if (sum > cap) return false;
    }
    return true;
  }

  #take(
    lotId: number,
    filling: { readonly lots: number[]; readonly counts: number[]; readonly used: Vector },
  ): void {
    const { requests, adds, caps } = this.#store.lot(lotId);
    for (let place = 0; place < requests.length; place++) {
      const asked = requests[place] as number;
      this.#room[place] = (this.#room[place] as number) - asked;
      filling.used[place] = (filling.used[place] as number) + asked;
    }
    for (const { counter, count } of adds) {
      this.#touched.push(counter);
      this.#counts[counter] = (this.#counts[counter] as number) + count;
    }
    for (const { counter, cap } of caps) {
      this.#touched.push(counter);
      this.#caps[counter] = Math.min(this.#caps[counter] as number, cap);
    }
    const at = filling.lots.indexOf(lotId);
    if (at < 0) {
      filling.lots.push(lotId);
      filling.counts.push(1);
    } else {
      filling.counts[at] = (filling.counts[at] as number) + 1;
    }
  }

  #reset(): void {
    for (const counter of this.#touched) {
      this.#counts[counter] = 0;
      this.#caps[counter] = NO_CAP;
    }
    this.#touched.length = 0;
  }
}

/** Puts the pods of a filling back. */
export function putBack(store: LotStore, { lots, counts }: Pick<Filling, 'lots' | 'counts'>): void {
  for (let at = 0; at < lots.length; at++) {
    const lot = lots[at] as number;
    store.left[lot] = (store.left[lot] as number) + (counts[at] as number);
  }
}

/** What the pods of a filling count on their node, to be set before it is filled further. */
export function presetsOf(
  store: LotStore,
  { lots, counts }: { readonly lots: readonly number[]; readonly counts: readonly number[] },
): { readonly counter: number; readonly count: number; readonly cap: number }[] {
  return lots.flatMap((lot, at) => {
    const { adds, caps } = store.lot(lot);
    return [
      ...adds.map(({ counter, count }) => ({ counter, count: count * (counts[at] as number), cap: NO_CAP })),
      ...caps.map(({ counter, cap }) => ({ counter, count: 0, cap })),
    ];
  });
}
