// Errors of calls to Kubernetes: what was asked, what was answered, and how to mend it.
import { asRaw, objectIn, objectsIn, textIn } from '../api/objects/raw.ts';
import { type ApiTarget, describeResource, describeTarget } from './apiTarget.ts';

export type ApiVerb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** A call that failed. `status` is the HTTP status, 0 when the server was not reached or did not answer in time. */
export class KubeApiError extends Error {
  override readonly name = 'KubeApiError';
  readonly verb: ApiVerb;
  readonly target: ApiTarget;
  readonly status: number;
  /** Machine-readable reason of a Kubernetes Status (`Expired`, `AlreadyExists`), or a system code (`ECONNREFUSED`). */
  readonly reason: string;

  constructor(verb: ApiVerb, target: ApiTarget, answer: ApiFailure) {
    super(sentence(verb, target, answer));
    this.verb = verb;
    this.target = target;
    this.status = answer.status;
    this.reason = answer.reason;
  }
}

export interface ApiFailure {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
}

/** What a response body says went wrong; the body of a failed call is a Kubernetes Status, mostly. */
export function failureOf(status: number, body: unknown): ApiFailure {
  const raw = asRaw(body);
  const text = typeof body === 'string' ? body.slice(0, 200).trim() : '';
  return { status, reason: textIn(raw, 'reason'), message: textIn(raw, 'message') || text };
}

/**
 * True when an admission webhook or policy has refused the call, which no right of ours mends. Source of the words:
 * k8s.io/apiserver, pkg/admission/plugin/webhook/errors and pkg/admission/plugin/policy/validating.
 */
export function isAdmissionDenial({ message }: ApiFailure): boolean {
  return /denied (the )?request/.test(message);
}

/** True when a 422 says that the object under that name has another uid than the patch. */
export function refusesUid(status: unknown): boolean {
  const causes = objectsIn(objectIn(asRaw(status), 'details'), 'causes');
  return causes.some((cause) => cause.field === 'metadata.uid');
}

function sentence(verb: ApiVerb, target: ApiTarget, { status, reason, message }: ApiFailure): string {
  const asked = `cannot ${verb} ${describeTarget(target)}`;
  const answered = status === 0 ? message : `HTTP ${status} ${message || reason}`.trimEnd();
  const mend = mendFor(verb, target, { status, reason, message });
  return mend === '' ? `${asked}: ${answered}` : `${asked}: ${answered}; ${mend}`;
}

function mendFor(verb: ApiVerb, target: ApiTarget, failure: ApiFailure): string {
  const { status, reason } = failure;
  const resource = describeResource(target);
  if (isAdmissionDenial(failure)) return '';
  switch (status) {
    case 0:
      return mendForNetwork(reason);
    case 401:
      return 'renew the credentials: the token or client certificate is missing, expired or of another cluster';
    case 403:
      return `allow the verb "${verb}" on "${resource}" in the ClusterRole of Cooper's service account`;
    case 404:
      if (target.name !== undefined && verb !== 'create') return '';
      return `install the custom resource definition of "${resource}" (chart cooper-crd), or update the cluster`;
    default:
      return '';
  }
}

const CERTIFICATE_CODE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/;

function mendForNetwork(reason: string): string {
  if (CERTIFICATE_CODE.test(reason)) {
    return "set the certificate authority of the kubeconfig's cluster to the one that signed the server's certificate";
  }
  return "check that the kubeconfig's server address is right and reachable from here, and that the server runs";
}
