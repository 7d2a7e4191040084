// When memory is worth giving back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RestingMemory } from '../../src/planner/restingMemory.ts';

const READINGS: readonly { when: string; mib: readonly number[]; hints: readonly boolean[] }[] = [
  { when: 'started and at rest', mib: [200, 110, 110, 115], hints: [true, false, false, false] },
  {
    when: 'a burst, after which it rests again',
    mib: [200, 110, 180, 112],
    hints: [true, false, true, false],
  },
  { when: 'a fifth more is none', mib: [200, 100, 120, 121], hints: [true, false, false, true] },
  {
    when: 'the cluster is larger now',
    mib: [200, 110, 300, 280, 290],
    hints: [true, false, true, false, false],
  },
  {
    when: 'it shrinks, and grows again',
    mib: [200, 110, 300, 280, 99, 119],
    hints: [true, false, true, false, false, true],
  },
];
for (const { when, mib, hints } of READINGS) {
  test(`hints: ${when}`, () => {
    const resting = new RestingMemory();
    assert.deepEqual(
      mib.map((one) => resting.isWorthHinting(one * 1024 * 1024)),
      hints,
    );
  });
}
