// The decision journal: the latest records in memory, each written to the log as well.
import type { DecisionRecord, Journal } from '../ports/journal.ts';
import type { Log } from '../ports/telemetry.ts';

/** Keeps the newest `most` records. */
export class MemoryJournal implements Journal {
  readonly #records: DecisionRecord[] = [];
  readonly #most: number;
  readonly #log: Log;

  constructor(most: number, log: Log) {
    this.#most = most;
    this.#log = log;
  }

  append(record: DecisionRecord): void {
    this.#log.debug({ decision: record }, 'decision recorded');
    this.#records.push(record);
    if (this.#records.length > 2 * this.#most) this.#records.splice(0, this.#records.length - this.#most);
  }

  latest(count: number): readonly DecisionRecord[] {
    return this.#records.slice(-Math.min(count, this.#most)).reverse();
  }
}
