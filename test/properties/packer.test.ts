// Properties of the packer over random clusters, with the independent checker as oracle.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { podKey } from '../../src/model/pod.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { type SchedulingOptions, schedule } from '../../src/scheduling/scheduler.ts';
import { type RandomCluster, randomCluster } from './clusters.ts';
import { fitsAlone } from './onePodANode.ts';

/** Cases over all properties: 2,000 as a rule, 100,000 at night. */
const RUNS = Number(process.env.COOPER_PROPERTY_RUNS ?? 2000);
/** CI repeats the same cases, so that a failure there is due to the change; elsewhere each run draws its own. */
const SEED = process.env.COOPER_PROPERTY_SEED ?? (process.env.CI === undefined ? undefined : '1');
const settings = (share: number): fc.Parameters<[RandomCluster]> => ({
  numRuns: Math.ceil(RUNS * share),
  ...(SEED === undefined ? {} : { seed: Number(SEED) }),
});

/** A budget counted in looks at the clock, so that a run can be repeated exactly. */
function ticks(count: number): SchedulingOptions {
  let elapsed = 0;
  return {
    budgetMs: count,
    elapsedMs: () => {
      elapsed += 1;
      return elapsed;
    },
  };
}

function plan({ snapshot, catalogue, pods }: RandomCluster, budget: number) {
  return schedule(snapshot, catalogue, pods, ticks(budget));
}

/** The same cluster, every list the other way round. */
function reversed({ snapshot, catalogue, pods }: RandomCluster): RandomCluster {
  const turned = <T>(list: readonly T[]): T[] => [...list].reverse();
  return {
    snapshot: {
      ...snapshot,
      provisioners: turned(snapshot.provisioners),
      nodes: turned(snapshot.nodes),
      nodeClaims: turned(snapshot.nodeClaims),
      pods: turned(snapshot.pods),
      daemonSets: turned(snapshot.daemonSets),
    },
    catalogue: new Map(turned([...catalogue]).map(([name, types]) => [name, turned(types)])),
    pods: turned(pods),
  };
}

describe('schedule', () => {
  it('makes no first plan that the checker objects to', () => {
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        const { snapshot, catalogue, pods } = cluster;
        assert.deepEqual(checkPlan(snapshot, catalogue, pods, plan(cluster, 0)), []);
      }),
      settings(0.4),
    );
  });

  it('makes no improved plan that the checker objects to, nor one that costs more', () => {
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        const { snapshot, catalogue, pods } = cluster;
        const first = plan(cluster, 0);
        const improved = plan(cluster, 200);
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
        const refused = new Map(plan(cluster, 0).refusals.map((refusal) => [refusal.pod, refusal]));
        const wronged = cluster.pods.filter((pod) => refused.has(podKey(pod)) && fitsAlone(pod, cluster));
        assert.deepEqual(
          wronged.map((pod) => refused.get(podKey(pod))),
          [],
        );
      }),
      settings(0.15),
    );
  });

  it('makes the same plan whatever the order of its input', () => {
    fc.assert(
      fc.property(randomCluster, (cluster) => {
        assert.deepEqual(plan(reversed(cluster), 50), plan(cluster, 50));
      }),
      settings(0.15),
    );
  });
});
