// Everything written to Kubernetes. Reads come as events through the watch, but for what must not be a moment old.
import type { Node } from '../model/node.ts';
import type { NodeClaim, NodeClaimSpec, NodeClaimStatus } from '../model/nodeClaim.ts';
import type { OwnerReference, Pod } from '../model/pod.ts';
import type { LaunchFailures } from '../model/provisioner.ts';
import type { Resources } from '../model/resources.ts';
import type { Taint } from '../model/taint.ts';
import type { VolumeAttachment } from '../model/volumes.ts';
import type { Rollout } from '../model/workloads.ts';

/** Result of a write: the object as stored, 'gone' when it is not there, 'conflict' when a newer version is. */
export type WriteOutcome<T> =
  | { readonly kind: 'written'; readonly object: T }
  | { readonly kind: 'gone' }
  | { readonly kind: 'conflict' };

/**
 * 'blocked' when a disruption budget forbids it now (HTTP 429), 'denied' when the server refuses for another reason, an
 * admission webhook's for example: in its own words.
 */
export type EvictionAnswer =
  | 'evicted'
  | 'blocked'
  | 'gone'
  | { readonly kind: 'denied'; readonly reason: string };

export interface NodeClaimDraft {
  readonly name: string;
  readonly spec: NodeClaimSpec;
  /** The Provisioner it belongs to: deleting that deletes its claims. */
  readonly ownerUid: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Absent fields stay as they are. Labels and annotations merge; null removes one. Taints replace by (key, effect). */
export interface NodePatch {
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly addTaints?: readonly Taint[];
  readonly removeTaints?: readonly { readonly key: string; readonly effect: string }[];
  readonly unschedulable?: boolean;
  readonly addFinalizer?: string;
  readonly removeFinalizer?: string;
}

export interface EventDraft {
  readonly about: {
    readonly kind: 'Pod' | 'Node' | 'NodeClaim' | 'Provisioner' | 'AWSNodeTemplate';
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface StatusCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly sinceMs: number;
}

export interface ProvisionerStatus {
  readonly resources: Resources;
  readonly conditions: readonly StatusCondition[];
}

/** What a list of the NodeClaims has. */
export interface StoredNodeClaims {
  readonly claims: readonly NodeClaim[];
  /** Uids of those that cannot be read. */
  readonly unreadable: readonly string[];
}

export interface KubeApi {
  /** 'exists' when a claim of that name is there already (an earlier try went through). */
  createNodeClaim(
    draft: NodeClaimDraft,
  ): Promise<{ readonly kind: 'written' | 'exists'; readonly object: NodeClaim }>;
  /** Replaces the status. 'conflict' when the claim has changed since `claim` was read. */
  writeNodeClaimStatus(claim: NodeClaim, status: NodeClaimStatus): Promise<WriteOutcome<NodeClaim>>;
  /** Stamps or clears the start of emptiness (annotation `karpenter.sh/emptiness-timestamp`). */
  writeEmptySince(claim: NodeClaim, emptySinceMs: number | null): Promise<WriteOutcome<NodeClaim>>;
  /** Merges annotations of the claim's own; null removes one. 'conflict' when it has changed since it was read. */
  annotateNodeClaim(
    claim: NodeClaim,
    annotations: Readonly<Record<string, string | null>>,
  ): Promise<WriteOutcome<NodeClaim>>;
  /** Asks for deletion; the finalizer keeps the claim until its instance is gone. */
  deleteNodeClaim(name: string, uid: string): Promise<'deleted' | 'gone'>;
  /** Takes the termination finalizer off: the claim goes. */
  releaseNodeClaim(name: string): Promise<'released' | 'gone'>;
  patchNode(node: Node, patch: NodePatch): Promise<WriteOutcome<Node>>;
  deleteNode(name: string, uid: string): Promise<'deleted' | 'gone'>;
  /** Eviction API. Throws when the server has not answered. */
  evictPod(pod: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  }): Promise<EvictionAnswer>;
  /**
   * Deletes the pod with that many seconds to stop, whatever budgets say: for drains at the end of their time. 'gone'
   * also when another pod has taken the name.
   */
  deletePod(
    pod: { readonly namespace: string; readonly name: string; readonly uid: string },
    graceSeconds: number,
  ): Promise<'deleted' | 'gone'>;
  /**
   * Writes the pod's `status.nominatedNodeName`: the node that the kube-scheduler is to try first, '' for none.
   * 'gone' also when another pod has taken the name, or when it keeps changing.
   */
  nominatePod(
    pod: { readonly namespace: string; readonly name: string; readonly uid: string },
    nodeName: string,
  ): Promise<'written' | 'gone'>;
  /**
   * All pods bound to the node as the server has them now, not as a watch or cache last heard of them. For the steps
   * that cannot be taken back: an eviction, the end of an instance.
   */
  readNodePods(nodeName: string): Promise<readonly Pod[]>;
  /** The Node of that name as the server has it now; null when it has none. For steps that cannot be taken back. */
  readNode(name: string): Promise<Node | null>;
  /** Provider ids of all Nodes as the server has them now. */
  readNodeProviderIds(): Promise<ReadonlySet<string>>;
  /** All NodeClaims as the server has them now. */
  readNodeClaims(): Promise<StoredNodeClaims>;
  /** The Deployment that makes the pod anew; null when there is none, 'forbidden' without the right to look. */
  readRollout(pod: {
    readonly namespace: string;
    readonly owner: OwnerReference | null;
  }): Promise<Rollout | null | 'forbidden'>;
  /** Rolls the Deployment, as `kubectl rollout restart` does; 'gone' also without the right to. */
  restartRollout(rollout: Rollout, atMs: number): Promise<'restarted' | 'gone'>;
  /**
   * Every attachment of a volume to any node as the server has it now; there is no way to ask for those of one node.
   * 'forbidden' without the right to list them, which charts before that of this version do not grant.
   */
  readVolumeAttachments(): Promise<readonly VolumeAttachment[] | 'forbidden'>;
  /** True while the status of the Node of that name lists volumes as attached or in use, as the server has it now. */
  reportsVolumes(nodeName: string): Promise<boolean>;
  writeProvisionerStatus(name: string, status: ProvisionerStatus): Promise<'written' | 'gone'>;
  /** Sets or removes what the Provisioner's status says of nodes that never came up; the rest of it stays. */
  writeLaunchFailures(name: string, failures: LaunchFailures | null): Promise<'written' | 'gone'>;
  writeNodeTemplateStatus(name: string, conditions: readonly StatusCondition[]): Promise<'written' | 'gone'>;
  /** Best effort: never throws, repeated events are counted up by the adapter. */
  publishEvent(event: EventDraft): Promise<void>;
}
