// How long the event loop was not to be had, by the clock and by the CPU time that this thread used meanwhile.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

export interface Blocks {
  /** The longest time between two chances to run, less the pause asked for. */
  readonly longestMs: number;
  /** The most CPU time that this thread used between two chances to run; not more than the machine's own share. */
  readonly longestCpuMs: number;
  /** What `perf_hooks.monitorEventLoopDelay` saw. */
  readonly monitoredMs: number;
  /** Share of the time that the loop was busy, 0 to 1. */
  readonly utilization: number;
}

const TICK_MS = 2;
const MONITOR_RESOLUTION_MS = 1;

/** Watches from now on, until asked for what it has seen. */
export function watchEventLoop(): () => Blocks {
  const monitor = monitorEventLoopDelay({ resolution: MONITOR_RESOLUTION_MS });
  const start = performance.eventLoopUtilization();
  let longestMs = 0;
  let longestCpuMs = 0;
  let lastMs = performance.now();
  let last = process.threadCpuUsage();
  const tick = (): void => {
    const nowMs = performance.now();
    const used = process.threadCpuUsage(last);
    longestMs = Math.max(longestMs, nowMs - lastMs - TICK_MS);
    longestCpuMs = Math.max(longestCpuMs, (used.user + used.system) / 1000);
    lastMs = nowMs;
    last = process.threadCpuUsage();
  };
  const timer = setInterval(tick, TICK_MS);
  monitor.enable();
  return () => {
    tick();
    clearInterval(timer);
    monitor.disable();
    const { utilization } = performance.eventLoopUtilization(start);
    return { longestMs, longestCpuMs, monitoredMs: monitor.max / 1e6, utilization };
  };
}
