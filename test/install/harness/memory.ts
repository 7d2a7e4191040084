// How much memory a process takes.
import { readFileSync } from 'node:fs';

export interface Memory {
  /** In memory, the pages of its program among them. */
  readonly residentBytes: number;
  /** Of these, what is no copy of a file: it can be had back from the process alone. */
  readonly ownBytes: number;
}

/** Source: proc(5), /proc/pid/smaps_rollup, in KiB. */
export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = (name: string): number => {
    const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text) ?? [];
    if (kib === undefined) throw new Error(`/proc/${pid}/smaps_rollup has no ${name}`);
    return Number(kib) * 1024;
  };
  return { residentBytes: bytes('Rss'), ownBytes: bytes('Anonymous') };
}
