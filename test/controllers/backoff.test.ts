// What is remembered of failures, and for how long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/controllers/backoff.ts';

test('pauses double up to the longest', () => {
  const backoff = new Backoff(1_000, 5_000);
  assert.deepEqual(
    [0, 0, 0, 0].map((nowMs) => backoff.failed('claim', nowMs)),
    [1_000, 2_000, 4_000, 5_000],
  );
  assert.equal(backoff.waitMs('claim', 1_000), 4_000);
});

test('failures of what is there no more are forgotten at once, others only after a long time', () => {
  const backoff = new Backoff(1_000, 5_000);
  for (const key of ['gone', 'there']) backoff.failed(key, 0);
  backoff.prune(10_000);
  assert.equal(backoff.size, 2);
  backoff.keepOnly(new Set(['there']));
  assert.deepEqual(backoff.waiting(0), ['there']);
  backoff.prune(16_001);
  assert.equal(backoff.size, 0);
});
