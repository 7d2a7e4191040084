import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disrupt } from '../../src/disruption/disruptor.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aBoundPod, aNodeClaim, anOwnedNode, aProvisioner, aSnapshot } from '../builders.ts';

const TTL_MS = 30_000;
const NOBODY = (): number => 0;
const INITIALIZED = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;

function aRunningClaim(fields: Partial<NodeClaim> = {}): NodeClaim {
  return aNodeClaim({
    status: {
      ...NO_STATUS,
      providerId: 'aws:///us-east-1a/i-node',
      nodeName: 'node',
      conditions: [INITIALIZED],
    },
    ...fields,
  });
}

function aCluster(fields: Partial<ClusterSnapshot> = {}): ClusterSnapshot {
  return aSnapshot({
    takenAtMs: 100_000,
    provisioners: [aProvisioner({ ttlAfterEmptyMs: TTL_MS })],
    nodes: [anOwnedNode()],
    nodeClaims: [aRunningClaim()],
    ...fields,
  });
}

test('a node that has just become empty is stamped, and is due after the TTL', () => {
  const decision = disrupt(aCluster(), NOBODY);
  assert.deepEqual(
    decision.emptinessChanges.map(({ emptySinceMs }) => emptySinceMs),
    [100_000],
  );
  assert.deepEqual(decision.plans, []);
  assert.equal(decision.nextAtMs, 130_000);
});

const dueCases = [
  { when: 'a moment before the TTL is up', sinceMs: 70_001, goes: 0 },
  { when: 'when the TTL is up', sinceMs: 70_000, goes: 1 },
];
for (const { when, sinceMs, goes } of dueCases) {
  test(`an empty node ${goes ? 'goes' : 'stays'} ${when}`, () => {
    const decision = disrupt(aCluster({ nodeClaims: [aRunningClaim({ emptySinceMs: sinceMs })] }), NOBODY);
    assert.equal(decision.plans.length, goes);
    if (goes) assert.equal(decision.plans[0]?.reason, 'Empty');
  });
}

const stays: readonly { when: string; cluster: Partial<ClusterSnapshot>; nominatedUntilMs?: number }[] = [
  { when: 'a pod is back', cluster: { pods: [aBoundPod('node')] } },
  { when: 'a pod is on its way', cluster: {}, nominatedUntilMs: 105_000 },
  { when: 'the Provisioner has no TTL', cluster: { provisioners: [aProvisioner()] } },
  {
    when: 'it is not initialized',
    cluster: { nodeClaims: [aRunningClaim({ emptySinceMs: 0, status: { ...NO_STATUS, nodeName: 'node' } })] },
  },
  {
    when: 'the node has lost its initialized label',
    cluster: { nodes: [anOwnedNode({ labels: { 'karpenter.sh/initialized': '' } })] },
  },
];
for (const { when, cluster, nominatedUntilMs } of stays) {
  test(`an empty node past its TTL stays when ${when}, and its stamp is cleared`, () => {
    const claims = { nodeClaims: [aRunningClaim({ emptySinceMs: 0 })] };
    const decision = disrupt(aCluster({ ...claims, ...cluster }), () => nominatedUntilMs ?? 0);
    assert.deepEqual(decision.plans, []);
    assert.deepEqual(
      decision.emptinessChanges.map(({ emptySinceMs }) => emptySinceMs),
      [null],
    );
  });
}

test('pods that do not count leave the node empty', () => {
  const daemon = aBoundPod('node', { owner: { kind: 'DaemonSet', name: 'logs', uid: 'u' } });
  const finished = aBoundPod('node', { name: 'job', phase: 'Succeeded' });
  const claims = [aRunningClaim({ emptySinceMs: 0 })];
  assert.equal(disrupt(aCluster({ pods: [daemon, finished], nodeClaims: claims }), NOBODY).plans.length, 1);
});

test('a claim that is being deleted already is decided on no more', () => {
  const nodeClaims = [aRunningClaim({ emptySinceMs: 0, deletionRequestedAtMs: 90_000 })];
  const decision = disrupt(aCluster({ nodeClaims }), NOBODY);
  assert.deepEqual(decision.plans, []);
  assert.deepEqual(decision.emptinessChanges, []);
});
