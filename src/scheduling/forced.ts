// Nodes that the caps force: pods of which one node holds so many need count / cap nodes, whatever their size.
import type { LotStore } from './lots.ts';

interface CapGroup {
  readonly cap: number;
  readonly lots: readonly number[];
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
    for (const [at, id] of lots.entries()) {
      for (const { group, count } of this.#groupsOfLot.get(id) ?? []) {
        group.left -= count * (counts[at] as number) * times;
      }
    }
  }

  /** For each group that needs a pod on every node: its lot of most worth that `allows` lets through. */
  seeds(worths: Float64Array, allows: (lot: number) => boolean): number[] {
    const nodes = this.nodes;
    if (nodes <= 1) return [];
    return this.#groups
      .filter(({ left, cap }) => left / cap >= CRITICAL_SHARE * nodes)
      .flatMap(({ lots }) => {
        let best = -1;
        let most = -1;
        for (const lot of lots) {
          if ((this.#store.left[lot] as number) === 0 || !allows(lot)) continue;
          const worth = worths[lot] as number;
          if (worth > most) {
            best = lot;
            most = worth;
          }
        }
        return best < 0 ? [] : [best];
      });
  }
}
