// KubeApi over the simulated API server: each call takes a moment, then acts on the store at once.
import { TERMINATION_FINALIZER } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import { NO_STATUS, type NodeClaim, type NodeClaimStatus } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { LaunchFailures } from '../model/provisioner.ts';
import type { VolumeAttachment } from '../model/volumes.ts';
import type { Rollout } from '../model/workloads.ts';
import type {
  EventDraft,
  KubeApi,
  NodeClaimDraft,
  NodePatch,
  ProvisionerStatus,
  StatusCondition,
  StoredNodeClaims,
  WriteOutcome,
} from '../ports/kubeApi.ts';
import type { DisruptionBudgets } from './disruptionBudgets.ts';
import {
  merged,
  nominateStoredPod,
  patchStoredNode,
  replaceNodeClaim,
  requestNodeClaimDeletion,
  requestNodeDeletion,
  requestPodDeletion,
  storedTimeMs,
  storeNodeClaim,
} from './kubeWrites.ts';
import type { ObjectStore } from './objectStore.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtualClock.ts';
import type { VolumeAttachments } from './volumeAttachments.ts';
import type { Workloads } from './workloads.ts';

/** Round trip of one API call, within a region. */
const CALL_MS = { least: 2, most: 8 };

/** What an eviction did: 'leaving' pods were on their way out already, and nothing changed. */
export type EvictionEffect = 'evicted' | 'leaving' | 'blocked' | 'gone';

/** Told of every call that went through, for checkers and the timeline. */
export interface KubeObserver {
  evicted?(pod: string, outcome: EvictionEffect): void;
  /** Uid of the Deployment. */
  rolled?(uid: string): void;
  /** The pod as it was when its deletion was asked for. */
  deleted?(pod: Pod, graceSeconds: number): void;
  published?(event: EventDraft): void;
}

export interface KubeParts {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly budgets: DisruptionBudgets;
  readonly random: Random;
  readonly attachments: VolumeAttachments;
  readonly workloads: Workloads;
}

export class SimulatedKube implements KubeApi {
  readonly #parts: KubeParts;
  readonly #observers: KubeObserver[] = [];
  readonly provisionerStatuses = new Map<string, ProvisionerStatus>();
  readonly nodeTemplateStatuses = new Map<string, readonly StatusCondition[]>();

  constructor(parts: KubeParts) {
    this.#parts = parts;
  }

  observe(observer: KubeObserver): void {
    this.#observers.push(observer);
  }

  createNodeClaim(
    draft: NodeClaimDraft,
  ): Promise<{ readonly kind: 'written' | 'exists'; readonly object: NodeClaim }> {
    const { store, random } = this.#parts;
    return this.#call((nowMs) => {
      const held = store.get('nodeClaim', draft.name);
      if (held !== undefined) return { kind: 'exists', object: held };
      const created = store.put('nodeClaim', draft.name, {
        name: draft.name,
        uid: random.uuid(),
        resourceVersion: '',
        finalizers: [TERMINATION_FINALIZER],
        createdAtMs: storedTimeMs(nowMs),
        deletionRequestedAtMs: null,
        emptySinceMs: null,
        ...(draft.annotations === undefined ? {} : { annotations: draft.annotations }),
        spec: draft.spec,
        status: NO_STATUS,
      });
      return { kind: 'written', object: created };
    });
  }

  writeNodeClaimStatus(claim: NodeClaim, status: NodeClaimStatus): Promise<WriteOutcome<NodeClaim>> {
    return this.#call(() =>
      replaceNodeClaim(this.#parts.store, claim, (current) => ({ ...current, status })),
    );
  }

  writeEmptySince(claim: NodeClaim, emptySinceMs: number | null): Promise<WriteOutcome<NodeClaim>> {
    return this.#call(() =>
      replaceNodeClaim(this.#parts.store, claim, (current) => ({ ...current, emptySinceMs })),
    );
  }

  annotateNodeClaim(
    claim: NodeClaim,
    annotations: Readonly<Record<string, string | null>>,
  ): Promise<WriteOutcome<NodeClaim>> {
    return this.#call(() =>
      replaceNodeClaim(this.#parts.store, claim, (current) => ({
        ...current,
        annotations: merged(current.annotations ?? {}, annotations),
      })),
    );
  }

  deleteNodeClaim(name: string, uid: string): Promise<'deleted' | 'gone'> {
    return this.#call((nowMs) => {
      const claim = this.#parts.store.get('nodeClaim', name);
      if (claim === undefined || claim.uid !== uid) return 'gone';
      requestNodeClaimDeletion(this.#parts.store, claim, nowMs);
      return 'deleted';
    });
  }

  releaseNodeClaim(name: string): Promise<'released' | 'gone'> {
    return this.#call(() => {
      const claim = this.#parts.store.get('nodeClaim', name);
      if (claim === undefined) return 'gone';
      const finalizers = claim.finalizers.filter((one) => one !== TERMINATION_FINALIZER);
      storeNodeClaim(this.#parts.store, { ...claim, finalizers });
      return 'released';
    });
  }

  patchNode(node: Node, patch: NodePatch): Promise<WriteOutcome<Node>> {
    return this.#call(() => patchStoredNode(this.#parts.store, node, patch));
  }

  deleteNode(name: string, uid: string): Promise<'deleted' | 'gone'> {
    return this.#call((nowMs) => {
      const node = this.#parts.store.get('node', name);
      if (node === undefined || node.uid !== uid) return 'gone';
      requestNodeDeletion(this.#parts.store, node, nowMs);
      return 'deleted';
    });
  }

  evictPod(pod: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  }): Promise<'evicted' | 'blocked' | 'gone'> {
    return this.#call((nowMs) => {
      const effect = this.#evict(podKey(pod), pod.uid, nowMs);
      for (const observer of this.#observers) observer.evicted?.(podKey(pod), effect);
      return effect === 'leaving' ? 'evicted' : effect;
    });
  }

  deletePod(
    written: { readonly namespace: string; readonly name: string; readonly uid: string },
    graceSeconds: number,
  ): Promise<'deleted' | 'gone'> {
    return this.#call((nowMs) => {
      const pod = this.#parts.store.get('pod', podKey(written));
      if (pod === undefined || pod.uid !== written.uid) return 'gone';
      for (const observer of this.#observers) observer.deleted?.(pod, graceSeconds);
      requestPodDeletion(this.#parts.store, pod, nowMs, graceSeconds);
      return 'deleted';
    });
  }

  nominatePod(
    pod: { readonly namespace: string; readonly name: string; readonly uid: string },
    nodeName: string,
  ): Promise<'written' | 'gone'> {
    return this.#call(() => nominateStoredPod(this.#parts.store, pod, nodeName));
  }

  readNodePods(nodeName: string): Promise<readonly Pod[]> {
    return this.#call(() => [...this.#parts.store.values('pod')].filter((pod) => pod.nodeName === nodeName));
  }

  readNode(name: string): Promise<Node | null> {
    return this.#call(() => this.#parts.store.get('node', name) ?? null);
  }

  readNodeProviderIds(): Promise<ReadonlySet<string>> {
    return this.#call(
      () => new Set([...this.#parts.store.values('node')].map(({ providerId }) => providerId)),
    );
  }

  readNodeClaims(): Promise<StoredNodeClaims> {
    return this.#call(() => ({ claims: [...this.#parts.store.values('nodeClaim')], unreadable: [] }));
  }

  readRollout(pod: Pick<Pod, 'owner'>): Promise<Rollout | null> {
    return this.#call(() => this.#parts.workloads.rolloutOf(pod));
  }

  restartRollout({ uid }: Rollout, atMs: number): Promise<'restarted' | 'gone'> {
    return this.#call(() => {
      for (const observer of this.#observers) observer.rolled?.(uid);
      return this.#parts.workloads.restart(uid, atMs);
    });
  }

  readVolumeAttachments(): Promise<readonly VolumeAttachment[] | 'forbidden'> {
    return this.#call(() => this.#parts.attachments.all());
  }

  reportsVolumes(name: string): Promise<boolean> {
    return this.#call(() => this.#parts.attachments.all().some(({ nodeName }) => nodeName === name));
  }

  writeProvisionerStatus(name: string, status: ProvisionerStatus): Promise<'written' | 'gone'> {
    return this.#call(() => {
      if (this.#parts.store.get('provisioner', name) === undefined) return 'gone';
      this.provisionerStatuses.set(name, status);
      return 'written';
    });
  }

  writeLaunchFailures(name: string, failures: LaunchFailures | null): Promise<'written' | 'gone'> {
    return this.#call(() => {
      const held = this.#parts.store.get('provisioner', name);
      if (held === undefined) return 'gone';
      const { launchFailures: _, ...rest } = held;
      const launchFailures = failures === null ? {} : { launchFailures: failures };
      this.#parts.store.put('provisioner', name, { ...rest, ...launchFailures });
      return 'written';
    });
  }

  writeNodeTemplateStatus(name: string, conditions: readonly StatusCondition[]): Promise<'written' | 'gone'> {
    return this.#call(() => {
      if (this.#parts.store.get('nodeClass', `AWSNodeTemplate/${name}`) === undefined) return 'gone';
      this.nodeTemplateStatuses.set(name, conditions);
      return 'written';
    });
  }

  publishEvent(event: EventDraft): Promise<void> {
    return this.#call(() => {
      for (const observer of this.#observers) observer.published?.(event);
    });
  }

  /** Eviction goes by the pods' budgets; a pod that asks for deletion already counts as evicted. */
  #evict(key: string, uid: string, nowMs: number): EvictionEffect {
    const pod = this.#parts.store.get('pod', key);
    if (pod === undefined || pod.uid !== uid) return 'gone';
    if (pod.deletionRequestedAtMs !== null) return 'leaving';
    if (!this.#parts.budgets.takeDisruption(pod)) return 'blocked';
    requestPodDeletion(this.#parts.store, pod, nowMs);
    return 'evicted';
  }

  #call<T>(act: (nowMs: number) => T): Promise<T> {
    const { clock, random } = this.#parts;
    const durationMs = random.integer(CALL_MS.least, CALL_MS.most);
    return new Promise((resolve) => clock.after(durationMs, () => resolve(act(clock.nowMs()))));
  }
}
