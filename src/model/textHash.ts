// A short hash of a text: the same everywhere and for ever, with no chance in it.

const OFFSET_BASIS = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;
const MASK = (1n << 64n) - 1n;

/** FNV-1a, 64 bits (Fowler, Noll, Vo), in base 36: its last characters, as many as asked for. */
export function textHash(text: string, length: number): string {
  let value = OFFSET_BASIS;
  for (let index = 0; index < text.length; index++) {
    value = ((value ^ BigInt(text.charCodeAt(index))) * PRIME) & MASK;
  }
  return value.toString(36).padStart(length, '0').slice(-length);
}
