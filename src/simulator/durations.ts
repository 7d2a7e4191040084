// Durations of scenarios: read once their text is checked, and written for people.
import { parseDurationMs } from '../model/duration.ts';

/** Milliseconds of a duration whose text has been checked; null passes through. */
export function checkedDurationMs(text: string): number {
  const checked = parseDurationMs(text);
  if (checked === null) throw new Error(`not a duration: ${text}`);
  return checked;
}

/** `1 h 30 min`, `45 s`, `250 ms`: a duration for people, to two units. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return joined([minutes, 'min'], [Math.round(seconds % 60), 's']);
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return joined([hours, 'h'], [minutes % 60, 'min']);
  return joined([Math.floor(hours / 24), 'd'], [hours % 24, 'h']);
}

function joined(large: readonly [number, string], small: readonly [number, string]): string {
  return small[0] === 0 ? large.join(' ') : `${large.join(' ')} ${small.join(' ')}`;
}
