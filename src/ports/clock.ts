// Time, so that a simulated month can pass in seconds.

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Resolves once that many milliseconds have passed on this clock. */
  sleep(durationMs: number): Promise<void>;
}
