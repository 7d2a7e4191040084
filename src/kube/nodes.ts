// Writes to Node objects.
import { parseNode } from '../api/objects/node.ts';
import { asRaw, listIn, objectIn, type Raw, textIn, textsIn } from '../api/objects/raw.ts';
import type { Node } from '../model/node.ts';
import type { NodePatch, WriteOutcome } from '../ports/kubeApi.ts';
import { failureOf, KubeApiError, refusesUid } from './apiError.ts';
import { RESOURCE } from './apiTarget.ts';
import { type KubeTransport, listedFresh } from './transport.ts';

/** Lists are replaced whole, so others' changes since they were read must make the write fail: then it is made anew. */
const TRIES_MOST = 4;

/**
 * Patches a node. Taints and finalizers are changed in the list that the server holds now, which keeps what others
 * put there (and `timeAdded` of taints, which the model does not carry).
 * 'gone' also when another node has taken the name; 'conflict' when others keep changing it faster than we read.
 */
export async function patchNode(
  transport: KubeTransport,
  node: Node,
  patch: NodePatch,
): Promise<WriteOutcome<Node>> {
  const replacesLists = changesTaints(patch) || changesFinalizers(patch);
  for (let tries = 1; tries <= TRIES_MOST; tries += 1) {
    const current = replacesLists ? await readRawNode(transport, node.name) : null;
    if (replacesLists && textIn(objectIn(current, 'metadata'), 'uid') !== node.uid) return { kind: 'gone' };
    const outcome = await sendPatch(transport, node, patchBody(node, patch, current));
    if (outcome.kind !== 'conflict') return outcome;
  }
  return { kind: 'conflict' };
}

async function readRawNode(transport: KubeTransport, name: string): Promise<Raw | null> {
  const target = { ...RESOURCE.nodes, name };
  const { status, body } = await transport.call({ verb: 'get', target, expected: [404] });
  return status === 404 ? null : asRaw(body);
}

async function sendPatch(transport: KubeTransport, node: Node, body: Raw): Promise<WriteOutcome<Node>> {
  const target = { ...RESOURCE.nodes, name: node.name };
  const answer = await transport.call({ verb: 'patch', target, body, expected: [404, 409, 422] });
  if (answer.status === 404) return { kind: 'gone' };
  if (answer.status === 409) return { kind: 'conflict' };
  // The patch names the uid: against another node of that name it would change an immutable field.
  if (answer.status === 422) {
    if (refusesUid(answer.body)) return { kind: 'gone' };
    throw new KubeApiError('patch', target, failureOf(answer.status, answer.body));
  }
  const parsed = parseNode(answer.body);
  return parsed.kind === 'valid' ? { kind: 'written', object: parsed.value } : { kind: 'gone' };
}

function changesTaints({ addTaints = [], removeTaints = [] }: NodePatch): boolean {
  return addTaints.length + removeTaints.length > 0;
}

function changesFinalizers({ addFinalizer, removeFinalizer }: NodePatch): boolean {
  return addFinalizer !== undefined || removeFinalizer !== undefined;
}

function patchBody(node: Node, patch: NodePatch, current: Raw | null): Raw {
  const held = objectIn(current, 'metadata');
  const metadata: Record<string, unknown> = { uid: node.uid };
  if (held !== null) metadata.resourceVersion = held.resourceVersion;
  if (patch.labels !== undefined) metadata.labels = patch.labels;
  if (patch.annotations !== undefined) metadata.annotations = patch.annotations;
  if (changesFinalizers(patch)) metadata.finalizers = changedFinalizers(textsIn(held, 'finalizers'), patch);
  const spec: Record<string, unknown> = {};
  if (patch.unschedulable !== undefined) spec.unschedulable = patch.unschedulable;
  if (changesTaints(patch)) spec.taints = changedTaints(listIn(objectIn(current, 'spec'), 'taints'), patch);
  return Object.keys(spec).length === 0 ? { metadata } : { metadata, spec };
}

function changedTaints(
  held: readonly unknown[],
  { addTaints = [], removeTaints = [] }: NodePatch,
): unknown[] {
  const dropped = [...removeTaints, ...addTaints].map(({ key, effect }) => `${key}:${effect}`);
  const kept = held.filter((taint) => {
    const raw = asRaw(taint);
    return !dropped.includes(`${textIn(raw, 'key')}:${textIn(raw, 'effect')}`);
  });
  const added = addTaints.map(({ key, value, effect }) =>
    value === '' ? { key, effect } : { key, value, effect },
  );
  return [...kept, ...added];
}

function changedFinalizers(held: readonly string[], { addFinalizer, removeFinalizer }: NodePatch): string[] {
  const kept = held.filter((one) => one !== removeFinalizer && one !== addFinalizer);
  return addFinalizer === undefined ? kept : [...kept, addFinalizer];
}

/** Asks for deletion of this very node; one that has come under its name since is left alone. */
export async function deleteNode(
  transport: KubeTransport,
  name: string,
  uid: string,
): Promise<'deleted' | 'gone'> {
  const target = { ...RESOURCE.nodes, name };
  const body = { preconditions: { uid } };
  const { status } = await transport.call({ verb: 'delete', target, body, expected: [404, 409] });
  return status === 404 || status === 409 ? 'gone' : 'deleted';
}

/** The Node as it is now; null when there is none, or it cannot be read. Throws KubeApiError. */
export async function readNode(transport: KubeTransport, name: string): Promise<Node | null> {
  const raw = await readRawNode(transport, name);
  const parsed = raw === null ? null : parseNode(raw);
  return parsed?.kind === 'valid' ? parsed.value : null;
}

/**
 * True while the Node's status lists volumes: the attach-detach controller takes one off right before it has it
 * detached, the kubelet once it is unmounted. False without a Node. Throws KubeApiError.
 */
export async function reportsVolumes(transport: KubeTransport, name: string): Promise<boolean> {
  const status = objectIn(await readRawNode(transport, name), 'status');
  return [...listIn(status, 'volumesAttached'), ...listIn(status, 'volumesInUse')].length > 0;
}

/** Provider ids of the Nodes that there are now. Throws KubeApiError. */
export async function readNodeProviderIds(transport: KubeTransport): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for await (const raw of listedFresh(transport, RESOURCE.nodes)) {
    const providerId = textIn(objectIn(raw, 'spec'), 'providerID');
    if (providerId !== '') found.add(providerId);
  }
  return found;
}
