// Pods of a cluster trace: a CSV table with what each asked for, and when it came and went.
import { type CsvField, type CsvRecord, csvRecords } from './csv.ts';

/** One row of the trace. */
export interface TracePod {
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly gpus: number;
  readonly createdAtMs: number;
  /** null: it was still there when the trace ended. */
  readonly deletedAtMs: number | null;
}

/** Why a row is left out: where it is wrong, and the mend. */
export interface TraceProblem {
  readonly line: number;
  readonly column: number;
  /** One sentence. */
  readonly message: string;
}

export interface Trace {
  readonly pods: readonly TracePod[];
  readonly problems: readonly TraceProblem[];
  /** True when times are seconds since some start, not dates. */
  readonly timesAreRelative: boolean;
}

/** Names as in the pod lists of public cluster traces. */
const COLUMNS = ['cpu_milli', 'memory_mib', 'num_gpu', 'creation_time', 'deletion_time'] as const;
type Column = (typeof COLUMNS)[number];
/** May be missing as a whole: pods then ask for no GPU, or stay to the end. */
const OPTIONAL: ReadonlySet<Column> = new Set(['num_gpu', 'deletion_time']);

/** ISO 8601, its `T` a blank in some traces; without a zone it is UTC. */
const DATE = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2}(?:\.\d+)?)(Z|[+-]\d{2}:?\d{2})?$/;

/**
 * Reads a trace. A row with a fault is left out and named, the others go on; other columns are passed over.
 * Times are seconds from some start, or dates.
 */
export function readTrace(text: string): Trace {
  const records = csvRecords(text);
  const header = records.next();
  const places = columnPlaces(header.done === true ? [] : header.value);
  if (Array.isArray(places)) return { pods: [], problems: places, timesAreRelative: true };
  const pods: TracePod[] = [];
  const problems: TraceProblem[] = [];
  let timesAreRelative = true;
  for (const record of records) {
    const row = readRow(record, places);
    if ('message' in row) problems.push(row);
    else pods.push(row);
    if (DATE.test(record[places.creation_time ?? 0]?.text.trim() ?? '')) timesAreRelative = false;
  }
  return { pods, problems, timesAreRelative };
}

type Places = Readonly<Record<Column, number | null>>;

function columnPlaces(header: CsvRecord): Places | TraceProblem[] {
  const names = header.map(({ text }) => text.trim().toLowerCase());
  const problems = COLUMNS.filter((column) => !OPTIONAL.has(column) && !names.includes(column)).map(
    (column) => ({
      line: 1,
      column: 1,
      message: `the column ${column} is missing; the first line names the columns, ${COLUMNS.join(', ')} among them`,
    }),
  );
  if (problems.length > 0) return problems;
  const place = (column: Column): number | null => {
    const index = names.indexOf(column);
    return index === -1 ? null : index;
  };
  return {
    cpu_milli: place('cpu_milli'),
    memory_mib: place('memory_mib'),
    num_gpu: place('num_gpu'),
    creation_time: place('creation_time'),
    deletion_time: place('deletion_time'),
  };
}

function readRow(record: CsvRecord, places: Places): TracePod | TraceProblem {
  const cells = new Cells(record, places);
  const pod = {
    cpuMillis: cells.amount('cpu_milli', 'thousandths of a CPU'),
    memoryMib: cells.amount('memory_mib', 'MiB'),
    gpus: cells.amount('num_gpu', 'GPUs'),
    createdAtMs: cells.time('creation_time') ?? 0,
    deletedAtMs: cells.time('deletion_time'),
  };
  if (cells.isEmpty('creation_time'))
    cells.blame('creation_time', 'is missing; write when the pod was created');
  if (pod.deletedAtMs !== null && pod.deletedAtMs < pod.createdAtMs) {
    cells.blame('deletion_time', 'is before creation_time; write a later one, or leave it empty');
  }
  return cells.fault ?? pod;
}

/** The cells of one row by column, and the first thing that is wrong with them. */
class Cells {
  fault: TraceProblem | null = null;
  readonly #record: CsvRecord;
  readonly #places: Places;

  constructor(record: CsvRecord, places: Places) {
    this.#record = record;
    this.#places = places;
  }

  /** A whole number from 0 up; 0 for a column that is not there. Traces write whole numbers as 1.0 too. */
  amount(column: Column, unit: string): number {
    const text = this.#text(column);
    if (text === null) return 0;
    const value = Number(text);
    if (text !== '' && Number.isSafeInteger(value) && value >= 0) return value;
    this.blame(column, `is ${quoted(text)}; write a whole number of ${unit}, 0 or more`);
    return 0;
  }

  /** Milliseconds; null for an empty cell. */
  time(column: Column): number | null {
    const text = this.#text(column);
    if (text === null || text === '') return null;
    const date = DATE.exec(text);
    const valueMs =
      date === null ? Number(text) * 1000 : Date.parse(`${date[1]}T${date[2]}${date[3] ?? 'Z'}`);
    if (Number.isFinite(valueMs) && valueMs >= 0) return Math.round(valueMs);
    this.blame(
      column,
      `is ${quoted(text)}; write seconds since the start of the trace, or a date in ISO 8601`,
    );
    return null;
  }

  isEmpty(column: Column): boolean {
    return (this.#text(column) ?? '') === '';
  }

  blame(column: Column, message: string): void {
    if (this.fault !== null) return;
    const place = this.#field(column) ?? this.#record[0] ?? { line: 1, column: 1 };
    this.fault = { line: place.line, column: place.column, message: `${column} ${message}` };
  }

  #field(column: Column): CsvField | undefined {
    const place = this.#places[column];
    return place === null ? undefined : this.#record[place];
  }

  /** null: the trace has no such column; a row that is too short has an empty cell. */
  #text(column: Column): string | null {
    return this.#places[column] === null ? null : (this.#field(column)?.text.trim() ?? '');
  }
}

const SHOWN_MOST = 40;

function quoted(text: string): string {
  return JSON.stringify(text.length > SHOWN_MOST ? `${text.slice(0, SHOWN_MOST)}…` : text);
}
