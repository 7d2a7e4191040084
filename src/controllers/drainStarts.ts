// Since when each claim has been leaving, by this process's own clock.
import type { NodeClaim } from '../model/nodeClaim.ts';

/**
 * A drain's time is measured from when its deletion was seen, so that a clock that differs from the API server's cuts
 * no drain short. A process that finds a claim leaving already takes the API server's word for when that began.
 */
export class DrainStarts {
  readonly #seenStaying = new Set<string>();
  readonly #startedAtMs = new Map<string, number>();
  #noted: readonly NodeClaim[] = [];

  get size(): number {
    return this.#seenStaying.size + this.#startedAtMs.size;
  }

  /** Looks at all claims there are; those that are gone are forgotten. */
  note(claims: readonly NodeClaim[], nowMs: number): void {
    // The list is the same one until a claim changes.
    if (claims === this.#noted) return;
    this.#noted = claims;
    const there = new Set(claims.map(({ uid }) => uid));
    for (const remembered of [this.#seenStaying, this.#startedAtMs])
      for (const uid of remembered.keys()) if (!there.has(uid)) remembered.delete(uid);
    for (const { uid, deletionRequestedAtMs } of claims) {
      if (deletionRequestedAtMs === null) this.#seenStaying.add(uid);
      else if (!this.#startedAtMs.has(uid))
        this.#startedAtMs.set(uid, this.#seenStaying.delete(uid) ? nowMs : deletionRequestedAtMs);
    }
  }

  /** Null for a claim that is not leaving. */
  of({ uid, deletionRequestedAtMs }: NodeClaim): number | null {
    return this.#startedAtMs.get(uid) ?? deletionRequestedAtMs;
  }
}
