// Waiting for something to become true, with a failure that says what was waited for and what was going on.
import { setTimeout as sleep } from 'node:timers/promises';

export interface Wait {
  readonly timeoutMs: number;
  /** Finishes the sentence "timed out after 3000 ms waiting for ...". */
  readonly what: string;
  /** How long to rest between two looks; 100 by default. */
  readonly intervalMs?: number;
  /** Told at a failure: the tail of a log, the state of things. */
  readonly diagnose?: () => string | Promise<string>;
}

/**
 * Calls `look` until it gives something truthy, and returns that. An error thrown by `look` counts as "not yet" and
 * is named if the time runs out, and so is a `look` that never answers. Throws after `timeoutMs`.
 */
export async function until<T>(
  look: () => Promise<T> | T,
  wait: Wait,
): Promise<Exclude<T, null | undefined | false | 0 | ''>> {
  const end = performance.now() + wait.timeoutMs;
  let lastError: unknown = null;
  while (true) {
    try {
      const seen = await answerWithin(look, Math.max(end - performance.now(), 1));
      if (seen) return seen as Exclude<T, null | undefined | false | 0 | ''>;
      lastError = null;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= end) break;
    await sleep(wait.intervalMs ?? 100);
  }
  const parts = [`timed out after ${wait.timeoutMs} ms waiting for ${wait.what}`];
  if (lastError !== null) parts.push(`last error: ${String(lastError)}`);
  const detail = await wait.diagnose?.();
  if (detail) parts.push(detail);
  throw new Error(parts.join('\n'));
}

async function answerWithin<T>(look: () => Promise<T> | T, limitMs: number): Promise<T> {
  const done = new AbortController();
  const late = sleep(limitMs, undefined, { signal: done.signal }).then(() => {
    throw new Error('no answer at all');
  });
  try {
    return await Promise.race([look(), late]);
  } finally {
    done.abort();
  }
}

/** Looks again and again for `durationMs` and throws as soon as `holds` gives false: for what must not happen. */
export async function holdsFor(
  holds: () => Promise<boolean> | boolean,
  span: { readonly durationMs: number; readonly what: string; readonly intervalMs?: number },
): Promise<void> {
  const start = performance.now();
  while (performance.now() - start < span.durationMs) {
    if (!(await holds())) {
      throw new Error(
        `after ${Math.round(performance.now() - start)} ms it no longer held that ${span.what}`,
      );
    }
    await sleep(span.intervalMs ?? 200);
  }
}
