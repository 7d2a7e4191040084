// What passes between the thread that decides and the thread that plans.
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

export type ToThread = NewsMessage | SolveMessage;

export type FromThread =
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
