// Growing pauses between tries, by key.

interface Tries {
  readonly count: number;
  readonly notBeforeMs: number;
}

/** Doubles the pause with each failure, from `firstMs` up to `mostMs`. */
export class Backoff {
  readonly #tries = new Map<string, Tries>();
  readonly #firstMs: number;
  readonly #mostMs: number;

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** Notes a failure at `nowMs`; returns when to try next. */
  failed(key: string, nowMs: number): number {
    const count = (this.#tries.get(key)?.count ?? 0) + 1;
    const pauseMs = Math.min(this.#mostMs, this.#firstMs * 2 ** (count - 1));
    this.#tries.set(key, { count, notBeforeMs: nowMs + pauseMs });
    return nowMs + pauseMs;
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
