// One token bucket of EC2's, as we imagine it: pure, the time is an argument.

/** A bucket as AWS publishes it. */
export interface BucketLimit {
  readonly capacity: number;
  readonly refillPerSecond: number;
}

export interface TokenBucket {
  readonly limit: BucketLimit;
  /** As of `atMs`. */
  readonly tokens: number;
  /** What it is believed to be refilled by just now: less than published after a throttle, more where more went. */
  readonly refillPerSecond: number;
  readonly atMs: number;
}

/** Below this share of the published rate it does not fall: whoever else uses the account up, we keep asking. */
const LEAST_SHARE = 1 / 16;
/** Limits can be raised on request; how far above the published rate we feel our way. */
const MOST_SHARE = 20;
/** Each answered call gives back this share of the published rate, until that is reached. */
const RECOVERY_SHARE = 0.1;
/** Each answered call that had to wait for its tokens tries this much more, above the published rate. */
const PROBE_FACTOR = 1.01;

export function fullBucket(limit: BucketLimit, nowMs: number): TokenBucket {
  return { limit, tokens: limit.capacity, refillPerSecond: limit.refillPerSecond, atMs: nowMs };
}

/** Milliseconds until the bucket holds that many tokens, 0 when it does; more than it can hold means full. */
export function waitMs(bucket: TokenBucket, tokens: number, nowMs: number): number {
  const missing = Math.min(tokens, bucket.limit.capacity) - refilled(bucket, nowMs).tokens;
  return missing <= TINY ? 0 : Math.ceil((missing / bucket.refillPerSecond) * 1000);
}

/** Sums of refills are a little off; a millionth of a token is none. */
const TINY = 1e-6;

/** The bucket after that many tokens were taken; it may owe some. */
export function spent(bucket: TokenBucket, tokens: number, nowMs: number): TokenBucket {
  const now = refilled(bucket, nowMs);
  return { ...now, tokens: now.tokens - tokens };
}

/** EC2 has refused a call: the bucket is empty whatever we thought, and is refilled at half the rate we thought. */
export function throttled(bucket: TokenBucket, nowMs: number): TokenBucket {
  const least = bucket.limit.refillPerSecond * LEAST_SHARE;
  const refillPerSecond = Math.max(least, bucket.refillPerSecond / 2);
  return { ...bucket, tokens: Math.min(0, refilled(bucket, nowMs).tokens), refillPerSecond, atMs: nowMs };
}

/** EC2 has taken a call. @param waited its tokens had to be waited for: only then do we learn that more goes */
export function answered(bucket: TokenBucket, nowMs: number, waited: boolean): TokenBucket {
  const published = bucket.limit.refillPerSecond;
  const now = refilled(bucket, nowMs);
  if (bucket.refillPerSecond < published) {
    const recovered = bucket.refillPerSecond + published * RECOVERY_SHARE;
    return { ...now, refillPerSecond: Math.min(published, recovered) };
  }
  if (!waited) return now;
  return { ...now, refillPerSecond: Math.min(published * MOST_SHARE, bucket.refillPerSecond * PROBE_FACTOR) };
}

function refilled(bucket: TokenBucket, nowMs: number): TokenBucket {
  const added = (Math.max(0, nowMs - bucket.atMs) / 1000) * bucket.refillPerSecond;
  return { ...bucket, tokens: Math.min(bucket.limit.capacity, bucket.tokens + added), atMs: nowMs };
}
