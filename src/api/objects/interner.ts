// Keeps one copy of equal values, so that 150,000 pods of a few hundred apps share their specs and labels.
import { hash } from 'node:crypto';

/** Strings remembered at most; past that the memory starts afresh, so node names of years do not pile up. */
const STRINGS_MOST = 20_000;

/**
 * Hands out one object for equal values. Objects are held weakly, by a digest of their JSON text:
 * what nothing else refers to any more is forgotten, so the interner never outgrows the cluster.
 * Values must be plain JSON, built with their fields in a fixed order, and never changed afterwards.
 */
export class Interner {
  readonly #objects = new Map<string, WeakRef<object>>();
  readonly #strings = new Map<string, string>();
  readonly #registry = new FinalizationRegistry<string>((digest) => this.#forget(digest));

  /**
   * The one object equal to `value`: when it is the first of its kind, `value` itself, or what `shared` makes of it,
   * which is an equal object whose parts are interned too.
   */
  intern<T extends object>(value: T, shared: (value: T) => T = (same) => same): T {
    const digest = hash('sha1', JSON.stringify(value), 'base64');
    const held = this.#objects.get(digest)?.deref();
    if (held !== undefined) return held as T;
    const kept = shared(value);
    this.#objects.set(digest, new WeakRef(kept));
    this.#registry.register(kept, digest);
    return kept;
  }

  /** The one copy of a string that many objects repeat (namespaces, node names). */
  internString(text: string): string {
    const held = this.#strings.get(text);
    if (held !== undefined) return held;
    if (this.#strings.size >= STRINGS_MOST) this.#strings.clear();
    this.#strings.set(text, text);
    return text;
  }

  /** How many digests are held: bounded by the number of distinct values alive. */
  get size(): number {
    return this.#objects.size;
  }

  /** A value may have come back under the same digest before its finalizer ran: then it stays. */
  #forget(digest: string): void {
    if (this.#objects.get(digest)?.deref() === undefined) this.#objects.delete(digest);
  }
}
