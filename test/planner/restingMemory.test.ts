// When memory is worth giving back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import { giveMemoryBack, RestingMemory } from '../../src/planner/restingMemory.ts';

const MIB = 1024 * 1024;
const AT_REST = 0.01;

const READINGS: readonly {
  when: string;
  rested: number | null;
  mib: number;
  busy?: number;
  gives: boolean;
}[] = [
  { when: 'it has just started', rested: null, mib: 200, gives: true },
  { when: 'it has just started and is still at work', rested: null, mib: 200, busy: 0.1, gives: false },
  { when: 'it has grown by a fifth', rested: 100, mib: 120, gives: false },
  { when: 'it has grown by more', rested: 100, mib: 121, gives: true },
  { when: 'it has grown by more and is still at work', rested: 100, mib: 300, busy: 0.9, gives: false },
  { when: 'the cluster is larger now', rested: 300, mib: 310, gives: false },
];
for (const { when, rested, mib, busy = AT_REST, gives } of READINGS) {
  test(`memory is ${gives ? '' : 'not '}given back: ${when}`, () => {
    const resting = new RestingMemory();
    if (rested !== null) resting.noteGivenBack(rested * MIB);
    assert.equal(resting.isWorthGivingBack(mib * MIB, busy), gives);
  });
}

test('garbage and the space that it took are gone once memory has been given back', () => {
  const newSpaceBytes = (): number =>
    getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.physical_space_size ?? 0;
  const kept: object[] = [];
  for (let round = 0; round < 40; round++) kept.push(Array.from({ length: 10_000 }, () => ({ round })));
  const [fullBytes, grownBytes] = [getHeapStatistics().used_heap_size, newSpaceBytes()];
  kept.length = 0;
  giveMemoryBack();
  const restingBytes = getHeapStatistics().used_heap_size;
  assert.ok(restingBytes < fullBytes - 8_000_000, `${fullBytes} bytes before, ${restingBytes} after`);
  assert.ok(newSpaceBytes() < grownBytes / 2, `${grownBytes} bytes before, ${newSpaceBytes()} after`);
});
