// Flexibility floors: how many different values of a label the types of a planned node must leave open.

import { LABEL } from '../model/labels.ts';
import type { CompiledProvisioner } from './compiledProvisioner.ts';

/** `key` must keep `least` values. */
export interface ValueFloor {
  readonly key: string;
  readonly least: number;
}

/** The floors that a Provisioner sets on labels of its types. */
export function valueFloors({ provisioner, typeKeys }: CompiledProvisioner): readonly ValueFloor[] {
  return provisioner.requirements.flatMap(({ key, minValues = 0 }) =>
    minValues > 1 && (key === LABEL.instanceType || typeKeys.has(key)) ? [{ key, least: minValues }] : [],
  );
}

/** The first floor that these types do not reach; null when they reach all. */
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
  for (const type of types) {
    for (const value of compiled.typeRequirements[type]?.get(key)?.values ?? []) values.add(value);
  }
  return values.size;
}
