// A small seeded generator: improvement tries things at random, and yet the same plan comes out every time.

/** Numbers that look random and repeat with the seed. Source: Marsaglia, "Xorshift RNGs" (2003). */
export class RandomDraws {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** In [0, 1). */
  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) / 0x100000000;
  }

  /** An integer in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }
}
