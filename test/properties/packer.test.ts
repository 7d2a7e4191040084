// Properties of the packer over random clusters, with the independent checker as oracle.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { type RandomCluster, randomCluster } from './clusters.ts';
import { planOf, reversed, wronged } from './planProperties.ts';

/** Cases over all properties: 2,000 as a rule, 100,000 at night. */
const RUNS = Number(process.env.COOPER_PROPERTY_RUNS ?? 2000);
/** CI repeats the same cases, so that a failure there is due to the change; elsewhere each run draws its own. */
const SEED = process.env.COOPER_PROPERTY_SEED ?? (process.env.CI === undefined ? undefined : '1');
const settings = (share: number): fc.Parameters<[RandomCluster]> => ({
  numRuns: Math.ceil(RUNS * share),
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
});

describe('schedule', () => {
  it('makes no first plan that the checker objects to', () => {
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        const { snapshot, catalogue, pods } = cluster;
        assert.deepEqual(checkPlan(snapshot, catalogue, pods, planOf(cluster, 0)), []);
      }),
      settings(0.4),
    );
  });

  it('makes no improved plan that the checker objects to, nor one that costs more', () => {
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        const { snapshot, catalogue, pods } = cluster;
        const first = planOf(cluster, 0);
        const improved = planOf(cluster, 200);
        assert.deepEqual(checkPlan(snapshot, catalogue, pods, improved), []);
        assert.equal(improved.refusals.length, first.refusals.length);
        assert.ok(improved.usdPerHour <= first.usdPerHour * 1.01 + 1e-9);
      }),
      settings(0.3),
    );
  });

  it('never refuses a pod that a node of its own could hold', () => {
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        assert.deepEqual(wronged(cluster, planOf(cluster, 0)), []);
      }),
      settings(0.15),
    );
  });

  it('makes the same plan whatever the order of its input', () => {
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        assert.deepEqual(planOf(reversed(cluster), 50), planOf(cluster, 50));
      }),
      settings(0.15),
    );
  });
});
