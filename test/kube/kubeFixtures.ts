// What the tests of the Kubernetes adapter share: a connection to a fake server, and time that does not pass.
import http from 'node:http';
import type { KubeConnection } from '../../src/kube/connection.ts';
import type { Timing } from '../../src/kube/timing.ts';
import { KubeTransport } from '../../src/kube/transport.ts';

/** Pauses are noted, and last one turn of the event loop. */
export interface InstantTiming extends Timing {
  readonly pauses: number[];
  advance(durationMs: number): void;
}

export function instantTiming(startMs = 1_000_000): InstantTiming {
  let timeMs = startMs;
  const pauses: number[] = [];
  return {
    pauses,
    advance: (durationMs) => {
      timeMs += durationMs;
    },
    nowMs: () => timeMs,
    random: () => 0.5,
    pause: async (durationMs) => {
      pauses.push(durationMs);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

export function connectionTo(origin: string): KubeConnection & { readonly agent: http.Agent } {
  return {
    server: new URL(origin),
    agent: new http.Agent({ keepAlive: true }),
    credentials: async () => ({ headers: { Authorization: 'Bearer token' } }),
    clusterCa: null,
    source: 'a test',
  };
}

export function transportTo(origin: string, timing: Timing, timeoutMs = 5_000): KubeTransport {
  const connection = connectionTo(origin);
  const withAgent = { ...connection, credentials: async () => ({ agent: connection.agent }) };
  return new KubeTransport(withAgent, { timeoutMs, timing, userAgent: 'cooper-test' });
}

/** Resolves once the condition holds; rejects after five seconds, naming what was waited for. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
