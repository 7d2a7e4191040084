// Consolidation as data: what is asked, which nodes go, what is launched before, and why others stay.
import type { Nomination, PlannedNodeClaim } from './plan.ts';
import type { Catalogue, ClusterSnapshot } from './snapshot.ts';

/** What the snapshot cannot say of a node. Names that are absent stand for 0. */
export interface ConsolidationView {
  /** By node or claim name: until when pods are on their way to it. */
  readonly nominatedUntilMs: ReadonlyMap<string, number>;
  /** By node name: when a pod last came to it or left it, as far as that is known. */
  readonly podsChangedAtMs: ReadonlyMap<string, number>;
  /** By claim name: why nodes are not to be consolidated now, in one sentence; absent for no such nodes. */
  readonly leftAlone?: ReadonlyMap<string, string>;
}

export interface Consolidation {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  readonly view: ConsolidationView;
}

/** Nodes that go, what is launched before, and what that saves. */
export interface ConsolidationAction {
  /** Names of NodeClaims, the most to be saved first. */
  readonly nodeClaims: readonly string[];
  readonly replacements: readonly PlannedNodeClaim[];
  /** Where pods go that existing nodes take. */
  readonly nominations: readonly Nomination[];
  /** Keys of the pods to be evicted. */
  readonly evicted: readonly string[];
  /** At least: replacements are reckoned at the most that they may cost. */
  readonly savingUsdPerHour: number;
  readonly message: string;
}

/** A node that stays, by the name of its NodeClaim, and why, in one sentence. */
export interface Kept {
  readonly nodeClaim: string;
  readonly message: string;
  /** Key of the pod that is in the way; absent when none is. */
  readonly blockedBy?: string;
}

export interface ConsolidationDecision {
  /** Null when nothing pays, or nothing may be done now. */
  readonly action: ConsolidationAction | null;
  /** Why nothing at all is done now, in one sentence; '' when nodes were looked at. */
  readonly halted: string;
  /** Nodes that stay, and why. */
  readonly kept: readonly Kept[];
  /** How many plans were made for it. */
  readonly trials: number;
}

/** An action whose replacements have been ordered. */
export interface OrderedConsolidation {
  /** Names of the NodeClaims that are to go. */
  readonly nodeClaims: readonly string[];
  /** Names of the NodeClaims that were launched in their place: pods are on their way to them. */
  readonly replacements: readonly string[];
  /** Where the decision had the pods; absent when that is not known any more. */
  readonly nominations?: readonly Nomination[];
}

/** A decision that was not made, for a reason that is a sentence for people. */
export function undecided(halted: string): ConsolidationDecision {
  return { action: null, halted, kept: [], trials: 0 };
}
