// Limits hold between plans that were made at the same time.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PromisedClaims } from '../../src/controllers/promisedClaims.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { PlannedNodeClaim } from '../../src/model/plan.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aNodeClaim, anInstanceType, aProvisioner, aSnapshot } from '../builders.ts';

const CATALOGUE = new Map([['default', [anInstanceType()]]]);

function planned(name: string): PlannedNodeClaim {
  return {
    spec: { ...aNodeClaim().spec },
    instanceType: 'm5.large',
    zone: 'us-east-1a',
    capacityType: 'on-demand',
    usdPerHour: 0.096,
    allocatable: {},
    pods: [name],
  };
}

function limited(limits: Record<string, number> | null, nodeClaims: NodeClaim[] = []): ClusterSnapshot {
  return aSnapshot({ provisioners: [aProvisioner({ limits })], nodeClaims });
}

function launched(promised: PromisedClaims, names: string[], snapshot: ClusterSnapshot): readonly string[] {
  const plan = names.map(planned);
  return promised.promise(plan, snapshot, CATALOGUE).launched.flatMap(({ pods }) => pods);
}

describe('promised claims', () => {
  const TABLE = [
    { what: 'no limits', limits: null, first: 2, second: 2 },
    { what: 'room for both', limits: { cpu: 8000 }, first: 2, second: 2 },
    { what: 'room for one of the second plan', limits: { cpu: 6000 }, first: 2, second: 1 },
    { what: 'room for the first plan', limits: { cpu: 4000 }, first: 2, second: 0 },
    { what: 'a count of nodes', limits: { nodes: 3 }, first: 2, second: 1 },
    { what: 'money', limits: { usdPerHour: 0.3 }, first: 2, second: 1 },
  ];
  for (const { what, limits, first, second } of TABLE) {
    it(`two plans of two nodes made at the same time: ${what}`, () => {
      const promised = new PromisedClaims();
      const seen = limited(limits);
      assert.equal(launched(promised, ['a', 'b'], seen).length, first);
      assert.equal(launched(promised, ['c', 'd'], seen).length, second);
    });
  }

  it('a claim that can be seen counts once, one that was not stored no more', () => {
    const promised = new PromisedClaims();
    const one = planned('a');
    assert.equal(promised.promise([one], limited({ cpu: 4000 }), CATALOGUE).held.length, 0);
    promised.takeBack(one);
    assert.equal(promised.size, 0);
    assert.deepEqual(launched(promised, ['b', 'c'], limited({ cpu: 4000 }, [aNodeClaim()])), ['b']);
  });
});
