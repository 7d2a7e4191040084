// Seeded chance: one generator a concern, forked by name, so that a new draw in one never shifts another.

const UINT32_RANGE = 2 ** 32;

/**
 * A small fast generator (sfc32, Chris Doty-Humphrey's "Small Fast Counting", from PractRand) over 32-bit words.
 * The same seed gives the same draws on every machine.
 */
export class Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any text; forks append the name of their concern to it */
  constructor(seed: string) {
    this.#seed = seed;
    this.#a = hashText(seed, 0x9e3779b9);
    this.#b = hashText(seed, 0x243f6a88);
    this.#c = hashText(seed, 0xb7e15162);
    for (let round = 0; round < 12; round += 1) this.uint32();
  }

  /** An independent generator for one concern; drawing from it does not touch this one. */
  fork(concern: string): Random {
    return new Random(`${this.#seed}/${concern}`);
  }

  /** An integer in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.uint32() / UINT32_RANGE;
  }

  /** An integer from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  /** True with the given probability; draws even when the answer is certain, so that rates do not shift streams. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of the items; throws on an empty list, which only a bug can pass. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(0, items.length - 1)];
    if (item === undefined) throw new Error('cannot pick from an empty list');
    return item;
  }

  /** Lower-case letters and digits, as Kubernetes appends to generated names. */
  suffix(length: number): string {
    const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
    let text = '';
    for (let index = 0; index < length; index += 1) {
      text += alphabet[this.integer(0, alphabet.length - 1)] ?? '';
    }
    return text;
  }

  /** Lower-case hexadecimal digits. */
  hex(length: number): string {
    let text = '';
    while (text.length < length) text += this.uint32().toString(16).padStart(8, '0');
    return text.slice(0, length);
  }

  /** A version 4 UUID from this stream. */
  uuid(): string {
    const digits = this.hex(32);
    const variant = '89ab'[Number.parseInt(digits[16] ?? '0', 16) % 4] ?? '8';
    const third = `4${digits.slice(13, 16)}`;
    const fourth = `${variant}${digits.slice(17, 20)}`;
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${third}-${fourth}-${digits.slice(20)}`;
  }
}

/** FNV-1a over UTF-16 units, with a murmur finish so that near seeds part. */
function hashText(text: string, basis: number): number {
  let hash = basis ^ 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
