// Nodes that go for their age or drift: which, what keeps them, what they need first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decideLeaving,
  expiredNodes,
  type Leaving,
  leavingNeeds,
  leavingTrial,
  notLeavingBecause,
} from '../../src/disruption/leaving.ts';
import {
  claimsBeingReplaced,
  openReplacements,
  replacementAnnotations,
  replacementsInWait,
} from '../../src/disruption/replacements.ts';
import { type DisruptionPolicy, NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { SchedulingPlan } from '../../src/model/plan.ts';
import { podKey } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aBoundPod, aNodeClaim, anOwnedNode, aProvisioner, aSnapshot } from '../builders.ts';

const NOBODY = (): number => 0;
const INITIALIZED = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;
const NOT_READY = [{ type: 'Ready', status: 'False' as const, sinceMs: 0 }];

function aClaim(name: string, fields: Partial<NodeClaim> = {}): NodeClaim {
  const status = { ...NO_STATUS, providerId: `p-${name}`, nodeName: name, conditions: [INITIALIZED] };
  return aNodeClaim({ name, status, ...fields });
}

/** Stored in place of `old`, and not up yet. */
function aReplacement(name: string, old: readonly string[], fields: Partial<NodeClaim> = {}): NodeClaim {
  const annotations = replacementAnnotations('Expired', old, 'too old');
  return aNodeClaim({ name, status: NO_STATUS, annotations, ...fields });
}

interface Fleet {
  readonly claims?: readonly NodeClaim[];
  readonly policy?: Partial<DisruptionPolicy>;
  readonly unready?: readonly string[];
  readonly nowMs?: number;
  readonly pods?: ClusterSnapshot['pods'];
}

/** Nodes a, b and c of a Provisioner whose nodes expire after a minute; b is the oldest. */
function aFleet({
  claims = [],
  policy,
  unready = [],
  nowMs = 100_000,
  pods = [],
}: Fleet = {}): ClusterSnapshot {
  const names = ['a', 'b', 'c'];
  return aSnapshot({
    takenAtMs: nowMs,
    provisioners: [
      aProvisioner({ ttlUntilExpiredMs: 60_000, disruption: { ...NO_CONSOLIDATION, ...policy } }),
    ],
    nodes: names.map((name) =>
      anOwnedNode({
        name,
        createdAtMs: name === 'b' ? 0 : 10_000,
        ...(unready.includes(name) ? { conditions: NOT_READY } : {}),
      }),
    ),
    nodeClaims: [
      ...names.map((name) => claims.find((one) => one.name === name) ?? aClaim(name)),
      ...claims,
    ].filter((claim, index, all) => all.indexOf(claim) === index),
    pods,
  });
}

function names(leaving: readonly Leaving[]): readonly string[] {
  return leaving.map(({ claim }) => claim.name);
}

function drifted(snapshot: ClusterSnapshot): readonly Leaving[] {
  return expiredNodes(snapshot).map((one) => ({ ...one, reason: 'Drifted' }));
}

const budget = (amount: number) => ({
  nodes: { kind: 'count' as const, amount },
  reasons: null,
  window: null,
});

test('nodes expire at their age to the millisecond, counted from the Node, the oldest first', () => {
  assert.deepEqual(names(expiredNodes(aFleet({ nowMs: 69_999 }))), ['b']);
  assert.deepEqual(names(expiredNodes(aFleet({ nowMs: 70_000 }))), ['b', 'a', 'c']);
  assert.equal(decideLeaving(aFleet({ nowMs: 60_000 }), [], NOBODY).nextAtMs, 70_000);
});

const cases: readonly { when: string; fleet: Fleet; leaving: readonly string[]; held?: readonly string[] }[] =
  [
    { when: 'nothing keeps them', fleet: {}, leaving: ['b', 'a', 'c'] },
    {
      when: 'the budget lets two go',
      fleet: { policy: { budgets: [budget(2)] } },
      leaving: ['b', 'a'],
      held: ['c'],
    },
    {
      when: 'one is being replaced',
      fleet: { claims: [aReplacement('new', ['b'])], policy: { budgets: [budget(2)] } },
      leaving: ['a'],
      held: ['c'],
    },
    {
      when: 'a replacement is going itself',
      fleet: { claims: [aReplacement('new', ['b'], { deletionRequestedAtMs: 1 })] },
      leaving: ['b', 'a', 'c'],
    },
    {
      when: 'one replaces another that still stands',
      fleet: { claims: [aClaim('a', { annotations: replacementAnnotations('Expired', ['c'], '') })] },
      leaving: ['b'],
    },
    { when: 'a node is not ready', fleet: { unready: ['a'] }, leaving: ['b', 'a', 'c'] },
  ];
for (const { when, fleet, leaving, held = [] } of cases) {
  test(`${leaving.join(', ')} of a, b and c go when ${when}`, () => {
    const snapshot = aFleet(fleet);
    const decision = decideLeaving(snapshot, expiredNodes(snapshot), NOBODY);
    assert.deepEqual(names(decision.leaving), leaving);
    assert.deepEqual(names(decision.held), held);
  });
}

test('drift waits while many nodes are not ready; age does not', () => {
  const snapshot = aFleet({ unready: ['a'] });
  const { leaving, held } = decideLeaving(snapshot, drifted(snapshot), NOBODY);
  assert.deepEqual(names(leaving), []);
  assert.match(held[0]?.held ?? '', /1 of 3 nodes are not ready/);
});

test('a node that came to nothing is left alone for its pause', () => {
  const snapshot = aFleet();
  const decision = decideLeaving(snapshot, expiredNodes(snapshot), (name) => (name === 'b' ? 5_000 : 0));
  assert.deepEqual(names(decision.leaving), ['a', 'c']);
  assert.equal(decision.nextAtMs, 105_000);
});

const orders: readonly { when: string; fleet: Fleet; because: RegExp | null }[] = [
  { when: 'all is as it was', fleet: {}, because: null },
  { when: 'its own order uses the budget up', fleet: { policy: { budgets: [budget(1)] } }, because: null },
  { when: 'the budget has closed', fleet: { policy: { budgets: [budget(0)] } }, because: /budgets/ },
  { when: 'it need not go any more', fleet: { nowMs: 59_000 }, because: /need not go/ },
  { when: 'it has gone', fleet: { claims: [aClaim('b', { deletionRequestedAtMs: 1 })] }, because: /gone/ },
];
for (const { when, fleet, because } of orders) {
  test(`an order whose replacement is up is ${because === null ? 'carried out' : 'given up'} when ${when}`, () => {
    const claims = [...(fleet.claims ?? []), aReplacement('new', ['b'])];
    const snapshot = aFleet({ ...fleet, claims });
    const order = {
      reason: 'Expired',
      nodeClaims: ['b'],
      replacements: ['new'],
      message: '',
      orderedAtMs: 0,
    } as const;
    const told = notLeavingBecause(snapshot, expiredNodes(snapshot), order);
    if (because === null) assert.equal(told, null);
    else assert.match(told ?? '', because);
  });
}

test('what replaces what is read off the claims', () => {
  const claims = [aReplacement('x', ['a', 'b'], { createdAtMs: 7 }), aReplacement('y', ['a', 'b'])];
  const snapshot = aFleet({ claims });
  assert.deepEqual(openReplacements(snapshot), [
    {
      reason: 'Expired',
      nodeClaims: ['a', 'b'],
      replacements: ['x', 'y'],
      message: 'too old',
      orderedAtMs: 0,
    },
  ]);
  assert.deepEqual([...claimsBeingReplaced(snapshot)], ['a', 'b']);
  assert.deepEqual([...replacementsInWait(snapshot)], ['x', 'y']);
});

test('an order is over once what it replaces has gone, and its replacement is kept while that drains', () => {
  const leaving = aClaim('b', { deletionRequestedAtMs: 90_000 });
  const draining = aFleet({ claims: [leaving, aReplacement('x', ['b'])] });
  assert.deepEqual(openReplacements(draining), []);
  assert.deepEqual([...replacementsInWait(draining)], ['x']);
  const stuck = { ...draining, takenAtMs: 700_000 };
  assert.deepEqual([...replacementsInWait(stuck)], []);
});

test('a trial reckons with all nodes that leave, and buys for its own pods only', () => {
  const pods = [
    aBoundPod('a', { name: 'on-a' }),
    aBoundPod('b', { name: 'on-b' }),
    aBoundPod('c', { name: 'on-c' }),
  ].map((pod) => ({ ...pod, owner: { kind: 'ReplicaSet', name: 'web', uid: 'u' } }));
  const snapshot = aFleet({ claims: [aReplacement('x', ['b'])], pods });
  const trial = leavingTrial(snapshot, ['a']);
  assert.deepEqual(trial.pods.map(({ name }) => name).sort(), ['on-a', 'on-b']);
  const [first] = pods;
  assert.ok(first);
  const node = (name: string) => ({ pods: [name] }) as never;
  const plan = (...pods: readonly string[]): SchedulingPlan => ({
    ...{ nodeClaims: pods.map(node), nominations: [], refusals: [] },
    ...{ usdPerHour: 0, lowerBoundUsdPerHour: 0 },
  });
  const needed = (plan: SchedulingPlan, others: SchedulingPlan | null): unknown => {
    const needs = leavingNeeds(snapshot, ['a'], plan, others);
    return needs.kind === 'places' ? needs.replacements.map((one) => one.pods[0]) : needs.kind;
  };
  const own = podKey(first);
  const refusal = {
    ...{ pod: 'default/on-b', code: 'NoCapacity' as const, provisioner: '' },
    ...{ reason: 'none', nearest: '' },
  };
  const two = plan('default/on-b', own);
  const one = plan('default/on-b');
  assert.deepEqual(needed(two, null), [own, 'default/on-b']);
  assert.deepEqual(needed(two, one), [own]);
  // The place that was bought for b went to the pod of a, and b is given the new node.
  assert.deepEqual(needed(one, plan()), ['default/on-b']);
  assert.deepEqual(needed(one, one), []);
  const target = { kind: 'nodeClaim', name: 'x' } as const;
  assert.equal(needed({ ...plan(), nominations: [{ pod: own, target }] }, null), 'later');
  assert.deepEqual(needed({ ...one, refusals: [refusal] }, { ...one, refusals: [refusal] }), []);
  assert.equal(needed({ ...one, refusals: [refusal] }, one), 'unplaceable');
  assert.equal(leavingNeeds(snapshot, ['a'], null, one).kind, 'unplaceable');
});
