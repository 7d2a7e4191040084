// A small share of `npm run fuzz:consolidation`: what holds of consolidation on random clusters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fragmentedClusters } from './consolidationClusters.ts';
import { consolidationFaults } from './consolidationProperties.ts';

const RUNS = Math.max(1, Math.round(Number(process.env.COOPER_PROPERTY_RUNS ?? 2000) / 20));

test('consolidation keeps budgets, loses no pod, lowers the price at every step, and comes to rest', () => {
  let seen = 0;
  fc.assert(
    fc.property(fragmentedClusters, (cluster) => {
      const { faults, actions } = consolidationFaults(cluster);
      seen += actions;
      assert.deepEqual(faults, []);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  assert.ok(seen > RUNS / 4, `only ${seen} actions were seen`);
});
