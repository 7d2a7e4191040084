// Scopes: what a node may still become, given all the pods on it; interned, so that they compare by number.
import { intersectRequirements, isEmpty, type RequirementSet } from '../model/requirementSet.ts';
import { type Bits, intersectBits, isNoBits } from './bits.ts';
import { compareText, conditionKey, valuesMeet } from './compiledProvisioner.ts';

export interface Scope {
  readonly id: number;
  readonly provisioner: number;
  readonly offers: Bits;
  /** Conditions on labels that the offers do not decide. */
  readonly labels: RequirementSet;
}

export const NO_SCOPE = -1;

/** All scopes of one planning pass. */
export class ScopeTable {
  readonly #scopes: Scope[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #intersections = new Map<number, number>();

  at(id: number): Scope {
    const scope = this.#scopes[id];
    if (scope === undefined) throw new Error(`no scope ${id}`);
    return scope;
  }

  get size(): number {
    return this.#scopes.length;
  }

  /** The number of the scope, NO_SCOPE when nothing is left in it. */
  intern(provisioner: number, offers: Bits, labels: RequirementSet): number {
    if (isNoBits(offers)) return NO_SCOPE;
    const key = `${provisioner}|${labelsKey(labels)}|${offers.join(',')}`;
    const held = this.#byKey.get(key);
    if (held !== undefined) return held;
    const id = this.#scopes.length;
    this.#scopes.push({ id, provisioner, offers, labels });
    this.#byKey.set(key, id);
    return id;
  }

  /** What both allow; NO_SCOPE when that is nothing. */
  intersect(left: number, right: number): number {
    if (left === right) return left;
    if (left < 0 || right < 0) return NO_SCOPE;
    const pair = left < right ? left * 0x100000 + right : right * 0x100000 + left;
    const held = this.#intersections.get(pair);
    if (held !== undefined) return held;
    const result = this.#intersectFresh(this.at(left), this.at(right));
    this.#intersections.set(pair, result);
    return result;
  }

  #intersectFresh(left: Scope, right: Scope): number {
    if (left.provisioner !== right.provisioner) return NO_SCOPE;
    const labels = intersectRequirements(left.labels, right.labels);
    for (const [key, set] of labels) {
      const one = left.labels.get(key);
      const other = right.labels.get(key);
      // Both were possible alone; nothing left of what both narrowed means that they exclude each other.
      if (isEmpty(set) && one !== undefined && other !== undefined && !valuesMeet(one, other))
        return NO_SCOPE;
    }
    return this.intern(left.provisioner, intersectBits(left.offers, right.offers), labels);
  }
}

/** One text for equal conditions. */
export function labelsKey(labels: RequirementSet): string {
  if (labels.size === 0) return '';
  const parts = [...labels].map(([key, set]) => conditionKey(key, set));
  return parts.sort(compareText).join('&');
}
