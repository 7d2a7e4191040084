import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSeenOff, mustLeave, occupiesNode, optOut } from '../../src/disruption/evictable.ts';
import type { Toleration } from '../../src/model/taint.ts';
import { aBoundPod, type PodFields } from '../builders.ts';

const DAEMON = { kind: 'DaemonSet', name: 'd', uid: 'd' };
const TOLERATES_ALL: Toleration = {
  key: '',
  operator: 'Exists',
  value: '',
  effect: null,
  tolerationSeconds: null,
};

const cases: readonly {
  what: string;
  pod: PodFields;
  occupies: boolean;
  leaves: boolean;
  /** By a drain; as `leaves` when absent. */
  goes?: boolean;
}[] = [
  { what: 'an ordinary pod', pod: {}, occupies: true, leaves: true },
  { what: 'a pod without an owner', pod: { owner: null }, occupies: true, leaves: true },
  { what: 'a finished pod', pod: { phase: 'Succeeded' }, occupies: false, leaves: false },
  { what: 'a failed pod', pod: { phase: 'Failed' }, occupies: false, leaves: false },
  { what: 'a static pod', pod: { mirror: true }, occupies: false, leaves: false },
  {
    what: 'a daemon',
    pod: { owner: DAEMON },
    occupies: false,
    leaves: false,
    goes: true,
  },
  {
    what: 'a daemon that tolerates everything',
    pod: { owner: DAEMON, spec: { tolerations: [TOLERATES_ALL] } },
    occupies: false,
    leaves: false,
  },
  {
    what: 'a daemon that opts out',
    pod: { owner: DAEMON, annotations: { 'karpenter.sh/do-not-evict': 'true' } },
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

for (const { what, pod, occupies, leaves, goes = leaves } of cases) {
  const place = occupies ? 'occupies' : 'does not occupy';
  test(`${what} ${place} its node and ${leaves ? 'must leave' : 'may stay'}, ${goes ? '' : 'not '}seen off`, () => {
    assert.equal(occupiesNode(aBoundPod('node', pod)), occupies);
    assert.equal(mustLeave(aBoundPod('node', pod)), leaves);
    assert.equal(isSeenOff(aBoundPod('node', pod), 0), goes);
  });
}

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
