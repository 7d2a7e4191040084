// Nodes that the caps force: pods of which one node holds so many need count / cap nodes, whatever their size.
import type { LotStore } from './lots.ts';

interface CapGroup {
  readonly cap: number;
  /** Those that have run out are dropped as they are met. */
  readonly lots: number[];
  left: number;
}

/** A group this close to the most forced nodes needs a pod on every node that is bought. */
const CRITICAL_SHARE = 0.9;

/** Keeps count of forced nodes while pods are placed. */
export class ForcedNodes {
  readonly #store: LotStore;
  readonly #groups: CapGroup[] = [];
  readonly #groupsOfLot = new Map<number, { readonly group: CapGroup; readonly count: number }[]>();

  constructor(store: LotStore, waiting: readonly number[]) {
    this.#store = store;
    const byKey = new Map<string, { cap: number; lots: number[]; left: number }>();
    for (const id of waiting) {
      const { caps, adds } = store.lot(id);
      for (const { counter, cap } of caps) {
        const own = adds.find((one) => one.counter === counter);
        if (own === undefined || cap === 0) continue;
        const key = `${counter}|${cap}`;
        const group = byKey.get(key) ?? { cap, lots: [], left: 0 };
        byKey.set(key, group);
        group.lots.push(id);
        group.left += own.count * (store.left[id] as number);
        const groups = this.#groupsOfLot.get(id) ?? [];
        groups.push({ group, count: own.count });
        this.#groupsOfLot.set(id, groups);
      }
    }
    this.#groups.push(...byKey.values());
  }

  /** How many nodes the pods that are left need at least. */
  get nodes(): number {
    let most = 0;
    for (const { left, cap } of this.#groups) most = Math.max(most, left / cap);
    return most;
  }

  placed(lots: readonly number[], counts: readonly number[], times: number): void {
    if (this.#groups.length === 0) return;
    for (let at = 0; at < lots.length; at++) {
      const groups = this.#groupsOfLot.get(lots[at] as number);
      if (groups === undefined) continue;
      for (const { group, count } of groups) group.left -= count * (counts[at] as number) * times;
    }
  }

  /** For each group that needs a pod on every node: its lot of most worth that `allows` lets through. */
  seeds(worths: Float64Array, allows: (lot: number) => boolean): readonly number[] {
    const nodes = this.nodes;
    if (nodes <= 1) return NO_SEEDS;
    const seeds: number[] = [];
    for (const { left, cap, lots } of this.#groups) {
      if (left / cap < CRITICAL_SHARE * nodes) continue;
      const best = this.#worthiest(lots, worths, allows);
      if (best >= 0) seeds.push(best);
    }
    return seeds;
  }

  #worthiest(lots: number[], worths: Float64Array, allows: (lot: number) => boolean): number {
    let best = -1;
    let most = -1;
    let kept = 0;
    for (const lot of lots) {
      if ((this.#store.left[lot] as number) === 0) continue;
      lots[kept++] = lot;
      const worth = worths[lot] as number;
      if (worth > most && allows(lot)) {
        best = lot;
        most = worth;
      }
    }
    lots.length = kept;
    return best;
  }
}

const NO_SEEDS: readonly number[] = [];
