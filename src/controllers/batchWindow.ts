// When a burst of pending pods has paused, so that it can be packed as one.

/** A window that is open: pods have asked for capacity since `openedAtMs` and have not been planned for. */
export interface BatchWindow {
  readonly openedAtMs: number;
  readonly lastArrivalMs: number;
  readonly arrivals: number;
}

export interface BatchLimits {
  /** Upper bound of the pause that closes a window. */
  readonly batchIdleMs: number;
  /** A window closes after this long even if pods keep coming. */
  readonly batchMaxMs: number;
}

/** The shortest pause that counts as one: the scheduler marks the pods of one burst some milliseconds apart. */
const PAUSE_LEAST_MS = 25;
/** A pause is over when nothing came for this many times the mean gap between arrivals so far. */
const PAUSE_GAPS = 5;

/** The window after one more pod has asked, at `nowMs`. */
export function withArrival(window: BatchWindow | null, nowMs: number): BatchWindow {
  if (window === null) return { openedAtMs: nowMs, lastArrivalMs: nowMs, arrivals: 1 };
  return { openedAtMs: window.openedAtMs, lastArrivalMs: nowMs, arrivals: window.arrivals + 1 };
}

/**
 * When the window closes if nothing more comes, in milliseconds since the epoch.
 * The pause waited for follows the burst's own rhythm, so a lone pod waits 25 ms and not a fixed second.
 */
export function batchReadyAtMs(window: BatchWindow, limits: BatchLimits): number {
  const gaps = Math.max(1, window.arrivals - 1);
  const meanGapMs = (window.lastArrivalMs - window.openedAtMs) / gaps;
  const pauseMs = Math.min(limits.batchIdleMs, Math.max(PAUSE_LEAST_MS, PAUSE_GAPS * meanGapMs));
  return Math.min(window.lastArrivalMs + pauseMs, window.openedAtMs + limits.batchMaxMs);
}

/** True when the window's pods should be planned now. */
export function isBatchReady(window: BatchWindow, limits: BatchLimits, nowMs: number): boolean {
  return nowMs >= batchReadyAtMs(window, limits);
}
