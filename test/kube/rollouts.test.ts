// Reading and rolling the Deployment above a pod.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { readRollout, restartRollout } from '../../src/kube/rollouts.ts';
import type { Rollout } from '../../src/model/workloads.ts';
import { FakeApiServer } from './fakeApiServer.ts';
import { instantTiming, transportTo } from './kubeFixtures.ts';

const SETS = '/apis/apps/v1/replicasets';
const DEPLOYMENTS = '/apis/apps/v1/deployments';
const POD = { namespace: 'web', owner: { kind: 'ReplicaSet', name: 'app-1', uid: 'set' } };

const server = new FakeApiServer();
let origin = '';
before(async () => {
  origin = await server.start();
});
beforeEach(() => {
  server.intercept = () => null;
  for (const path of [SETS, DEPLOYMENTS]) server.collection(path).objects.clear();
});
after(() => server.stop());

const transport = () => transportTo(origin, instantTiming());

/** A Deployment with this spec, and the ReplicaSet that it owns. */
function putOwners(spec: object, ownerUid?: string): string {
  const { metadata } = server.put(DEPLOYMENTS, { metadata: { namespace: 'web', name: 'app' }, spec });
  const uid = ownerUid ?? metadata.uid ?? '';
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app', uid, controller: true };
  server.put(SETS, { metadata: { namespace: 'web', name: 'app-1', ownerReferences: [owner] } });
  return metadata.uid ?? '';
}

async function rollout(): Promise<Rollout> {
  const read = await readRollout(transport(), POD);
  assert.ok(read !== null && read !== 'forbidden');
  return read;
}

const rolling = (maxSurge: unknown, maxUnavailable: unknown): object => ({
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
});
const SPECS: readonly { what: string; spec: object; replicas: number; surges: boolean }[] = [
  { what: 'nothing said', spec: {}, replicas: 1, surges: true },
  { what: 'shares of a quarter', spec: rolling('25%', '25%'), replicas: 1, surges: true },
  { what: 'one more, none less', spec: { replicas: 1, ...rolling(1, 0) }, replicas: 1, surges: true },
  { what: 'none more, one less', spec: { replicas: 1, ...rolling(0, 1) }, replicas: 1, surges: false },
  { what: 'one more, one less', spec: rolling(1, 1), replicas: 1, surges: false },
  { what: 'all at once', spec: rolling('100%', '100%'), replicas: 1, surges: false },
  { what: 'delete first', spec: { strategy: { type: 'Recreate' } }, replicas: 1, surges: false },
  { what: 'paused', spec: { replicas: 3, paused: true }, replicas: 3, surges: false },
];
for (const { what, spec, replicas, surges } of SPECS) {
  test(`a Deployment with ${what} ${surges ? 'surges' : 'does not surge'}`, async () => {
    const uid = putOwners(spec);
    const expected = { namespace: 'web', name: 'app', uid, replicas, surges, restartedAtMs: null };
    assert.deepEqual(await rollout(), expected);
  });
}

test('no rollout: no owner, no Deployment above it, another one under its name, no right to look', async () => {
  assert.equal(await readRollout(transport(), { ...POD, owner: null }), null);
  assert.equal(await readRollout(transport(), POD), null, 'no ReplicaSet');
  server.put(SETS, { metadata: { namespace: 'web', name: 'app-1' } });
  assert.equal(await readRollout(transport(), POD), null, 'of nobody');
  server.collection(SETS).objects.clear();
  putOwners({}, 'another');
  assert.equal(await readRollout(transport(), POD), null, 'another Deployment');
  server.intercept = () => ({ status: 403, body: { kind: 'Status', message: 'forbidden' } });
  assert.equal(await readRollout(transport(), POD), 'forbidden');
});

test('a restart changes the pod template as kubectl does, of that Deployment alone', async () => {
  putOwners({ template: { metadata: { annotations: { note: 'kept' } } } });
  const read = await rollout();
  const atMs = Date.parse('2026-11-21T10:00:00Z');
  assert.equal(await restartRollout(transport(), { ...read, uid: 'another' }, atMs), 'gone');
  assert.equal((await rollout()).restartedAtMs, null);
  assert.equal(await restartRollout(transport(), read, atMs), 'restarted');
  assert.equal((await rollout()).restartedAtMs, atMs);
  const stored = server.collection(DEPLOYMENTS).objects.get('web/app') as
    | { readonly spec?: object }
    | undefined;
  const annotations = { note: 'kept', 'kubectl.kubernetes.io/restartedAt': '2026-11-21T10:00:00.000Z' };
  assert.deepEqual(stored?.spec, { template: { metadata: { annotations } } });
  assert.equal(await restartRollout(transport(), { ...read, name: 'gone' }, atMs), 'gone');
});
