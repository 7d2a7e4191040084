// Consolidation that saves nothing is tried ever less often.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConsolidationBrake } from '../../src/controllers/consolidationBrake.ts';

const MINUTE_MS = 60_000;

/** Prices at which an action was due, and the minutes of pause that were told instead; 0 for none. */
function minutesAt(prices: readonly number[]): readonly number[] {
  const brake = new ConsolidationBrake();
  return prices.map((usdPerHour) => {
    const pauseMs = brake.pauseMs(usdPerHour);
    if (pauseMs === 0) brake.acting(usdPerHour);
    return pauseMs / MINUTE_MS;
  });
}

const CASES: Readonly<Record<string, readonly [prices: readonly number[], minutes: readonly number[]]>> = {
  'each action pays': [
    [5, 4, 3],
    [0, 0, 0],
  ],
  'the first one is never held back': [[5], [0]],
  'an action that saves nothing is followed by a pause, then by another try': [
    [5, 5, 5],
    [0, 10, 0],
  ],
  'pauses double while nothing is saved': [
    [5, 5, 5, 5, 5, 6],
    [0, 10, 0, 20, 0, 40],
  ],
  'one that pays starts them anew': [
    [5, 5, 5, 4, 4],
    [0, 10, 0, 0, 10],
  ],
};

for (const [name, [prices, minutes]] of Object.entries(CASES)) {
  test(name, () => assert.deepEqual(minutesAt(prices), minutes));
}

test('no pause is longer than a day', () => {
  assert.equal(Math.max(...minutesAt(Array.from({ length: 40 }, () => 5))), 24 * 60);
});
