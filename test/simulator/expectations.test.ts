// Each expectation of a scenario is met at its bound, and not beyond it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unmetExpectations } from '../../src/simulator/expectations.ts';
import type { Expectations } from '../../src/simulator/scenario.ts';
import type { SimulationReport } from '../../src/simulator/statistics.ts';

const NONE: Expectations = {
  noNodesLeft: false,
  noPodsPending: false,
  pendingAtMostMs: null,
  usdAtMost: null,
  nodesAtMost: null,
  evictionsAtMost: null,
  nodeAgeAtMostMs: null,
};

const REPORT: SimulationReport = {
  startMs: 0,
  endMs: 60_000,
  usd: 2,
  instancesLaunched: 3,
  podsCreated: 5,
  podsStarted: 4,
  podsPending: 1,
  pendingMs: [1000, 30_000],
  evictions: 6,
  evictionsBlocked: 0,
  nodes: [
    { atMs: 0, count: 3 },
    { atMs: 10, count: 2 },
  ],
  nodesMost: 3,
  oldestNodeMs: 50_000,
  entries: 1,
  digest: '',
};

const CASES: readonly {
  readonly met: Partial<Expectations>;
  readonly unmet: Partial<Expectations>;
  readonly metBy?: Partial<SimulationReport>;
  readonly says: RegExp;
}[] = [
  {
    met: { noNodesLeft: true },
    metBy: { nodes: [{ atMs: 10, count: 0 }] },
    unmet: { noNodesLeft: true },
    says: /^2 nodes are left, expected none$/,
  },
  {
    met: { noPodsPending: true },
    metBy: { podsPending: 0 },
    unmet: { noPodsPending: true },
    says: /^1 pods still wait/,
  },
  {
    met: { pendingAtMostMs: 30_000 },
    unmet: { pendingAtMostMs: 29_999 },
    says: /^a pod waited 30 s for its node/,
  },
  { met: { usdAtMost: 2 }, unmet: { usdAtMost: 1.99 }, says: /^it cost \$2\.00, expected at most \$1\.99$/ },
  { met: { nodesAtMost: 3 }, unmet: { nodesAtMost: 2 }, says: /^there were 3 nodes, expected at most 2$/ },
  { met: { evictionsAtMost: 6 }, unmet: { evictionsAtMost: 5 }, says: /^6 pods were evicted/ },
  {
    met: { nodeAgeAtMostMs: 50_000 },
    unmet: { nodeAgeAtMostMs: 49_000 },
    says: /^a node is 50 s old, expected at most 49 s$/,
  },
];

for (const { met, unmet, metBy = {}, says } of CASES) {
  test(`${Object.keys(met).join()} is met at its bound and not beyond`, () => {
    assert.deepEqual(unmetExpectations({ ...NONE, ...met }, { ...REPORT, ...metBy }), []);
    const found = unmetExpectations({ ...NONE, ...unmet }, REPORT);
    assert.equal(found.length, 1);
    assert.match(found[0] ?? '', says);
  });
}

test('every expectation has its case', () => {
  assert.deepEqual(CASES.flatMap(({ met }) => Object.keys(met)).sort(), Object.keys(NONE).sort());
});
