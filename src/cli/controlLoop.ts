// Polls the controllers when they are due, and at once when something has changed.
import type { ControllerManager } from '../controllers/manager.ts';
import type { Clock } from '../ports/clock.ts';

/** Node's timers hold at most 2^31 - 1 ms. */
const TIMER_MOST_MS = 2_000_000_000;

export interface ControlLoop {
  /** Stops polling; what is running goes on to its end. */
  stop(): void;
}

/** Starts polling in real time. Wakes that come together cost one poll. */
export function startControlLoop(manager: ControllerManager, clock: Clock): ControlLoop {
  let timer: NodeJS.Timeout | null = null;
  let queued = false;
  let stopped = false;
  const poll = (): void => {
    queued = false;
    if (stopped) return;
    if (timer !== null) clearTimeout(timer);
    timer = null;
    // One controller a turn: on a large cluster each takes long enough, and probes want an answer in between.
    const nextAtMs = manager.poll(1);
    if (queued || nextAtMs === Number.POSITIVE_INFINITY) return;
    const waitMs = nextAtMs - clock.nowMs();
    if (waitMs <= 0) wake();
    else timer = setTimeout(wake, Math.min(TIMER_MOST_MS, waitMs));
  };
  const wake = (): void => {
    if (queued || stopped) return;
    queued = true;
    setImmediate(poll);
  };
  manager.onWake = wake;
  wake();
  return {
    stop: () => {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
