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
