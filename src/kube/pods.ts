// Writes to pods: evictions and nominations; and the pods of one node as they are now.
import { Interner } from '../api/objects/interner.ts';
import { readPod } from '../api/objects/pod.ts';
import { asRaw, objectsIn, textIn } from '../api/objects/raw.ts';
import type { Pod } from '../model/pod.ts';
import type { EvictionAnswer } from '../ports/kubeApi.ts';
import { failureOf, isAdmissionDenial, KubeApiError, refusesUid } from './apiError.ts';
import { RESOURCE } from './apiTarget.ts';
import type { KubeTransport } from './transport.ts';

export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Of the server itself or the way to it: these say nothing about the pod. */
const NO_ANSWER: ReadonlySet<number> = new Set([0, 401, 502, 503]);

/**
 * Evicts one pod. 'blocked' means that it may work later: a disruption budget forbids it now (429), several budgets
 * cover it (500), the budget kept changing or was slow to answer (409, 504), or its namespace is being deleted (403).
 * 'gone' also when another pod has taken the name; the server looks at budgets first, so that may answer 'blocked'.
 * Source: Kubernetes, "API-initiated Eviction"; k8s.io/kubernetes/pkg/registry/core/pod/storage/eviction.go.
 */
export async function evictPod(transport: KubeTransport, pod: PodIdentity): Promise<EvictionAnswer> {
  try {
    return await askForEviction(transport, pod);
  } catch (failure) {
    const isDenial = failure instanceof KubeApiError && !NO_ANSWER.has(failure.status);
    if (isDenial) return { kind: 'denied', reason: failure.message };
    throw failure;
  }
}

async function askForEviction(
  transport: KubeTransport,
  { namespace, name, uid }: PodIdentity,
): Promise<'evicted' | 'blocked' | 'gone'> {
  const target = { ...RESOURCE.pods, namespace, name, subresource: 'eviction' };
  const body = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { namespace, name },
    deleteOptions: { preconditions: { uid } },
  };
  const expected = [403, 404, 409, 429, 500, 504];
  const answer = await transport.call({ verb: 'create', target, body, expected });
  const failure = failureOf(answer.status, answer.body);
  const denial = new KubeApiError('create', target, failure);
  // A webhook chooses its status itself.
  if (answer.status >= 400 && isAdmissionDenial(failure)) throw denial;
  switch (answer.status) {
    case 404:
      return 'gone';
    case 409:
      return /\buid\b/i.test(failure.message) ? 'gone' : 'blocked';
    case 429:
    case 504:
      return 'blocked';
    case 403:
      if (isNamespaceTerminating(answer.body)) return 'blocked';
      throw denial;
    case 500:
      if (failure.message.includes('PodDisruptionBudget')) return 'blocked';
      throw denial;
    default:
      return 'evicted';
  }
}

/** Deletes this very pod; it gets the seconds given to stop, however long its own grace period is. */
export async function deletePod(
  transport: KubeTransport,
  { namespace, name, uid }: PodIdentity,
  graceSeconds: number,
): Promise<'deleted' | 'gone'> {
  const target = { ...RESOURCE.pods, namespace, name };
  const body = { gracePeriodSeconds: graceSeconds, preconditions: { uid } };
  const { status } = await transport.call({ verb: 'delete', target, body, expected: [404, 409] });
  return status === 404 || status === 409 ? 'gone' : 'deleted';
}

/**
 * All pods bound to the node. No resourceVersion is named, so that the answer holds all that was written before
 * (Kubernetes, "Resource versions in metadata": unset is "most recent"). Throws KubeApiError.
 */
export async function readNodePods(transport: KubeTransport, nodeName: string): Promise<readonly Pod[]> {
  const query = { fieldSelector: `spec.nodeName=${nodeName}` };
  const { body } = await transport.call({ verb: 'list', target: RESOURCE.pods, query });
  const interner = new Interner();
  return objectsIn(asRaw(body), 'items').flatMap((raw) => readPod(raw, interner).value ?? []);
}

function isNamespaceTerminating(status: unknown): boolean {
  const details = asRaw(asRaw(status)?.details);
  const causes = Array.isArray(details?.causes) ? details.causes : [];
  return causes.some((cause) => textIn(asRaw(cause), 'reason') === 'NamespaceTerminating');
}

/**
 * Puts the node that the pod is planned on into its `status.nominatedNodeName`; '' takes the field off. The patch names
 * the uid: against another pod of that name it is refused (409 or 422), and that pod is left alone.
 */
export async function nominatePod(
  transport: KubeTransport,
  { namespace, name, uid }: PodIdentity,
  nodeName: string,
): Promise<'written' | 'gone'> {
  const target = { ...RESOURCE.pods, namespace, name, subresource: 'status' };
  const body = { metadata: { uid }, status: { nominatedNodeName: nodeName || null } };
  const answer = await transport.call({ verb: 'patch', target, body, expected: [404, 409, 422] });
  if (answer.status === 422 && !refusesUid(answer.body)) {
    throw new KubeApiError('patch', target, failureOf(answer.status, answer.body));
  }
  return answer.status >= 400 ? 'gone' : 'written';
}
