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
    | 'Surged'
    | 'Evicted'
    | 'Terminated'
    | 'Collected';
  /** NodeClaim, node or pod the record is about. */
  readonly subject: string;
  readonly reason: string;
  readonly facts: Readonly<Record<string, unknown>>;
  /** Reason of the event that tells the same: stable, users alert on it. Absent where no event does. */
  readonly code?: string;
  /** What it saves, of nodes that go to save money. */
  readonly savingUsdPerHour?: number;
  /** Keys of the pods that move, of nodes that go. */
  readonly podsMoved?: readonly string[];
  /** Key of the pod that keeps a node; absent when something else does. */
  readonly blockedBy?: string;
}

export interface Journal {
  append(record: DecisionRecord): void;
  /** The newest first. */
  latest(count: number): readonly DecisionRecord[];
}
