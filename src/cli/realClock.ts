// The machine's own clock.
import type { Clock } from '../ports/clock.ts';

export const REAL_CLOCK: Clock = {
  nowMs: () => Date.now(),
  sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
};
