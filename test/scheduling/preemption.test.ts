// Pods that carry a nominated node: which of them wait for the kube-scheduler's preemption, and which for capacity.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../src/model/pod.ts';
import { awaitingPreemption, isProvisionable } from '../../src/scheduling/provisionable.ts';
import { aBoundPod, aNode, aPod, type PodFields } from '../builders.ts';

const victim = (fields: PodFields = {}): Pod =>
  aBoundPod('node', { name: 'victim', deletionRequestedAtMs: 1, ...fields });

const CASES: readonly {
  when: string;
  nominatedTo?: string;
  running?: readonly Pod[];
  isFresh?: boolean;
  waits: boolean;
}[] = [
  { when: 'a less urgent pod terminates on the node', running: [victim()], waits: true },
  {
    when: 'nothing terminates on the node',
    running: [victim({ deletionRequestedAtMs: null })],
    waits: false,
  },
  { when: 'nobody is on the node', waits: false },
  {
    when: 'an equal pod terminates on the node, by itself',
    running: [victim({ spec: { priority: 10 } })],
    waits: false,
  },
  { when: 'what terminates has ended', running: [victim({ phase: 'Succeeded' })], waits: false },
  { when: 'another node has the victim', running: [{ ...victim(), nodeName: 'other' }], waits: false },
  { when: 'the node is gone, the victim not yet', nominatedTo: 'gone', running: [victim()], waits: false },
  {
    when: 'the nomination is fresh, and a less urgent pod runs there',
    running: [victim({ deletionRequestedAtMs: null })],
    isFresh: true,
    waits: true,
  },
  { when: 'the nomination is fresh, and nobody could make room', isFresh: true, waits: false },
  { when: 'it is nominated nowhere', nominatedTo: '', running: [victim()], isFresh: true, waits: false },
];

for (const { when, nominatedTo = 'node', running = [], isFresh = false, waits } of CASES) {
  test(`${waits ? 'left to preemption' : 'planned for'}: ${when}`, () => {
    const pod = aPod({ nominatedNodeName: nominatedTo, spec: { priority: 10 } });
    const cluster = { nodes: [aNode({ name: 'node' }), aNode({ name: 'other' })], pods: [pod, ...running] };
    assert.equal(isProvisionable(pod, 'default-scheduler'), true);
    assert.deepEqual([...awaitingPreemption([pod], cluster, () => isFresh)], waits ? ['default/pod'] : []);
  });
}
