// What is remembered of claims on their way, and for how long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/controllers/backoff.ts';
import type { Launching } from '../../src/controllers/launch.ts';
import { advanceNodeClaims } from '../../src/controllers/lifecycle.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { ProvisioningMemory } from '../../src/controllers/provisioningMemory.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import { SharedRead } from '../../src/controllers/sharedRead.ts';
import type { Node } from '../../src/model/node.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { CloudProvider } from '../../src/ports/cloudProvider.ts';
import type { EventDraft } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNode, aNodeClaim } from '../builders.ts';

const NOW_MS = 1_800_000_000_000;

/** A registered claim whose Node is missing. */
function aClaimWithoutNode(): NodeClaim {
  const base = aNodeClaim();
  const registered = { type: 'Registered', status: 'True', reason: '', message: '', sinceMs: 0 } as const;
  const status = { providerId: 'aws:///us-east-1a/i-1', nodeName: 'gone', conditions: [registered] };
  return { ...base, status: { ...base.status, ...status } };
}

function aLaunching(live: LiveState): Launching {
  return {
    live,
    memory: new ProvisioningMemory(DEFAULT_SETTINGS),
    settings: DEFAULT_SETTINGS,
    wake: () => {},
    underWay: new Set(),
    givenUp: new Set(),
    givingBack: new Set(),
    doubts: new Backoff(5_000, 60_000),
    joined: new SharedRead(),
    nodeLosses: new Map(),
    notedNodes: new WeakSet(),
    retries: new Backoff(1_000, 60_000),
  };
}

test('a missing Node is forgotten with its claim, whoever deletes that', async () => {
  const claim = aClaimWithoutNode();
  const state = new ClusterState();
  const ignore = (): void => {};
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const launching = aLaunching(new LiveState(state, clock, ignore));
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

/** One launched claim whose time to become a Node is up, and what the server and EC2 say when they are asked. */
async function whatBecomesOf({
  claim = anUnjoinedClaim(),
  server = new Set<string>(),
  node = null,
  cloud = {},
}: {
  readonly claim?: NodeClaim;
  readonly server?: ReadonlySet<string>;
  readonly node?: Node | null;
  readonly cloud?: Partial<CloudProvider>;
}): Promise<{
  readonly deleted: readonly string[];
  readonly told: readonly EventDraft[];
  readonly doubts: number;
}> {
  const state = new ClusterState();
  const ignore = (): void => {};
  let nowMs = NOW_MS;
  const clock = { nowMs: () => nowMs, sleep: async () => {} };
  const deleted: string[] = [];
  const told: EventDraft[] = [];
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const ports = {
    clock,
    cloud,
    kube: {
      readNodeProviderIds: async () => server,
      readNode: async () => node,
      deleteNodeClaim: async (name: string) => {
        deleted.push(name);
        return 'deleted';
      },
      publishEvent: async (event: EventDraft) => void told.push(event),
    },
    journal: { append: ignore },
    telemetry: { log, metrics: { count: ignore } },
    // Only what the end of a claim touches.
  } as unknown as Ports;
  const launching = aLaunching(new LiveState(state, clock, ignore));
  state.apply({ type: 'upsert', kind: 'nodeClaim', key: claim.name, object: claim });
  for (let runs = 0; runs < 4; runs += 1) {
    await advanceNodeClaims(ports, launching);
    await new Promise((resolve) => setImmediate(resolve));
    // A node must be missing for a minute.
    nowMs += 61_000;
    if (deleted.length > 0) break;
  }
  return { deleted, told, doubts: launching.doubts.size };
}

function anUnjoinedClaim(): NodeClaim {
  const base = aNodeClaim();
  const launched = {
    type: 'Launched',
    status: 'True',
    reason: '',
    message: '',
    sinceMs: NOW_MS - 900_000,
  } as const;
  return {
    ...base,
    status: { ...base.status, providerId: 'aws:///us-east-1a/i-1', nodeName: '', conditions: [launched] },
  };
}

const CONSOLES = [
  {
    when: 'the console says why',
    cloud: {
      consoleTail: async () => ({ kind: 'lines', lines: ['Failed to start nodeadm', 'halted'] }) as const,
    },
    ends: '; its console says: Failed to start nodeadm | halted',
  },
  {
    when: 'the console is empty',
    cloud: { consoleTail: async () => ({ kind: 'none', because: 'EC2 has no output of it' }) as const },
    ends: '; its console cannot be shown: EC2 has no output of it',
  },
  {
    when: 'EC2 cannot be asked',
    cloud: {
      consoleTail: async () => {
        throw new Error('lost');
      },
    },
    ends: '; its console could not be asked for',
  },
  { when: 'the cloud knows no consoles', cloud: {}, ends: 'access entry (or aws-auth)' },
];
for (const { when, cloud, ends } of CONSOLES) {
  test(`an instance that never became a Node is given back, and its event says so: ${when}`, async () => {
    const { deleted, told } = await whatBecomesOf({ cloud });
    assert.equal(deleted.length, 1);
    const [event = assert.fail('not told')] = told;
    assert.equal(event.reason, 'NeverRegistered');
    assert.ok(event.message.endsWith(ends), event.message);
  });
}

test('an instance whose Node the server knows is kept, though the watch has not told of it', async () => {
  const { deleted, doubts } = await whatBecomesOf({ server: new Set(['aws:///us-east-1a/i-1']) });
  assert.deepEqual([deleted, doubts], [[], 1]);
});

test('a Node that seems gone is asked for by name before its instance is given back', async () => {
  const claim = aClaimWithoutNode();
  const node = aNode({ name: 'gone', providerId: claim.status.providerId });
  assert.deepEqual((await whatBecomesOf({ claim, node })).deleted, []);
  const { deleted, told } = await whatBecomesOf({ claim, node: null });
  assert.deepEqual([deleted, told[0]?.reason], [[claim.name], 'NodeGone']);
  const another = aNode({ name: 'gone', providerId: 'aws:///us-east-1a/i-2' });
  assert.equal((await whatBecomesOf({ claim, node: another })).deleted.length, 1);
});

test('however many instances never join at once, the Nodes are listed twice at most', async () => {
  const state = new ClusterState();
  const ignore = (): void => {};
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const deleted: string[] = [];
  let lists = 0;
  const ports = {
    clock,
    cloud: {},
    kube: {
      readNodeProviderIds: async () => {
        lists += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return new Set<string>();
      },
      deleteNodeClaim: async (name: string) => {
        deleted.push(name);
        return 'deleted';
      },
      publishEvent: async () => {},
    },
    journal: { append: ignore },
    telemetry: {
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      metrics: { count: ignore },
    },
    // Only what the end of a claim touches.
  } as unknown as Ports;
  const launching = aLaunching(new LiveState(state, clock, ignore));
  for (let index = 0; index < 200; index += 1) {
    const claim = anUnjoinedClaim();
    const named = { ...claim, name: `claim-${index}`, uid: `uid-${index}` };
    const status = { ...claim.status, providerId: `aws:///us-east-1a/i-${index}` };
    state.apply({ type: 'upsert', kind: 'nodeClaim', key: named.name, object: { ...named, status } });
  }
  await advanceNodeClaims(ports, launching);
  while (launching.givingBack.size > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(deleted.length, 200);
  assert.ok(lists <= 2, `${lists} lists`);
});
