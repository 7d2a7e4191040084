// What Kubernetes itself does with nodes: silent ones become NotReady, gone ones are deleted, their pods collected.
import type { Node } from '../model/node.ts';
import { isOwnedByDaemonSet, type Pod, podKey } from '../model/pod.ts';
import { type Taint, untoleratedTaint } from '../model/taint.ts';
import { type Kubelets, withReady } from './kubelets.ts';
import {
  requestNodeClaimDeletion,
  requestNodeDeletion,
  requestPodDeletion,
  withTaints,
} from './kubeWrites.ts';
import type { NodeLedger } from './nodeLedger.ts';
import type { ObjectStore } from './objectStore.ts';
import type { VirtualClock } from './virtualClock.ts';

/** kube-controller-manager's `--node-monitor-grace-period`. */
const SILENCE_MS = 40_000;
/** `tolerationSeconds` that admission gives every pod for not-ready and unreachable nodes. */
const UNREACHABLE_GRACE_MS = 300_000;
/** How often the cloud's node controller asks whether the instance of a silent node is still there. */
const CLOUD_CHECK_MS = 5000;

const UNREACHABLE = 'node.kubernetes.io/unreachable';
const UNREACHABLE_TAINTS: readonly Taint[] = [
  { key: UNREACHABLE, value: '', effect: 'NoSchedule' },
  { key: UNREACHABLE, value: '', effect: 'NoExecute' },
];

export interface LifecycleParts {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly ledger: NodeLedger;
  readonly kubelets: Kubelets;
}

export class NodeLifecycle {
  readonly #parts: LifecycleParts;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
    parts.store.subscribe((event, before) => {
      if (event.kind === 'provisioner' && event.type === 'delete') this.#collectClaimsOf(event.key);
      if (event.kind !== 'node') return;
      if (event.type === 'delete') this.#collectPods(event.key);
      else this.#evictUntolerated(event.object, before as Node | undefined);
    });
  }

  /** The kubelet has fallen silent; if it stays so, the node is tainted, and its pods are deleted later. */
  fellSilent(nodeName: string): void {
    this.#parts.clock.after(SILENCE_MS, () => {
      const node = this.#parts.store.get('node', nodeName);
      if (node === undefined || this.#parts.kubelets.isAlive(nodeName)) return;
      this.#parts.store.put('node', nodeName, {
        ...node,
        taints: withTaints(node.taints, UNREACHABLE_TAINTS, []),
        conditions: withReady(node, 'Unknown', this.#parts.clock.nowMs()),
      });
    });
  }

  /** The kubelet answers again. */
  cameBack(nodeName: string): void {
    this.#parts.kubelets.resume(nodeName);
    const node = this.#parts.store.get('node', nodeName);
    if (node === undefined || !this.#parts.kubelets.isAlive(nodeName)) return;
    this.#parts.store.put('node', nodeName, {
      ...node,
      taints: withTaints(node.taints, [], UNREACHABLE_TAINTS),
    });
  }

  /** The instance is terminated: the cloud's node controller finds out and deletes the Node. */
  instanceTerminated(nodeName: string): void {
    this.#parts.kubelets.forget(nodeName);
    this.#parts.clock.after(CLOUD_CHECK_MS, () => {
      const node = this.#parts.store.get('node', nodeName);
      if (node !== undefined) requestNodeDeletion(this.#parts.store, node, this.#parts.clock.nowMs());
    });
  }

  #collectPods(nodeName: string): void {
    for (const pod of [...(this.#parts.ledger.get(nodeName)?.pods.values() ?? [])]) {
      this.#parts.store.remove('pod', podKey(pod));
    }
  }

  #collectClaimsOf(provisioner: string): void {
    for (const claim of [...this.#parts.store.values('nodeClaim')]) {
      if (claim.spec.provisioner === provisioner) {
        requestNodeClaimDeletion(this.#parts.store, claim, this.#parts.clock.nowMs());
      }
    }
  }

  /** NoExecute: pods that do not tolerate a taint are deleted, after the usual five minutes if it is for silence. */
  #evictUntolerated(node: Node, before: Node | undefined): void {
    if (before?.taints === node.taints) return;
    const taints = node.taints.filter((taint) => taint.effect === 'NoExecute');
    if (taints.length === 0) return;
    const isSilent = taints.some((taint) => taint.key === UNREACHABLE);
    const others = taints.filter((taint) => taint.key !== UNREACHABLE);
    this.#deleteUntolerating(node.name, others);
    if (isSilent) {
      this.#parts.clock.after(UNREACHABLE_GRACE_MS, () => {
        const current = this.#parts.store.get('node', node.name);
        const isStillSilent = current?.taints.some((taint) => taint.key === UNREACHABLE) === true;
        if (isStillSilent) this.#deleteUntolerating(node.name, UNREACHABLE_TAINTS);
      });
    }
  }

  #deleteUntolerating(nodeName: string, taints: readonly Taint[]): void {
    if (taints.length === 0) return;
    for (const pod of [...(this.#parts.ledger.get(nodeName)?.pods.values() ?? [])]) {
      if (isDaemonLike(pod) || untoleratedTaint(taints, pod.spec.tolerations) === null) continue;
      requestPodDeletion(this.#parts.store, pod, this.#parts.clock.nowMs());
    }
  }
}

/** Daemon pods tolerate unreachable nodes by what their controller adds; static pods answer to no API. */
function isDaemonLike(pod: Pod): boolean {
  return pod.mirror || isOwnedByDaemonSet(pod);
}
