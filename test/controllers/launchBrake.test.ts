import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brake } from '../../src/controllers/launchBrake.ts';
import type { PlannedNodeClaim } from '../../src/model/plan.ts';
import { aNodeClaim } from '../builders.ts';

function planned(...pods: readonly string[]): PlannedNodeClaim {
  return {
    spec: aNodeClaim().spec,
    instanceType: 'm5.large',
    zone: 'us-east-1a',
    capacityType: 'on-demand',
    usdPerHour: 0.096,
    allocatable: {},
    pods,
  };
}

/** Pods named `new…` are fresh, the others have had a node launched a moment ago. */
const isFresh = (pod: string): boolean => pod.startsWith('new');

const cases = [
  { when: 'all pods are fresh', plan: [planned('new-1', 'new-2'), planned('new-3')], fresh: 3, held: 0 },
  { when: 'none is', plan: [planned('old-1'), planned('old-2')], fresh: 0, held: 2 },
  {
    when: 'a fresh pod has taken the place of an older one of its class',
    plan: [planned('old-1')],
    fresh: 1,
    held: 0,
  },
  {
    when: 'one fresh pod comes while many keep coming back',
    plan: [planned('old-1'), planned('old-2')],
    fresh: 1,
    held: 1,
  },
  {
    when: 'a fresh pod shares its node',
    plan: [planned('old-1', 'new-1'), planned('old-2')],
    fresh: 1,
    held: 1,
  },
];
for (const { when, plan, fresh, held } of cases) {
  test(`${held} of ${plan.length} nodes are held back when ${when}`, () => {
    const outcome = brake(plan, fresh, isFresh);
    assert.equal(outcome.held.length, held);
    assert.equal(outcome.launched.length, plan.length - held);
  });
}

test('nodes with fresh pods are launched before those without', () => {
  const outcome = brake([planned('old-1'), planned('new-1')], 1, isFresh);
  assert.deepEqual(
    outcome.launched.map(({ pods }) => pods),
    [['new-1']],
  );
});
