// The set algebra of requirements: what values each label may still take once all conditions hold.
import { normalizeLabel } from './labels.ts';
import type { NodeSelectorOperator, Requirement } from './requirement.ts';

/** Allowed values of one label: `values` themselves, or all but them when `complement`; within the bounds if any. */
export interface ValueSet {
  readonly complement: boolean;
  readonly values: ReadonlySet<string>;
  /** True when a node without the label will do as well. */
  readonly absence: boolean;
  /** Exclusive bounds of integer values, null for none. */
  readonly greaterThan: number | null;
  readonly lessThan: number | null;
}

/** Allowed values by label key; a key that is absent is unconstrained. */
export type RequirementSet = ReadonlyMap<string, ValueSet>;

const NO_VALUES: ReadonlySet<string> = new Set();

/** The values that one operator allows. `DoesNotExist` is the empty set, `Exists` the complement of nothing. */
export function valueSet(operator: NodeSelectorOperator, values: readonly string[]): ValueSet {
  const unbounded = {
    greaterThan: null,
    lessThan: null,
    absence: operator === 'NotIn' || operator === 'DoesNotExist',
  };
  switch (operator) {
    case 'In':
      return { complement: false, values: new Set(values), ...unbounded };
    case 'NotIn':
      return { complement: true, values: new Set(values), ...unbounded };
    case 'Exists':
      return { complement: true, values: NO_VALUES, ...unbounded };
    case 'DoesNotExist':
      return { complement: false, values: NO_VALUES, ...unbounded };
    case 'Gt':
      return { complement: true, values: NO_VALUES, ...unbounded, greaterThan: Number(values[0]) };
    case 'Lt':
      return { complement: true, values: NO_VALUES, ...unbounded, lessThan: Number(values[0]) };
  }
}

/** True when a label with this value satisfies the set. */
export function allows(set: ValueSet, value: string): boolean {
  return set.values.has(value) !== set.complement && withinBounds(set, value);
}

/** True when a node without the label satisfies the set (`NotIn` and `DoesNotExist` do). */
export function allowsAbsence(set: ValueSet): boolean {
  return set.absence;
}

/** True when no value is left. Complements count as inexhaustible unless their bounds exclude every integer. */
export function isEmpty(set: ValueSet): boolean {
  if (!set.complement) return set.values.size === 0;
  return set.greaterThan !== null && set.lessThan !== null && set.lessThan - set.greaterThan < 2;
}

/** The values that both sets allow. */
export function intersectValues(left: ValueSet, right: ValueSet): ValueSet {
  const greaterThan = larger(left.greaterThan, right.greaterThan);
  const lessThan = smaller(left.lessThan, right.lessThan);
  const absence = left.absence && right.absence;
  const bounds = { greaterThan, lessThan, absence };
  if (left.complement && right.complement) {
    return { complement: true, values: left.values.union(right.values), ...bounds };
  }
  const source = left.complement ? right : left;
  const other = left.complement ? left : right;
  const kept = [...source.values].filter(
    (value) => other.values.has(value) !== other.complement && withinBounds({ ...source, ...bounds }, value),
  );
  return { complement: false, values: new Set(kept), absence, greaterThan: null, lessThan: null };
}

/** All conditions together, keys normalised (see `normalizeLabel`). */
export function requirementSet(requirements: readonly Requirement[]): RequirementSet {
  const set = new Map<string, ValueSet>();
  for (const { key, operator, values } of requirements) {
    const name = normalizeLabel(key);
    const added = valueSet(operator, values);
    const held = set.get(name);
    set.set(name, held === undefined ? added : intersectValues(held, added));
  }
  return set;
}

/** Both sets of conditions together. */
export function intersectRequirements(left: RequirementSet, right: RequirementSet): RequirementSet {
  const both = new Map(left);
  for (const [key, added] of right) {
    const held = both.get(key);
    both.set(key, held === undefined ? added : intersectValues(held, added));
  }
  return both;
}

/** True when a node with these labels satisfies every condition. */
export function labelsSatisfy(labels: Readonly<Record<string, string>>, set: RequirementSet): boolean {
  for (const [key, allowed] of set) {
    const value = labels[key];
    if (value === undefined ? !allowsAbsence(allowed) : !allows(allowed, value)) return false;
  }
  return true;
}

/** The conditions written out again, sorted by key: what a NodeClaim stores. */
export function toRequirements(set: RequirementSet): readonly Requirement[] {
  return [...set.keys()].sort().flatMap((key) => {
    const held = set.get(key);
    return held === undefined ? [] : writtenOut(key, held);
  });
}

function writtenOut(key: string, set: ValueSet): Requirement[] {
  const values = [...set.values].sort();
  if (!set.complement) return writtenOutFinite(key, values);
  const written: Requirement[] = [];
  if (values.length > 0) written.push({ key, operator: 'NotIn', values });
  if (set.greaterThan !== null) written.push({ key, operator: 'Gt', values: [String(set.greaterThan)] });
  if (set.lessThan !== null) written.push({ key, operator: 'Lt', values: [String(set.lessThan)] });
  const needsExists = !set.absence && set.greaterThan === null && set.lessThan === null;
  return needsExists ? [...written, { key, operator: 'Exists', values: [] }] : written;
}

/** No value left and absence allowed is DoesNotExist; no value left and absence refused can be met by nothing. */
function writtenOutFinite(key: string, values: readonly string[]): Requirement[] {
  return [{ key, operator: values.length > 0 ? 'In' : 'DoesNotExist', values }];
}

function withinBounds(set: ValueSet, value: string): boolean {
  if (set.greaterThan === null && set.lessThan === null) return true;
  if (!/^-?\d+$/.test(value)) return false;
  const number = Number(value);
  return (
    (set.greaterThan === null || number > set.greaterThan) && (set.lessThan === null || number < set.lessThan)
  );
}

function larger(left: number | null, right: number | null): number | null {
  if (left === null || right === null) return left ?? right;
  return Math.max(left, right);
}

function smaller(left: number | null, right: number | null): number | null {
  if (left === null || right === null) return left ?? right;
  return Math.min(left, right);
}
