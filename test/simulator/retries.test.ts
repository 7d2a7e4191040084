// What is tried again: how often it is told meanwhile, and that nothing is left lying.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegisteredNode } from '../../src/ports/cloudProvider.ts';
import type { EventDraft } from '../../src/ports/kubeApi.ts';
import { START_MS } from '../fuzz/drawSetup.ts';
import { aSmallCluster } from './smallCluster.ts';

const MINUTE_MS = 60_000;

test('an empty node whose claim cannot be deleted for a minute is told of once', async () => {
  const simulation = aSmallCluster({}, [
    { atMs: START_MS, replicas: 6 },
    { atMs: START_MS + 5 * MINUTE_MS, replicas: 5 },
  ]);
  const { kube } = simulation;
  const told: EventDraft[] = [];
  kube.observe({ published: (event) => void told.push(event) });
  const drop = kube.deleteNodeClaim.bind(kube);
  let failures = 0;
  kube.deleteNodeClaim = async (name, uid) => {
    failures += 1;
    return failures <= 12 ? Promise.reject(new Error('connection refused')) : drop(name, uid);
  };
  await simulation.run(START_MS + 20 * MINUTE_MS);
  assert.ok(failures > 12);
  const ofEmpty = told.filter(({ reason }) => reason === 'DisruptionEmpty').map(({ about }) => about.kind);
  assert.deepEqual(ofEmpty, ['NodeClaim', 'Node']);
});

test('after a start the cloud is told of the machine of every node, those that were finished before too', async () => {
  const simulation = aSmallCluster({});
  await simulation.run(START_MS + 5 * MINUTE_MS);
  const noted: RegisteredNode[] = [];
  Object.assign(simulation.cloud, { noteNode: (node: RegisteredNode) => void noted.push(node) });
  simulation.crash(1000);
  await simulation.run(START_MS + 7 * MINUTE_MS);
  const nodes = simulation.store.count('nodeClaim');
  assert.ok(nodes > 1);
  assert.equal(noted.filter(({ memoryBytes }) => memoryBytes > 0).length, nodes);
});
