import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteAndTell } from '../../src/controllers/claimEvents.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import type { DecisionRecord } from '../../src/ports/journal.ts';
import type { EventDraft } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNodeClaim, anOwnedNode } from '../builders.ts';

const WHY = { type: 'Normal', reason: 'DisruptionEmpty', message: 'node is empty' } as const;

/** Deletes a claim with a Node as often as there are answers; an error is thrown. Returns what was told. */
async function told(...answers: readonly ('deleted' | 'gone' | Error)[]): Promise<readonly string[]> {
  const events: EventDraft[] = [];
  const records: string[] = [];
  const node = anOwnedNode();
  const base = aNodeClaim();
  const claim = { ...base, status: { ...base.status, nodeName: node.name } };
  const state = new ClusterState();
  state.apply({ type: 'upsert', kind: 'node', key: node.name, object: node });
  const clock = { nowMs: () => 0, sleep: async () => {} };
  const live = new LiveState(state, clock, () => {});
  for (const answer of answers) {
    const ports = {
      clock,
      journal: { append: ({ kind }: DecisionRecord) => records.push(kind) },
      kube: {
        deleteNodeClaim: async () => (answer instanceof Error ? Promise.reject(answer) : answer),
        publishEvent: async (event: EventDraft) => void events.push(event),
      },
    } as unknown as Ports;
    await deleteAndTell(ports, live, claim, WHY).catch((failure: unknown) => assert.equal(failure, answer));
  }
  return [...records, ...events.map(({ about, reason }) => `${reason} ${about.kind}`)];
}

const TOLD_ONCE = ['Disrupted', 'DisruptionEmpty NodeClaim', 'DisruptionEmpty Node'];
const AWAY = new Error('the API server is away');

test('a deletion is told in the journal, on the claim and on its Node', async () => {
  assert.deepEqual(await told('deleted'), TOLD_ONCE);
});

test('a deletion that fails is told once, when it has gone through', async () => {
  assert.deepEqual(await told(AWAY, AWAY, 'deleted'), TOLD_ONCE);
});

test('nothing is told of a claim that had gone already', async () => {
  assert.deepEqual(await told('gone'), []);
});
