import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatBytes, formatMillis, parseQuantity } from '../../src/model/quantity.ts';

// Expected values follow Go's resource.Quantity (k8s.io/apimachinery): exact decimals, rounded up.
const cases: readonly (readonly [string | number, 0 | -3, number | null])[] = [
  ['1', 0, 1],
  [1000, -3, 1_000_000],
  ['100m', -3, 100],
  ['100m', 0, 1],
  ['0.1', -3, 100],
  ['.5Gi', 0, 536_870_912],
  ['1.5Gi', 0, 1_610_612_736],
  ['1.5M', 0, 1_500_000],
  ['1Ei', 0, 2 ** 60],
  ['2e3', 0, 2000],
  ['1E3', 0, 1000],
  ['1E', 0, 1e18],
  ['1k', 0, 1000],
  ['123456789n', -3, 124],
  ['5u', -3, 1],
  ['-1', 0, -1],
  ['+2', 0, 2],
  ['0', 0, 0],
  ['1.', 0, 1],
  ['', 0, null],
  ['.', 0, null],
  ['1K', 0, null],
  ['1 Gi', 0, null],
  ['1e3Ki', 0, null],
  ['abc', 0, null],
];
for (const [text, scale, value] of cases) {
  test(`${JSON.stringify(text)} at scale ${scale} is ${value}`, () =>
    assert.equal(parseQuantity(text, scale), value));
}

test('what is written is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (amount) => {
      assert.equal(parseQuantity(formatBytes(amount), 0), amount);
      assert.equal(parseQuantity(formatMillis(amount), -3), amount);
    }),
  );
});
