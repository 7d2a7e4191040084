// Seeds that the fuzz failed on once, and what was mended: they stay whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSeed } from '../fuzz/runSeed.ts';

const FOUND = [
  { seed: 1357, was: 'a conflict with no event after it left a node uninitialized for ever' },
  { seed: 1616, was: 'the eviction of a pod that its Deployment had given up counted against its budget' },
  { seed: 2371, was: 'a node kept ready for a pod whose budget holds it counted as forgotten' },
  { seed: 2890, was: 'nominations of evicted pods and of those in their place counted as a leak' },
  { seed: 5965, was: 'failed launches were remembered long after their claims were gone' },
  {
    seed: 6481,
    was: 'limits that bound when a node was bought did not when it was written: a cheaper type was listed',
  },
  { seed: 273, was: 'a claim whose deletion went through was launched again before the watch showed it' },
  { seed: 1579, was: 'the simulated scheduler forgot a pod for which a nominated sibling had made a place' },
  { seed: 17, was: 'two nodes were consolidated and bought again for ever' },
  {
    seed: 80021,
    was: 'of claims looked at together, one whose time was up soonest was forgotten for another that had more',
  },
  { seed: 70, was: 'a restart forgot what it had ordered for a rollout, and bought a second canary' },
  { seed: 39, was: 'the end that repair gives to a drain counted as no end' },
  { seed: 96004, was: 'a replacement and a launch that were planned at the same time spent a limit twice' },
  { seed: 9939, was: 'nodes that were up for long spoke for those that never came up' },
  { seed: 1329, was: 'pods that were taken off a silent node counted as the doing of a consolidation' },
  { seed: 91026, was: 'three nodes in place of one that drifted counted as three canaries' },
  {
    seed: 3204,
    was: 'a node that was let go came back into the budgets when the watch stood still for longer than a minute',
  },
];

for (const { seed, was } of FOUND) {
  test(`seed ${seed}: ${was}`, async () => {
    assert.deepEqual((await runSeed(seed)).violations, []);
  });
}
