// What passes between the thread that decides and the thread that plans.
import type {
  ConsolidationDecision,
  ConsolidationView,
  OrderedConsolidation,
} from '../model/consolidation.ts';
import type { InstanceType } from '../model/instanceType.ts';
import type { SchedulingPlan } from '../model/plan.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { ListPart } from './listTrail.ts';
import type { PodRow, SharedNews } from './podWire.ts';

/** The lists of a snapshot, by their names there. */
export type SnapshotList = Exclude<keyof ClusterSnapshot, 'takenAtMs'>;
/** Lists of pods travel as rows: those of the snapshot, and those to place. */
export type PodList = 'pods' | 'wanted';

export type ListNews =
  | { readonly of: 'pods'; readonly list: PodList; readonly parts: readonly ListPart<PodRow>[] }
  | { readonly of: 'objects'; readonly list: SnapshotList; readonly parts: readonly ListPart<object>[] }
  | { readonly of: 'types'; readonly list: string; readonly parts: readonly ListPart<InstanceType>[] };

/** Some parts of one list; the list is whole when `last` has come. */
export interface NewsMessage {
  readonly kind: 'news';
  readonly shared: SharedNews;
  readonly news: ListNews;
  readonly last: boolean;
}

/** Plan for what was told. */
export interface SolveMessage {
  readonly kind: 'solve';
  readonly takenAtMs: number;
  /** Provisioners with a list of types; lists of others are forgotten. */
  readonly provisioners: readonly string[];
  readonly nominated: ReadonlyMap<string, string>;
  readonly budgetMs: number;
}

/** Look for what is to be consolidated in what was told, or whether what was ordered still pays. */
export interface DecideMessage {
  readonly kind: 'decide';
  readonly takenAtMs: number;
  readonly provisioners: readonly string[];
  readonly view: ConsolidationView;
  readonly ordered: OrderedConsolidation | null;
}

/** Give back memory that is not needed. */
export interface RestMessage {
  readonly kind: 'rest';
}

/** What a problem takes to be told. */
export type ProblemMessage = NewsMessage | SolveMessage | DecideMessage;

export type ToThread = ProblemMessage | RestMessage;

/** What has come of a decision on consolidation; plans that were asked for meanwhile may be answered before it. */
export type Decided =
  | { readonly kind: 'decided'; readonly decision: ConsolidationDecision }
  | { readonly kind: 'lookedAgain'; readonly changed: string | null }
  | { readonly kind: 'undecided'; readonly reason: string };

export type FromThread = Planned | Decided;

export type Planned =
  | {
      readonly kind: 'passed';
      readonly plan: Omit<SchedulingPlan, 'nodeClaims'>;
      /** The node claims in slices, each serialized, so that they can be read one slice a turn. */
      readonly slices: readonly Uint8Array<ArrayBuffer>[];
    }
  | { readonly kind: 'violating'; readonly violations: readonly string[]; readonly dump: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** What the thread is started with. */
export interface ThreadSettings {
  readonly dumpFolder: string;
}
