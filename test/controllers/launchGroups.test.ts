// Which claims of a plan are marked as alike.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withLaunchGroups } from '../../src/controllers/launchGroups.ts';
import type { NodeClaimSpec } from '../../src/model/nodeClaim.ts';
import type { PlannedNodeClaim } from '../../src/model/plan.ts';
import { aNodeClaim } from '../builders.ts';

function planned(name: string, spec: Partial<NodeClaimSpec> = {}): PlannedNodeClaim {
  return {
    spec: { ...aNodeClaim().spec, ...spec },
    instanceType: 'm5.large',
    zone: 'us-east-1a',
    capacityType: 'on-demand',
    usdPerHour: 0.096,
    allocatable: {},
    pods: [name],
  };
}

function many(count: number): readonly PlannedNodeClaim[] {
  return Array.from({ length: count }, (_, index) => planned(`pod-${index}`, { requests: { cpu: index } }));
}

function groups(claims: readonly PlannedNodeClaim[], seed = 'seed'): readonly (string | undefined)[] {
  return withLaunchGroups(claims, seed).map(({ spec }) => spec.launchGroup?.id);
}

describe('launch groups', () => {
  it('join claims that differ only in what their pods ask for', () => {
    const [first, second, other] = groups([...many(2), planned('c', { instanceTypes: ['c5.large'] })]);
    assert.ok(first !== undefined && first === second);
    assert.equal(other, undefined);
  });

  it('leave a claim that is alone as it is', () => {
    const [claim] = many(1);
    assert.equal(withLaunchGroups(many(1), 'seed')[0]?.spec.launchGroup, claim?.spec.launchGroup);
  });

  it('say how many they are, and never more than 100', () => {
    const marked = withLaunchGroups(many(250), 'seed');
    const sizes = new Map(marked.map(({ spec }) => [spec.launchGroup?.id, spec.launchGroup?.size]));
    assert.deepEqual([...sizes.values()], [100, 100, 50]);
  });

  it('never have the id of another plan, and the same one in a history that is repeated', () => {
    assert.deepEqual(groups(many(2)), groups(many(2)));
    assert.notDeepEqual(groups(many(2)), groups(many(2), 'later'));
  });

  const DIFFERENT: readonly Partial<NodeClaimSpec>[] = [
    { labels: { team: 'blue' } },
    { taints: [{ key: 'dedicated', value: 'a', effect: 'NoSchedule' }] },
    { requirements: [] },
    { kubelet: { maxPods: 20 } },
    { nodeClassRef: { kind: 'Provisioner', name: 'default' } },
  ];
  for (const different of DIFFERENT) {
    it(`keep claims apart that differ in ${Object.keys(different).join()}`, () => {
      assert.deepEqual(groups([planned('a'), planned('b', different)]), [undefined, undefined]);
    });
  }
});
