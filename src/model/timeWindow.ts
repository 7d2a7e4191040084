// Windows of time that come again by a cron schedule: whether one is open, and when that changes.
import { type CronSchedule, lastStartMs, nextStartMs } from './cronSchedule.ts';

/** From each start of the schedule on, for so long. A later start prolongs a window that is open still. */
export interface TimeWindow {
  readonly schedule: CronSchedule;
  readonly durationMs: number;
  /** IANA name. */
  readonly timeZone: string;
}

/** True from each start on, up to but without the end. */
export function isOpen(window: TimeWindow, atMs: number): boolean {
  return openedAtMs(window, atMs) !== null;
}

function openedAtMs({ schedule, timeZone, durationMs }: TimeWindow, atMs: number): number | null {
  return lastStartMs(schedule, timeZone, { sinceMs: atMs - durationMs, atMs });
}

/** Ends that a start follows at once are stepped over this often; beyond that a window counts as always open. */
const STEPS_MOST = 200;
/** No schedule pauses for longer, but for 29 February on a given weekday, which may be 40 years away. */
const AHEAD_MS = 9 * 366 * 86_400_000;

/**
 * When the next of these windows opens, or the last one that is open closes: the first instant after `atMs` at which
 * "one of them is open" changes. Infinity when it does not change within nine years.
 */
export function nextChangeMs(windows: readonly TimeWindow[], atMs: number): number {
  const isOneOpen = (nowMs: number): boolean => windows.some((window) => isOpen(window, nowMs));
  const before = isOneOpen(atMs);
  let nowMs = atMs;
  for (let steps = 0; steps < STEPS_MOST; steps += 1) {
    nowMs = Math.min(...windows.map((window) => nextBoundaryMs(window, nowMs)));
    if (nowMs === Number.POSITIVE_INFINITY || isOneOpen(nowMs) !== before) return nowMs;
  }
  return Number.POSITIVE_INFINITY;
}

/** The next instant at which the window may open or close. */
export function nextBoundaryMs(window: TimeWindow, atMs: number): number {
  const openedMs = openedAtMs(window, atMs);
  if (openedMs !== null) return openedMs + window.durationMs;
  const { schedule, timeZone } = window;
  const found = nextStartMs(schedule, timeZone, { afterMs: atMs, untilMs: atMs + AHEAD_MS });
  return found ?? Number.POSITIVE_INFINITY;
}
