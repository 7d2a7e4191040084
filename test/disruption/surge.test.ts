// When a Deployment of one pod is rolled before that pod goes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asksForSurge, surgeStep } from '../../src/disruption/surge.ts';
import type { Rollout } from '../../src/model/workloads.ts';
import { aBoundPod, type PodFields } from '../builders.ts';

const STARTED_MS = 1_000_000;
const ROLLOUT: Rollout = {
  namespace: 'default',
  name: 'web',
  uid: 'web',
  replicas: 1,
  surges: true,
  restartedAtMs: null,
};

const STEPS: readonly { what: string; rollout: Rollout | null; afterMs?: number; step: string }[] = [
  { what: 'no Deployment', rollout: null, step: 'evict' },
  { what: 'no pods wanted', rollout: { ...ROLLOUT, replicas: 0 }, step: 'evict' },
  { what: 'several pods', rollout: { ...ROLLOUT, replicas: 2 }, step: 'evict' },
  { what: 'a strategy that deletes first', rollout: { ...ROLLOUT, surges: false }, step: 'evict' },
  { what: 'never rolled', rollout: ROLLOUT, step: 'restart' },
  {
    what: 'rolled before the drain',
    rollout: { ...ROLLOUT, restartedAtMs: STARTED_MS - 1 },
    step: 'restart',
  },
  { what: 'rolled since', rollout: { ...ROLLOUT, restartedAtMs: STARTED_MS }, step: 'wait' },
  {
    what: 'rolled five minutes ago, less a moment',
    rollout: { ...ROLLOUT, restartedAtMs: STARTED_MS },
    afterMs: 299_999,
    step: 'wait',
  },
  {
    what: 'rolled five minutes ago',
    rollout: { ...ROLLOUT, restartedAtMs: STARTED_MS },
    afterMs: 300_000,
    step: 'evict',
  },
];
for (const { what, rollout, afterMs = 0, step } of STEPS) {
  test(`${what}: ${step}`, () => {
    const taken = surgeStep(rollout, STARTED_MS, STARTED_MS + afterMs);
    assert.equal(taken.kind, step);
    if (taken.kind === 'wait') assert.equal(taken.untilMs, STARTED_MS + 300_000);
  });
}

const SINGLE: PodFields = {
  ready: true,
  owner: { kind: 'ReplicaSet', name: 'web-1', uid: 'set' },
  annotations: { 'cooper.sh/surge': 'true' },
};
const PODS: readonly { what: string; pod: PodFields; asks: boolean }[] = [
  { what: 'annotated, ready, of a ReplicaSet', pod: {}, asks: true },
  { what: 'not annotated', pod: { annotations: {} }, asks: false },
  { what: 'annotated otherwise', pod: { annotations: { 'cooper.sh/surge': 'false' } }, asks: false },
  { what: 'not ready', pod: { ready: false }, asks: false },
  { what: 'of a StatefulSet', pod: { owner: { kind: 'StatefulSet', name: 'db', uid: 'db' } }, asks: false },
  { what: 'without an owner', pod: { owner: null }, asks: false },
];
for (const { what, pod, asks } of PODS) {
  test(`a pod ${what} ${asks ? 'asks' : 'does not ask'} for a rollout`, () =>
    assert.equal(asksForSurge(aBoundPod('node', { ...SINGLE, ...pod })), asks));
}
