// Answers of AWS kept for a while: used at once while usable, asked again once stale, never asked twice at a time.
import type { Clock } from '../ports/clock.ts';

export interface Freshness {
  /** Older answers are still used, while a new one is fetched behind. */
  readonly staleAfterMs: number;
  /** Older answers are not used any more. */
  readonly uselessAfterMs: number;
}

interface Entry<T> {
  value: T | undefined;
  fetchedAtMs: number;
  usedAtMs: number;
  pending: Promise<T> | null;
  load: () => Promise<T>;
}

/** What nobody has asked for in this long is dropped instead of renewed: its node class has gone. */
const UNUSED_MS = 3_600_000;

/** One kind of answer, by key. Failures are not kept, and a failed renewal leaves the old answer in use. */
export class FreshCache<T> {
  readonly #clock: Clock;
  readonly #freshness: Freshness;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(clock: Clock, freshness: Freshness) {
    this.#clock = clock;
    this.#freshness = freshness;
  }

  /** The answer for the key, by `load` when there is none that can be used. Throws what `load` throws. */
  get(key: string, load: () => Promise<T>): Promise<T> {
    const nowMs = this.#clock.nowMs();
    const entry = this.#entries.get(key) ?? unfetched(load);
    entry.load = load;
    entry.usedAtMs = nowMs;
    this.#entries.set(key, entry);
    const ageMs = nowMs - entry.fetchedAtMs;
    if (entry.value === undefined || ageMs >= this.#freshness.uselessAfterMs) return this.#fetch(entry);
    // The old answer serves this caller; a failure to renew it shows up once it is useless.
    if (ageMs >= this.#freshness.staleAfterMs) this.#fetch(entry).catch(() => undefined);
    return Promise.resolve(entry.value);
  }

  /** Fetches again what is stale, and waits for it; failures leave what is there. */
  async refresh(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    for (const [key, { usedAtMs }] of this.#entries) {
      if (nowMs - usedAtMs >= UNUSED_MS) this.#entries.delete(key);
    }
    const stale = [...this.#entries.values()].filter(
      (entry) => nowMs - entry.fetchedAtMs >= this.#freshness.staleAfterMs,
    );
    await Promise.allSettled(stale.map((entry) => this.#fetch(entry)));
  }

  /** Forgets the answer: AWS has said that it is wrong. */
  invalidate(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  #fetch(entry: Entry<T>): Promise<T> {
    if (entry.pending !== null) return entry.pending;
    const pending = entry
      .load()
      .then((value) => {
        entry.value = value;
        entry.fetchedAtMs = this.#clock.nowMs();
        return value;
      })
      .finally(() => {
        entry.pending = null;
      });
    entry.pending = pending;
    return pending;
  }
}

function unfetched<T>(load: () => Promise<T>): Entry<T> {
  return { value: undefined, fetchedAtMs: -Infinity, usedAtMs: 0, pending: null, load };
}
