// When memory is worth giving back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { giveMemoryBack, RestingMemory } from '../../src/planner/restingMemory.ts';

const READINGS: readonly { when: string; mib: readonly number[]; gives: readonly boolean[] }[] = [
  { when: 'started and at rest', mib: [200, 110, 110, 115], gives: [true, false, false, false] },
  {
    when: 'a burst, after which it rests again',
    mib: [200, 110, 180, 112],
    gives: [true, false, true, false],
  },
  { when: 'a fifth more is none', mib: [200, 100, 120, 121], gives: [true, false, false, true] },
  {
    when: 'the cluster is larger now',
    mib: [200, 110, 300, 280, 290],
    gives: [true, false, true, false, false],
  },
  {
    when: 'it shrinks, and grows again',
    mib: [200, 110, 300, 280, 99, 119],
    gives: [true, false, true, false, false, true],
  },
];
for (const { when, mib, gives } of READINGS) {
  test(`gives: ${when}`, () => {
    const resting = new RestingMemory();
    assert.deepEqual(
      mib.map((one) => resting.isWorthGivingBack(one * 1024 * 1024)),
      gives,
    );
  });
}

test('garbage is gone once memory has been given back', () => {
  const kept: object[] = [];
  for (let round = 0; round < 20; round++) kept.push(Array.from({ length: 10_000 }, () => ({ round })));
  const fullBytes = getHeapStatistics().used_heap_size;
  kept.length = 0;
  giveMemoryBack();
  const restingBytes = getHeapStatistics().used_heap_size;
  assert.ok(restingBytes < fullBytes - 4_000_000, `${fullBytes} bytes before, ${restingBytes} after`);
});
