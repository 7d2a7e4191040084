import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNodeClaim, aPod } from '../builders.ts';

function upsertClaim(state: ClusterState, fields: Partial<NodeClaim>): boolean {
  const object = aNodeClaim(fields);
  return state.apply({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
}

test('an object comes, changes and goes', () => {
  const state = new ClusterState();
  const pod = aPod();
  assert.equal(state.apply({ type: 'upsert', kind: 'pod', key: 'default/pod', object: pod }), true);
  assert.deepEqual(state.snapshot(5).pods, [pod]);
  assert.equal(state.apply({ type: 'delete', kind: 'pod', key: 'default/pod' }), true);
  assert.deepEqual(state.snapshot(5).pods, []);
  assert.equal(state.apply({ type: 'delete', kind: 'pod', key: 'default/pod' }), false);
});

test('a snapshot does not change when the state does', () => {
  const state = new ClusterState();
  const before = state.snapshot(0);
  state.apply({ type: 'upsert', kind: 'pod', key: 'default/pod', object: aPod() });
  assert.equal(before.pods.length, 0);
  assert.equal(state.snapshot(0).pods.length, 1);
});

test('lists are shared between snapshots until they change', () => {
  const state = new ClusterState();
  upsertClaim(state, {});
  assert.equal(state.snapshot(0).nodeClaims, state.snapshot(1).nodeClaims);
});

test('a watch event older than our own write is dropped, a newer one is taken', () => {
  const state = new ClusterState();
  upsertClaim(state, { resourceVersion: '10', emptySinceMs: 7 });
  assert.equal(upsertClaim(state, { resourceVersion: '9' }), false);
  assert.equal(upsertClaim(state, { resourceVersion: '10' }), false);
  assert.equal(state.get('nodeClaim', 'claim')?.emptySinceMs, 7);
  assert.equal(upsertClaim(state, { resourceVersion: '11' }), true);
});

test('a late event does not bring a deleted claim back, a new one of the same name does come', () => {
  const state = new ClusterState();
  upsertClaim(state, { uid: 'first', resourceVersion: '10' });
  state.apply({ type: 'delete', kind: 'nodeClaim', key: 'claim' });
  assert.equal(upsertClaim(state, { uid: 'first', resourceVersion: '11' }), false);
  assert.equal(upsertClaim(state, { uid: 'second', resourceVersion: '12' }), true);
});

test('a claim replaced under the same name is taken even with a lower version', () => {
  const state = new ClusterState();
  upsertClaim(state, { uid: 'first', resourceVersion: '10' });
  assert.equal(upsertClaim(state, { uid: 'second', resourceVersion: '3' }), true);
});
