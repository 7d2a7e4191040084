import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  collectGarbage,
  knownToClaims,
  lostClaims,
  orphanedInstances,
  unnamedOwners,
} from '../../src/controllers/garbageCollection.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import { TERMINATION_FINALIZER } from '../../src/model/labels.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { Instance } from '../../src/ports/cloudProvider.ts';
import type { StoredNodeClaims } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNode, aNodeClaim, anOwnedNode, aSnapshot } from '../builders.ts';

const GRACE_MS = 30_000;

function anInstance(fields: Partial<Instance> = {}): Instance {
  return {
    providerId: 'aws:///us-east-1a/i-1',
    instanceType: 'm5.large',
    zone: 'us-east-1a',
    capacityType: 'on-demand',
    imageId: 'ami-1',
    launchedAtMs: 0,
    state: 'running',
    nodeClaim: 'claim',
    nodeClaimUid: 'uid-claim',
    provisioner: 'default',
    ...fields,
  };
}

function aLaunchedClaim(launchedAtMs: number) {
  const launched = {
    type: 'Launched',
    status: 'True',
    reason: '',
    message: '',
    sinceMs: launchedAtMs,
  } as const;
  return aNodeClaim({
    status: { ...NO_STATUS, providerId: 'aws:///us-east-1a/i-1', conditions: [launched] },
  });
}

const orphanCases = [
  { when: 'its claim is there', instance: {}, claims: [aNodeClaim()], atMs: 60_000, orphan: false },
  { when: 'no claim has its uid', instance: {}, claims: [], atMs: 60_000, orphan: true },
  {
    when: 'a claim of the same name has another uid',
    instance: { nodeClaimUid: 'old' },
    claims: [aNodeClaim()],
    atMs: 60_000,
    orphan: true,
  },
  {
    when: 'it is younger than the grace time',
    instance: { launchedAtMs: 31_000 },
    claims: [],
    atMs: 60_000,
    orphan: false,
  },
  {
    when: 'it is on its way out',
    instance: { state: 'shutting-down' as const },
    claims: [],
    atMs: 60_000,
    orphan: false,
  },
  {
    when: 'it carries no claim tag: not ours to touch',
    instance: { nodeClaimUid: '' },
    claims: [],
    atMs: 60_000,
    orphan: false,
  },
];

for (const { when, instance, claims, atMs, orphan } of orphanCases) {
  test(`an instance is ${orphan ? '' : 'not '}orphaned when ${when}`, () => {
    const known = knownToClaims(claims, []);
    const found = orphanedInstances([anInstance(instance)], known, { nowMs: atMs, graceMs: GRACE_MS });
    assert.equal(found.length, orphan ? 1 : 0);
  });
}

describe('an instance of a shared fleet, untagged yet', () => {
  const instance = anInstance({ nodeClaimUid: '', nodeClaim: '', launchGroup: 'group-1', launchedAtMs: 0 });
  const launchGroup = { id: 'group-1', size: 2 };
  const waiting = aNodeClaim({ spec: { ...aNodeClaim().spec, launchGroup } });
  const has = (providerId: string): NodeClaim => ({ ...waiting, status: { ...NO_STATUS, providerId } });
  const cases = [
    { when: 'no claim of its group waits', claims: [has('aws:///us-east-1a/i-other')], orphan: true },
    { when: 'its group is gone', claims: [], orphan: true },
    { when: 'a claim of its group waits', claims: [waiting], orphan: false },
    { when: 'a claim has it', claims: [has(instance.providerId)], orphan: false },
    { when: 'some claim cannot be read', claims: [], unreadable: ['uid-unread'], orphan: false },
  ];
  for (const { when, claims, unreadable = [], orphan } of cases) {
    test(`is ${orphan ? '' : 'not '}orphaned when ${when}`, () => {
      const known = knownToClaims(claims, unreadable);
      const found = orphanedInstances([instance], known, { nowMs: 60_000, graceMs: GRACE_MS });
      assert.equal(found.length, orphan ? 1 : 0);
    });
  }
});

test('a claim is lost only after its instance was missing from two lists in a row', () => {
  const snapshot = aSnapshot({ takenAtMs: 120_000, nodeClaims: [aLaunchedClaim(0)] });
  const misses = new Map<string, number>();
  assert.deepEqual(lostClaims([], snapshot, misses), []);
  assert.deepEqual(lostClaims([anInstance()], snapshot, misses), []);
  assert.deepEqual(lostClaims([], snapshot, misses), []);
  assert.equal(lostClaims([], snapshot, misses).length, 1);
});

test('a claim launched a moment ago is not lost, however often EC2 leaves it out', () => {
  const snapshot = aSnapshot({ takenAtMs: 120_000, nodeClaims: [aLaunchedClaim(61_000)] });
  const misses = new Map<string, number>();
  for (let sweep = 0; sweep < 5; sweep++) assert.deepEqual(lostClaims([], snapshot, misses), []);
});

test('a claim whose Node reports Ready is not lost, however often EC2 leaves it out', () => {
  const nodes = [aNode({ providerId: 'aws:///us-east-1a/i-1' })];
  const snapshot = aSnapshot({ takenAtMs: 120_000, nodeClaims: [aLaunchedClaim(0)], nodes });
  const misses = new Map<string, number>();
  for (let sweep = 0; sweep < 5; sweep++) assert.deepEqual(lostClaims([], snapshot, misses), []);
});

test('a claim whose instance EC2 lists as shutting down is lost, even while its Node still reports Ready', () => {
  const nodes = [aNode({ providerId: 'aws:///us-east-1a/i-1' })];
  const snapshot = aSnapshot({ takenAtMs: 120_000, nodeClaims: [aLaunchedClaim(0)], nodes });
  const misses = new Map<string, number>();
  const ending = [anInstance({ state: 'shutting-down' })];
  lostClaims(ending, snapshot, misses);
  assert.equal(lostClaims(ending, snapshot, misses).length, 1);
});

test('misses of claims that are gone are forgotten', () => {
  const misses = new Map([['uid-old', 1]]);
  lostClaims([], aSnapshot({ takenAtMs: 0 }), misses);
  assert.equal(misses.size, 0);
});

describe('the owner of an instance', () => {
  const shared = { nodeClaim: '', nodeClaimUid: '', launchGroup: 'group' };
  const cases = [
    { when: 'its tags name no claim', instance: shared, told: true },
    { when: 'its tags name another claim', instance: { ...shared, nodeClaimUid: 'uid-gone' }, told: true },
    { when: 'its tags name it', instance: { ...shared, nodeClaimUid: aNodeClaim().uid }, told: false },
    { when: 'another claim has it', instance: { ...shared, providerId: 'aws:///b/i-2' }, told: false },
    { when: 'it is on its way out', instance: { ...shared, state: 'shutting-down' as const }, told: false },
  ];
  for (const { when, instance, told } of cases) {
    test(`is ${told ? '' : 'not '}told when ${when}`, () => {
      const owners = unnamedOwners([anInstance(instance)], [aLaunchedClaim(0)]);
      assert.deepEqual(
        owners.map(([providerId, { uid }]) => [providerId, uid]),
        told ? [['aws:///us-east-1a/i-1', aNodeClaim().uid]] : [],
      );
    });
  }

  test('is not told of an instance bought for one claim: its fleet has named it', () => {
    const { launchGroup: _, ...alone } = anInstance({ nodeClaimUid: 'other', launchGroup: 'group' });
    assert.deepEqual(unnamedOwners([alone], [aLaunchedClaim(0)]), []);
  });
});

const NO_CLAIMS: StoredNodeClaims = { claims: [], unreadable: [] };

for (const unreadable of [[], ['uid-claim']]) {
  const what = unreadable.length === 0 ? 'is freed' : 'is left alone while a claim cannot be read';
  test(`a Node that is being deleted and has no claim ${what}`, async () => {
    const state = new ClusterState();
    const node = anOwnedNode({ deletionRequestedAtMs: 1, finalizers: [TERMINATION_FINALIZER] });
    state.apply({ type: 'upsert', kind: 'node', key: node.name, object: node });
    const terminated: string[] = [];
    const ignore = (): void => {};
    const clock = { nowMs: () => 1_000_000, sleep: async () => {} };
    const ports = {
      clock,
      cloud: {
        list: async () => [],
        terminate: async (providerId: string) => {
          terminated.push(providerId);
          return 'terminating';
        },
      },
      telemetry: { metrics: { gauge: ignore } },
    } as unknown as Ports;
    await collectGarbage(ports, {
      ...{ live: new LiveState(state, clock, ignore), settings: DEFAULT_SETTINGS, misses: new Map() },
      ...{ goneInstances: new Set(), sweeps: { count: 0 }, unreadableClaims: () => unreadable },
    });
    assert.deepEqual(terminated, unreadable.length === 0 ? [node.providerId] : []);
  });
}

test('an instance that may not be terminated holds up neither claims nor Nodes', async () => {
  const state = new ClusterState();
  const claim = { ...aLaunchedClaim(0), name: 'lost', uid: 'uid-lost' };
  const freed = anOwnedNode({ deletionRequestedAtMs: 1, finalizers: [TERMINATION_FINALIZER] });
  const stuck = { ...freed, name: 'stuck', providerId: 'aws:///us-east-1a/i-stuck' };
  state.apply({ type: 'upsert', kind: 'nodeClaim', key: claim.name, object: claim });
  for (const node of [stuck, freed])
    state.apply({ type: 'upsert', kind: 'node', key: node.name, object: node });
  const done: string[] = [];
  const errors: string[] = [];
  const ignore = (): void => {};
  const clock = { nowMs: () => 1_000_000, sleep: async () => {} };
  const orphan = anInstance({ providerId: 'aws:///us-east-1a/i-protected', nodeClaimUid: 'uid-gone' });
  const ports = {
    clock,
    cloud: {
      list: async () => [orphan],
      terminate: async (providerId: string) => {
        if (providerId !== freed.providerId) throw new Error('OperationNotPermitted');
        done.push(providerId);
        return 'terminating';
      },
    },
    kube: {
      readNodeClaims: async () => ({ claims: [], unreadable: [] }),
      publishEvent: async () => {},
      deleteNodeClaim: async (name: string) => {
        done.push(name);
        return 'deleted';
      },
    },
    journal: { append: ignore },
    telemetry: {
      metrics: { gauge: ignore, count: ignore },
      log: { info: ignore, warn: ignore, error: (_: unknown, message: string) => void errors.push(message) },
    },
  } as unknown as Ports;
  await collectGarbage(ports, {
    ...{
      live: new LiveState(state, clock, ignore),
      settings: DEFAULT_SETTINGS,
      misses: new Map([['uid-lost', 1]]),
    },
    ...{ goneInstances: new Set(), sweeps: { count: 0 }, unreadableClaims: () => [] },
  });
  assert.deepEqual(done, ['lost', freed.providerId]);
  assert.equal(errors.length, 2, 'each is told by name');
});

const ANSWERS: readonly {
  readonly when: string;
  readonly readNodeClaims: () => Promise<StoredNodeClaims>;
  readonly ended: number;
}[] = [
  { when: 'the server has no such claim', readNodeClaims: async () => NO_CLAIMS, ended: 1 },
  {
    when: 'the server has the claim, and the watch is behind',
    readNodeClaims: async () => ({ ...NO_CLAIMS, claims: [aNodeClaim({ uid: 'uid-late' })] }),
    ended: 0,
  },
  {
    when: 'the server has the claim and it cannot be read',
    readNodeClaims: async () => ({ ...NO_CLAIMS, unreadable: ['uid-late'] }),
    ended: 0,
  },
  {
    when: 'the server cannot be asked',
    readNodeClaims: async () => {
      throw new Error('connection refused');
    },
    ended: 0,
  },
];
for (const { when, readNodeClaims, ended } of ANSWERS) {
  test(`an instance that no watched claim knows is ${ended === 0 ? 'kept' : 'ended'}: ${when}`, async () => {
    const terminated: string[] = [];
    const ignore = (): void => {};
    const clock = { nowMs: () => 1_000_000, sleep: async () => {} };
    const orphan = anInstance({ nodeClaimUid: 'uid-late' });
    const ports = {
      clock,
      cloud: {
        list: async () => [orphan],
        terminate: async (providerId: string) => {
          terminated.push(providerId);
          return 'terminating';
        },
      },
      kube: { readNodeClaims },
      journal: { append: ignore },
      telemetry: {
        metrics: { gauge: ignore, count: ignore },
        log: { info: ignore, warn: ignore, error: ignore },
      },
    } as unknown as Ports;
    await collectGarbage(ports, {
      live: new LiveState(new ClusterState(), clock, ignore),
      settings: DEFAULT_SETTINGS,
      misses: new Map(),
      goneInstances: new Set(),
      sweeps: { count: 0 },
      unreadableClaims: () => [],
    });
    assert.equal(terminated.length, ended);
  });
}
