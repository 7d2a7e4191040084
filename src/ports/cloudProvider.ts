// Everything asked of the cloud: what can be bought, buying it, what is there, giving it back.
import type { CapacityType, InstanceType, Offering } from '../model/instanceType.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { NodeClass, NodeClassTargets } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { Resources } from '../model/resources.ts';

export interface Instance {
  /** `aws:///us-east-1a/i-0123`: what the Node's `spec.providerID` will be. */
  readonly providerId: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly imageId: string;
  readonly launchedAtMs: number;
  readonly state: 'pending' | 'running' | 'shutting-down' | 'stopping' | 'stopped' | 'terminated';
  /** Name and uid of the NodeClaim it was launched for, from its tags; '' when it carries none. */
  readonly nodeClaim: string;
  readonly nodeClaimUid: string;
  readonly provisioner: string;
  /** Where it is in the network, of instances that EC2 has described; absent in the answer to a launch. */
  readonly subnetId?: string;
  readonly securityGroupIds?: readonly string[];
  /** Launch group that it was bought for, from its tags; absent when it was bought for one claim. */
  readonly launchGroup?: string;
}

/** Provider ids on record in stored claims: an instance of a shared fleet that one of them has is no other's. */
export type TakenInstances = () => ReadonlySet<string>;

/** What a launch answered, beyond the instance itself. */
export interface LaunchedInstance extends Instance {
  readonly usdPerHour: number | null;
  readonly capacity: Resources;
  readonly allocatable: Resources;
}

export type LaunchOutcome =
  | { readonly kind: 'launched'; readonly instance: LaunchedInstance }
  /** EC2 has none of these just now; they are remembered and left out for a while. */
  | {
      readonly kind: 'insufficientCapacity';
      readonly offerings: readonly (Offering & { readonly instanceType: string })[];
      readonly message: string;
    }
  /** Will not work until a person mends the object named in the message. */
  | { readonly kind: 'rejected'; readonly reason: string; readonly message: string }
  /** The same call may go through later, and repeating it is safe: throttled, lost, or a fault of EC2's. */
  | { readonly kind: 'retryable'; readonly message: string };

/** Types on sale for one Provisioner, or why there are none: object, field and mend in one sentence each. */
export type InstanceTypesOutcome =
  | { readonly kind: 'found'; readonly instanceTypes: readonly InstanceType[] }
  | { readonly kind: 'notReady'; readonly reason: string; readonly message: string };

export interface CloudProvider {
  /** Types and prices for the Provisioner, offerings out of stock marked unavailable. Cheap to repeat: cached. */
  instanceTypes(provisioner: Provisioner, nodeClass: NodeClass): Promise<InstanceTypesOutcome>;
  /**
   * Launches the claim's one instance. Repeating it for the same claim uid gives the same instance, never a second.
   * Claims of one launch group may be bought together; `taken` is asked before one gets an instance bought for all.
   */
  launch(claim: NodeClaim, nodeClass: NodeClass, taken?: TakenInstances): Promise<LaunchOutcome>;
  /** Every instance of this cluster that carries owner tags and is not terminated. Throws when EC2 cannot be asked. */
  list(): Promise<readonly Instance[]>;
  /** Asks for termination; repeat until 'gone': the instance is terminated, or EC2 does not know it. */
  terminate(providerId: string): Promise<'terminating' | 'gone'>;
  /** What a launch would use now, cached; null when that cannot be told. Absent: nothing of it is ever compared. */
  nodeClassTargets?(nodeClass: NodeClass): Promise<NodeClassTargets | null>;
  /** The cloud takes back an instance of this offering: it is left out for a while. Absent: nothing is remembered. */
  noteInterrupted?(offering: InterruptedOffering): void;
  /** A node has registered: what it really has is worth more than any guess. Absent: nothing is learned. */
  noteNode?(node: RegisteredNode): void;
  /** A stored claim has this instance, and its tags do not say so: they are put right. Absent: it needs no tags. */
  noteOwner?(providerId: string, owner: InstanceOwner): void;
  /** What an instance that never became a Node says of its boot. Absent: nothing is known of consoles. */
  consoleTail?(providerId: string): Promise<ConsoleTail>;
}

/** The lines of an instance's console that tell most, without secrets; or in one sentence why there are none. */
export type ConsoleTail =
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'none'; readonly because: string };

export interface InterruptedOffering {
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
}

/** The NodeClaim that has an instance. */
export interface InstanceOwner {
  readonly name: string;
  readonly uid: string;
}

/** What a node reports, and what it was made from. */
export interface RegisteredNode {
  readonly instanceType: string;
  readonly imageId: string;
  readonly memoryBytes: number;
}
