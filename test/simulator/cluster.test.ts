// The simulated API server and its controllers: versions, finalizers, evictions, budgets, workloads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podKey } from '../../src/model/pod.ts';
import { DisruptionBudgets } from '../../src/simulator/disruptionBudgets.ts';
import { NodeLedger } from '../../src/simulator/nodeLedger.ts';
import { ObjectStore } from '../../src/simulator/objectStore.ts';
import { Random } from '../../src/simulator/random.ts';
import { SimulatedKube } from '../../src/simulator/simulatedKube.ts';
import { VirtualClock } from '../../src/simulator/virtualClock.ts';
import { VolumeAttachments } from '../../src/simulator/volumeAttachments.ts';
import { Workloads } from '../../src/simulator/workloads.ts';
import { aBoundPod, aNode, aNodeClaim, aPod, aPodSpec } from '../builders.ts';

function aServer() {
  const clock = new VirtualClock(0);
  const store = new ObjectStore();
  const budgets = new DisruptionBudgets(store);
  const random = new Random('server');
  const attachments = new VolumeAttachments({ clock, store, ledger: new NodeLedger(store), random });
  const workloads = new Workloads({ clock, store, budgets, random: random.fork('workloads') });
  const kube = new SimulatedKube({ clock, store, budgets, attachments, workloads, random });
  const driven = async <T>(call: Promise<T>): Promise<T> => {
    clock.advanceTo(clock.nowMs() + 100);
    return call;
  };
  return { clock, store, budgets, kube, driven };
}

test('a claim written from an old version is a conflict, one that is gone is gone', async () => {
  const { store, kube, driven } = aServer();
  const { object: claim } = await driven(
    kube.createNodeClaim({ name: 'c', spec: aNodeClaim().spec, ownerUid: 'p' }),
  );
  const status = { ...claim.status, providerId: 'aws:///a/i-1' };
  const written = await driven(kube.writeNodeClaimStatus(claim, status));
  assert.equal(written.kind, 'written');
  assert.equal((await driven(kube.writeEmptySince(claim, 1))).kind, 'conflict');
  assert.equal(
    (await driven(kube.createNodeClaim({ name: 'c', spec: claim.spec, ownerUid: 'p' }))).kind,
    'exists',
  );
  assert.equal(await driven(kube.deleteNodeClaim('c', 'another uid')), 'gone');
  assert.equal(await driven(kube.deleteNodeClaim('c', claim.uid)), 'deleted');
  assert.notEqual(store.get('nodeClaim', 'c')?.deletionRequestedAtMs, null, 'the finalizer holds it');
  assert.equal(await driven(kube.releaseNodeClaim('c')), 'released');
  assert.equal(store.get('nodeClaim', 'c'), undefined);
  assert.equal((await driven(kube.writeNodeClaimStatus(claim, status))).kind, 'gone');
});

test('a node goes only once its finalizer is off, and a patch that changes nothing makes no version', async () => {
  const { store, kube, driven } = aServer();
  const node = store.put('node', 'n', aNode({ name: 'n' }));
  const patched = await driven(
    kube.patchNode(node, {
      addFinalizer: 'x',
      labels: { a: 'b', [Object.keys(node.labels)[0] ?? '']: null },
    }),
  );
  assert.ok(patched.kind === 'written');
  assert.equal(patched.object.labels.a, 'b');
  const again = await driven(kube.patchNode(node, { addFinalizer: 'x', labels: { a: 'b' } }));
  assert.equal(again.kind === 'written' && again.object.resourceVersion, patched.object.resourceVersion);
  await driven(kube.deleteNode('n', node.uid));
  assert.notEqual(store.get('node', 'n')?.deletionRequestedAtMs, null);
  await driven(kube.patchNode(node, { removeFinalizer: 'x' }));
  assert.equal(store.get('node', 'n'), undefined);
});

test('evictions stop at the budget, and go on when a pod is ready again', async () => {
  const { store, budgets, kube, driven } = aServer();
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] };
  const owner = { kind: 'ReplicaSet', name: 'web', uid: 'rs' };
  const pods = ['a', 'b', 'c'].map((name) => aBoundPod('n', { name, labels: { app: 'web' }, owner }));
  for (const pod of pods) store.put('pod', podKey(pod), pod);
  budgets.setScale('rs', 3);
  budgets.add({ namespace: 'default', name: 'web', selector, minAvailable: null, maxUnavailable: '1' });
  assert.equal(store.get('disruptionBudget', 'default/web')?.disruptionsAllowed, 1);
  const outcomes = [];
  const effects: string[] = [];
  kube.observe({ evicted: (_pod, effect) => void effects.push(effect) });
  for (const pod of [...pods, ...pods.slice(0, 1)]) outcomes.push(await driven(kube.evictPod(pod)));
  assert.deepEqual(outcomes, ['evicted', 'blocked', 'blocked', 'evicted']);
  assert.deepEqual(effects, ['evicted', 'blocked', 'blocked', 'leaving']);
  store.remove('pod', 'default/a');
  assert.equal(
    await driven(kube.evictPod(pods[1] ?? assert.fail())),
    'blocked',
    'its owner still wants three',
  );
  store.put('pod', 'default/d', aBoundPod('n', { name: 'd', labels: { app: 'web' }, owner }));
  assert.equal(await driven(kube.evictPod(pods[1] ?? assert.fail())), 'evicted');
  assert.equal(await driven(kube.evictPod({ namespace: 'default', name: 'a', uid: 'uid-a' })), 'gone');
});

const BUDGETS = [
  { minAvailable: '2', maxUnavailable: null, allowed: 3 },
  { minAvailable: '50%', maxUnavailable: null, allowed: 2 },
  { minAvailable: null, maxUnavailable: '30%', allowed: 2 },
  { minAvailable: '100%', maxUnavailable: null, allowed: 0 },
  { minAvailable: '9', maxUnavailable: null, allowed: 0 },
];

for (const { minAvailable, maxUnavailable, allowed } of BUDGETS) {
  test(`of 5 pods ${minAvailable ?? '-'} available, ${maxUnavailable ?? '-'} unavailable allows ${allowed}`, () => {
    const { store, budgets } = aServer();
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      store.put('pod', `default/${name}`, aBoundPod('n', { name, labels: { app: 'web' } }));
    }
    const selector = { expressions: [{ key: 'app', operator: 'Exists' as const, values: [] }] };
    budgets.add({ namespace: 'default', name: 'web', selector, minAvailable, maxUnavailable });
    assert.equal(store.get('disruptionBudget', 'default/web')?.disruptionsAllowed, allowed);
  });
}

test('a Deployment makes up for pods that go, and gives up waiting ones first', () => {
  const { clock, store, budgets } = aServer();
  const workloads = new Workloads({ clock, store, budgets, random: new Random('workloads') });
  workloads.add({
    kind: 'Deployment',
    namespace: 'default',
    name: 'web',
    labels: { app: 'web' },
    annotations: {},
    pod: aPodSpec(),
    steps: [
      { atMs: 0, replicas: 4 },
      { atMs: 60_000, replicas: 2 },
    ],
    runTimeMs: null,
  });
  clock.advanceTo(0);
  assert.equal(store.count('pod'), 4);
  const [first, second] = [...store.values('pod')];
  for (const pod of [first, second]) {
    if (pod !== undefined)
      store.put('pod', podKey(pod), { ...pod, nodeName: 'n', phase: 'Running', ready: true });
  }
  store.remove('pod', podKey([...store.values('pod')][3] ?? assert.fail()));
  clock.advanceTo(1000);
  assert.equal(store.count('pod'), 4, 'made up for');
  clock.advanceTo(61_000);
  assert.deepEqual(
    [...store.values('pod')].map(({ nodeName }) => nodeName),
    ['n', 'n'],
  );
});

test('a nomination is written to that very pod', async () => {
  const { store, kube, driven } = aServer();
  store.put('pod', 'default/web', aPod({ name: 'web' }));
  const written = (uid: string): Promise<string> =>
    driven(kube.nominatePod({ namespace: 'default', name: 'web', uid }, 'node'));
  assert.equal(await written('another'), 'gone');
  assert.equal(store.get('pod', 'default/web')?.nominatedNodeName, '');
  assert.equal(await written('uid-web'), 'written');
  assert.equal(store.get('pod', 'default/web')?.nominatedNodeName, 'node');
});

test('a volume is attached where its pods are, and leaves a while after the last of them', async () => {
  const { clock, store, kube, driven } = aServer();
  const volume = { name: 'pv', nodeAffinity: [], csiDriver: 'ebs' };
  const claim = { namespace: 'default', name: 'data', volumeName: 'pv', storageClassName: '' };
  store.put('persistentVolume', 'pv', volume);
  store.put('persistentVolumeClaim', 'default/data', claim);
  store.put('node', 'node', aNode({ name: 'node' }));
  const spec = { volumes: [{ kind: 'claim' as const, claimName: 'data' }] };
  for (const name of ['one', 'two']) store.put('pod', `default/${name}`, aBoundPod('node', { name, spec }));
  const attached = async () => driven(kube.readVolumeAttachments());
  clock.advanceTo(1_000);
  assert.deepEqual(await attached(), [{ nodeName: 'node', volumeName: 'pv' }]);
  store.remove('pod', 'default/one');
  clock.advanceTo(600_000);
  assert.equal((await attached()).length, 1, 'the other pod is there still');
  store.remove('pod', 'default/two');
  assert.equal((await attached()).length, 1);
  clock.advanceTo(1_200_000);
  assert.deepEqual(await attached(), []);
});
