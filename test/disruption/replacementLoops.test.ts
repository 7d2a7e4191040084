// Nodes that go on replacing each other: noticed over any number of steps, per workload and Provisioner, for an hour.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplacementLoops } from '../../src/disruption/replacementLoops.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import type { PlannedNodeClaim } from '../../src/model/plan.ts';
import { podKey } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aBoundPod, aNodeClaim, anOwnedNode, aSnapshot } from '../builders.ts';

const MINUTE_MS = 60_000;

interface Replacing {
  readonly from: string;
  readonly to: string;
  readonly atMs?: number;
  readonly workload?: string;
  readonly provisioner?: string;
}

/** One node of a type, with two pods of a workload, that would be replaced by one of another type. */
function aReplacement({ from, to, atMs = 0, workload = 'web', provisioner = 'default' }: Replacing): {
  readonly action: Parameters<ReplacementLoops['stops']>[0];
  readonly snapshot: ClusterSnapshot;
} {
  const owner = { kind: 'ReplicaSet', name: workload, uid: workload };
  const pods = [1, 2].map((index) => aBoundPod('n1', { name: `${workload}-${index}`, owner }));
  const base = aNodeClaim({ name: `claim-of-${from}` });
  const spec = { ...base.spec, provisioner };
  const status = { ...NO_STATUS, nodeName: 'n1', instanceType: from, capacityType: 'on-demand' as const };
  const planned: PlannedNodeClaim = {
    ...{ spec, instanceType: to, zone: 'us-east-1a', capacityType: 'on-demand', usdPerHour: 0.1 },
    ...{ allocatable: {}, pods: pods.map(podKey) },
  };
  const nodeClaims = [{ ...base, spec, status }];
  return {
    action: { nodeClaims: [base.name], replacements: [planned], evicted: pods.map(podKey) },
    snapshot: aSnapshot({ takenAtMs: atMs, nodes: [anOwnedNode({ name: 'n1' })], nodeClaims, pods }),
  };
}

/** Carries out the first ones, and asks about the last. */
function stopsAfter(before: readonly Replacing[], last: Replacing): ReplacementLoops | null {
  const loops = new ReplacementLoops();
  for (const one of before) {
    const { action, snapshot } = aReplacement(one);
    assert.equal(loops.stops(action, snapshot), false);
    loops.note(action, snapshot);
  }
  const { action, snapshot } = aReplacement(last);
  return loops.stops(action, snapshot) ? loops : null;
}

test('a type that comes back for the same pods closes a loop, and both replacements are named', () => {
  const loops = stopsAfter([{ from: 'm5.large', to: 'c5.large' }], { from: 'c5.large', to: 'm5.large' });
  const message = loops?.leftAlone(0).get('claim-of-c5.large') ?? '';
  assert.match(message, /claim-of-c5\.large, c5\.large \(on-demand\), would be replaced by m5\.large/);
  assert.match(message, /after claim-of-m5\.large, m5\.large \(on-demand\), by c5\.large \(on-demand\)/);
});

test('a loop is noticed by way of any number of types', () => {
  const before = [
    { from: 'a', to: 'b', atMs: 0 },
    { from: 'b', to: 'c', atMs: MINUTE_MS },
  ];
  const loops = stopsAfter(before, { from: 'c', to: 'a', atMs: 2 * MINUTE_MS });
  const message = loops?.leftAlone(2 * MINUTE_MS).get('claim-of-c') ?? '';
  assert.match(message, /after claim-of-a, a .*, by b .*, then claim-of-b, b .*, by c/);
});

const PASSES: readonly { readonly what: string; readonly before: Replacing; readonly last: Replacing }[] = [
  { what: 'goes on downwards', before: { from: 'a', to: 'b' }, last: { from: 'b', to: 'c' } },
  { what: 'is made once more', before: { from: 'a', to: 'b' }, last: { from: 'a', to: 'b' } },
  { what: 'keeps the type', before: { from: 'a', to: 'b' }, last: { from: 'b', to: 'b' } },
  {
    what: 'is for another workload',
    before: { from: 'a', to: 'b' },
    last: { from: 'b', to: 'a', workload: 'batch' },
  },
  {
    what: 'is of another Provisioner',
    before: { from: 'a', to: 'b' },
    last: { from: 'b', to: 'a', provisioner: 'other' },
  },
  {
    what: 'comes an hour later',
    before: { from: 'a', to: 'b' },
    last: { from: 'b', to: 'a', atMs: 60 * MINUTE_MS },
  },
];
for (const { what, before, last } of PASSES) {
  test(`a replacement is no loop when it ${what}`, () => assert.equal(stopsAfter([before], last), null));
}

test('nodes are left alone for an hour, and nothing is remembered for longer', () => {
  const loops = stopsAfter([{ from: 'a', to: 'b' }], { from: 'b', to: 'a', atMs: 30 * MINUTE_MS });
  assert.ok(loops !== null);
  assert.equal(loops.leftAlone(89 * MINUTE_MS).size, 1);
  assert.equal(loops.leftAlone(90 * MINUTE_MS).size, 0);
  assert.equal(loops.size, 0);
});

test('nodes that go without a replacement close no loop', () => {
  const loops = new ReplacementLoops();
  const { action, snapshot } = aReplacement({ from: 'a', to: 'b' });
  loops.note(action, snapshot);
  const back = aReplacement({ from: 'b', to: 'a' });
  assert.equal(loops.stops({ ...back.action, replacements: [] }, back.snapshot), false);
});
