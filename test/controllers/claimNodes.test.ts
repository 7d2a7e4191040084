// Machines that have registered twice: which of their Nodes counts, and which are taken away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodesByProviderId } from '../../src/controllers/claimNodes.ts';
import { abandonedNodes } from '../../src/controllers/garbageCollection.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { NodeCondition } from '../../src/model/node.ts';
import { aNode, aSnapshot } from '../builders.ts';

const MINUTE_MS = 60_000;

function twin(name: string, createdAtMs: number, status: NodeCondition['status'] = 'True') {
  return aNode({
    name,
    createdAtMs,
    providerId: 'aws:///us-east-1a/i-1',
    labels: { [LABEL.provisioner]: 'default' },
    conditions: [{ type: 'Ready', status, sinceMs: createdAtMs }],
  });
}

test('of two Nodes of one machine the younger counts, in whatever order they are listed', () => {
  const [older, younger] = [twin('b', 1000), twin('a', 2000)];
  for (const nodes of [
    [older, younger],
    [younger, older],
  ]) {
    assert.equal(nodesByProviderId(nodes).get(older.providerId)?.name, 'a');
  }
});

test('a silent Node whose machine reports under another name is abandoned', () => {
  const cases = [
    {
      when: 'silent for long, and its machine has come back',
      status: 'Unknown',
      again: true,
      found: ['old'],
    },
    { when: 'it still reports', status: 'True', again: true, found: [] },
    { when: 'it is the only one of its machine', status: 'Unknown', again: false, found: [] },
  ] as const;
  for (const { when, status, again, found } of cases) {
    const nodes = [twin('old', 0, status), ...(again ? [twin('new', MINUTE_MS)] : [])];
    const names = abandonedNodes(aSnapshot({ nodes, takenAtMs: 10 * MINUTE_MS })).map(({ name }) => name);
    assert.deepEqual(names, found, when);
  }
  const justSilent = [twin('old', 0, 'Unknown'), twin('new', MINUTE_MS)];
  assert.deepEqual(abandonedNodes(aSnapshot({ nodes: justSilent, takenAtMs: 2 * MINUTE_MS })), []);
});
