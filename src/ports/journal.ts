// The record of every decision, taken or not: what, why, for whom.

export interface DecisionRecord {
  readonly atMs: number;
  readonly kind:
    | 'Provisioned'
    | 'Refused'
    | 'Nominated'
    | 'Launched'
    | 'LaunchFailed'
    | 'Registered'
    | 'Initialized'
    | 'Empty'
    | 'Disrupted'
    | 'Kept'
    | 'Evicted'
    | 'Terminated'
    | 'Collected';
  /** NodeClaim, node or pod the record is about. */
  readonly subject: string;
  readonly reason: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface Journal {
  append(record: DecisionRecord): void;
  /** The newest first. */
  latest(count: number): readonly DecisionRecord[];
}
