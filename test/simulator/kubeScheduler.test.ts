// The simulated kube-scheduler: where pods go, which wait, and what makes it try again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import { KubeScheduler } from '../../src/simulator/kubeScheduler.ts';
import { NodeLedger } from '../../src/simulator/nodeLedger.ts';
import { ObjectStore } from '../../src/simulator/objectStore.ts';
import { VirtualClock } from '../../src/simulator/virtualClock.ts';
import { aNode, aPod, somePods } from '../builders.ts';

function aCluster(nodes: readonly Node[], pods: readonly Pod[] = []) {
  const clock = new VirtualClock(0);
  const store = new ObjectStore();
  const ledger = new NodeLedger(store);
  new KubeScheduler({ clock, store, ledger });
  for (const node of nodes) store.put('node', node.name, node);
  const add = (...added: readonly Pod[]): void => {
    for (const pod of added) store.put('pod', podKey(pod), { ...pod, unschedulableSinceMs: null });
    clock.advanceTo(clock.nowMs() + 2000);
  };
  add(...pods);
  const placed = (): Record<string, string> =>
    Object.fromEntries([...store.values('pod')].map((pod) => [pod.name, pod.nodeName]));
  return { clock, store, ledger, add, placed };
}

const inZone = (name: string, zone: string): Node => aNode({ name, labels: { [LABEL.zone]: zone } });
const app = { app: 'web' };
const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] };
const apart = { selector, topologyKey: LABEL.hostname, namespaces: [], namespaceSelector: null };
const taint = { key: 'gpu', value: '', effect: 'NoSchedule' as const };

const ONE_POD: readonly { when: string; node: Partial<Node>; pod: Pod; fits: boolean }[] = [
  { when: 'there is room', node: {}, pod: aPod({ cpuMillis: 2000 }), fits: true },
  { when: 'CPU is short', node: {}, pod: aPod({ cpuMillis: 2001 }), fits: false },
  { when: 'a resource is unknown', node: {}, pod: aPod({ requests: { 'nvidia.com/gpu': 1 } }), fits: false },
  { when: 'a taint is not tolerated', node: { taints: [taint] }, pod: aPod(), fits: false },
  {
    when: 'a taint is tolerated',
    node: { taints: [taint] },
    pod: aPod({
      spec: {
        tolerations: [{ key: 'gpu', operator: 'Exists', value: '', effect: null, tolerationSeconds: null }],
      },
    }),
    fits: true,
  },
  { when: 'the node is cordoned', node: { unschedulable: true }, pod: aPod(), fits: false },
  { when: 'the node is going', node: { deletionRequestedAtMs: 0 }, pod: aPod(), fits: false },
  {
    when: 'the selector matches',
    node: {},
    pod: aPod({ spec: { nodeSelector: { [LABEL.zone]: 'us-east-1a' } } }),
    fits: true,
  },
  {
    when: 'the selector does not match',
    node: {},
    pod: aPod({ spec: { nodeSelector: { [LABEL.zone]: 'us-east-1b' } } }),
    fits: false,
  },
  { when: 'affinity has no terms', node: {}, pod: aPod({ spec: { nodeAffinity: [] } }), fits: false },
];

for (const { when, node, pod, fits } of ONE_POD) {
  test(`${fits ? 'binds' : 'marks'} a pod when ${when}`, () => {
    const { store } = aCluster([aNode({ name: 'only', ...node })], [pod]);
    const seen = store.get('pod', podKey(pod));
    assert.equal(seen?.nodeName, fits ? 'only' : '');
    assert.equal(seen?.unschedulableSinceMs === null, fits);
  });
}

test('pods fill a node and no more, the rest is marked', () => {
  const { store } = aCluster([aNode({ name: 'only' })], somePods(5, { cpuMillis: 600 }));
  const pods = [...store.values('pod')];
  assert.equal(pods.filter(({ nodeName }) => nodeName === 'only').length, 3);
  assert.equal(pods.filter(({ unschedulableSinceMs }) => unschedulableSinceMs !== null).length, 2);
});

test('the emptier node is taken', () => {
  const { placed, add } = aCluster([aNode({ name: 'a' }), aNode({ name: 'b' })]);
  add(aPod({ name: 'first', cpuMillis: 500 }));
  add(aPod({ name: 'second', cpuMillis: 500 }));
  assert.equal(new Set(Object.values(placed())).size, 2);
});

test('waiting pods are tried again when a node comes, a taint goes, or a pod goes', () => {
  const { store, clock, placed } = aCluster(
    [aNode({ name: 'full', taints: [taint] })],
    [
      aPod({ name: 'one', cpuMillis: 1500 }),
      aPod({ name: 'two', cpuMillis: 1500 }),
      aPod({ name: 'three', cpuMillis: 1500 }),
    ],
  );
  assert.deepEqual(placed(), { one: '', two: '', three: '' });
  const full = store.get('node', 'full') ?? assert.fail();
  store.put('node', 'full', { ...full, taints: [] });
  clock.advanceTo(clock.nowMs() + 1000);
  assert.deepEqual(placed(), { one: 'full', two: '', three: '' });
  store.put('node', 'new', aNode({ name: 'new' }));
  clock.advanceTo(clock.nowMs() + 1000);
  assert.deepEqual(placed(), { one: 'full', two: 'new', three: '' });
  store.remove('pod', 'default/one');
  clock.advanceTo(clock.nowMs() + 1000);
  assert.deepEqual(placed(), { two: 'new', three: 'full' });
});

test('anti-affinity keeps replicas apart, and strangers away from those who want to be alone', () => {
  const loners = somePods(3, { name: 'web', labels: app, spec: { podAntiAffinity: [apart] } });
  const { placed, add } = aCluster([aNode({ name: 'a' }), aNode({ name: 'b' })], loners);
  assert.deepEqual(Object.values(placed()).sort(), ['', 'a', 'b']);
  add(aPod({ name: 'stranger', labels: app }));
  assert.equal(placed().stranger, '');
});

test('spread keeps zones within the skew', () => {
  const spread = {
    topologyKey: LABEL.zone,
    maxSkew: 1,
    minDomains: 1,
    whenUnsatisfiable: 'DoNotSchedule' as const,
    selector,
    nodeAffinityPolicy: 'Honor' as const,
    nodeTaintsPolicy: 'Ignore' as const,
  };
  const nodes = [inZone('a1', 'us-east-1a'), inZone('a2', 'us-east-1a'), inZone('b1', 'us-east-1b')];
  const pods = somePods(8, { cpuMillis: 500, labels: app, spec: { topologySpread: [spread] } });
  const { store } = aCluster(nodes, pods);
  const inB = [...store.values('pod')].filter(({ nodeName }) => nodeName === 'b1').length;
  const inA = [...store.values('pod')].filter(({ nodeName }) => nodeName.startsWith('a')).length;
  assert.equal(inB, 4);
  assert.ok(inA - inB <= 1, `${inA} in a, ${inB} in b`);
});

test('affinity puts pods with those that they want to be with; the first may go anywhere', () => {
  const together = { selector, topologyKey: LABEL.zone, namespaces: [], namespaceSelector: null };
  const nodes = [inZone('a', 'us-east-1a'), inZone('b', 'us-east-1b'), inZone('b2', 'us-east-1b')];
  const { placed } = aCluster(
    nodes,
    somePods(2, { cpuMillis: 1500, labels: app, spec: { podAffinity: [together] } }),
  );
  const zones = Object.values(placed()).map((name) => name[0]);
  assert.equal(new Set(zones.filter((zone) => zone !== undefined)).size, 1);
});

const small = {
  capacity: { cpu: 1000, memory: 2 ** 33, pods: 10 },
  allocatable: { cpu: 1000, memory: 2 ** 33, pods: 10 },
};
const told = (name: string, node: string, fields: Parameters<typeof aPod>[0] = {}): Pod =>
  aPod({ name, nominatedNodeName: node, cpuMillis: 600, ...fields });

test('a pod goes to its nominated node, whatever scores better', () => {
  const cluster = aCluster([aNode({ name: 'a' }), aNode({ name: 'b' })]);
  cluster.add(aPod({ name: 'ballast', cpuMillis: 500 }));
  const { ballast } = cluster.placed();
  assert.ok(ballast);
  cluster.add(told('pod', ballast));
  assert.equal(cluster.placed().pod, ballast);
  assert.equal(cluster.store.get('pod', 'default/pod')?.nominatedNodeName, '');
});

test('a pod whose nominated node is gone or closed to it goes elsewhere', () => {
  const cluster = aCluster([aNode({ name: 'a' }), aNode({ name: 'closed', taints: [taint] })]);
  cluster.add(told('one', 'gone'), told('two', 'closed'));
  assert.deepEqual(cluster.placed(), { one: 'a', two: 'a' });
});

const KEPT: readonly { when: string; comer: Pod; goes: string }[] = [
  { when: 'a pod of the same priority comes', comer: aPod({ name: 'comer', cpuMillis: 600 }), goes: '' },
  {
    when: 'a more urgent pod comes',
    comer: aPod({ name: 'comer', cpuMillis: 600, spec: { priority: 1 } }),
    goes: 'a',
  },
  { when: 'there is room for both', comer: aPod({ name: 'comer', cpuMillis: 400 }), goes: 'a' },
];
for (const { when, comer, goes } of KEPT) {
  test(`room for a nominated pod that waits ${goes === '' ? 'is kept' : 'is not in the way'} when ${when}`, () => {
    const cluster = aCluster([aNode({ name: 'a', ...small })]);
    cluster.add(told('gated', 'a', { schedulingGated: true }), comer);
    assert.equal(cluster.placed().comer, goes);
  });
}

test('room that was kept is free once the pod is gone or nominated elsewhere', () => {
  for (const change of ['gone', 'elsewhere']) {
    const cluster = aCluster([aNode({ name: 'a', ...small })]);
    const gated = told('gated', 'a', { schedulingGated: true });
    cluster.add(gated, aPod({ name: 'comer', cpuMillis: 600 }));
    assert.equal(cluster.placed().comer, '');
    if (change === 'gone') cluster.store.remove('pod', 'default/gated');
    else cluster.store.put('pod', 'default/gated', { ...gated, nominatedNodeName: 'b' });
    cluster.clock.advanceTo(cluster.clock.nowMs() + 2000);
    assert.equal(cluster.placed().comer, 'a', change);
  }
});

test('an attempt in vain takes the nomination off, and the pod is tried again a second later at the earliest', () => {
  const cluster = aCluster([aNode({ name: 'closed', taints: [taint] })]);
  const { clock, store } = cluster;
  const startMs = clock.nowMs();
  store.put('pod', 'default/pod', { ...told('pod', 'closed'), unschedulableSinceMs: null });
  clock.advanceTo(startMs + 10);
  const tried = store.get('pod', 'default/pod');
  assert.deepEqual([tried?.nominatedNodeName, tried?.unschedulableSinceMs], ['', startMs + 5]);
  store.put('node', 'a', aNode({ name: 'a' }));
  clock.advanceTo(startMs + 1004);
  assert.equal(cluster.placed().pod, '');
  clock.advanceTo(startMs + 1020);
  assert.equal(cluster.placed().pod, 'a');
});
