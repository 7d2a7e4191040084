// Seats by how much room is left on them, so that the tightest one that fits is found without looking at all.

/** Steps of room that are told apart. */
const STEPS = 64;
export const TIERS = 2;

/** Seats in two tiers: those of the first one are looked through before any of the second. */
export class SeatIndex {
  readonly #buckets: number[][] = Array.from({ length: TIERS * STEPS }, () => []);
  /** By seat: its bucket, -1 for none, and its place there. */
  readonly #bucketOf: Int16Array;
  readonly #places: Int32Array;
  readonly #tiers: Uint8Array;
  readonly #step: number;

  /**
   * @param tiers by seat: 0 or 1
   * @param most room on any seat, in the unit of all other rooms
   */
  constructor(tiers: Uint8Array, most: number) {
    this.#tiers = tiers;
    this.#bucketOf = new Int16Array(tiers.length).fill(-1);
    this.#places = new Int32Array(tiers.length);
    this.#step = most > 0 ? most / STEPS : 1;
  }

  /** Notes how much room the seat has now; a seat that was not there comes in. */
  put(seat: number, room: number): void {
    const bucket = (this.#tiers[seat] as number) * STEPS + this.#stepOf(room);
    if (this.#bucketOf[seat] === bucket) return;
    this.remove(seat);
    const members = this.#buckets[bucket] as number[];
    this.#bucketOf[seat] = bucket;
    this.#places[seat] = members.length;
    members.push(seat);
  }

  remove(seat: number): void {
    const bucket = this.#bucketOf[seat] as number;
    if (bucket < 0) return;
    const members = this.#buckets[bucket] as number[];
    const last = members.pop() as number;
    if (last !== seat) {
      const place = this.#places[seat] as number;
      members[place] = last;
      this.#places[last] = place;
    }
    this.#bucketOf[seat] = -1;
  }

  /** Seats, those with less room in earlier buckets, the first tier before the second. */
  get buckets(): readonly (readonly number[])[] {
    return this.#buckets;
  }

  /** Where in a tier the seats begin that may have so much room. */
  first(tier: number, least: number): number {
    return tier * STEPS + this.#stepOf(least);
  }

  /** Where a tier ends. */
  end(tier: number): number {
    return (tier + 1) * STEPS;
  }

  #stepOf(room: number): number {
    return Math.max(0, Math.min(STEPS - 1, Math.floor(room / this.#step)));
  }
}
