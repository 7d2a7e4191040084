// Seeded chance and virtual time: the ground that every simulation stands on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../src/simulator/random.ts';
import { VirtualClock } from '../../src/simulator/virtualClock.ts';

test('the same seed draws the same, another seed draws otherwise', () => {
  const draw = (seed: string): number[] =>
    Array.from(
      { length: 50 },
      (
        (random) => () =>
          random.uint32()
      )(new Random(seed)),
    );
  assert.deepEqual(draw('a'), draw('a'));
  assert.notDeepEqual(draw('a'), draw('b'));
  // Pinned, so that seeds written down today still mean the same tomorrow.
  assert.deepEqual(draw('pinned').slice(0, 3), PINNED);
});

const PINNED = [1794517391, 2468034595, 3797241932];

test('a fork does not depend on how much its parent has drawn', () => {
  const parent = new Random('seed');
  const before = parent.fork('cloud').uint32();
  for (let count = 0; count < 10; count += 1) parent.uint32();
  assert.equal(parent.fork('cloud').uint32(), before);
  assert.notEqual(parent.fork('kube').uint32(), before);
});

test('draws are spread evenly', () => {
  const random = new Random('spread');
  const counts = new Array<number>(10).fill(0);
  for (let count = 0; count < 100_000; count += 1) {
    const bucket = random.integer(0, 9);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 9_500 && count < 10_500, `${counts}`);
});

test('identifiers have the right shape', () => {
  const random = new Random('ids');
  assert.match(random.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(random.hex(17), /^[0-9a-f]{17}$/);
  assert.match(random.suffix(5), /^[a-z0-9]{5}$/);
});

test('actions run in order of time, and of asking where times are equal', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (times) => {
      const clock = new VirtualClock(0);
      const ran: { readonly atMs: number; readonly index: number }[] = [];
      times.forEach((atMs, index) => {
        clock.at(atMs, () => {
          assert.equal(clock.nowMs(), atMs);
          ran.push({ atMs, index });
        });
      });
      clock.advanceTo(30);
      const expected = times
        .map((atMs, index) => ({ atMs, index }))
        .sort((left, right) => left.atMs - right.atMs || left.index - right.index);
      assert.deepEqual(ran, expected);
      assert.equal(clock.nowMs(), 30);
    }),
  );
});

test('an action may add another for the same time, and one for the past runs now', () => {
  const clock = new VirtualClock(100);
  const ran: string[] = [];
  clock.after(10, () => {
    ran.push('first');
    clock.after(0, () => ran.push('same time'));
    clock.at(5, () => ran.push('past'));
  });
  clock.advanceTo(110);
  assert.deepEqual(ran, ['first', 'same time', 'past']);
  assert.equal(clock.nextAtMs(), Number.POSITIVE_INFINITY);
});

test('sleeping takes time on this clock only', async () => {
  const clock = new VirtualClock(0);
  let isAwake = false;
  const slept = clock.sleep(1000).then(() => {
    isAwake = true;
  });
  clock.advanceTo(999);
  await Promise.resolve();
  assert.equal(isAwake, false);
  clock.advanceTo(1000);
  await slept;
  assert.equal(isAwake, true);
});
