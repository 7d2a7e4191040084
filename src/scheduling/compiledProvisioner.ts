// A Provisioner and what it may buy, compiled once: offerings in order of price, and bit sets by requirement.
import type { InstanceType, Offering } from '../model/instanceType.ts';
import { isRestrictedLabel, isWellKnownLabel, LABEL } from '../model/labels.ts';
import type { Provisioner } from '../model/provisioner.ts';
import { requirementsFromLabels } from '../model/requirement.ts';
import {
  allows,
  allowsAbsence,
  intersectValues,
  isEmpty,
  type RequirementSet,
  requirementSet,
  type ValueSet,
} from '../model/requirementSet.ts';
import { type Bits, hasBit, noBits, setBit } from './bits.ts';

/** One type in one zone for one capacity type, available, and allowed by the Provisioner. */
export interface Offer {
  readonly type: number;
  readonly zone: string;
  readonly capacityType: Offering['capacityType'];
  readonly usdPerHour: number;
}

export interface CompiledProvisioner {
  readonly provisioner: Provisioner;
  /** Labels, requirements and its own name together. */
  readonly requirements: RequirementSet;
  readonly types: readonly InstanceType[];
  readonly typeRequirements: readonly RequirementSet[];
  /** Cheapest first; ties by type name, zone, capacity type. */
  readonly offers: readonly Offer[];
  /** Label keys whose value is still open once type, zone and capacity type are chosen. */
  readonly openKeys: ReadonlySet<string>;
  /** Label keys that some instance type has or denies. */
  readonly typeKeys: ReadonlySet<string>;
  /** Types whose own labels allow one condition, by `conditionKey`. */
  readonly typesByCondition: Map<string, Bits>;
}

const OFFER_KEYS: ReadonlySet<string> = new Set([LABEL.zone, LABEL.capacityType, LABEL.instanceType]);

const compiled = new WeakMap<readonly InstanceType[], WeakMap<Provisioner, CompiledProvisioner>>();

/** Compiles, or hands out what was compiled before for the same two objects. */
export function compileProvisioner(
  provisioner: Provisioner,
  types: readonly InstanceType[],
): CompiledProvisioner {
  const held = compiled.get(types)?.get(provisioner);
  if (held !== undefined) return held;
  const fresh = compileFresh(provisioner, types);
  const byProvisioner = compiled.get(types) ?? new WeakMap<Provisioner, CompiledProvisioner>();
  byProvisioner.set(provisioner, fresh);
  compiled.set(types, byProvisioner);
  return fresh;
}

function compileFresh(provisioner: Provisioner, types: readonly InstanceType[]): CompiledProvisioner {
  const requirements = requirementSet([
    ...requirementsFromLabels({ ...provisioner.labels, [LABEL.provisioner]: provisioner.name }),
    ...provisioner.requirements,
  ]);
  const typeRequirements = types.map((type) => requirementSet(type.requirements));
  const typeKeys = new Set(typeRequirements.flatMap((set) => [...set.keys()]));
  const openKeys = new Set<string>();
  for (const set of typeRequirements) {
    for (const [key, values] of set) if (values.complement || values.values.size > 1) openKeys.add(key);
  }
  const draft = { provisioner, requirements, types, typeRequirements, openKeys, typeKeys };
  const withoutOffers = { ...draft, offers: [], typesByCondition: new Map<string, Bits>() };
  return { ...withoutOffers, offers: allowedOffers(withoutOffers) };
}

function allowedOffers(compiling: CompiledProvisioner): Offer[] {
  const allowedTypes = typesAllowing(compiling, compiling.requirements);
  const offers: Offer[] = [];
  for (const [type, { offerings }] of compiling.types.entries()) {
    if (!hasBit(allowedTypes, type)) continue;
    for (const { zone, capacityType, usdPerHour, available } of offerings) {
      const offer = { type, zone, capacityType, usdPerHour };
      if (
        available &&
        Number.isFinite(usdPerHour) &&
        offerAllowed(compiling, offer, compiling.requirements)
      ) {
        offers.push(offer);
      }
    }
  }
  const name = (offer: Offer): string => compiling.types[offer.type]?.name ?? '';
  return offers.sort(
    (left, right) =>
      left.usdPerHour - right.usdPerHour ||
      compareText(name(left), name(right)) ||
      compareText(left.zone, right.zone) ||
      compareText(left.capacityType, right.capacityType),
  );
}

/** Orders by UTF-16 code units: the same on every machine, whatever its locale. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** One text for equal sets of values. */
export function conditionKey(key: string, set: ValueSet): string {
  const values = [...set.values].sort().join(',');
  return `${key}${set.complement ? '!' : '='}${values};${set.greaterThan ?? ''};${set.lessThan ?? ''}`;
}

/** Types whose own labels meet all conditions; zone, capacity type and labels of the Provisioner aside. */
export function typesAllowing(compiling: CompiledProvisioner, conditions: RequirementSet): Bits {
  const allowed = noBits(compiling.types.length).fill(0xffffffff);
  for (const [key, set] of conditions) {
    const one = typesAllowingOne(compiling, key, set);
    for (let word = 0; word < allowed.length; word++) allowed[word] = (allowed[word] ?? 0) & (one[word] ?? 0);
  }
  return allowed;
}

function typesAllowingOne(compiling: CompiledProvisioner, key: string, set: ValueSet): Bits {
  const name = conditionKey(key, set);
  const held = compiling.typesByCondition.get(name);
  if (held !== undefined) return held;
  const bits = noBits(compiling.types.length);
  for (const [type, { name: typeName }] of compiling.types.entries()) {
    if (typeAllows(compiling, { type, typeName }, { key, set })) setBit(bits, type);
  }
  compiling.typesByCondition.set(name, bits);
  return bits;
}

function typeAllows(
  compiling: CompiledProvisioner,
  { type, typeName }: { readonly type: number; readonly typeName: string },
  { key, set }: { readonly key: string; readonly set: ValueSet },
): boolean {
  if (key === LABEL.instanceType) return allows(set, typeName);
  if (key === LABEL.zone || key === LABEL.capacityType || key === LABEL.provisioner) return true;
  const own = compiling.typeRequirements[type]?.get(key);
  if (own !== undefined) return valuesMeet(own, set);
  if (key === LABEL.region) return true;
  // A label that only some types have is absent on the others; any other label is the Provisioner's to give.
  if (isWellKnownLabel(key) || compiling.typeKeys.has(key)) return allowsAbsence(set);
  return true;
}

/** True when some value, or absence, satisfies both. */
export function valuesMeet(left: ValueSet, right: ValueSet): boolean {
  if (!isEmpty(intersectValues(left, right))) return true;
  return allowsAbsence(left) && allowsAbsence(right);
}

/** True when zone, region and capacity type of the offer meet the conditions. */
export function offerAllowed(
  compiling: CompiledProvisioner,
  offer: Offer,
  conditions: RequirementSet,
): boolean {
  const zone = conditions.get(LABEL.zone);
  if (zone !== undefined && !allows(zone, offer.zone)) return false;
  const capacityType = conditions.get(LABEL.capacityType);
  if (capacityType !== undefined && !allows(capacityType, offer.capacityType)) return false;
  const region = conditions.get(LABEL.region);
  if (region === undefined || compiling.typeRequirements[offer.type]?.has(LABEL.region)) return true;
  return allows(region, regionOf(offer.zone));
}

/** `us-east-1` of `us-east-1a` and of `us-east-1-bos-1a`: the first name of a zone that ends in a number. */
function regionOf(zone: string): string {
  return /^[a-z]+(-[a-z]+)+-\d+/.exec(zone)?.[0] ?? zone;
}

/** All offers that meet the conditions. */
export function offersAllowing(compiling: CompiledProvisioner, conditions: RequirementSet): Bits {
  const types = typesAllowing(compiling, conditions);
  const bits = noBits(compiling.offers.length);
  const { offers } = compiling;
  for (let id = 0; id < offers.length; id++) {
    const offer = offers[id] as Offer;
    if (hasBit(types, offer.type) && offerAllowed(compiling, offer, conditions)) setBit(bits, id);
  }
  return bits;
}

/** Why a Provisioner's labels cannot satisfy the conditions: the label, and what is wrong with it. */
export interface LabelConflict {
  readonly code: 'LabelMismatch' | 'LabelUndefined';
  readonly key: string;
}

/**
 * The first condition that no node of the Provisioner can meet, whatever its type; null when there is none.
 * A custom label must be defined by the Provisioner unless its absence satisfies (Karpenter v0.16's rule).
 */
export function labelConflict(
  compiling: CompiledProvisioner,
  conditions: RequirementSet,
): LabelConflict | null {
  for (const [key, set] of conditions) {
    const defined = compiling.requirements.get(key);
    if (defined !== undefined) {
      if (!valuesMeet(defined, set)) return { code: 'LabelMismatch', key };
    } else if (!isWellKnownLabel(key) && !compiling.typeKeys.has(key) && !allowsAbsence(set)) {
      return { code: 'LabelUndefined', key };
    } else if (isRestrictedLabel(key) && !compiling.typeKeys.has(key) && !allowsAbsence(set)) {
      return { code: 'LabelUndefined', key };
    }
  }
  return null;
}

/** The conditions that type, zone and capacity type do not decide: they go on with the node. */
export function openConditions(compiling: CompiledProvisioner, conditions: RequirementSet): RequirementSet {
  const open = new Map<string, ValueSet>();
  for (const [key, set] of conditions) {
    const byType = compiling.typeKeys.has(key) || isWellKnownLabel(key);
    if (OFFER_KEYS.has(key) || (byType && !compiling.openKeys.has(key))) continue;
    const defined = compiling.requirements.get(key);
    open.set(key, defined === undefined ? set : intersectValues(defined, set));
  }
  return open;
}
