// What happened, in order: one line an event, a running digest of all lines, and who listens.

export type HistoryKind =
  | 'PodCreated'
  | 'PodPending'
  | 'PodBound'
  | 'PodRunning'
  | 'PodStopping'
  | 'PodGone'
  | 'Evicted'
  | 'FleetRequested'
  | 'FleetAnswered'
  | 'InstanceBooted'
  | 'TerminationRequested'
  | 'InstanceTerminated'
  | 'NodeRegistered'
  | 'NodeReady'
  | 'NodeNotReady'
  | 'NodeEmpty'
  | 'NodeGone'
  | 'ClaimStored'
  | 'ClaimGone'
  | 'Decision'
  | 'EventPublished'
  | 'Mishap'
  | 'Log';

export interface HistoryEntry {
  readonly atMs: number;
  readonly kind: HistoryKind;
  /** Pod, node, claim or instance that it is about. */
  readonly subject: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Keeps the newest lines and the digest of all: a month of events does not pile up in memory. */
export class History {
  readonly #kept: HistoryEntry[] = [];
  readonly #keepMost: number;
  readonly #listeners: ((entry: HistoryEntry) => void)[] = [];
  #count = 0;
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;

  constructor(keepMost: number) {
    this.#keepMost = keepMost;
  }

  listen(listener: (entry: HistoryEntry) => void): void {
    this.#listeners.push(listener);
  }

  note(entry: HistoryEntry): void {
    this.#count += 1;
    this.#digestLine(formatEntry(entry));
    this.#kept.push(entry);
    if (this.#kept.length >= 2 * this.#keepMost) this.#kept.splice(0, this.#kept.length - this.#keepMost);
    for (const listener of this.#listeners) listener(entry);
  }

  get count(): number {
    return this.#count;
  }

  latest(): readonly HistoryEntry[] {
    return this.#kept;
  }

  /** Sixteen hexadecimal digits; equal histories have equal digests, and others differ for all that chance can tell. */
  digest(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
    return hex(this.#high) + hex(this.#low);
  }

  #digestLine(line: string): void {
    for (let index = 0; index < line.length; index += 1) {
      const unit = line.charCodeAt(index);
      this.#low = Math.imul(this.#low ^ unit, 0x01000193);
      this.#high = Math.imul(this.#high ^ (unit + (this.#low >>> 15)), 0x85ebca6b);
    }
  }
}

/** One line, the same on every machine: time, kind, subject, facts in the order they were given. */
export function formatEntry({ atMs, kind, subject, facts }: HistoryEntry): string {
  return `${atMs} ${kind} ${subject} ${JSON.stringify(facts)}`;
}
