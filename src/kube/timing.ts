// Time and chance as the adapter uses them: real ones outside of tests.

export interface Timing {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Resolves after `durationMs`, or at once when the signal aborts; never rejects. */
  pause(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const REAL_TIMING: Timing = { nowMs: () => Date.now(), random: () => Math.random(), pause };

function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, durationMs);
    signal?.addEventListener('abort', done);
  });
}

/** Waits that double from 0.5 s to 30 s, each one jittered between half and the whole of it. */
export function backoffMs(failures: number, random: () => number): number {
  const whole = Math.min(30_000, 500 * 2 ** Math.min(failures - 1, 10));
  return whole * (0.5 + random() / 2);
}
