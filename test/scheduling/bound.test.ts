// The lower bound where whole numbers decide: tied pods and whole nodes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import type { Pod, PodAffinityTerm } from '../../src/model/pod.ts';
import { CoverSearch } from '../../src/scheduling/cover.ts';
import { RandomDraws } from '../../src/scheduling/randomDraws.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import { anInstanceType, aPod, aSnapshot, GIB, somePods } from '../builders.ts';

const GPU = 'nvidia.com/gpu';
const gpuType = (gpus: number, usdPerHour: number) =>
  anInstanceType({
    name: `g4dn.${gpus}xlarge`,
    capacity: { cpu: 48_000, memory: 192 * GIB, pods: 200, [GPU]: gpus },
    usdPerHour,
  });
const nextTo = (app: string): PodAffinityTerm => ({
  selector: { expressions: [{ key: 'app', operator: 'In', values: [app] }] },
  topologyKey: LABEL.hostname,
  namespaces: [],
  namespaceSelector: null,
});

const guest = (name: string): Pod =>
  aPod({ name, labels: { app: 'guest' }, spec: { podAffinity: [nextTo('host')] } });
const host = aPod({
  name: 'host',
  labels: { app: 'host' },
  requests: { [GPU]: 4 },
  spec: {
    topologySpread: [
      {
        topologyKey: LABEL.hostname,
        maxSkew: 2,
        minDomains: 1,
        whenUnsatisfiable: 'DoNotSchedule',
        selector: { expressions: [{ key: 'app', operator: 'In', values: ['guest'] }] },
        nodeAffinityPolicy: 'Honor',
        nodeTaintsPolicy: 'Ignore',
      },
    ],
  },
});

const bounds: { when: string; pods: readonly Pod[]; usdPerHour: number; bound: number }[] = [
  {
    when: 'two pods tied to one that caps them: one node, and the bound says no more',
    pods: [guest('one'), guest('two'), host],
    usdPerHour: 3.9,
    bound: 3.9,
  },
  {
    when: 'five pods of two GPUs on nodes of four: three whole nodes, not two and a half',
    pods: somePods(5, { requests: { [GPU]: 2 } }),
    usdPerHour: 11.7,
    bound: 11.7,
  },
];

for (const { when, pods, usdPerHour, bound } of bounds) {
  test(`bound: ${when}`, () => {
    const plan = schedule(aSnapshot(), new Map([['default', [gpuType(4, 3.9), anInstanceType()]]]), pods);
    assert.deepEqual(plan.refusals, []);
    assert.equal(plan.usdPerHour.toFixed(6), usdPerHour.toFixed(6));
    assert.equal(plan.lowerBoundUsdPerHour.toFixed(6), bound.toFixed(6));
  });
}

const covers: { when: string; demand: number; sizes: readonly [number, number][]; cost: number }[] = [
  {
    when: 'one large column where it is cheaper than two small ones',
    demand: 7,
    sizes: [
      [4, 5],
      [8, 8],
    ],
    cost: 8,
  },
  {
    when: 'two small ones where they are cheaper',
    demand: 7,
    sizes: [
      [4, 3],
      [8, 8],
    ],
    cost: 6,
  },
  {
    when: 'a small one for the rest',
    demand: 9,
    sizes: [
      [1, 1.5],
      [8, 8],
    ],
    cost: 9.5,
  },
];

for (const { when, demand, sizes, cost } of covers) {
  test(`cover by totals: ${when}`, () => {
    const problem = {
      demands: Float64Array.of(demand),
      prices: Float64Array.of(0.7),
      given: Float64Array.from(sizes, ([size]) => size),
      costs: Float64Array.from(sizes, ([, usd]) => usd),
    };
    const picked = new CoverSearch(problem, new RandomDraws(1)).cheapest(0);
    assert.equal(
      picked.reduce((sum, column) => sum + (problem.costs[column] ?? 0), 0),
      cost,
    );
  });
}
