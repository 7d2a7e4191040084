// Published request limits of EC2 and SSM for the calls we make; accounts may have been given more.
import type { BucketLimit } from './tokenBucket.ts';

export interface RequestLimit {
  /** A token for each call. */
  readonly requests: BucketLimit;
  /** A token for each instance that the call is about; null where calls alone are counted. */
  readonly resources: BucketLimit | null;
}

/*
 * Source: Amazon EC2 Developer Guide, "Request throttling for the Amazon EC2 API": "Request token bucket sizes and
 * refill rates", "Resource token bucket sizes and refill rates". Each action has a bucket of its own.
 */
const NON_MUTATING: RequestLimit = { requests: { capacity: 100, refillPerSecond: 20 }, resources: null };
const MUTATING: RequestLimit = { requests: { capacity: 50, refillPerSecond: 5 }, resources: null };

const BY_ACTION: ReadonlyMap<string, RequestLimit> = new Map([
  // CreateFleet has no entry of its own: it is a mutating action. The instances of an instant fleet are started as
  // RunInstances starts them, so they are counted against its resources; AWS does not say that they are not.
  ['ec2:CreateFleet', { ...MUTATING, resources: { capacity: 1000, refillPerSecond: 2 } }],
  [
    'ec2:TerminateInstances',
    {
      requests: { capacity: 100, refillPerSecond: 5 },
      resources: { capacity: 1000, refillPerSecond: 20 },
    },
  ],
  ['ec2:CreateTags', { requests: { capacity: 100, refillPerSecond: 10 }, resources: null }],
  // Source: AWS General Reference, "AWS Systems Manager endpoints and quotas", Parameter Store throughput.
  ['ssm:GetParameter', { requests: { capacity: 40, refillPerSecond: 40 }, resources: null }],
]);

/** The published limit of an action by its IAM name. */
export function requestLimit(action: string): RequestLimit {
  const known = BY_ACTION.get(action);
  if (known !== undefined) return known;
  return /^ec2:(Describe|Get|List)/.test(action) ? NON_MUTATING : MUTATING;
}
