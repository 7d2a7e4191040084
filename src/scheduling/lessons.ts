// What an attempt at a plan teaches the next: domains without room, and pods that must not count for others.
import type { Refusal } from '../model/plan.ts';
import type { Workshop } from './bins.ts';
import type { Lot } from './lots.ts';
import type { Lessons, Packing } from './packing.ts';
import type { Preparation } from './prepare.ts';
import { refusalOf } from './refusals.ts';

/** Attempts after which pods are given up instead of being sent to yet another domain. */
const PATIENCE = 6;

/** Lessons from all attempts so far, with the reason why pods of a class were given up. */
export class LessonBook implements Lessons {
  readonly closed = new Map<string, number>();
  readonly withheld = new Map<number, number>();
  readonly curbs = new Map<string, number>();
  readonly reasons = new Map<number, Omit<Refusal, 'pod'>>();
  byPriority = false;
  /** Classes whose pods look at others, or are looked at. */
  readonly #ruled = new Set<number>();
  /** Classes that look for others: of a bundle without room they are given up, not those that they look for. */
  readonly #guests = new Set<number>();

  readonly #prepared: Preparation;

  constructor(prepared: Preparation) {
    this.#prepared = prepared;
  }

  /** Most passes leave nothing over and never come here. */
  #sortClasses({ classes }: Preparation): void {
    if (this.#ruled.size > 0) return;
    for (const { index, podClass } of classes) {
      const { topologySpread, podAffinity, podAntiAffinity } = podClass.spec;
      if (podClass.matches.length + topologySpread.length + podAffinity.length + podAntiAffinity.length === 0)
        continue;
      this.#ruled.add(index);
      if (podAffinity.length > 0) this.#guests.add(index);
    }
  }

  #ruledClassOf(pod: number): number | undefined {
    const index = this.#prepared.classOfPod[pod] as number;
    return this.#ruled.has(index) ? index : undefined;
  }

  /** Pods that others count but that have no rules of their own may run anywhere: they are never given up. */
  #isChoosy({ pods }: Lot): boolean {
    const index = this.#prepared.classOfPod[pods[0] ?? -1];
    const spec = this.#prepared.classes[index ?? -1]?.podClass.spec;
    if (spec === undefined) return false;
    return spec.topologySpread.length + spec.podAffinity.length + spec.podAntiAffinity.length > 0;
  }

  /** Learns from pods of topology rules that found no place; false when there is nothing new to learn. */
  learn({ shop, counted }: Packing, attempt: number): boolean {
    if (counted.length === 0 && !shop.store.anyLeft) return false;
    this.#sortClasses(this.#prepared);
    if (this.#learnPriority(shop)) return true;
    let learned = false;
    for (const { index, count, code, reason } of counted) {
      this.#withhold(index, count);
      this.reasons.set(index, { code: code ?? 'PodAffinity', provisioner: '', reason, nearest: '' });
      learned = true;
    }
    const { store } = shop;
    for (const [id, lot] of store.lots.entries()) {
      const left = store.left[id] as number;
      if (left === 0 || (lot.pins.length === 0 && lot.bundle === 1)) continue;
      const refusal = refusalOf(lot, shop.capacity, shop.ledger);
      const unplaced = lot.pods.slice(lot.pods.length - left * lot.bundle);
      const giveUp = lot.bundle > 1 || (attempt >= PATIENCE && this.#isChoosy(lot));
      if (!giveUp) this.#close(lot, unplaced);
      for (const pod of unplaced) {
        const index = this.#ruledClassOf(pod);
        if (index === undefined || (lot.bundle > 1 && !this.#guests.has(index))) continue;
        if (giveUp) this.#withhold(index, 1);
        this.reasons.set(index, refusal);
      }
      learned = true;
    }
    return learned;
  }

  /** Where limits have bound and pods differ in urgency, the most urgent are to choose first. */
  #learnPriority({ store, capacity, ledger }: Workshop): boolean {
    if (this.byPriority || new Set(store.lots.map((lot) => lot.priority)).size < 2) return false;
    const bound = store.lots.some(
      (lot, id) =>
        (store.left[id] as number) > 0 && refusalOf(lot, capacity, ledger).code === 'LimitExceeded',
    );
    this.byPriority = bound;
    return bound;
  }

  /** Pods beyond those that found room are to go to other domains. */
  #close({ pods, pins }: Lot, unplaced: readonly number[]): void {
    const missing = new Set(unplaced);
    const placed = new Map<number, number>();
    for (const pod of pods) {
      const index = this.#ruledClassOf(pod);
      if (index !== undefined) placed.set(index, (placed.get(index) ?? 0) + (missing.has(pod) ? 0 : 1));
    }
    for (const pin of pins) this.closed.set(pin, placed.get(Number(pin.slice(0, pin.indexOf('|')))) ?? 0);
  }

  /**
   * Leaves out pods that no order of binding serves, so many by class.
   * @param times how many are left out for each of them
   */
  giveUp(stuck: ReadonlyMap<number, number>, times: number): void {
    for (const [index, count] of stuck) {
      this.#withhold(index, count * times);
      const isDrawn = (this.#prepared.classes[index]?.rules.affinity.length ?? 0) > 0;
      const code = isDrawn ? 'PodAffinity' : 'TopologySpread';
      const rule = isDrawn ? 'required pod affinity' : 'topology spread';
      const reason = `${rule}: together with the other pods that wait it cannot be bound now; planned again later`;
      this.reasons.set(index, { code, provisioner: '', reason, nearest: '' });
    }
  }

  #withhold(index: number, count: number): void {
    const all = this.#prepared.classes[index]?.podClass.pods.length ?? 0;
    this.withheld.set(index, Math.min(all, (this.withheld.get(index) ?? 0) + count));
  }
}
