// Paths of fields, written and read back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatFieldPath, parseFieldPath } from '../../src/api/fieldPath.ts';

test('paths read as people write them', () => {
  assert.equal(formatFieldPath(['spec', 'requirements', 0, 'operator']), 'spec.requirements[0].operator');
  assert.equal(formatFieldPath(['spec', 'labels', 'a.b/c']), "spec.labels['a.b/c']");
  assert.equal(formatFieldPath(["it's"]), "['it\\'s']");
  assert.equal(formatFieldPath([]), '');
});

test('what is written reads back the same', () => {
  const segment = fc.oneof(
    fc.string(),
    fc.nat({ max: 9999 }),
    fc.constantFrom('spec', 'a-b', "'", '\\', '0', ''),
  );
  fc.assert(
    fc.property(fc.array(segment), (path) => {
      assert.deepEqual(parseFieldPath(formatFieldPath(path)), path);
    }),
  );
});
