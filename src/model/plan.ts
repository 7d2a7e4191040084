// Decisions as data: what to launch, which pods it is for, what was refused and why, what goes.
import type { CapacityType } from './instanceType.ts';
import type { NodeClaimSpec } from './nodeClaim.ts';
import type { Resources } from './resources.ts';

/** One node to launch. Its requirements restrict types, zones and capacity types to what holds the pods. */
export interface PlannedNodeClaim {
  readonly spec: NodeClaimSpec;
  /** The cheapest offering that fits: what the price is stated for. */
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly usdPerHour: number;
  /** Allocatable of the cheapest type. */
  readonly allocatable: Resources;
  /** Pod keys, sorted. */
  readonly pods: readonly string[];
}

/** A pod that an existing node, or a NodeClaim in flight, will take. */
export interface Nomination {
  readonly pod: string;
  readonly target: { readonly kind: 'node' | 'nodeClaim'; readonly name: string };
}

/** Stable codes: users alert on them. */
export type RefusalCode =
  | 'NoProvisioner'
  | 'InvalidPod'
  | 'LabelMismatch'
  | 'LabelUndefined'
  | 'TaintNotTolerated'
  | 'InsufficientResources'
  | 'NoCapacity'
  | 'LimitExceeded'
  | 'PodAffinity'
  | 'PodAntiAffinity'
  | 'TopologySpread'
  | 'HostPort'
  | 'Volume'
  | 'MinValues'
  /** The Provisioner that would do is off, see its `spec.schedule`. */
  | 'OffHours'
  /** A fault of ours: no plan with the pod was made in time, or none passed its check. */
  | 'NotPlanned';

/** Why a pod gets no node: one constraint, one sentence, and the nearest that would do. */
export interface Refusal {
  readonly pod: string;
  readonly code: RefusalCode;
  /** The Provisioner that came nearest, '' when there is none. */
  readonly provisioner: string;
  readonly reason: string;
  /** What is nearest to fitting: "the largest type that "default" allows has 8". '' when nothing is. */
  readonly nearest: string;
}

export interface SchedulingPlan {
  readonly nodeClaims: readonly PlannedNodeClaim[];
  readonly nominations: readonly Nomination[];
  readonly refusals: readonly Refusal[];
  /** Price of the planned nodes together. */
  readonly usdPerHour: number;
  /** No plan for these pods can cost less; 0 when none is known. */
  readonly lowerBoundUsdPerHour: number;
}

export type DisruptionReason =
  | 'Empty'
  | 'Expired'
  | 'Drifted'
  | 'Underutilized'
  | 'OffHours'
  | 'Interrupted'
  | 'Unhealthy'
  | 'NeverRegistered';

/** NodeClaims that go together, for one reason, and what is launched before they do. */
export interface DisruptionPlan {
  readonly reason: DisruptionReason;
  readonly nodeClaims: readonly string[];
  readonly replacements: readonly PlannedNodeClaim[];
  /** Absent when they do not go to save money. */
  readonly savingUsdPerHour?: number;
  /** Keys of the pods that have to move; absent when that is not looked at. */
  readonly podsMoved?: readonly string[];
  /** One sentence for events and the journal. */
  readonly message: string;
}
