// Flexibility floors: how many different values of a label the types of a planned node must leave open.

import { LABEL } from '../model/labels.ts';
import type { CompiledProvisioner } from './compiledProvisioner.ts';

/** `key` must keep `least` values. */
export interface ValueFloor {
  readonly key: string;
  readonly least: number;
}

/** Labels that offerings give a node, type by type. */
const OFFERED_KEYS: ReadonlySet<string> = new Set([LABEL.zone, LABEL.capacityType]);

/** The floors that a Provisioner sets on labels of its types and of what they are offered as. */
export function valueFloors({ provisioner, typeKeys }: CompiledProvisioner): readonly ValueFloor[] {
  return provisioner.requirements.flatMap(({ key, minValues = 0 }) =>
    minValues > 1 && (key === LABEL.instanceType || OFFERED_KEYS.has(key) || typeKeys.has(key))
      ? [{ key, least: minValues }]
      : [],
  );
}

/**
 * The first floor that these types do not reach; null when they reach all. Of zones and capacity types those count in
 * which the Provisioner may buy one of them now, wherever the node itself goes: a floor is about how much there is to
 * choose from. Source: Karpenter, `SatisfiesMinValues` counts the values of the instance types that are left.
 */
export function missedFloor(
  compiled: CompiledProvisioner,
  floors: readonly ValueFloor[],
  types: Iterable<number>,
): ValueFloor | null {
  if (floors.length === 0) return null;
  const all = [...types];
  return floors.find(({ key, least }) => distinctValues(compiled, key, all) < least) ?? null;
}

function distinctValues(compiled: CompiledProvisioner, key: string, types: readonly number[]): number {
  if (key === LABEL.instanceType) return new Set(types).size;
  const values = new Set<string>();
  if (OFFERED_KEYS.has(key)) {
    const listed = new Set(types);
    for (const { type, zone, capacityType } of compiled.offers) {
      if (listed.has(type)) values.add(key === LABEL.zone ? zone : capacityType);
    }
    return values.size;
  }
  for (const type of types) {
    for (const value of compiled.typeRequirements[type]?.get(key)?.values ?? []) values.add(value);
  }
  return values.size;
}
