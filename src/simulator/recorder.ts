// Writes down what happens in cluster and cloud, as history entries.
import type { ClusterEvent, ModelByKind, ObjectKind } from '../model/clusterEvent.ts';
import { isReady, type Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { isOwnedByDaemonSet, type Pod } from '../model/pod.ts';
import type { History, HistoryKind } from './history.ts';
import type { NodeLedger } from './nodeLedger.ts';
import type { ObjectStore } from './objectStore.ts';
import type { SimulatedCloud } from './simulatedCloud.ts';
import type { SimulatedKube } from './simulatedKube.ts';
import type { VirtualClock } from './virtualClock.ts';

export interface RecorderParts {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly ledger: NodeLedger;
  readonly history: History;
}

type Facts = Readonly<Record<string, unknown>>;

export class Recorder {
  readonly #parts: RecorderParts;
  /** Nodes that hold pods of workloads, as far as was written down. */
  readonly #inUse = new Set<string>();

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    parts.store.subscribe((event, before) => this.#recordChange(event, before));
  }

  recordCloud(cloud: SimulatedCloud): void {
    cloud.observe({
      launchAsked: (claim) =>
        this.#note('FleetRequested', claim.name, { types: claim.spec.instanceTypes.length }),
      launchAnswered: (claim, outcome) => {
        const launched = outcome.kind === 'launched' ? outcome.instance : null;
        this.#note('FleetAnswered', claim.name, {
          outcome: outcome.kind,
          instanceType: launched?.instanceType ?? '',
          zone: launched?.zone ?? '',
          usdPerHour: launched?.usdPerHour ?? null,
        });
      },
      terminationAsked: ({ instance, nodeName }) =>
        this.#note('TerminationRequested', instance.nodeClaim, { node: nodeName }),
      changed: ({ instance, nodeName }) => {
        const facts = { node: nodeName, instanceType: instance.instanceType };
        if (instance.state === 'running') this.#note('InstanceBooted', instance.nodeClaim, facts);
        if (instance.state === 'terminated') this.#note('InstanceTerminated', instance.nodeClaim, facts);
      },
    });
  }

  recordKube(kube: SimulatedKube): void {
    kube.observe({
      evicted: (pod, outcome) => this.#note('Evicted', pod, { outcome }),
      published: ({ about, reason, message }) =>
        this.#note('EventPublished', about.name, { about: about.kind, reason, message }),
    });
  }

  #recordChange(event: ClusterEvent, before: ModelByKind[ObjectKind] | undefined): void {
    if (event.kind === 'pod') {
      if (event.type === 'upsert') this.#recordPod(event.key, event.object, before as Pod | undefined);
      else this.#recordPodGone(event.key, before as Pod);
    } else if (event.kind === 'node') {
      if (event.type === 'upsert') this.#recordNode(event.object, before as Node | undefined);
      else this.#recordNodeGone(event.key, before as Node);
    } else if (event.kind === 'nodeClaim') {
      if (event.type === 'delete') this.#note('ClaimGone', event.key, {});
      else if (before === undefined) this.#recordClaim(event.object);
    }
  }

  #recordPod(key: string, pod: Pod, before: Pod | undefined): void {
    const facts = { node: pod.nodeName };
    if (before === undefined) this.#note('PodCreated', key, { owner: pod.owner?.name ?? '' });
    if (pod.unschedulableSinceMs !== null && (before?.unschedulableSinceMs ?? null) === null) {
      this.#note('PodPending', key, pod.spec.requests);
    }
    if (pod.nodeName !== '' && (before?.nodeName ?? '') === '') this.#note('PodBound', key, facts);
    if (pod.phase === 'Running' && before?.phase !== 'Running') this.#note('PodRunning', key, facts);
    if (pod.deletionRequestedAtMs !== null && (before?.deletionRequestedAtMs ?? null) === null) {
      this.#note('PodStopping', key, facts);
    }
    this.#recordUse(pod.nodeName);
  }

  #recordPodGone(key: string, pod: Pod): void {
    this.#note('PodGone', key, { node: pod.nodeName });
    if (!isOwnedByDaemonSet(pod)) this.#recordUse(pod.nodeName);
  }

  #recordUse(nodeName: string): void {
    if (nodeName === '') return;
    const pods = this.#parts.ledger.get(nodeName)?.workloadPods ?? 0;
    if (pods > 0) {
      this.#inUse.add(nodeName);
      return;
    }
    if (this.#inUse.delete(nodeName)) this.#note('NodeEmpty', nodeName, {});
  }

  #recordNode(node: Node, before: Node | undefined): void {
    if (before === undefined) this.#note('NodeRegistered', node.name, { providerId: node.providerId });
    const wasReady = before !== undefined && isReady(before);
    if (isReady(node) && !wasReady) this.#note('NodeReady', node.name, {});
    if (!isReady(node) && wasReady) this.#note('NodeNotReady', node.name, {});
  }

  #recordNodeGone(name: string, node: Node): void {
    this.#inUse.delete(name);
    this.#note('NodeGone', name, { aliveMs: this.#parts.clock.nowMs() - node.createdAtMs });
  }

  #recordClaim({ name, spec }: NodeClaim): void {
    this.#note('ClaimStored', name, { provisioner: spec.provisioner, requests: spec.requests });
  }

  #note(kind: HistoryKind, subject: string, facts: Facts): void {
    this.#parts.history.note({ atMs: this.#parts.clock.nowMs(), kind, subject, facts });
  }
}
