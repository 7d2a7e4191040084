// Interning: one object for equal values, and nothing kept that nobody uses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Interner } from '../../../src/api/objects/interner.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('equal values are one object, different ones are not', () => {
  const interner = new Interner();
  const first = interner.intern({ a: [1], b: 'x' });
  assert.equal(interner.intern({ a: [1], b: 'x' }), first);
  assert.notEqual(interner.intern({ a: [2], b: 'x' }), first);
  assert.equal(interner.internString('name'), 'name');
});

test('parts are shared between values that differ elsewhere', () => {
  const interner = new Interner();
  type Value = { part: { a: number }; own: number };
  const shared = (value: Value): Value => ({ ...value, part: interner.intern(value.part) });
  const one = interner.intern({ part: { a: 1 }, own: 1 }, shared);
  const other = interner.intern({ part: { a: 1 }, own: 2 }, shared);
  assert.deepEqual(other, { part: { a: 1 }, own: 2 });
  assert.equal(one.part, other.part);
});

test('what nobody refers to any more is forgotten', async () => {
  const interner = new Interner();
  const kept = interner.intern({ kept: true });
  for (let index = 0; index < 1_000; index += 1) interner.intern({ index });
  assert.equal(interner.size, 1_001);
  for (let tries = 0; tries < 50 && interner.size > 1; tries += 1) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 5)); // finalizers run between turns of the event loop
  }
  assert.equal(interner.size, 1);
  assert.equal(interner.intern({ kept: true }), kept);
});
