// Off-hours: which nodes go while their Provisioner is off, what keeps the others, and when that is next.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disrupt } from '../../src/disruption/disruptor.ts';
import { explainOffHours } from '../../src/disruption/explainOffHours.ts';
import { isOff, nextTurnMs, offUntil } from '../../src/disruption/offHours.ts';
import { parseCron } from '../../src/model/cronSchedule.ts';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { TimeWindow } from '../../src/model/timeWindow.ts';
import type { PodDisruptionBudget } from '../../src/model/workloads.ts';
import { aBoundPod, aNodeClaim, anOwnedNode, aProvisioner, aSnapshot, type PodFields } from '../builders.ts';

const HOUR_MS = 3_600_000;
const INITIALIZED = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;
const NOBODY = (): number => 0;

function nights(timeZone = 'UTC'): TimeWindow {
  const schedule = parseCron('0 19 * * *');
  assert.ok(schedule);
  return { schedule, durationMs: 12 * HOUR_MS, timeZone };
}

const NIGHT = '2026-11-21T22:00:00Z';
const DAY = '2026-11-21T12:00:00Z';

interface Cluster {
  readonly at?: string;
  readonly provisioner?: Partial<Provisioner>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly pods?: readonly PodFields[];
  readonly budgets?: readonly PodDisruptionBudget[];
  readonly nodes?: number;
}

/** Nodes n0, n1, … of a Provisioner that is off at night, each with these pods; the later ones cost more. */
function aCluster({
  at = NIGHT,
  provisioner,
  annotations = {},
  pods = [],
  budgets = [],
  nodes = 1,
}: Cluster) {
  const names = Array.from({ length: nodes }, (_, index) => `n${index}`);
  return aSnapshot({
    takenAtMs: Date.parse(at),
    provisioners: [aProvisioner({ offHours: [nights()], ...provisioner })],
    disruptionBudgets: budgets,
    nodes: names.map((name) => anOwnedNode({ name, annotations })),
    nodeClaims: names.map((name, index) =>
      aNodeClaim({
        name: `c${index}`,
        status: {
          ...NO_STATUS,
          nodeName: name,
          providerId: name,
          usdPerHour: index + 1,
          conditions: [INITIALIZED],
        },
      }),
    ),
    pods: names.flatMap((name) =>
      pods.map((pod, index) => aBoundPod(name, { name: `${name}-p${index}`, ...pod })),
    ),
  });
}

function outcome(snapshot: ClusterSnapshot): { readonly goes: readonly string[]; readonly kept: string } {
  const { plans, held } = disrupt(snapshot, NOBODY);
  assert.ok(plans.every(({ reason }) => reason === 'OffHours'));
  assert.ok(held.every(({ reason }) => reason === 'OffHours'));
  return {
    goes: plans.flatMap(({ nodeClaims }) => nodeClaims),
    kept: held.map(({ claim, message }) => `${claim.name}: ${message}`).join('; '),
  };
}

const A_POD: PodFields = { labels: { app: 'web' } };
const aBudget = (disruptionsAllowed: number): PodDisruptionBudget => ({
  namespace: 'default',
  name: 'web',
  selector: { expressions: [{ key: 'app', operator: 'In', values: ['web'] }] },
  disruptionsAllowed,
});
const annotated = (key: string, value = 'true'): PodFields => ({ ...A_POD, annotations: { [key]: value } });

const cases: readonly (Cluster & { what: string; goes: readonly string[]; kept?: RegExp })[] = [
  { what: 'by day nothing goes', at: DAY, nodes: 2, goes: [] },
  { what: 'at night all go, the dearest first', nodes: 3, goes: ['c2', 'c1', 'c0'] },
  { what: 'with their pods', nodes: 2, pods: [A_POD], goes: ['c1', 'c0'] },
  { what: 'not while the Provisioner is suspended', provisioner: { suspended: true }, goes: [] },
  {
    what: 'as far as budgets for the reason let them',
    nodes: 3,
    provisioner: {
      disruption: {
        ...NO_CONSOLIDATION,
        budgets: [{ nodes: { kind: 'count', amount: 1 }, reasons: ['OffHours'], window: null }],
      },
    },
    goes: ['c2'],
    kept: /c1: spec\.disruption\.budgets of Provisioner default .* as OffHours now; c0: /,
  },
  {
    what: 'budgets for other reasons do not count',
    provisioner: {
      disruption: {
        ...NO_CONSOLIDATION,
        budgets: [{ nodes: { kind: 'count', amount: 0 }, reasons: ['Expired', 'Empty'], window: null }],
      },
    },
    goes: ['c0'],
  },
  {
    what: 'a node that forbids it stays',
    annotations: { 'karpenter.sh/do-not-disrupt': 'true' },
    goes: [],
    kept: /^c0: the node forbids it by karpenter\.sh\/do-not-disrupt$/,
  },
  {
    what: 'a node that is only not to be consolidated goes',
    annotations: { 'karpenter.sh/do-not-consolidate': 'true' },
    goes: ['c0'],
  },
  {
    what: 'a pod that forbids it keeps its node',
    pods: [A_POD, annotated('karpenter.sh/do-not-evict')],
    goes: [],
    kept: /^c0: pod default\/n0-p1 forbids it by karpenter\.sh\/do-not-evict$/,
  },
  {
    what: 'a pod under a budget that lets none go keeps its node',
    pods: [A_POD],
    budgets: [aBudget(0)],
    goes: [],
    kept: /^c0: PodDisruptionBudget default\/web lets pod default\/n0-p0 not go now/,
  },
  {
    what: 'of several nodes as many begin as the budget has room for',
    nodes: 3,
    pods: [A_POD],
    budgets: [aBudget(1)],
    goes: ['c2'],
    kept: /c1: PodDisruptionBudget .*c0: PodDisruptionBudget/,
  },
  {
    what: 'a node whose pods can go one after the other goes',
    pods: [A_POD, A_POD],
    budgets: [aBudget(1)],
    goes: ['c0'],
  },
];
for (const { what, goes, kept = /^$/, ...cluster } of cases) {
  test(what, () => {
    const found = outcome(aCluster(cluster));
    assert.deepEqual(found.goes, goes);
    assert.match(found.kept, kept);
  });
}

test('the next look is when the Provisioner goes off, and each minute while something is kept', () => {
  assert.equal(disrupt(aCluster({ at: DAY }), NOBODY).nextAtMs, Date.parse('2026-11-21T19:00:00Z'));
  const kept = aCluster({ annotations: { 'karpenter.sh/do-not-disrupt': 'true' } });
  assert.equal(disrupt(kept, NOBODY).nextAtMs, Date.parse(NIGHT) + 60_000);
});

test('a launch under way is given up', () => {
  const snapshot = aCluster({});
  const claims = snapshot.nodeClaims.map((claim) => ({ ...claim, status: NO_STATUS }));
  assert.deepEqual(outcome({ ...snapshot, nodes: [], nodeClaims: claims }).goes, ['c0']);
});

test('nodes of other Provisioners stay', () => {
  const snapshot = aCluster({});
  const [own] = snapshot.provisioners;
  assert.ok(own);
  const other = { ...own, name: 'other', offHours: [] };
  const claims = snapshot.nodeClaims.map((one) => ({ ...one, spec: { ...one.spec, provisioner: 'other' } }));
  const provisioners = [own, other];
  assert.deepEqual(outcome({ ...snapshot, provisioners, nodeClaims: claims }).goes, []);
});

test('why a node goes is said with when its Provisioner is on again', () => {
  const [plan] = disrupt(aCluster({ provisioner: { offHours: [nights('Europe/Berlin')] } }), NOBODY).plans;
  assert.equal(plan?.message, 'Provisioner default is off until 2026-11-22T06:00:00Z by its spec.schedule');
});

test('a Provisioner without a schedule, and one of an older snapshot, is always on', () => {
  for (const provisioner of [{}, { offHours: [] }]) {
    assert.equal(isOff(provisioner, Date.parse(NIGHT)), false);
    assert.equal(nextTurnMs(provisioner, Date.parse(NIGHT)), Number.POSITIVE_INFINITY);
  }
  const always = { offHours: [{ ...nights(), durationMs: 48 * HOUR_MS }] };
  assert.equal(offUntil(always, Date.parse(NIGHT)), 'is off for good');
});

const explanations: readonly (Cluster & { standing: string; says: RegExp; changes: string | null })[] = [
  {
    at: DAY,
    standing: 'later',
    says: /^it goes when Provisioner default is off$/,
    changes: '2026-11-21T19:00:00Z',
  },
  { standing: 'due', says: /^Provisioner default is off until 2026-11-22T07:00:00Z$/, changes: null },
  {
    pods: [annotated('karpenter.sh/do-not-disrupt')],
    standing: 'blocked',
    says: /but kept: pod default\/n0-p0 forbids it by karpenter\.sh\/do-not-disrupt$/,
    changes: null,
  },
  { provisioner: { suspended: true }, standing: 'off', says: /is suspended$/, changes: null },
];
for (const { standing, says, changes, ...cluster } of explanations) {
  test(`explained: ${standing}: ${says}`, () => {
    const snapshot = aCluster(cluster);
    const [[claim], [provisioner]] = [snapshot.nodeClaims, snapshot.provisioners];
    assert.ok(claim && provisioner);
    const view = { nominatedUntilMs: new Map(), podsChangedAtMs: new Map() };
    const found = explainOffHours({ claim, provisioner, snapshot, view });
    assert.equal(found.standing, standing);
    assert.match(found.message, says);
    assert.equal(found.changesAtMs, changes === null ? null : Date.parse(changes));
  });
}

test('how often a window is worked out does not depend on how many nodes there are', () => {
  const looksFor = (nodes: number): number => {
    let looks = 0;
    const { schedule, durationMs, timeZone } = nights('Europe/Berlin');
    const counted: TimeWindow = {
      durationMs,
      timeZone,
      get schedule() {
        looks += 1;
        return schedule;
      },
    };
    const budget = { nodes: { kind: 'count', amount: 1 }, reasons: null, window: counted } as const;
    const disruption = { ...NO_CONSOLIDATION, budgets: [budget] };
    const { plans } = disrupt(aCluster({ nodes, provisioner: { offHours: [counted], disruption } }), NOBODY);
    assert.equal(plans.length, 1);
    return looks;
  };
  assert.equal(looksFor(40), looksFor(4));
});
