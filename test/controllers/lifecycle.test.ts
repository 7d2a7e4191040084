// What is remembered of claims on their way, and for how long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/controllers/backoff.ts';
import type { Launching } from '../../src/controllers/launch.ts';
import { advanceNodeClaims } from '../../src/controllers/lifecycle.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { ProvisioningMemory } from '../../src/controllers/provisioningMemory.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNodeClaim } from '../builders.ts';

const NOW_MS = 1_800_000_000_000;

/** A registered claim whose Node is missing. */
function aClaimWithoutNode(): NodeClaim {
  const base = aNodeClaim();
  const registered = { type: 'Registered', status: 'True', reason: '', message: '', sinceMs: 0 } as const;
  const status = { providerId: 'aws:///us-east-1a/i-1', nodeName: 'gone', conditions: [registered] };
  return { ...base, status: { ...base.status, ...status } };
}

test('a missing Node is forgotten with its claim, whoever deletes that', async () => {
  const claim = aClaimWithoutNode();
  const state = new ClusterState();
  const ignore = (): void => {};
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const launching: Launching = {
    live: new LiveState(state, clock, ignore),
    memory: new ProvisioningMemory(DEFAULT_SETTINGS),
    ...{
      settings: DEFAULT_SETTINGS,
      wake: ignore,
      underWay: new Set(),
      givenUp: new Set(),
      nodeLosses: new Map(),
      notedNodes: new WeakSet(),
    },
    retries: new Backoff(1_000, 60_000),
  };
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const ports = { clock, telemetry: { log } } as unknown as Ports;
  state.apply({ type: 'upsert', kind: 'nodeClaim', key: claim.name, object: claim });
  await advanceNodeClaims(ports, launching);
  assert.equal(launching.nodeLosses.size, 1);
  const leaving = { ...claim, deletionRequestedAtMs: NOW_MS, resourceVersion: '2' };
  state.apply({ type: 'upsert', kind: 'nodeClaim', key: claim.name, object: leaving });
  await advanceNodeClaims(ports, launching);
  assert.equal(launching.nodeLosses.size, 0);
});
