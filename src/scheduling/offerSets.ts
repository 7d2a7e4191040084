// Sets of offers over all Provisioners that can hold a pod: what binds some pods to dearer nodes than others.
import { type Bits, countBits, isWithin } from './bits.ts';
import type { CapacityTable } from './capacityTable.ts';
import type { Offer } from './compiledProvisioner.ts';
import type { Lot } from './lots.ts';
import { fitsWithin } from './resourceAxis.ts';
import { NO_SCOPE } from './scopes.ts';

/** By Provisioner: its offers in the set, null for none. */
export type OfferSet = readonly (Bits | null)[];

/** Hands out one object for equal sets, so that they compare by identity. */
export class OfferSets {
  readonly #capacity: CapacityTable;
  readonly #byKey = new Map<string, OfferSet>();
  readonly #byPlacement = new Map<Lot['free'], Map<string, OfferSet>>();

  constructor(capacity: CapacityTable) {
    this.#capacity = capacity;
  }

  /** Offers that can hold a pod of the lot, before any domain was chosen for it: a choice is no constraint. */
  of(lot: Lot, provisioners: readonly number[]): OfferSet {
    const held = this.#byPlacement.get(lot.free) ?? new Map<string, OfferSet>();
    this.#byPlacement.set(lot.free, held);
    const localKey = `${provisioners.join(',')}|${lot.requests.join(',')}`;
    const known = held.get(localKey);
    if (known !== undefined) return known;
    const set = this.#interned(
      this.#capacity.provisioners.map((_, index) =>
        provisioners.includes(index) ? this.#fitting(lot, index) : null,
      ),
    );
    held.set(localKey, set);
    return set;
  }

  union(sets: readonly OfferSet[]): OfferSet {
    const distinct = [...new Set(sets)];
    if (distinct.length === 1 && distinct[0] !== undefined) return distinct[0];
    return this.#interned(
      this.#capacity.provisioners.map((_, index) => unionOfBits(distinct.flatMap((set) => set[index] ?? []))),
    );
  }

  #interned(set: OfferSet): OfferSet {
    const key = set.map((bits) => bits?.join(',') ?? '-').join('|');
    const held = this.#byKey.get(key);
    if (held !== undefined) return held;
    this.#byKey.set(key, set);
    return set;
  }

  #fitting({ free, requests }: Lot, provisioner: number): Bits | null {
    const scopes = (free.scopes[provisioner] ?? []).filter((scope) => scope !== NO_SCOPE);
    const union = unionOfBits(scopes.map((scope) => this.#capacity.scope(scope).offers));
    if (union === null) return null;
    const { compiled, room } = this.#capacity.provisioner(provisioner);
    const fits = room.map((one) => fitsWithin(requests, one));
    const { offers } = compiled;
    for (let id = 0; id < offers.length; id++) {
      if (!fits[(offers[id] as Offer).type])
        union[id >>> 5] = (union[id >>> 5] as number) & ~(1 << (id & 31));
    }
    return union;
  }
}

function unionOfBits(all: readonly Bits[]): Bits | null {
  const [first] = all;
  if (first === undefined) return null;
  const union = Uint32Array.from(first);
  for (const bits of all) {
    for (let word = 0; word < union.length; word++)
      union[word] = (union[word] as number) | (bits[word] as number);
  }
  return union;
}

export function isSubset(part: OfferSet, whole: OfferSet): boolean {
  if (part === whole) return true;
  return part.every((bits, index) => {
    const other = whole[index] ?? null;
    return bits === null || (other !== null && isWithin(bits, other));
  });
}

export function setSize(set: OfferSet): number {
  return set.reduce((sum, bits) => sum + (bits === null ? 0 : countBits(bits)), 0);
}
