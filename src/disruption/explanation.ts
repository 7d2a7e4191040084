// Explanations as data: what may happen to a node, a NodeClaim or a pod now, what keeps it, and when that changes.
import type { BudgetedReason } from '../model/disruptionPolicy.ts';
import type { CapacityType } from '../model/instanceType.ts';
import type { RefusalCode } from '../model/plan.ts';
import type { Resources } from '../model/resources.ts';
import type { Obstacle } from './obstacle.ts';

/** Why a node may go of our own accord. */
export type ExplainedReason = BudgetedReason | 'Unhealthy';

/**
 * How things stand with one reason. `off`: nobody asks for it. `no`: it does not apply to the node as it is.
 * `later`: it will, at `changesAtMs` or after others. `blocked`: it applies, and something keeps the node.
 * `due`: the node goes when the controller looks next.
 */
export type Standing = 'off' | 'no' | 'later' | 'blocked' | 'due';

/** A node that would be launched. */
export interface ProposedNode {
  readonly provisioner: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly usdPerHour: number;
  /** Keys, sorted. */
  readonly pods: readonly string[];
}

/** Where pods of a node would go, and what that would save. */
export interface Proposal {
  /** All claims that would go together. */
  readonly nodeClaims: readonly string[];
  readonly replacements: readonly ProposedNode[];
  /** Pods that other nodes would take; those of replacements are listed there. */
  readonly moves: readonly { readonly pod: string; readonly to: string }[];
  /** Null when the node does not go to save money. */
  readonly savingUsdPerHour: number | null;
  readonly message: string;
}

export interface ReasonExplanation {
  readonly reason: ExplainedReason;
  readonly standing: Standing;
  /** One sentence. */
  readonly message: string;
  /** When this changes by itself, in milliseconds since the epoch; null when it does not, or nobody knows. */
  readonly changesAtMs: number | null;
  /** All that keeps the node, each by itself enough. */
  readonly obstacles: readonly Obstacle[];
  /** What would be done, or would be but for the obstacles; null when nothing would. */
  readonly proposal: Proposal | null;
}

/** What one budget of the Provisioner says of one reason. */
export interface BudgetExplanation {
  readonly reason: BudgetedReason;
  /** How many more of its nodes may go now; null for any number. */
  readonly left: number | null;
  readonly message: string;
  /** When windows change what is allowed; null when they do not. */
  readonly changesAtMs: number | null;
}

/** A PodDisruptionBudget over a pod. */
export interface PodBudgetExplanation {
  readonly name: string;
  readonly disruptionsAllowed: number;
  readonly currentHealthy: number | null;
  readonly desiredHealthy: number | null;
}

/** One pod of a node. */
export interface PodOnNode {
  readonly pod: string;
  readonly owner: string;
  readonly requests: Resources;
  /** `moves` when the node goes, `ends` with the node, or `keeps` the node for now. */
  readonly standing: 'moves' | 'ends' | 'keeps';
  /** What keeps it there; '' for nothing. */
  readonly message: string;
}

/** How far a node has come in leaving. */
export interface DrainExplanation {
  readonly sinceMs: number;
  /** When all that is left ends, by `terminationGracePeriod`; null for as long as it takes. */
  readonly endsAtMs: number | null;
  readonly message: string;
  readonly pods: readonly {
    readonly pod: string;
    readonly state: 'evicted next' | 'deleted next' | 'waits its turn' | 'terminating' | 'kept';
    readonly message: string;
  }[];
}

/** One step of a claim's life, and how long it took since the one before. */
export interface LaunchStep {
  readonly step: string;
  /** Null while it has not happened. */
  readonly atMs: number | null;
  readonly tookMs: number | null;
  readonly message: string;
}

/** A replacement that has been ordered: nodes that go once others are up. */
export interface OrderExplanation {
  readonly reason: BudgetedReason;
  readonly orderedAtMs: number;
  /** Claims that go, and claims launched in their place. */
  readonly nodeClaims: readonly string[];
  readonly replacements: readonly string[];
  readonly message: string;
}

export interface NodeExplanation {
  readonly takenAtMs: number;
  /** '' while the claim has no Node. */
  readonly node: string;
  /** '' for a node that is not Cooper's. */
  readonly nodeClaim: string;
  readonly provisioner: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: string;
  readonly usdPerHour: number | null;
  readonly bornAtMs: number;
  /** One sentence: what it is doing. */
  readonly state: string;
  readonly requested: Resources;
  readonly allocatable: Resources;
  readonly pods: readonly PodOnNode[];
  readonly reasons: readonly ReasonExplanation[];
  readonly budgets: readonly BudgetExplanation[];
  /** Orders that the node goes by, or was launched for. */
  readonly orders: readonly OrderExplanation[];
  /** Null unless it is leaving. */
  readonly drain: DrainExplanation | null;
  readonly launch: readonly LaunchStep[];
  /** The earliest of all that is known to change by itself; null when nothing is. */
  readonly nextChangeAtMs: number | null;
}

/** Where a pod would go if it were planned for now. */
export type PlaceExplanation =
  | { readonly kind: 'newNode'; readonly node: ProposedNode }
  | { readonly kind: 'existing'; readonly target: string }
  | { readonly kind: 'refused'; readonly provisioners: readonly ProvisionerRefusal[] }
  | { readonly kind: 'none'; readonly message: string };

/** Why one Provisioner would launch no node for a pod. */
export interface ProvisionerRefusal {
  readonly provisioner: string;
  readonly code: RefusalCode;
  readonly reason: string;
  readonly nearest: string;
}

export interface PodExplanation {
  readonly takenAtMs: number;
  readonly pod: string;
  readonly phase: string;
  readonly owner: string;
  readonly requests: Resources;
  /** '' while it is not bound. */
  readonly node: string;
  /** '' when its node is not Cooper's. */
  readonly nodeClaim: string;
  /** One sentence. */
  readonly state: string;
  /** Node that the kube-scheduler is told to try first, with the claim it belongs to; null for none. */
  readonly nominated: { readonly node: string; readonly nodeClaim: string; readonly message: string } | null;
  readonly budgets: readonly PodBudgetExplanation[];
  /** What forbids its eviction now; empty for pods that are not bound. */
  readonly obstacles: readonly Obstacle[];
  /** Pending: where it would go. Bound: where it would go if its node went. */
  readonly place: PlaceExplanation;
}
