// EC2's request limits as its documents give them, kept apart from the figures that the provider paces itself by.

interface Bucket {
  tokens: number;
  atMs: number;
  readonly capacity: number;
  readonly perSecond: number;
}

/**
 * [capacity, refill per second]. Source: Amazon EC2 Developer Guide, "Request throttling for the Amazon EC2 API":
 * mutating actions 50 and 5, non-mutating 100 and 20, TerminateInstances 100 and 5, CreateTags 100 and 10.
 */
const REQUESTS: Readonly<Record<string, readonly [number, number]>> = {
  'ec2:TerminateInstances': [100, 5],
  'ec2:CreateTags': [100, 10],
};
/** Tokens by instance. Same source: RunInstances 1000 and 2, TerminateInstances 1000 and 20. */
const RESOURCES: Readonly<Record<string, readonly [number, number]>> = {
  'ec2:CreateFleet': [1000, 2],
  'ec2:TerminateInstances': [1000, 20],
};

/** Buckets of one account, full at first. */
export class RequestLimits {
  readonly #buckets = new Map<string, Bucket>();

  /** What EC2 says when the call comes too soon; null when it may go, its tokens then being spent. */
  refusal(action: string, resources: number, nowMs: number): string | null {
    const requests = this.#bucket(action, REQUESTS[action] ?? usual(action), nowMs);
    const limit = RESOURCES[action];
    const instances = limit === undefined ? null : this.#bucket(`${action}/resources`, limit, nowMs);
    if (requests.tokens < 1) return `throttled on ${action} because it exceeded its request rate limit`;
    if (instances !== null && instances.tokens < resources)
      return `throttled on ${action} because it exceeded its resource rate limit`;
    requests.tokens -= 1;
    if (instances !== null) instances.tokens -= resources;
    return null;
  }

  #bucket(key: string, [capacity, perSecond]: readonly [number, number], nowMs: number): Bucket {
    const held = this.#buckets.get(key) ?? { tokens: capacity, atMs: nowMs, capacity, perSecond };
    // EC2 adds its tokens once a second, not in between.
    const seconds = Math.floor((nowMs - held.atMs) / 1000);
    held.tokens = Math.min(capacity, held.tokens + seconds * perSecond);
    held.atMs += seconds * 1000;
    this.#buckets.set(key, held);
    return held;
  }
}

function usual(action: string): readonly [number, number] {
  return action.startsWith('ec2:Describe') ? [100, 20] : [50, 5];
}
