// Journal and telemetry that keep everything inside the process, for the simulator.
import type { DecisionRecord, Journal } from '../ports/journal.ts';
import type { Log, LogFields, Telemetry } from '../ports/telemetry.ts';

/** The newest decisions, up to a number, and who is told of each. */
export class MemoryJournal implements Journal {
  readonly #records: DecisionRecord[] = [];
  readonly #keepMost: number;
  readonly #onRecord: (record: DecisionRecord) => void;

  constructor(keepMost: number, onRecord: (record: DecisionRecord) => void) {
    this.#keepMost = keepMost;
    this.#onRecord = onRecord;
  }

  append(record: DecisionRecord): void {
    this.#records.push(record);
    if (this.#records.length >= 2 * this.#keepMost) {
      this.#records.splice(0, this.#records.length - this.#keepMost);
    }
    this.#onRecord(record);
  }

  latest(count: number): readonly DecisionRecord[] {
    return this.#records.slice(-count).reverse();
  }
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Telemetry without metrics; log lines go to the listener. */
export function listeningTelemetry(
  onLine: (level: LogLevel, message: string, fields: LogFields) => void,
): Telemetry {
  const at =
    (level: LogLevel) =>
    (fields: LogFields, message: string): void =>
      onLine(level, message, fields);
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const ignore = (): void => {};
  const metrics = { count: ignore, gauge: ignore, observe: ignore };
  return { log, metrics, dump: () => 'not kept' };
}
