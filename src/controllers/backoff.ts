// Growing pauses between tries, by key.

interface Tries {
  readonly count: number;
  readonly notBeforeMs: number;
}

const FORGOTTEN_AFTER_PAUSES = 3;

/** Doubles the pause with each failure, from `firstMs` up to `mostMs`. */
export class Backoff {
  readonly #tries = new Map<string, Tries>();
  readonly #firstMs: number;
  readonly #mostMs: number;

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#tries.size;
  }

  /** Notes a failure at `nowMs`; returns when to try next. */
  failed(key: string, nowMs: number): number {
    const count = (this.#tries.get(key)?.count ?? 0) + 1;
    const pauseMs = Math.min(this.#mostMs, this.#firstMs * 2 ** (count - 1));
    this.#tries.set(key, { count, notBeforeMs: nowMs + pauseMs });
    return nowMs + pauseMs;
  }

  /** Leaves the key alone for a while without counting a failure. */
  hold(key: string, untilMs: number): void {
    this.#tries.set(key, { count: this.#tries.get(key)?.count ?? 0, notBeforeMs: untilMs });
  }

  /** Forgets keys that nobody has waited on for a long time, so that memory stays flat. */
  prune(nowMs: number): void {
    for (const [key, { notBeforeMs }] of this.#tries) {
      if (notBeforeMs + FORGOTTEN_AFTER_PAUSES * this.#mostMs < nowMs) this.#tries.delete(key);
    }
  }

  /** Forgets keys of what is there no more. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#tries.keys()) if (!keys.has(key)) this.#tries.delete(key);
  }

  succeeded(key: string): void {
    this.#tries.delete(key);
  }

  /** Milliseconds to wait still; 0 when the key may be tried. */
  waitMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#tries.get(key)?.notBeforeMs ?? 0) - nowMs);
  }

  /** Keys that must wait still. */
  waiting(nowMs: number): readonly string[] {
    return [...this.#tries].filter(([, tries]) => tries.notBeforeMs > nowMs).map(([key]) => key);
  }
}
