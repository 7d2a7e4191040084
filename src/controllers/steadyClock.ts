// A clock that never jumps and never goes back, whatever the machine's time of day does.
import type { Clock } from '../ports/clock.ts';

export interface TimeSources {
  /** Time of day in milliseconds since the epoch; may jump either way. */
  wallMs(): number;
  /** Milliseconds since some start; runs evenly. */
  monotonicMs(): number;
}

/** So much faster or slower than real time at most, while it catches up with the time of day. */
const SLEW = 0.25;
/** Milliseconds that pass on the steady clock in one of real time, at most. */
export const FASTEST_PACE = 1 + SLEW;

/**
 * Starts at the time of day and runs evenly from there; where the time of day has moved, it draws near by at most a
 * quarter of the time that passes. Every time limit here is a span of minutes between two readings: a jump forward
 * must not end them all at once, and a jump back must not stop the controllers for an hour.
 */
export function steadyClock(sources: TimeSources, sleep: Clock['sleep']): Clock {
  let steadyMs = sources.wallMs();
  let readAtMs = sources.monotonicMs();
  return {
    sleep,
    nowMs: () => {
      const monotonicMs = sources.monotonicMs();
      const passedMs = Math.max(0, monotonicMs - readAtMs);
      readAtMs = monotonicMs;
      const evenlyMs = steadyMs + passedMs;
      const errorMs = sources.wallMs() - evenlyMs;
      const mostMs = passedMs * SLEW;
      steadyMs = evenlyMs + Math.max(-mostMs, Math.min(mostMs, errorMs));
      return Math.floor(steadyMs);
    },
  };
}
