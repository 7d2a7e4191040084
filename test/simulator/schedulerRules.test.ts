// The simulated kube-scheduler, rule by rule: what other pods, volumes and preferences do to the choice of a node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '../../src/model/pod.ts';
import { podKey } from '../../src/model/pod.ts';
import { KubeScheduler } from '../../src/simulator/kubeScheduler.ts';
import { NodeLedger } from '../../src/simulator/nodeLedger.ts';
import { ObjectStore } from '../../src/simulator/objectStore.ts';
import { VirtualClock } from '../../src/simulator/virtualClock.ts';
import { aBoundPod, aNode, aPod } from '../builders.ts';

function aCluster(nodes: readonly Node[], running: readonly Pod[] = []) {
  const clock = new VirtualClock(0);
  const store = new ObjectStore();
  const scheduler = new KubeScheduler({ clock, store, ledger: new NodeLedger(store) });
  for (const node of nodes) store.put('node', node.name, node);
  for (const pod of running) store.put('pod', podKey(pod), pod);
  const place = (pod: Pod): string => {
    store.put('pod', podKey(pod), { ...pod, unschedulableSinceMs: null });
    clock.advanceTo(clock.nowMs() + 2000);
    return store.get('pod', podKey(pod))?.nodeName ?? '';
  };
  return { store, scheduler, place };
}

const A = aNode({ name: 'a', labels: { [LABEL.zone]: 'zone-a', disk: 'ssd' } });
const B = aNode({ name: 'b', labels: { [LABEL.zone]: 'zone-b' } });
const app = (name: string): { app: string } => ({ app: name });
const selecting = (name: string) => ({
  expressions: [{ key: 'app', operator: 'In' as const, values: [name] }],
});
const term = (name: string, topologyKey: string = LABEL.zone): PodAffinityTerm => ({
  selector: selecting(name),
  topologyKey,
  namespaces: [],
  namespaceSelector: null,
});
const spread = (fields: Partial<TopologySpreadConstraint> = {}): TopologySpreadConstraint => ({
  topologyKey: LABEL.zone,
  maxSkew: 1,
  minDomains: 1,
  whenUnsatisfiable: 'DoNotSchedule',
  selector: selecting('web'),
  nodeAffinityPolicy: 'Honor',
  nodeTaintsPolicy: 'Ignore',
  ...fields,
});
const soft = { key: 'tired', value: '', effect: 'PreferNoSchedule' as const };
/** Makes node a the fuller one, so that only a rule can send a pod there. */
const ballast = aBoundPod('a', {
  name: 'ballast',
  cpuMillis: 800,
  memoryBytes: 2 ** 30,
  labels: app('ballast'),
});
const onB = (fields: Parameters<typeof aPod>[0]): Pod => aBoundPod('b', { name: 'there', ...fields });

const CASES: readonly {
  rule: string;
  nodes?: readonly Node[];
  running: readonly Pod[];
  pod: Pod;
  goes: string;
}[] = [
  { rule: 'room alone', running: [ballast], pod: aPod(), goes: 'b' },
  {
    rule: 'preferred node labels',
    running: [ballast],
    pod: aPod({
      spec: {
        preferredNodeAffinity: [
          {
            weight: 1,
            term: { requirements: [{ key: 'disk', operator: 'In', values: ['ssd'] }], matchFields: false },
          },
        ],
      },
    }),
    goes: 'a',
  },
  { rule: 'a soft taint', nodes: [A, { ...B, taints: [soft] }], running: [ballast], pod: aPod(), goes: 'a' },
  {
    rule: 'a soft spread',
    running: [ballast, onB({ labels: app('web') })],
    pod: aPod({
      labels: app('web'),
      spec: { topologySpread: [spread({ whenUnsatisfiable: 'ScheduleAnyway' })] },
    }),
    goes: 'a',
  },
  {
    rule: 'preferred affinity',
    running: [ballast],
    pod: aPod({ spec: { preferredPodAffinity: [{ weight: 1, term: term('ballast') }] } }),
    goes: 'a',
  },
  {
    rule: 'preferred anti-affinity of a pod that runs',
    running: [ballast, onB({ spec: { preferredPodAntiAffinity: [{ weight: 9, term: term('web') }] } })],
    pod: aPod({ labels: app('web') }),
    goes: 'a',
  },
  {
    rule: 'required affinity of a pod that runs',
    running: [aBoundPod('a', { ...ballast, cpuMillis: 800, spec: { podAffinity: [term('web')] } })],
    pod: aPod({ labels: app('web') }),
    goes: 'a',
  },
  {
    rule: 'affinity wants one pod that matches all terms',
    running: [onB({ labels: app('web') })],
    pod: aPod({ labels: app('web'), spec: { podAffinity: [term('web'), term('db')] } }),
    goes: '',
  },
  {
    rule: 'pods on their way out still draw others',
    running: [ballast, onB({ labels: app('web'), deletionRequestedAtMs: 0 })],
    pod: aPod({ spec: { podAffinity: [term('web')] } }),
    goes: 'b',
  },
  {
    rule: 'minDomains',
    running: [onB({ labels: app('web') }), aBoundPod('a', { name: 'too', labels: app('web') })],
    pod: aPod({ labels: app('web'), spec: { topologySpread: [spread({ minDomains: 3 })] } }),
    goes: '',
  },
  {
    rule: 'a spread counts no pods where its policies do not look',
    nodes: [{ ...A, taints: [{ key: 'x', value: '', effect: 'NoSchedule' }] }, B],
    running: [onB({ labels: app('web') })],
    pod: aPod({ labels: app('web'), spec: { topologySpread: [spread({ nodeTaintsPolicy: 'Honor' })] } }),
    goes: 'b',
  },
  {
    rule: 'an empty spread selector counts nobody',
    running: [onB({}), onB({ name: 'second' }), aBoundPod('a', { name: 'full', cpuMillis: 2000 })],
    pod: aPod({ spec: { topologySpread: [spread({ selector: { expressions: [] } })] } }),
    goes: 'b',
  },
];

for (const { rule, nodes, running, pod, goes } of CASES) {
  test(`${rule}: the pod goes to ${goes || 'no node'}`, () => {
    assert.equal(aCluster(nodes ?? [A, B], running).place(pod), goes);
  });
}

const CLAIM = { namespace: 'default', name: 'data', volumeName: '', storageClassName: 'late' };
const CLASS = {
  name: 'late',
  isDefault: false,
  provisioner: 'ebs',
  waitForFirstConsumer: true,
  allowedTopologies: [],
};
const withClaim = (name: string): Pod =>
  aPod({ name, spec: { volumes: [{ kind: 'claim', claimName: 'data' }] } });

test('a claim gets its volume in the zone of its first pod, and the next pod follows it there', () => {
  const { store, place } = aCluster([A, B], [ballast]);
  store.put('storageClass', 'late', CLASS);
  store.put('persistentVolumeClaim', 'default/data', CLAIM);
  assert.equal(place(withClaim('first')), 'b');
  store.put('pod', 'default/more', aBoundPod('b', { name: 'more', cpuMillis: 1500 }));
  assert.equal(place(withClaim('second')), 'b');
  store.put('pod', 'default/rest', aBoundPod('b', { name: 'rest', cpuMillis: 300 }));
  assert.equal(place(withClaim('third')), '');
});

test('a pod waits while its claim is missing or binds by itself', () => {
  const { store, place } = aCluster([A, B]);
  assert.equal(place(withClaim('missing')), '');
  store.put('storageClass', 'late', { ...CLASS, waitForFirstConsumer: false });
  store.put('persistentVolumeClaim', 'default/data', CLAIM);
  assert.equal(place(withClaim('unbound')), '');
});

test('a node takes no more volumes than its driver can attach; one volume of two pods counts once', () => {
  const { store, place } = aCluster([A]);
  store.put('csiNode', 'a', { name: 'a', volumeLimits: { ebs: 1 } });
  store.put('storageClass', 'late', CLASS);
  for (const name of ['data', 'other']) {
    store.put('persistentVolumeClaim', `default/${name}`, { ...CLAIM, name });
  }
  assert.equal(place(withClaim('first')), 'a');
  assert.equal(place(withClaim('sharer')), 'a');
  const other = aPod({ name: 'third', spec: { volumes: [{ kind: 'claim', claimName: 'other' }] } });
  assert.equal(place(other), '');
});

test('every node that would do is ranked', () => {
  const { scheduler } = aCluster([A, B], [ballast]);
  const ranked = scheduler.rank(aPod());
  assert.deepEqual(
    ranked.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.ok((ranked[1]?.score ?? 0) > (ranked[0]?.score ?? 0));
});
