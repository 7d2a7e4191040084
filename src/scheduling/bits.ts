// Bit sets over small dense ids: which offerings a class of pods may run on.

export type Bits = Uint32Array;

/** An empty set over `size` ids. */
export function noBits(size: number): Bits {
  return new Uint32Array((size + 31) >>> 5);
}

export function setBit(bits: Bits, id: number): void {
  const word = id >>> 5;
  bits[word] = (bits[word] ?? 0) | (1 << (id & 31));
}

export function hasBit(bits: Bits, id: number): boolean {
  return (((bits[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1;
}

/** The ids that are in both. */
export function intersectBits(left: Bits, right: Bits): Bits {
  const both = new Uint32Array(left.length);
  for (let word = 0; word < left.length; word++) both[word] = (left[word] ?? 0) & (right[word] ?? 0);
  return both;
}

/** The ids that are in either. */
export function unionBits(left: Bits, right: Bits): Bits {
  const either = new Uint32Array(left.length);
  for (let word = 0; word < left.length; word++) either[word] = (left[word] ?? 0) | (right[word] ?? 0);
  return either;
}

/** The ids of the first that are not in the second. */
export function withoutBits(bits: Bits, excluded: Bits): Bits {
  return bits.map((word, at) => word & ~(excluded[at] ?? 0));
}

export function isNoBits(bits: Bits): boolean {
  return bits.every((word) => word === 0);
}

/** True when every id of `part` is in `whole`. */
export function isWithin(part: Bits, whole: Bits): boolean {
  for (let word = 0; word < part.length; word++) {
    if (((part[word] ?? 0) & ~(whole[word] ?? 0)) !== 0) return false;
  }
  return true;
}

/** The ids in the set, ascending. */
export function bitIds(bits: Bits): number[] {
  const ids: number[] = [];
  for (let word = 0; word < bits.length; word++) {
    let rest = bits[word] ?? 0;
    while (rest !== 0) {
      ids.push(word * 32 + 31 - Math.clz32(rest & -rest));
      rest &= rest - 1;
    }
  }
  return ids;
}

/** How many ids are in the set. */
export function countBits(bits: Bits): number {
  let count = 0;
  for (let word = 0; word < bits.length; word++) {
    let rest = bits[word] ?? 0;
    for (; rest !== 0; rest &= rest - 1) count++;
  }
  return count;
}
