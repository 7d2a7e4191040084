// The port to Kubernetes over a real API server.
import type { Node } from '../model/node.ts';
import type { NodeClaim, NodeClaimStatus } from '../model/nodeClaim.ts';
import type { Pod } from '../model/pod.ts';
import type { LaunchFailures } from '../model/provisioner.ts';
import type { VolumeAttachment } from '../model/volumes.ts';
import type { Rollout } from '../model/workloads.ts';
import type {
  EventDraft,
  EvictionAnswer,
  KubeApi,
  NodeClaimDraft,
  NodePatch,
  ProvisionerStatus,
  StatusCondition,
  StoredNodeClaims,
  WriteOutcome,
} from '../ports/kubeApi.ts';
import { EventPublisher, type EventSettings } from './events.ts';
import {
  annotateNodeClaim,
  createNodeClaim,
  deleteNodeClaim,
  readNodeClaims,
  releaseNodeClaim,
  writeEmptySince,
  writeNodeClaimStatus,
} from './nodeClaims.ts';
import { deleteNode, patchNode, readNode, readNodeProviderIds, reportsVolumes } from './nodes.ts';
import { deletePod, evictPod, nominatePod, type PodIdentity, readNodePods } from './pods.ts';
import { readRollout, restartRollout } from './rollouts.ts';
import { writeLaunchFailures, writeNodeTemplateStatus, writeProvisionerStatus } from './statuses.ts';
import type { KubeTransport } from './transport.ts';
import { readVolumeAttachments } from './volumeAttachments.ts';

/** All calls go through one transport; each method's contract is the port's. */
export class ServerKubeApi implements KubeApi {
  readonly #transport: KubeTransport;
  readonly #events: EventPublisher;

  constructor(transport: KubeTransport, settings: EventSettings) {
    this.#transport = transport;
    this.#events = new EventPublisher(transport, settings);
  }

  createNodeClaim(
    draft: NodeClaimDraft,
  ): Promise<{ readonly kind: 'written' | 'exists'; readonly object: NodeClaim }> {
    return createNodeClaim(this.#transport, draft);
  }

  writeNodeClaimStatus(claim: NodeClaim, status: NodeClaimStatus): Promise<WriteOutcome<NodeClaim>> {
    return writeNodeClaimStatus(this.#transport, claim, status);
  }

  writeEmptySince(claim: NodeClaim, emptySinceMs: number | null): Promise<WriteOutcome<NodeClaim>> {
    return writeEmptySince(this.#transport, claim, emptySinceMs);
  }

  annotateNodeClaim(
    claim: NodeClaim,
    annotations: Readonly<Record<string, string | null>>,
  ): Promise<WriteOutcome<NodeClaim>> {
    return annotateNodeClaim(this.#transport, claim, annotations);
  }

  deleteNodeClaim(name: string, uid: string): Promise<'deleted' | 'gone'> {
    return deleteNodeClaim(this.#transport, name, uid);
  }

  releaseNodeClaim(name: string): Promise<'released' | 'gone'> {
    return releaseNodeClaim(this.#transport, name);
  }

  patchNode(node: Node, patch: NodePatch): Promise<WriteOutcome<Node>> {
    return patchNode(this.#transport, node, patch);
  }

  deleteNode(name: string, uid: string): Promise<'deleted' | 'gone'> {
    return deleteNode(this.#transport, name, uid);
  }

  evictPod(pod: PodIdentity): Promise<EvictionAnswer> {
    return evictPod(this.#transport, pod);
  }

  deletePod(pod: PodIdentity, graceSeconds: number): Promise<'deleted' | 'gone'> {
    return deletePod(this.#transport, pod, graceSeconds);
  }

  nominatePod(pod: PodIdentity, nodeName: string): Promise<'written' | 'gone'> {
    return nominatePod(this.#transport, pod, nodeName);
  }

  readNodePods(nodeName: string): Promise<readonly Pod[]> {
    return readNodePods(this.#transport, nodeName);
  }

  readNode(name: string): Promise<Node | null> {
    return readNode(this.#transport, name);
  }

  readNodeProviderIds(): Promise<ReadonlySet<string>> {
    return readNodeProviderIds(this.#transport);
  }

  readNodeClaims(): Promise<StoredNodeClaims> {
    return readNodeClaims(this.#transport);
  }

  readRollout(pod: Pick<Pod, 'namespace' | 'owner'>): Promise<Rollout | null | 'forbidden'> {
    return readRollout(this.#transport, pod);
  }

  restartRollout(rollout: Rollout, atMs: number): Promise<'restarted' | 'gone'> {
    return restartRollout(this.#transport, rollout, atMs);
  }

  readVolumeAttachments(): Promise<readonly VolumeAttachment[] | 'forbidden'> {
    return readVolumeAttachments(this.#transport);
  }

  reportsVolumes(nodeName: string): Promise<boolean> {
    return reportsVolumes(this.#transport, nodeName);
  }

  writeProvisionerStatus(name: string, status: ProvisionerStatus): Promise<'written' | 'gone'> {
    return writeProvisionerStatus(this.#transport, name, status);
  }

  writeLaunchFailures(name: string, failures: LaunchFailures | null): Promise<'written' | 'gone'> {
    return writeLaunchFailures(this.#transport, name, failures);
  }

  writeNodeTemplateStatus(name: string, conditions: readonly StatusCondition[]): Promise<'written' | 'gone'> {
    return writeNodeTemplateStatus(this.#transport, name, conditions);
  }

  publishEvent(event: EventDraft): Promise<void> {
    return this.#events.publish(event);
  }
}
