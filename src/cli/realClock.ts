// The machine's own clock, made steady.
import { steadyClock } from '../controllers/steadyClock.ts';
import type { Clock } from '../ports/clock.ts';

export const REAL_CLOCK: Clock = steadyClock(
  { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
  (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
);
