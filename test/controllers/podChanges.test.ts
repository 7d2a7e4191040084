// When the pods of a node last changed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PodChanges } from '../../src/controllers/podChanges.ts';
import type { Pod } from '../../src/model/pod.ts';
import { aBoundPod, aNode, aSnapshot } from '../builders.ts';

const DAEMON = aBoundPod('node', {
  name: 'd',
  createdAtMs: 90,
  owner: { kind: 'DaemonSet', name: 'd', uid: 'd' },
});
const OLD = aBoundPod('node', { name: 'old', createdAtMs: 10 });
const YOUNG = aBoundPod('node', { name: 'young', createdAtMs: 40 });

const looks: readonly { what: string; before: readonly Pod[]; after: readonly Pod[]; changedAtMs: number }[] =
  [
    { what: 'nothing has changed', before: [OLD, YOUNG], after: [OLD, YOUNG], changedAtMs: 40 },
    { what: 'a pod has come', before: [OLD], after: [OLD, YOUNG], changedAtMs: 200 },
    { what: 'a pod has gone', before: [OLD, YOUNG], after: [YOUNG], changedAtMs: 200 },
    { what: 'a pod has taken the place of another', before: [OLD], after: [YOUNG], changedAtMs: 200 },
    { what: 'a daemon has come', before: [OLD], after: [OLD, DAEMON], changedAtMs: 10 },
  ];
for (const { what, before, after, changedAtMs } of looks) {
  test(`a node changed at ${changedAtMs} ms when ${what}`, () => {
    const changes = new PodChanges();
    changes.look(aSnapshot({ takenAtMs: 100, nodes: [aNode()], pods: before }));
    changes.look(aSnapshot({ takenAtMs: 200, nodes: [aNode()], pods: after }));
    assert.equal(changes.changes().get('node'), changedAtMs);
  });
}

test('nodes that have gone are forgotten', () => {
  const changes = new PodChanges();
  changes.look(aSnapshot({ nodes: [aNode()] }));
  assert.equal(changes.size, 1);
  changes.look(aSnapshot());
  assert.equal(changes.size, 0);
  assert.equal(changes.changes().has('node'), false);
});
