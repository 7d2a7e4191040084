// When the AWS SDK sends a call again by itself: after a broken connection, never after a throttle.
import type { EC2ClientConfig } from '@aws-sdk/client-ec2';

type RetryStrategy = Extract<
  Exclude<EC2ClientConfig['retryStrategy'], undefined>,
  { readonly acquireInitialRetryToken: unknown }
>;
type RetryToken = Awaited<ReturnType<RetryStrategy['acquireInitialRetryToken']>>;

const MOST_ATTEMPTS = 3;
const FIRST_PAUSE_MS = 100;

/**
 * Retries that the pacer does not see would go past its buckets and hide from it that EC2 throttles. So throttles go
 * up at once, and only what says nothing of limits (a reset connection, a server error) is repeated here.
 */
export const RETRY_UNLESS_THROTTLED: RetryStrategy = {
  acquireInitialRetryToken: async () => tokenOf(0),
  refreshRetryTokenForRetry: async (token, { errorType }) => {
    const count = token.getRetryCount() + 1;
    const isWorthIt = errorType === 'TRANSIENT' || errorType === 'SERVER_ERROR';
    // The SDK takes a throw as "no more", and throws on what the call had failed with.
    if (!isWorthIt || count >= MOST_ATTEMPTS) throw new Error('not repeated');
    return tokenOf(count);
  },
  recordSuccess: () => undefined,
};

function tokenOf(count: number): RetryToken {
  return {
    getRetryCount: () => count,
    getRetryDelay: () => (count === 0 ? 0 : FIRST_PAUSE_MS * 2 ** (count - 1)),
  };
}
