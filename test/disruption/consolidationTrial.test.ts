// Whether a plan pays: the price of evictions, and what launches have to save.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Candidate, selectCandidates } from '../../src/disruption/consolidationCandidates.ts';
import { evictionUsd, type Judgement, judge } from '../../src/disruption/consolidationTrial.ts';
import { type DisruptionPolicy, NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import type { SchedulingPlan } from '../../src/model/plan.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import { aNodeClass, anInstanceType, aPod, aProvisioner, aSnapshot } from '../builders.ts';
import { QUIET } from './consolidated.ts';
import { aCluster, type Cluster } from './largeNodes.ts';

const EVICTIONS: readonly { what: string; usdPerHour: number; pods: number; usd: number }[] = [
  { what: 'a quarter of what a pod costs on average', usdPerHour: 1, pods: 10, usd: 0.025 },
  { what: 'never next to nothing', usdPerHour: 0.001, pods: 10, usd: 0.0001 },
  { what: 'something too where nothing is left to pay', usdPerHour: -1, pods: 3, usd: 0.0001 },
  { what: 'as for one pod where there are none', usdPerHour: 1, pods: 0, usd: 0.25 },
];
for (const { what, usdPerHour, pods, usd } of EVICTIONS) {
  test(`moving a pod has to save ${what}`, () => assert.equal(evictionUsd(usdPerHour, pods), usd));
}

const NOTHING_BOUGHT: SchedulingPlan = {
  ...{ nodeClaims: [], nominations: [], refusals: [] },
  ...{ usdPerHour: 0, lowerBoundUsdPerHour: 0 },
};

function candidatesOf(cluster: Cluster): readonly Candidate[] {
  return selectCandidates(aCluster(cluster), QUIET).candidates;
}

/** A plan that buys one node at that price, and what it comes to for these candidates. */
function bought(candidates: readonly Candidate[], usdPerHour: number): Judgement {
  const type = anInstanceType({ name: 'm5.other', usdPerHour });
  const catalogue = new Map([['default', [type]]]);
  const snapshot = aSnapshot({ provisioners: [aProvisioner()], nodeClasses: [aNodeClass()] });
  const plan = schedule(snapshot, catalogue, [aPod()]);
  assert.equal(plan.usdPerHour, usdPerHour);
  return judge(candidates, plan, { catalogue, wholeUsdPerHour: 0, pods: 0 });
}

const savings = (fields: Partial<DisruptionPolicy['minimumSavings']>): Partial<DisruptionPolicy> => ({
  minimumSavings: { ...NO_CONSOLIDATION.minimumSavings, ...fields },
});

const LAUNCHES: readonly {
  readonly what: string;
  readonly policy: Partial<DisruptionPolicy>;
  readonly usdPerHour: number;
  readonly pays: boolean;
}[] = [
  { what: 'a quarter less is enough', policy: {}, usdPerHour: 0.072, pays: true },
  { what: 'less than a quarter is not', policy: {}, usdPerHour: 0.0721, pays: false },
  {
    what: 'a smaller percentage wanted takes the place of the quarter',
    policy: savings({ percent: 10 }),
    usdPerHour: 0.0864,
    pays: true,
  },
  {
    what: 'and is kept',
    policy: savings({ percent: 10 }),
    usdPerHour: 0.0865,
    pays: false,
  },
  { what: 'a larger one too', policy: savings({ percent: 50 }), usdPerHour: 0.05, pays: false },
  {
    what: 'money wanted leaves the quarter as it is',
    policy: savings({ usdPerHour: 0.001 }),
    usdPerHour: 0.08,
    pays: false,
  },
  {
    what: 'the larger of the two counts',
    policy: savings({ percent: 10, usdPerHour: 0.05 }),
    usdPerHour: 0.05,
    pays: false,
  },
];
for (const { what, policy, usdPerHour, pays } of LAUNCHES) {
  test(`of a node bought for one of $0.096/h: ${what}`, () => {
    const judgement = bought(candidatesOf({ nodes: { a: [200] }, policy }), usdPerHour);
    assert.equal(judgement.kind, pays ? 'saves' : 'blocked');
  });
}

test('of several Provisioners the strictest says what a launch has to save', () => {
  const [lax] = candidatesOf({ nodes: { a: [200] }, policy: savings({ percent: 5 }) });
  const [strict] = candidatesOf({ nodes: { b: [200] } });
  assert.ok(lax !== undefined && strict !== undefined);
  assert.equal(bought([lax, lax], 0.16).kind, 'saves');
  assert.equal(bought([lax, strict], 0.16).kind, 'blocked');
});

test('evictions are priced by what pods cost once the nodes have gone', () => {
  const candidates = candidatesOf({ nodes: { a: [100, 100] } });
  // Ten pods cost $0.404/h afterwards: each eviction has to save a quarter of a tenth of it.
  const terms = { catalogue: new Map(), wholeUsdPerHour: 0.5, pods: 10 };
  const judgement = judge(candidates, NOTHING_BOUGHT, terms);
  assert.ok(judgement.kind === 'saves');
  const { netUsdPerHour, action } = judgement;
  assert.ok(Math.abs(action.savingUsdPerHour - 0.096) < 1e-9);
  assert.ok(Math.abs(netUsdPerHour - (0.096 - 2 * 0.0101)) < 1e-9, `${netUsdPerHour} $/h`);
});

test('a saving below the price of its evictions is none', () => {
  const candidates = candidatesOf({ nodes: { a: [100, 100] } });
  // 0.25 * (0.5 - 0.096) / 2 for each of the two.
  const judgement = judge(candidates, NOTHING_BOUGHT, {
    ...{ catalogue: new Map(), wholeUsdPerHour: 0.5, pods: 2 },
  });
  assert.ok(judgement.kind === 'blocked');
  assert.match(judgement.message, /\$0\.0960\/h saved, \$0\.1010\/h wanted/);
});

test('pods that hurt more have to save more', () => {
  const annotations = { 'controller.kubernetes.io/pod-deletion-cost': String(2 ** 27) };
  const [plain] = candidatesOf({ nodes: { a: [100] } });
  const [costly] = candidatesOf({ nodes: { a: [{ cpuMillis: 100, annotations }] } });
  assert.ok(plain !== undefined && costly !== undefined);
  const netOf = (one: Candidate): number => {
    const judgement = judge([one], NOTHING_BOUGHT, {
      ...{ catalogue: new Map(), wholeUsdPerHour: 0.496, pods: 10 },
    });
    return judgement.kind === 'saves' ? judgement.netUsdPerHour : Number.NaN;
  };
  assert.ok(Math.abs(netOf(plain) - 0.086) < 1e-9);
  assert.ok(Math.abs(netOf(costly) - 0.076) < 1e-9);
});
