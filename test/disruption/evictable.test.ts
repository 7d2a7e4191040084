import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mustLeave, nextDrainStep, occupiesNode, optOut } from '../../src/disruption/evictable.ts';
import type { Pod } from '../../src/model/pod.ts';
import type { Toleration } from '../../src/model/taint.ts';
import { aBoundPod, type PodFields } from '../builders.ts';

const TOLERATES_ALL: Toleration = {
  key: '',
  operator: 'Exists',
  value: '',
  effect: null,
  tolerationSeconds: null,
};
const CRITICAL = { priority: 2_000_000_000 };

const cases: readonly { what: string; pod: PodFields; occupies: boolean; leaves: boolean }[] = [
  { what: 'an ordinary pod', pod: {}, occupies: true, leaves: true },
  { what: 'a pod without an owner', pod: { owner: null }, occupies: true, leaves: true },
  { what: 'a finished pod', pod: { phase: 'Succeeded' }, occupies: false, leaves: false },
  { what: 'a failed pod', pod: { phase: 'Failed' }, occupies: false, leaves: false },
  { what: 'a static pod', pod: { mirror: true }, occupies: false, leaves: false },
  {
    what: 'a daemon',
    pod: { owner: { kind: 'DaemonSet', name: 'd', uid: 'd' } },
    occupies: false,
    leaves: false,
  },
  {
    what: 'a pod that tolerates everything',
    pod: { spec: { tolerations: [TOLERATES_ALL] } },
    occupies: true,
    leaves: false,
  },
];

for (const { what, pod, occupies, leaves } of cases) {
  const place = occupies ? 'occupies' : 'does not occupy';
  test(`${what} ${place} its node and ${leaves ? 'must leave' : 'may stay'}`, () => {
    assert.equal(occupiesNode(aBoundPod('node', pod)), occupies);
    assert.equal(mustLeave(aBoundPod('node', pod)), leaves);
  });
}

function names(pods: readonly Pod[]): readonly string[] {
  return pods.map((pod) => pod.name);
}

test('critical pods are evicted only when no others are left', () => {
  const ordinary = aBoundPod('node', { name: 'web' });
  const critical = aBoundPod('node', { name: 'dns', spec: CRITICAL });
  assert.deepEqual(names(nextDrainStep([ordinary, critical], 0).evict), ['web']);
  const leaving = { ...ordinary, deletionRequestedAtMs: 0 };
  assert.deepEqual(names(nextDrainStep([leaving, critical], 0).evict), []);
  assert.deepEqual(names(nextDrainStep([critical], 0).evict), ['dns']);
});

for (const annotation of ['karpenter.sh/do-not-evict', 'karpenter.sh/do-not-disrupt']) {
  test(`a pod with ${annotation} is never evicted, and is named`, () => {
    const step = nextDrainStep([aBoundPod('node', { annotations: { [annotation]: 'true' } })], 0);
    assert.deepEqual(step.evict, []);
    assert.deepEqual(
      step.forbidding.map(({ annotation: named }) => named),
      [annotation],
    );
  });
}

test('a pod stuck terminating a minute past its grace is waited for no longer', () => {
  const pod = aBoundPod('node', { deletionRequestedAtMs: 0, spec: { terminationGraceSeconds: 30 } });
  assert.equal(nextDrainStep([pod], 90_000).leaving.length, 1);
  assert.equal(nextDrainStep([pod], 90_001).leaving.length, 0);
});

const optOuts: readonly { annotations: Readonly<Record<string, string>>; nowMs: number; forbids: boolean }[] =
  [
    { annotations: {}, nowMs: 5, forbids: false },
    { annotations: { 'karpenter.sh/do-not-evict': 'true' }, nowMs: 5, forbids: true },
    { annotations: { 'karpenter.sh/do-not-disrupt': 'true' }, nowMs: 5, forbids: true },
    { annotations: { 'karpenter.sh/do-not-disrupt': '1h' }, nowMs: 1_000_000 + 3_599_999, forbids: true },
    { annotations: { 'karpenter.sh/do-not-disrupt': '1h' }, nowMs: 1_000_000 + 3_600_000, forbids: false },
    { annotations: { 'karpenter.sh/do-not-disrupt': 'soon' }, nowMs: 5, forbids: false },
    { annotations: { 'karpenter.sh/do-not-consolidate': 'true' }, nowMs: 5, forbids: false },
    { annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' }, nowMs: 5, forbids: true },
  ];
for (const { annotations, nowMs, forbids } of optOuts) {
  test(`${JSON.stringify(annotations)} ${forbids ? 'forbids' : 'allows'} eviction at ${nowMs}`, () => {
    const pod = aBoundPod('node', { annotations, createdAtMs: 1_000_000 });
    assert.equal(optOut(pod, nowMs) !== null, forbids);
  });
}
