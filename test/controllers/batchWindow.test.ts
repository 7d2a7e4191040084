import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BatchWindow,
  batchReadyAtMs,
  isBatchReady,
  withArrival,
} from '../../src/controllers/batchWindow.ts';

const LIMITS = { batchIdleMs: 1000, batchMaxMs: 10_000 };

function afterArrivals(...atMs: readonly number[]): BatchWindow {
  const window = atMs.reduce<BatchWindow | null>((held, nowMs) => withArrival(held, nowMs), null);
  assert.ok(window);
  return window;
}

const cases = [
  { when: 'a lone pod waits 25 ms, not the whole idle time', arrivals: [1000], readyAtMs: 1025 },
  { when: 'a fast burst closes 25 ms after its last pod', arrivals: [0, 2, 4, 6], readyAtMs: 31 },
  { when: 'a slow burst is given five of its own gaps', arrivals: [0, 50, 100], readyAtMs: 350 },
  { when: 'the pause never exceeds batchIdleDuration', arrivals: [0, 900, 1800], readyAtMs: 2800 },
  {
    when: 'a window that never pauses closes at batchMaxDuration',
    arrivals: [0, 5000, 9900],
    readyAtMs: 10_000,
  },
];

for (const { when, arrivals, readyAtMs } of cases) {
  test(when, () => {
    const window = afterArrivals(...arrivals);
    assert.equal(batchReadyAtMs(window, LIMITS), readyAtMs);
    assert.equal(isBatchReady(window, LIMITS, readyAtMs - 1), false);
    assert.equal(isBatchReady(window, LIMITS, readyAtMs), true);
  });
}

test('a short batchIdleDuration is honoured below 25 ms', () => {
  assert.equal(batchReadyAtMs(afterArrivals(0), { batchIdleMs: 5, batchMaxMs: 10_000 }), 5);
});
