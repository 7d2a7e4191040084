import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { NodeSelectorOperator, Requirement } from '../../src/model/requirement.ts';
import {
  allows,
  allowsAbsence,
  intersectRequirements,
  intersectValues,
  isEmpty,
  labelsSatisfy,
  requirementSet,
  toRequirements,
  valueSet,
} from '../../src/model/requirementSet.ts';

const VALUES = ['1', '2', '3', '4', 'a', 'b'];

const anyRequirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    key: fc.constantFrom('x', 'y'),
    operator: fc.constantFrom<NodeSelectorOperator>('In', 'NotIn'),
    values: fc.subarray(VALUES, { minLength: 1 }),
  }),
  fc.record({
    key: fc.constantFrom('x', 'y'),
    operator: fc.constantFrom<NodeSelectorOperator>('Exists', 'DoesNotExist'),
    values: fc.constant([]),
  }),
  fc.record({
    key: fc.constantFrom('x', 'y'),
    operator: fc.constantFrom<NodeSelectorOperator>('Gt', 'Lt'),
    values: fc.constantFrom(['1'], ['2'], ['3']),
  }),
);

/** Kubernetes' own reading of one requirement against a label value. */
function holds({ operator, values }: Requirement, value: string | undefined): boolean {
  const number = Number(value);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number.isInteger(number) && number > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number.isInteger(number) && number < Number(values[0]);
  }
}

const anyLabels = fc.dictionary(fc.constantFrom('x', 'y'), fc.constantFrom(...VALUES));

test('labels satisfy the set exactly when they satisfy each requirement', () => {
  fc.assert(
    fc.property(fc.array(anyRequirement, { maxLength: 5 }), anyLabels, (requirements, labels) => {
      const expected = requirements.every((one) => holds(one, labels[one.key]));
      assert.equal(labelsSatisfy(labels, requirementSet(requirements)), expected);
    }),
  );
});

test('written out and read again, a set allows the same', () => {
  fc.assert(
    fc.property(fc.array(anyRequirement, { maxLength: 5 }), anyLabels, (requirements, labels) => {
      const set = requirementSet(requirements);
      fc.pre([...set.values()].every((values) => values.absence || !isEmpty(values)));
      assert.equal(labelsSatisfy(labels, requirementSet(toRequirements(set))), labelsSatisfy(labels, set));
    }),
  );
});

test('intersection does not depend on order', () => {
  fc.assert(
    fc.property(fc.array(anyRequirement), fc.array(anyRequirement), anyLabels, (left, right, labels) => {
      const one = intersectRequirements(requirementSet(left), requirementSet(right));
      const other = intersectRequirements(requirementSet(right), requirementSet(left));
      assert.equal(labelsSatisfy(labels, one), labelsSatisfy(labels, other));
    }),
  );
});

test('bounds that leave no integer are empty', () => {
  assert.equal(isEmpty(intersectValues(valueSet('Gt', ['1']), valueSet('Lt', ['2']))), true);
  assert.equal(isEmpty(intersectValues(valueSet('Gt', ['1']), valueSet('Lt', ['3']))), false);
});

test('In within bounds keeps what lies in them', () => {
  const set = intersectValues(valueSet('In', ['1', '2', '3']), valueSet('Gt', ['1']));
  assert.deepEqual([...set.values], ['2', '3']);
});

test('absence: NotIn and DoesNotExist allow it, the others do not', () => {
  const allowing = (['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'] as const).filter((operator) =>
    allowsAbsence(valueSet(operator, /In$/.test(operator) ? ['1'] : operator.endsWith('t') ? ['1'] : [])),
  );
  assert.deepEqual(allowing, ['NotIn', 'DoesNotExist']);
});

test('deprecated label names are read as the modern ones', () => {
  const set = requirementSet([
    { key: 'failure-domain.beta.kubernetes.io/zone', operator: 'In', values: ['a'] },
  ]);
  const zone = set.get('topology.kubernetes.io/zone');
  assert.ok(zone && allows(zone, 'a') && !allows(zone, 'b'));
});
