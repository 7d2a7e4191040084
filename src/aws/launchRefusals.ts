// What a refused launch means: forget an offering, look things up again, try later, or tell a person what to mend.
import type { NodeClass } from '../model/nodeClass.ts';
import type { LaunchOutcome } from '../ports/cloudProvider.ts';
import { faultKind, permissionAdvice } from './awsFault.ts';
import { fieldOf } from './selectors.ts';

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** Ids that we had from a cache and that are gone: looking them up again mends it. */
const STALE_ID =
  /^(InvalidSubnetID|InvalidGroup|InvalidSecurityGroupID|InvalidAMIID|InvalidCapacityReservationId)\b/;

/** Answered before anything was done: the same try may be repeated without looking for its instance first. */
const THROTTLED = /Throttl|^RequestLimitExceeded$|^TooManyRequestsException$|^BandwidthLimitExceeded$/;

/** True when EC2 has refused the call for coming too soon, and done nothing. */
export function isThrottle(code: string): boolean {
  return THROTTLED.test(code);
}

export function isStaleId(code: string): boolean {
  return STALE_ID.test(code);
}

/** True when the call may have gone through although its answer is a fault. */
export function mayHaveLaunched(code: string): boolean {
  return faultKind(code) === 'transient' && !THROTTLED.test(code);
}

/** The outcome of a refusal that no other offering would mend. */
export function refusalOutcome(
  { code, message }: Refusal,
  action: string,
  nodeClass: NodeClass,
): LaunchOutcome {
  if (faultKind(code) === 'transient' || isStaleId(code)) {
    return { kind: 'retryable', message: `${action}: ${code}: ${message}` };
  }
  if (faultKind(code) === 'permission') {
    return { kind: 'rejected', reason: 'PermissionDenied', message: permissionAdvice(action, message) };
  }
  if (/instance ?profile/i.test(message)) {
    const field = fieldOf(nodeClass, 'instanceProfile');
    const mend = 'create the profile, or name one that exists';
    return { kind: 'rejected', reason: 'InstanceProfileInvalid', message: `${field}: ${message}; ${mend}` };
  }
  if (faultKind(code) === 'missingTemplate' && nodeClass.launchTemplate !== null) {
    const field = fieldOf(nodeClass, 'launchTemplate');
    const mend = 'create it in this region, or mend the name';
    const text = `${field}: EC2 knows no launch template "${nodeClass.launchTemplate}"; ${mend}`;
    return { kind: 'rejected', reason: 'LaunchTemplateNotFound', message: text };
  }
  return {
    kind: 'rejected',
    reason: code,
    message: `${nodeClass.key}: EC2 refused ${action}: ${code}: ${message}`,
  };
}
