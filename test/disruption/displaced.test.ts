import assert from 'node:assert/strict';
import { test } from 'node:test';
import { displacedPods } from '../../src/disruption/displaced.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import { aBoundPod, aNodeClaim, aSnapshot, type PodFields } from '../builders.ts';

const OWNER = { kind: 'ReplicaSet', name: 'app', uid: 'app' };
const LEAVING = aNodeClaim({ deletionRequestedAtMs: 1, status: { ...NO_STATUS, nodeName: 'leaving' } });

const cases: readonly { what: string; node?: string; pod: PodFields; displaced: boolean }[] = [
  { what: 'a pod that its owner makes again', pod: { owner: OWNER }, displaced: true },
  { what: 'a pod on another node', node: 'other', pod: { owner: OWNER }, displaced: false },
  { what: 'a pod that nobody makes again', pod: { owner: null }, displaced: false },
  { what: 'a pod evicted already', pod: { owner: OWNER, deletionRequestedAtMs: 1 }, displaced: false },
  { what: 'a finished pod', pod: { owner: OWNER, phase: 'Succeeded' }, displaced: false },
  { what: 'a daemon', pod: { owner: { ...OWNER, kind: 'DaemonSet' } }, displaced: false },
  {
    what: 'a pod that forbids its eviction',
    pod: { owner: OWNER, annotations: { 'karpenter.sh/do-not-evict': 'true' } },
    displaced: false,
  },
];
for (const { what, node, pod, displaced } of cases) {
  test(`${what} is ${displaced ? '' : 'not '}planned for when its node leaves`, () => {
    const bound = aBoundPod(node ?? 'leaving', pod);
    const outcome = displacedPods(aSnapshot({ takenAtMs: 5, nodeClaims: [LEAVING], pods: [bound] }));
    assert.deepEqual(
      outcome.pods.map(({ name, nodeName }) => [name, nodeName]),
      displaced ? [['pod', '']] : [],
    );
    assert.equal(outcome.snapshot.pods.length, displaced ? 0 : 1);
  });
}

test('a claim that stays displaces nothing', () => {
  const claim = aNodeClaim({ status: { ...NO_STATUS, nodeName: 'leaving' } });
  const snapshot = aSnapshot({ nodeClaims: [claim], pods: [aBoundPod('leaving', { owner: OWNER })] });
  assert.equal(displacedPods(snapshot).snapshot, snapshot);
});

const held: readonly {
  readonly what: string;
  minutes: number;
  allowed: number;
  capMinutes?: number;
  planned: boolean;
}[] = [
  { what: 'a node that leaves since a moment ago', minutes: 9, allowed: 0, planned: true },
  { what: 'a node that has been leaving for long', minutes: 10, allowed: 0, planned: false },
  { what: 'one whose budget has room again', minutes: 10, allowed: 1, planned: true },
  { what: 'one that ends soon by its grace period', minutes: 50, allowed: 0, capMinutes: 60, planned: true },
  { what: 'one that ends late by its grace period', minutes: 49, allowed: 0, capMinutes: 60, planned: false },
];
for (const { what, minutes, allowed, capMinutes, planned } of held) {
  test(`pods on ${what}, of a budget that lets ${allowed} go, are ${planned ? '' : 'not '}planned for`, () => {
    const selector = { expressions: [{ key: 'app', operator: 'Exists' as const, values: [] }] };
    const cap = capMinutes === undefined ? {} : { terminationGracePeriodMs: capMinutes * 60_000 };
    const { pods } = displacedPods(
      aSnapshot({
        takenAtMs: 1 + minutes * 60_000,
        nodeClaims: [{ ...LEAVING, spec: { ...LEAVING.spec, ...cap } }],
        pods: [aBoundPod('leaving', { owner: OWNER, labels: { app: 'web' } })],
        disruptionBudgets: [{ namespace: 'default', name: 'web', selector, disruptionsAllowed: allowed }],
      }),
    );
    assert.equal(pods.length, planned ? 1 : 0);
  });
}
