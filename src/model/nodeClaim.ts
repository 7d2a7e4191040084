// The stored intent of one node: written before the launch, deleted by the drain.
import type { CapacityType } from './instanceType.ts';
import type { KubeletConfiguration, NodeClassRef } from './provisioner.ts';
import type { Requirement } from './requirement.ts';
import type { Resources } from './resources.ts';
import type { Taint } from './taint.ts';

/** Claims of one plan that differ in nothing a launch depends on: one fleet may be asked for all of them. */
export interface LaunchGroup {
  readonly id: string;
  /** How many claims the plan had in it. */
  readonly size: number;
}

/** What a launch needs, complete: a restarted controller repeats it from here and nowhere else. */
export interface NodeClaimSpec {
  readonly provisioner: string;
  readonly nodeClassRef: NodeClassRef;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly startupTaints: readonly Taint[];
  readonly kubelet: KubeletConfiguration;
  /** Instance types, zones and capacity types allowed, and all else that must hold of the node. */
  readonly requirements: readonly Requirement[];
  /** Types that hold the pods at an acceptable price, cheapest first; at most 60. */
  readonly instanceTypes: readonly string[];
  /** What the planned pods and daemons ask for together. */
  readonly requests: Resources;
  /** How long after its deletion all that is left on its node ends; absent: its drain waits as long as it must. */
  readonly terminationGracePeriodMs?: number;
  /** Absent when no other claim of the plan is alike. */
  readonly launchGroup?: LaunchGroup;
}

export interface NodeClaimCondition {
  readonly type:
    | 'Launched'
    | 'Registered'
    | 'Initialized'
    | 'Drained'
    | 'VolumesDetached'
    | 'InstanceTerminating'
    | 'Drifted';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly sinceMs: number;
}

/** What is known of the instance and its node; empty until the launch has answered. */
export interface NodeClaimStatus {
  readonly providerId: string;
  readonly nodeName: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType | null;
  readonly imageId: string;
  readonly usdPerHour: number | null;
  readonly capacity: Resources;
  readonly allocatable: Resources;
  readonly conditions: readonly NodeClaimCondition[];
}

export interface NodeClaim {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly finalizers: readonly string[];
  readonly createdAtMs: number;
  readonly deletionRequestedAtMs: number | null;
  /** Since when its node holds no pods that count; null while it does, or before it is initialized. */
  readonly emptySinceMs: number | null;
  /** Only the annotations with a meaning here (`CLAIM_ANNOTATION`); absent when it has none of them. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec: NodeClaimSpec;
  readonly status: NodeClaimStatus;
}

export function hasCondition(claim: NodeClaim, type: NodeClaimCondition['type']): boolean {
  return claim.status.conditions.some((condition) => condition.type === type && condition.status === 'True');
}

export const NO_STATUS: NodeClaimStatus = {
  providerId: '',
  nodeName: '',
  instanceType: '',
  zone: '',
  capacityType: null,
  imageId: '',
  usdPerHour: null,
  capacity: {},
  allocatable: {},
  conditions: [],
};
