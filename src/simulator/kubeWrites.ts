// What one write does to a stored Node, NodeClaim or pod: optimistic locks, finalizers, graceful deletion.
import type { Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { Taint } from '../model/taint.ts';
import type { NodePatch, WriteOutcome } from '../ports/kubeApi.ts';
import type { ObjectStore } from './objectStore.ts';

/** Kubernetes writes times to the second. */
export function storedTimeMs(nowMs: number): number {
  return Math.floor(nowMs / 1000) * 1000;
}

/** Stores the claim as changed, or takes it out once deletion was asked for and no finalizer holds it. */
export function storeNodeClaim(store: ObjectStore, claim: NodeClaim): NodeClaim {
  if (claim.deletionRequestedAtMs === null || claim.finalizers.length > 0) {
    return store.put('nodeClaim', claim.name, claim);
  }
  store.remove('nodeClaim', claim.name);
  return claim;
}

/** Stores the node as changed, or takes it out once deletion was asked for and no finalizer holds it. */
export function storeNode(store: ObjectStore, node: Node): Node {
  if (node.deletionRequestedAtMs === null || node.finalizers.length > 0) {
    return store.put('node', node.name, node);
  }
  store.remove('node', node.name);
  return node;
}

/** Changes the claim if it is still the version that the writer has read. */
export function replaceNodeClaim(
  store: ObjectStore,
  read: NodeClaim,
  change: (current: NodeClaim) => NodeClaim,
): WriteOutcome<NodeClaim> {
  const current = store.get('nodeClaim', read.name);
  if (current === undefined || current.uid !== read.uid) return { kind: 'gone' };
  if (current.resourceVersion !== read.resourceVersion) return { kind: 'conflict' };
  const changed = change(current);
  return { kind: 'written', object: isSame(current, changed) ? current : storeNodeClaim(store, changed) };
}

/** Applies a patch to the node as it stands: the patch merges, and lists are changed in what the server holds. */
export function patchStoredNode(store: ObjectStore, read: Node, patch: NodePatch): WriteOutcome<Node> {
  const current = store.get('node', read.name);
  if (current === undefined || current.uid !== read.uid) return { kind: 'gone' };
  const changed = patchedNode(current, patch);
  return { kind: 'written', object: isSame(current, changed) ? current : storeNode(store, changed) };
}

/** A write that changes nothing makes no new version, and no watch tells of it. */
function isSame(current: object, changed: object): boolean {
  return JSON.stringify(current) === JSON.stringify(changed);
}

/** Asks for the node's deletion at `nowMs`: gone at once unless a finalizer holds it. */
export function requestNodeDeletion(store: ObjectStore, node: Node, nowMs: number): void {
  if (node.deletionRequestedAtMs !== null && node.finalizers.length > 0) return;
  storeNode(store, { ...node, deletionRequestedAtMs: node.deletionRequestedAtMs ?? nowMs });
}

/** Asks for the claim's deletion at `nowMs`: gone at once unless a finalizer holds it. */
export function requestNodeClaimDeletion(store: ObjectStore, claim: NodeClaim, nowMs: number): void {
  if (claim.deletionRequestedAtMs !== null && claim.finalizers.length > 0) return;
  storeNodeClaim(store, { ...claim, deletionRequestedAtMs: claim.deletionRequestedAtMs ?? nowMs });
}

/** Asks for the pod's deletion at `nowMs`: an unbound pod goes at once, a bound one when its kubelet has stopped it. */
export function requestPodDeletion(
  store: ObjectStore,
  pod: Pod,
  nowMs: number,
  deletionGraceSeconds = pod.spec.terminationGraceSeconds,
): void {
  if (pod.nodeName === '') {
    store.remove('pod', podKey(pod));
    return;
  }
  if (pod.deletionRequestedAtMs !== null) return;
  store.put('pod', podKey(pod), { ...pod, deletionRequestedAtMs: nowMs, deletionGraceSeconds });
}

/** Writes the pod's nomination; a write that changes nothing makes no new version. */
export function nominateStoredPod(
  store: ObjectStore,
  written: { readonly namespace: string; readonly name: string; readonly uid: string },
  nodeName: string,
): 'written' | 'gone' {
  const pod = store.get('pod', podKey(written));
  if (pod === undefined || pod.uid !== written.uid) return 'gone';
  if (pod.nominatedNodeName !== nodeName) {
    store.put('pod', podKey(pod), { ...pod, nominatedNodeName: nodeName });
  }
  return 'written';
}

function patchedNode(node: Node, patch: NodePatch): Node {
  return {
    ...node,
    labels: merged(node.labels, patch.labels ?? {}),
    annotations: merged(node.annotations, patch.annotations ?? {}),
    taints: withTaints(node.taints, patch.addTaints ?? [], patch.removeTaints ?? []),
    unschedulable: patch.unschedulable ?? node.unschedulable,
    finalizers: withFinalizers(node.finalizers, patch),
  };
}

/** Names and values with changes merged in; null removes one. */
export function merged(
  held: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const result: Record<string, string> = { ...held };
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete result[key];
    else result[key] = value;
  }
  return result;
}

/** Taints by (key, effect): removed, then added or replaced. */
export function withTaints(
  held: readonly Taint[],
  added: readonly Taint[],
  removed: readonly { readonly key: string; readonly effect: string }[],
): readonly Taint[] {
  const isSame = (taint: Taint, other: { readonly key: string; readonly effect: string }): boolean =>
    taint.key === other.key && taint.effect === other.effect;
  const kept = held.filter((taint) => ![...removed, ...added].some((other) => isSame(taint, other)));
  return [...kept, ...added];
}

function withFinalizers(held: readonly string[], patch: NodePatch): readonly string[] {
  const kept = held.filter((finalizer) => finalizer !== patch.removeFinalizer);
  if (patch.addFinalizer === undefined || kept.includes(patch.addFinalizer)) return kept;
  return [...kept, patch.addFinalizer];
}
