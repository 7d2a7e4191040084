// Claims of one launch group waiting for each other, for a moment: the window in which they join one fleet.
import type { Clock } from '../ports/clock.ts';

/** As long as arrivals come no further apart than this, the window stays open. Karpenter v1 waits as long. */
const IDLE_MS = 35;
/** But no longer than this after the first. Karpenter v1's bound. */
const LONGEST_MS = 1_000;

/** Collects what arrives and hands it on together, at once when the expected number is there. */
export class Arrivals<T> {
  readonly #clock: Clock;
  readonly #handOn: (items: readonly T[]) => void;
  #items: T[] = [];
  #expected = 0;
  #lastAtMs = 0;
  #closeNow: () => void = () => undefined;

  constructor(clock: Clock, handOn: (items: readonly T[]) => void) {
    this.#clock = clock;
    this.#handOn = handOn;
  }

  /** @param expected how many are on their way, this one included: with that many, nobody waits any longer */
  add(item: T, expected: number): void {
    this.#items.push(item);
    this.#lastAtMs = this.#clock.nowMs();
    if (this.#items.length === 1) {
      this.#expected = expected;
      if (expected <= 1) this.#close();
      else void this.#wait();
    } else if (this.#items.length >= this.#expected) this.#closeNow();
  }

  async #wait(): Promise<void> {
    const openedAtMs = this.#clock.nowMs();
    let isFull = false;
    const full = new Promise<void>((resolve) => {
      this.#closeNow = () => {
        isFull = true;
        resolve();
      };
    });
    for (;;) {
      const nowMs = this.#clock.nowMs();
      const leftMs = Math.min(this.#lastAtMs + IDLE_MS, openedAtMs + LONGEST_MS) - nowMs;
      if (isFull || leftMs <= 0) break;
      await Promise.race([this.#clock.sleep(leftMs), full]);
    }
    this.#closeNow = () => undefined;
    this.#close();
  }

  #close(): void {
    const items = this.#items;
    this.#items = [];
    this.#handOn(items);
  }
}
