// What `explainPod` says of a pod: why it waits, where it would go, and what keeps it where it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainPod } from '../../src/disruption/explainPod.ts';
import type { PodExplanation } from '../../src/disruption/explanation.ts';
import { restingProvisioners } from '../../src/disruption/restingProvisioners.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import {
  aBoundPod,
  aNodeClass,
  anInstanceType,
  anOwnedNode,
  aPod,
  aProvisioner,
  aSnapshot,
  GIB,
} from '../builders.ts';

const NOW_MS = 10_000_000;
const OWNER = { kind: 'ReplicaSet', name: 'web', uid: 'rs' } as const;
const TYPES = [anInstanceType()];

function explain(pod: Pod, cluster: Partial<ClusterSnapshot> = {}): PodExplanation {
  const provisioners = cluster.provisioners ?? [aProvisioner()];
  const snapshot = aSnapshot({
    takenAtMs: NOW_MS,
    nodeClasses: [aNodeClass()],
    ...cluster,
    provisioners,
    pods: [pod, ...(cluster.pods ?? [])],
  });
  const catalogue = new Map(provisioners.map(({ name }) => [name, TYPES]));
  return explainPod(pod, { snapshot, catalogue, resting: restingProvisioners(snapshot) });
}

const STATES: readonly { readonly when: string; readonly pod: Pod; readonly says: RegExp }[] = [
  { when: 'unschedulable', pod: aPod(), says: /finds no node/ },
  { when: 'not tried yet', pod: aPod({ unschedulableSinceMs: null }), says: /has not said/ },
  { when: 'gated', pod: aPod({ schedulingGated: true }), says: /gates/ },
  { when: 'of another scheduler', pod: aPod({ spec: { schedulerName: 'mine' } }), says: /scheduler mine/ },
  { when: 'a daemon', pod: aPod({ owner: { ...OWNER, kind: 'DaemonSet' } }), says: /DaemonSet/ },
  { when: 'terminating', pod: aPod({ deletionRequestedAtMs: 1 }), says: /terminating/ },
  { when: 'over', pod: aPod({ phase: 'Succeeded' }), says: /ended \(Succeeded\)/ },
  { when: 'bound', pod: aBoundPod('node'), says: /bound to node node/ },
];
for (const { when, pod, says } of STATES) {
  test(`the state of a pod that is ${when}`, () => {
    assert.match(explain(pod).state, says);
  });
}

test('a pending pod: the node that would be launched, with its price', () => {
  const { place } = explain(aPod());
  assert.ok(place.kind === 'newNode');
  assert.deepEqual([place.node.instanceType, place.node.usdPerHour], ['m5.large', 0.096]);
});

test('a pending pod that an existing node holds', () => {
  const { place } = explain(aPod(), { nodes: [anOwnedNode({ name: 'free' })] });
  assert.deepEqual(place, { kind: 'existing', target: 'node/free' });
});

test('a refused pod: one sentence for each Provisioner, each with its own constraint', () => {
  const taint = { key: 'gpu', value: '', effect: 'NoSchedule' } as const;
  const { place } = explain(aPod({ cpuMillis: 3000 }), {
    provisioners: [
      aProvisioner(),
      aProvisioner({ name: 'gpu', taints: [taint] }),
      aProvisioner({ name: 'off', suspended: true }),
    ],
  });
  assert.ok(place.kind === 'refused');
  assert.deepEqual(
    place.provisioners.map(({ provisioner, code }) => `${provisioner} ${code}`),
    ['default InsufficientResources', 'gpu TaintNotTolerated', 'off NoCapacity'],
  );
  assert.match(place.provisioners[0]?.reason ?? '', /needs 3 of cpu; the largest type.*has 2/);
  assert.match(place.provisioners[1]?.nearest ?? '', /toleration for gpu/);
});

test('a pod that fits by itself, but not beside the others: what is said of it among them', () => {
  const big = aPod({ name: 'big', cpuMillis: 1900, spec: { priority: 10 } });
  const { place } = explain(aPod({ name: 'small', cpuMillis: 1900 }), {
    provisioners: [aProvisioner({ limits: { cpu: 2000 } })],
    pods: [big],
  });
  assert.ok(place.kind === 'refused');
  assert.equal(place.provisioners[0]?.code, 'LimitExceeded');
  assert.match(place.provisioners[0]?.reason ?? '', /may have 2 of cpu/);
});

test('without a Provisioner, that is what is said', () => {
  const { place } = explain(aPod(), { provisioners: [] });
  assert.ok(place.kind === 'refused');
  assert.equal(place.provisioners[0]?.code, 'NoProvisioner');
});

test('a bound pod: its budgets, what forbids its eviction, and where it would go', () => {
  const pod = aBoundPod('node', { name: 'web-1', owner: OWNER, labels: { app: 'web' } });
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] };
  const budget = { namespace: 'default', name: 'web', selector, disruptionsAllowed: 0 };
  const { budgets, obstacles, place } = explain(pod, {
    nodes: [anOwnedNode({ name: 'node' })],
    disruptionBudgets: [{ ...budget, currentHealthy: 2, desiredHealthy: 2 }],
  });
  assert.deepEqual(budgets, [
    { name: 'default/web', disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 2 },
  ]);
  assert.deepEqual(
    obstacles.map(({ blockedBy }) => blockedBy),
    [podKey(pod)],
  );
  assert.equal(place.kind, 'newNode');
});

const ENDING: readonly { readonly when: string; readonly pod: Pod; readonly says: RegExp }[] = [
  { when: 'nobody owns it', pod: aBoundPod('node'), says: /nobody would make it again/ },
  {
    when: 'a DaemonSet owns it',
    pod: aBoundPod('node', { owner: { ...OWNER, kind: 'DaemonSet' } }),
    says: /ends with it/,
  },
  {
    when: 'it tolerates everything',
    pod: aBoundPod('node', {
      owner: OWNER,
      spec: {
        tolerations: [{ key: '', operator: 'Exists', value: '', effect: null, tolerationSeconds: null }],
      },
    }),
    says: /ends with its node/,
  },
];
for (const { when, pod, says } of ENDING) {
  test(`a bound pod goes nowhere when ${when}`, () => {
    const { place } = explain(pod, { nodes: [anOwnedNode({ name: 'node' })] });
    assert.ok(place.kind === 'none');
    assert.match(place.message, says);
  });
}

test('a pod that was sent to a node names it', () => {
  const { nominated } = explain(aPod({ nominatedNodeName: 'node', memoryBytes: GIB }), {
    nodes: [anOwnedNode({ name: 'node' })],
  });
  assert.equal(nominated?.node, 'node');
  assert.match(nominated?.message ?? '', /told to try/);
});
