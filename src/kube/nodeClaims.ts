// Reads and writes of NodeClaims, the stored intent of each node.
import { nodeClaimManifest, nodeClaimStatusManifest, parseNodeClaim } from '../api/nodeClaims.ts';
import { asRaw, objectIn, type Raw, textIn, textsIn } from '../api/objects/raw.ts';
import { describeObjectProblem } from '../api/parsed.ts';
import { ANNOTATION, TERMINATION_FINALIZER } from '../model/labels.ts';
import type { NodeClaim, NodeClaimStatus } from '../model/nodeClaim.ts';
import type { NodeClaimDraft, StoredNodeClaims, WriteOutcome } from '../ports/kubeApi.ts';
import { type ApiTarget, RESOURCE } from './apiTarget.ts';
import { type ApiAnswer, type KubeTransport, listedFresh } from './transport.ts';

/** Finalizers are replaced whole: others' changes in between make us read again. */
const TRIES_MOST = 4;

/** Stores a new claim. When one of that name is there, an earlier try of ours went through, and it is answered. */
export async function createNodeClaim(
  transport: KubeTransport,
  draft: NodeClaimDraft,
): Promise<{ readonly kind: 'written' | 'exists'; readonly object: NodeClaim }> {
  const body = nodeClaimManifest(draft);
  const created = await transport.call({
    verb: 'create',
    target: RESOURCE.nodeClaims,
    body,
    expected: [409],
  });
  if (created.status !== 409) return { kind: 'written', object: stored(created) };
  const found = await transport.call({ verb: 'get', target: named(draft.name) });
  return { kind: 'exists', object: stored(found) };
}

/** Replaces the status, provided that the claim is still the version that was read. */
export async function writeNodeClaimStatus(
  transport: KubeTransport,
  { name, uid, resourceVersion }: NodeClaim,
  status: NodeClaimStatus,
): Promise<WriteOutcome<NodeClaim>> {
  const { apiVersion, kind } = NODE_CLAIM_TYPE;
  const body = {
    apiVersion,
    kind,
    metadata: { name, uid, resourceVersion },
    status: nodeClaimStatusManifest(status),
  };
  const target = { ...named(name), subresource: 'status' };
  return writeOutcome(await transport.call({ verb: 'update', target, body, expected: [404, 409] }));
}

const NODE_CLAIM_TYPE = { apiVersion: 'karpenter.sh/v1', kind: 'NodeClaim' } as const;

/** Stamps or clears the start of emptiness, provided that the claim is still the version that was read. */
export function writeEmptySince(
  transport: KubeTransport,
  claim: NodeClaim,
  emptySinceMs: number | null,
): Promise<WriteOutcome<NodeClaim>> {
  // To the millisecond, which RFC 3339 allows: cut to seconds, a node would go up to a second before its time.
  const stamp = emptySinceMs === null ? null : new Date(emptySinceMs).toISOString();
  return annotateNodeClaim(transport, claim, { [ANNOTATION.emptinessTimestamp]: stamp });
}

/** Merges annotations, null removing one, provided that the claim is still the version that was read. */
export async function annotateNodeClaim(
  transport: KubeTransport,
  { name, uid, resourceVersion }: NodeClaim,
  annotations: Readonly<Record<string, string | null>>,
): Promise<WriteOutcome<NodeClaim>> {
  const body = { metadata: { uid, resourceVersion, annotations } };
  return writeOutcome(
    await transport.call({ verb: 'patch', target: named(name), body, expected: [404, 409] }),
  );
}

/** Asks for deletion of this very claim; one that has come under its name since is left alone. */
export async function deleteNodeClaim(
  transport: KubeTransport,
  name: string,
  uid: string,
): Promise<'deleted' | 'gone'> {
  const body = { preconditions: { uid } };
  const { status } = await transport.call({
    verb: 'delete',
    target: named(name),
    body,
    expected: [404, 409],
  });
  return status === 404 || status === 409 ? 'gone' : 'deleted';
}

/** Takes our finalizer off, and leaves those of others. */
export async function releaseNodeClaim(transport: KubeTransport, name: string): Promise<'released' | 'gone'> {
  for (let tries = 1; ; tries += 1) {
    const found = await transport.call({ verb: 'get', target: named(name), expected: [404] });
    if (found.status === 404) return 'gone';
    const metadata = objectIn(asRaw(found.body), 'metadata');
    const finalizers = textsIn(metadata, 'finalizers');
    if (!finalizers.includes(TERMINATION_FINALIZER)) return 'released';
    const answer = await transport.call({
      verb: 'patch',
      target: named(name),
      body: { metadata: withoutOurFinalizer(metadata, finalizers) },
      expected: tries < TRIES_MOST ? [404, 409] : [404],
    });
    if (answer.status === 404) return 'gone';
    if (answer.status !== 409) return 'released';
  }
}

/** All claims as they are now; of those that cannot be read the uids. Throws KubeApiError. */
export async function readNodeClaims(transport: KubeTransport): Promise<StoredNodeClaims> {
  const claims: NodeClaim[] = [];
  const unreadable: string[] = [];
  for await (const raw of listedFresh(transport, RESOURCE.nodeClaims)) {
    const parsed = parseNodeClaim({ ...NODE_CLAIM_TYPE, ...raw });
    if (parsed.kind === 'valid') claims.push(parsed.value);
    else unreadable.push(textIn(objectIn(raw, 'metadata'), 'uid'));
  }
  return { claims, unreadable };
}

function withoutOurFinalizer(metadata: Raw | null, finalizers: readonly string[]): object {
  return {
    resourceVersion: textIn(metadata, 'resourceVersion'),
    finalizers: finalizers.filter((one) => one !== TERMINATION_FINALIZER),
  };
}

function named(name: string): ApiTarget & { readonly name: string } {
  return { ...RESOURCE.nodeClaims, name };
}

function writeOutcome(answer: ApiAnswer): WriteOutcome<NodeClaim> {
  if (answer.status === 404) return { kind: 'gone' };
  if (answer.status === 409) return { kind: 'conflict' };
  return { kind: 'written', object: stored(answer) };
}

/** What the server answered to our own write: if that cannot be read, the CRD on the cluster is not ours. */
function stored({ body }: ApiAnswer): NodeClaim {
  const parsed = parseNodeClaim(body);
  if (parsed.kind === 'valid') return parsed.value;
  const [problem] = parsed.problems;
  const told = problem === undefined ? parsed.name : describeObjectProblem('NodeClaim', parsed.name, problem);
  throw new Error(`a stored NodeClaim cannot be read: ${told}; install the CRDs of this version of Cooper`);
}
