// The lower bound against exact solutions of small problems: never above the optimum, never far below the relaxation.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LABEL } from '../../src/model/labels.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import { aDaemonSet, anInstanceType, aPod, aProvisioner, aSnapshot, GIB, MIB, ZONES } from '../builders.ts';
import type { RandomCluster } from './clusters.ts';
import { exactSolver } from './exactPacking.ts';

const RUNS = Math.max(1, Math.round(Number(process.env.COOPER_PROPERTY_RUNS ?? 2000) / 20));
const TOLERANCE = 1e-6;

const type = fc
  .record({
    cpuMillis: fc.constantFrom(1000, 2000, 4000, 8000),
    gibPerVcpu: fc.constantFrom(2, 4, 8),
    centsPerVcpu: fc.integer({ min: 3, max: 9 }),
    zones: fc.subarray([...ZONES], { minLength: 1 }),
    burstable: fc.integer({ min: 0, max: 5 }).map((die) => die === 0),
  })
  .map(({ cpuMillis, gibPerVcpu, centsPerVcpu, zones, burstable }) => ({
    ...(burstable ? { burst: { baselineMillis: cpuMillis / 5, usdPerVcpuHour: 0.05 } } : {}),
    cpuMillis,
    memoryBytes: (cpuMillis / 1000) * gibPerVcpu * GIB,
    pods: 8,
    usdPerHour: (centsPerVcpu / 100) * (cpuMillis / 1000),
    zones,
  }));

const pod = fc.record({
  cpu: fc.constantFrom(100, 300, 700, 900),
  memory: fc.constantFrom(256 * MIB, GIB, 1536 * MIB),
  nodeSelector: fc.oneof(
    { weight: 3, arbitrary: fc.constant<Readonly<Record<string, string>>>({}) },
    { weight: 1, arbitrary: fc.constantFrom(...ZONES).map((zone) => ({ [LABEL.zone]: zone })) },
    { weight: 1, arbitrary: fc.constant({ [LABEL.capacityType]: 'on-demand' }) },
  ),
});

/** One type is sold everywhere and holds any pod, so that nothing is refused. */
const smallCase: fc.Arbitrary<RandomCluster> = fc
  .record({
    types: fc.array(type, { minLength: 1, maxLength: 3 }),
    pods: fc.array(pod, { minLength: 1, maxLength: 6 }),
    daemonMillis: fc.constantFrom(0, 0, 150),
  })
  .map(({ types, pods, daemonMillis }) => {
    const sold = types.map((fields, index) => anInstanceType({ ...fields, name: `t${index}.large` }));
    const everywhere = anInstanceType({
      name: 'm5.xlarge',
      cpuMillis: 4000,
      memoryBytes: 16 * GIB,
      usdPerHour: 0.2,
    });
    const requirements = [
      { key: LABEL.capacityType, operator: 'In' as const, values: ['spot', 'on-demand'] },
    ];
    const daemon = aDaemonSet({ spec: { requests: { cpu: daemonMillis, memory: 64 * MIB, pods: 1 } } });
    const waiting = pods.map(({ cpu, memory, nodeSelector }, index) =>
      aPod({
        name: `p${index}`,
        cpuMillis: cpu,
        memoryBytes: memory,
        spec: { requests: { cpu, memory, pods: 1 }, nodeSelector },
      }),
    );
    const snapshot = aSnapshot({
      provisioners: [aProvisioner({ requirements })],
      pods: waiting,
      daemonSets: daemonMillis > 0 ? [daemon] : [],
    });
    return { snapshot, catalogue: new Map([['default', [...sold, everywhere]]]), pods: waiting };
  });

describe('lowerBoundUsdPerHour', () => {
  it('is at most the exact optimum, and near the covering relaxation', async () => {
    const solve = await exactSolver();
    const sums = { bound: 0, relaxed: 0 };
    fc.assert(
      fc.property(smallCase, (cluster) => {
        const { optimum, relaxed } = solve(cluster);
        const plan = schedule(cluster.snapshot, cluster.catalogue, cluster.pods);
        assert.deepEqual(plan.refusals, []);
        assert.ok(
          plan.lowerBoundUsdPerHour <= optimum + TOLERANCE,
          `the bound ${plan.lowerBoundUsdPerHour} is above the optimum ${optimum}`,
        );
        assert.ok(
          plan.usdPerHour >= optimum - TOLERANCE,
          `the plan costs ${plan.usdPerHour}, less than the optimum ${optimum}`,
        );
        sums.bound += plan.lowerBoundUsdPerHour;
        sums.relaxed += relaxed;
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    assert.ok(
      sums.bound >= 0.9 * sums.relaxed,
      `bounds sum to ${sums.bound}, relaxations to ${sums.relaxed}`,
    );
  });
});
