// The steady clock: even, never back, and in the end right about the time of day.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { steadyClock } from '../../src/controllers/steadyClock.ts';

const HOUR_MS = 3_600_000;

function machine(wallMs: number) {
  const times = { wallMs, monotonicMs: 5000 };
  const clock = steadyClock(
    { wallMs: () => times.wallMs, monotonicMs: () => times.monotonicMs },
    async () => {},
  );
  const pass = (durationMs: number): void => {
    times.wallMs += durationMs;
    times.monotonicMs += durationMs;
  };
  return { times, clock, pass };
}

test('it is the time of day while nothing moves that', () => {
  const { clock, pass } = machine(1_000_000);
  assert.equal(clock.nowMs(), 1_000_000);
  pass(2500);
  assert.equal(clock.nowMs(), 1_002_500);
});

test('a jump of an hour moves no reading at once, either way', () => {
  for (const jumpMs of [HOUR_MS, -HOUR_MS]) {
    const { times, clock, pass } = machine(10 * HOUR_MS);
    times.wallMs += jumpMs;
    assert.equal(clock.nowMs(), 10 * HOUR_MS);
    pass(60_000);
    const passedMs = clock.nowMs() - 10 * HOUR_MS;
    assert.equal(passedMs, 60_000 * (jumpMs > 0 ? 1.25 : 0.75));
  }
});

test('it never goes back, and comes to the time of day in the end', () => {
  for (const jumpMs of [HOUR_MS, -HOUR_MS]) {
    const { times, clock, pass } = machine(10 * HOUR_MS);
    times.wallMs += jumpMs;
    let beforeMs = clock.nowMs();
    for (let minute = 0; minute < 5 * 60; minute += 1) {
      pass(60_000);
      const nowMs = clock.nowMs();
      assert.ok(nowMs > beforeMs);
      beforeMs = nowMs;
    }
    assert.equal(clock.nowMs(), times.wallMs);
  }
});
