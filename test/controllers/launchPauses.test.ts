// What a Provisioner may launch while its nodes never come up, and what whoever waits for it is told.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LaunchFailuresMemory } from '../../src/controllers/launchFailures.ts';
import { launchLeaves, withinLeaves, withoutPaused } from '../../src/controllers/launchPauses.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { PlannedNodeClaim } from '../../src/model/plan.ts';
import type { LaunchFailures } from '../../src/model/provisioner.ts';
import { aNodeClaim, aNodeClass, anInstanceType, aProvisioner, aSnapshot } from '../builders.ts';

const NOW_MS = Date.UTC(2026, 0, 5, 12);
const PAUSED: LaunchFailures = {
  configuration: '1/AWSNodeTemplate/default/1',
  nodes: 3,
  pauses: 1,
  pausedAtMs: NOW_MS - 60_000,
  retryAtMs: NOW_MS + 240_000,
  hint: 'console: Failed to start nodeadm',
  imageIds: [],
  claims: [],
};

function leavesAt(
  minute: number,
  { claims = [], generation = 1 }: { claims?: readonly NodeClaim[]; generation?: number },
) {
  const snapshot = aSnapshot({
    takenAtMs: NOW_MS + minute * 60_000,
    provisioners: [
      aProvisioner({ name: 'default', generation, launchFailures: PAUSED }),
      aProvisioner({ name: 'other', uid: 'uid-other' }),
    ],
    nodeClasses: [aNodeClass({ generation: 1 })],
    nodeClaims: claims,
  });
  return launchLeaves(snapshot, new LaunchFailuresMemory());
}

function planned(provisioner: string): PlannedNodeClaim {
  const { spec } = aNodeClaim();
  return { spec: { ...spec, provisioner }, pods: [] } as unknown as PlannedNodeClaim;
}

describe('a paused Provisioner', () => {
  const SOLD = {
    catalogue: new Map([
      ['default', [anInstanceType({})]],
      ['other', [anInstanceType({})]],
    ]),
    notReady: new Map(),
  };
  const CASES = [
    { when: 'until the pause is over', minute: 0, leave: 'none', sold: ['other'], launched: 2 },
    { when: 'then one is tried', minute: 4, leave: 'one', sold: ['default', 'other'], launched: 3 },
    {
      when: 'alone',
      minute: 5,
      claims: [aNodeClaim({ name: 'default-tried' })],
      leave: 'none',
      sold: ['other'],
      launched: 2,
    },
  ] as const;
  for (const { when, minute, leave, sold, launched, ...rest } of CASES) {
    test(`launches nothing, others as before: ${when}`, () => {
      const leaves = leavesAt(minute, rest);
      assert.equal(leaves.get('default')?.leave, leave);
      const reading = withoutPaused(SOLD, leaves, { evenOne: true });
      assert.deepEqual([...reading.catalogue.keys()], sold);
      assert.equal(reading.notReady.has('default'), !sold.some((name) => name === 'default'));
      const plan = ['default', 'other', 'default', 'other'].map(planned);
      assert.equal(withinLeaves(plan, leaves).launched.length, launched);
      assert.deepEqual([...withoutPaused(SOLD, leaves, { evenOne: false }).catalogue.keys()], ['other']);
    });
  }

  test('says which, how many, why, and when the next is tried', () => {
    const message = leavesAt(0, {}).get('default')?.problem.message ?? '';
    assert.match(
      message,
      /^Provisioner default: its last 3 nodes never came up \(console: Failed to start nodeadm\), /,
    );
    assert.match(message, /nothing is launched until 2026-01-05T12:04:00.000Z, and then one node to see; /);
    assert.match(
      message,
      /mend AWSNodeTemplate default, or what its nodes boot with; a change of it is tried at once$/,
    );
    const tried = leavesAt(5, { claims: [aNodeClaim({ name: 'default-tried' })] }).get('default')?.problem
      .message;
    assert.match(tried ?? '', /so NodeClaim default-tried is tried alone; /);
  });

  test('is free with the next generation', () => assert.equal(leavesAt(0, { generation: 2 }).size, 0));
});
