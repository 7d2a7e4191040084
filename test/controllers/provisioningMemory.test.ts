import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProvisioningMemory } from '../../src/controllers/provisioningMemory.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import type { ClusterEvent } from '../../src/model/clusterEvent.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import { aNodeClaim, aPod } from '../builders.ts';

const NEVER = Number.POSITIVE_INFINITY;

function upsert(pod: Pod): ClusterEvent {
  return { type: 'upsert', kind: 'pod', key: podKey(pod), object: pod };
}

const notProvisionable: readonly (Partial<Pod> & { when: string })[] = [
  { when: 'bound', nodeName: 'node' },
  { when: 'terminating', deletionRequestedAtMs: 1 },
  { when: 'not marked by the scheduler', unschedulableSinceMs: null },
  { when: 'gated', schedulingGated: true },
  { when: 'static', mirror: true },
  { when: 'finished', phase: 'Succeeded' },
  { when: 'owned by a DaemonSet', owner: { kind: 'DaemonSet', name: 'd', uid: 'd' } },
];

for (const { when, ...fields } of notProvisionable) {
  test(`a pod that is ${when} opens no window`, () => {
    const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
    assert.equal(memory.note(upsert(aPod(fields)), 0), false);
    assert.equal(memory.dueAtMs(), NEVER);
  });
}

test("another scheduler's pod opens no window", () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  assert.equal(memory.note(upsert(aPod({ spec: { schedulerName: 'volcano' } })), 0), false);
});

test('the same pod seen again does not hold the window open', () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  assert.equal(memory.note(upsert(aPod()), 0), true);
  assert.equal(memory.note(upsert(aPod()), 20), false);
  assert.equal(memory.dueAtMs(), 25);
});

test('pods that stay pending are planned for again after the retry time', () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  memory.note(upsert(aPod()), 0);
  memory.beginPass(25);
  assert.equal(memory.dueAtMs(), 25 + DEFAULT_SETTINGS.retryMs);
});

test('a pod that was bound is forgotten, and nothing is due any more', () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  memory.note(upsert(aPod()), 0);
  memory.beginPass(25);
  memory.note(upsert(aPod({ nodeName: 'node' })), 30);
  assert.equal(memory.dueAtMs(), NEVER);
});

test('a pod that is told of its plan after it has ceased to wait is forgotten when it is deleted', () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  const pod = aPod();
  memory.note(upsert(pod), 0);
  memory.note(upsert({ ...pod, schedulingGated: true }), 10);
  memory.told.set(podKey(pod), 'a plan that was under way');
  memory.note({ type: 'delete', kind: 'pod', key: podKey(pod) }, 30);
  assert.equal(memory.sizes().told, 0);
});

test('a new node is kept for what comes in place of a pod that was evicted for it', () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  const pod = aPod({ nodeName: 'leaving' });
  memory.note(upsert(pod), 0);
  const target = { kind: 'nodeClaim' as const, name: 'claim' };
  memory.nominations.nominate([{ pod: podKey(pod), target }], 10, 60_000);
  memory.note({ type: 'delete', kind: 'pod', key: podKey(pod) }, 20);
  assert.equal(memory.nominations.endsAtMs('claim'), 60_010);
});

test('a deleted claim or a changed Provisioner reopens the window, but only while pods wait', () => {
  const gone: ClusterEvent = { type: 'delete', kind: 'nodeClaim', key: 'claim' };
  const idle = new ProvisioningMemory(DEFAULT_SETTINGS);
  assert.equal(idle.note(gone, 0), false);
  const busy = new ProvisioningMemory(DEFAULT_SETTINGS);
  busy.note(upsert(aPod()), 0);
  busy.beginPass(25);
  assert.equal(busy.note(gone, 100), true);
  assert.equal(busy.dueAtMs(), 125);
});

test('a claim that begins to leave is planned for at once and until it is gone, even while nobody waits', () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  const leaving = (emptySinceMs: number): ClusterEvent => ({
    type: 'upsert',
    kind: 'nodeClaim',
    key: 'claim',
    object: aNodeClaim({ deletionRequestedAtMs: 1, emptySinceMs }),
  });
  assert.equal(memory.note(leaving(1), 0), true);
  assert.equal(memory.dueAtMs(), 25);
  memory.beginPass(25);
  assert.equal(memory.note(leaving(2), 30), false);
  assert.equal(memory.dueAtMs(), 25 + DEFAULT_SETTINGS.retryMs);
  memory.note({ type: 'delete', kind: 'nodeClaim', key: 'claim' }, 40);
  assert.equal(memory.dueAtMs(), NEVER);
});

test("a nomination that is not ours may be a preemption's beginning, for five seconds from when it was seen", () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  const pod = aPod({ nominatedNodeName: 'node' });
  memory.note(upsert(pod), 1000);
  memory.note(upsert(pod), 3000);
  assert.equal(memory.mayPreempt(pod, 5999), true);
  assert.equal(memory.mayPreempt(pod, 6000), false);
  memory.note(upsert({ ...pod, nominatedNodeName: 'other' }), 7000);
  assert.equal(memory.mayPreempt({ ...pod, nominatedNodeName: 'other' }, 7001), true);
});

test('a nomination of our own is no preemption, and is not written twice in a row', () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  const pod = aPod();
  memory.note(upsert(pod), 0);
  memory.noteTold(podKey(pod), 'node', 0);
  assert.deepEqual(
    [memory.toldJustNow(podKey(pod), 'node', 1999), memory.toldJustNow(podKey(pod), 'node', 2000)],
    [true, false],
  );
  assert.equal(memory.toldJustNow(podKey(pod), 'other', 1), false);
  const nominated = { ...pod, nominatedNodeName: 'node' };
  memory.note(upsert(nominated), 10);
  assert.equal(memory.mayPreempt(nominated, 10), false);
  memory.note(upsert({ ...nominated, nodeName: 'node' }), 20);
  assert.deepEqual([memory.sizes().toldNodes, memory.sizes().foreignNodes], [0, 0]);
});

test('a nomination of ours that was taken off is told of once, and may be written again at once', () => {
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  const pod = aPod();
  memory.note(upsert(pod), 0);
  assert.equal(memory.takeUntold(), false);
  memory.noteTold(podKey(pod), 'node', 0);
  memory.note(upsert({ ...pod, nominatedNodeName: 'node' }), 5);
  assert.equal(memory.takeUntold(), false);
  memory.note(upsert(pod), 10);
  assert.deepEqual([memory.takeUntold(), memory.takeUntold()], [true, false]);
  assert.equal(memory.toldJustNow(podKey(pod), 'node', 11), false);
});
