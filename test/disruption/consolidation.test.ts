// Consolidation: what it takes away, what it leaves, and why.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consolidate, stillPays } from '../../src/disruption/consolidation.ts';
import { decided } from '../../src/disruption/consolidationSearch.ts';
import type { ConsolidationDecision } from '../../src/model/consolidation.ts';
import { type DisruptionPolicy, NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import type { Catalogue, ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aNodeClaim, anInstanceType, aPod, GIB, type PodFields } from '../builders.ts';
import { consolidated, QUIET, totalUsdPerHour } from './consolidated.ts';
import {
  ALL,
  aCluster,
  type Cluster,
  LARGE,
  NOW_MS,
  type NodePods,
  ONLY_LARGE,
  SMALL,
} from './largeNodes.ts';

function decide(cluster: Cluster, view = QUIET): ConsolidationDecision {
  const catalogue = cluster.catalogue ?? ONLY_LARGE;
  return decided(consolidate({ snapshot: aCluster(cluster), catalogue, view }));
}

test('a node whose pods fit elsewhere goes, and nothing is launched', () => {
  const { action } = decide({ nodes: { a: [200], b: [1000], c: [1500] } });
  assert.deepEqual(action?.nodeClaims, ['c-a']);
  assert.deepEqual(action?.replacements, []);
  assert.deepEqual(action?.evicted, ['default/a-0']);
  assert.ok(Math.abs((action?.savingUsdPerHour ?? 0) - 0.096) < 1e-9);
  assert.match(action?.message ?? '', /1 pod of the node fits on other nodes, which saves \$0.0960\/h/);
});

test('a node is replaced by a cheaper one when its pods need less', () => {
  const { action } = decide({ nodes: { a: [400] }, catalogue: ALL });
  assert.deepEqual(action?.nodeClaims, ['c-a']);
  assert.deepEqual(
    action?.replacements.map(({ instanceType }) => instanceType),
    ['t3.small'],
  );
  assert.deepEqual(action?.replacements[0]?.spec.instanceTypes, ['t3.small']);
});

test('several nodes become fewer in one step', () => {
  const nodes = { a: [300], b: [300], c: [300], d: [300], e: [300], f: [300] };
  const { action } = decide({ nodes });
  assert.equal(action?.nodeClaims.length, 5);
  assert.deepEqual(action?.replacements, []);
});

test('well-used nodes stay, and why is said of each', () => {
  const { action, kept } = decide({ nodes: { a: [1900], b: [1800] } });
  assert.equal(action, null);
  assert.deepEqual(
    kept.map(({ nodeClaim }) => nodeClaim),
    ['c-b', 'c-a'],
  );
  assert.match(kept[0]?.message ?? '', /its pods would cost as much elsewhere: nothing saved/);
});

/** Two nodes of which the first would go by itself. */
const TWO: Record<string, NodePods> = { a: [200], b: [1500] };
const annotated = (key: string, value = 'true'): PodFields => ({ annotations: { [key]: value } });
const pdb = (disruptionsAllowed: number, name = 'pdb') => ({
  namespace: 'default',
  name,
  selector: { expressions: [{ key: 'app', operator: 'In' as const, values: ['a'] }] },
  disruptionsAllowed,
});
const onFirst = (fields: PodFields): Record<string, NodePods> => ({
  a: [{ cpuMillis: 200, ...fields }],
  b: [{ cpuMillis: 1500, ...fields }],
});

const keeping: readonly { what: string; cluster: Cluster; says: RegExp }[] = [
  {
    what: 'a young node',
    cluster: { nodes: TWO, policy: { minimumNodeAgeMs: NOW_MS + 1 } },
    says: /younger than minimumNodeAge/,
  },
  {
    what: 'pods that have just changed',
    cluster: { nodes: TWO, policy: { consolidateAfterMs: NOW_MS + 1 } },
    says: /within consolidateAfter/,
  },
  {
    what: 'a saving below the percentage wanted',
    cluster: { nodes: { a: [400] }, catalogue: ALL, policy: { minimumSavings: savings({ percent: 80 }) } },
    says: /\$0.0760\/h saved, \$0.0768\/h wanted/,
  },
  {
    what: 'a saving below the money wanted',
    cluster: { nodes: TWO, policy: { minimumSavings: savings({ usdPerHour: 0.1 }) } },
    says: /\$0.0960\/h saved, \$0.1000\/h wanted/,
  },
  {
    what: 'a saving below the money wanted for each pod',
    cluster: {
      nodes: { a: [100, 100], b: [700, 800] },
      policy: { minimumSavings: savings({ usdPerHourPerEvictedPod: 0.05 }) },
    },
    says: /\$0.1000\/h wanted/,
  },
  {
    what: 'do-not-evict',
    cluster: { nodes: onFirst(annotated('karpenter.sh/do-not-evict')) },
    says: /pod default\/a-0 forbids it by karpenter.sh\/do-not-evict/,
  },
  {
    what: 'do-not-consolidate on a pod',
    cluster: { nodes: onFirst(annotated('karpenter.sh/do-not-consolidate')) },
    says: /by karpenter.sh\/do-not-consolidate/,
  },
  {
    what: 'do-not-disrupt for a while',
    cluster: { nodes: onFirst(annotated('karpenter.sh/do-not-disrupt', '24h')) },
    says: /by karpenter.sh\/do-not-disrupt/,
  },
  {
    what: 'safe-to-evict',
    cluster: { nodes: onFirst(annotated('cluster-autoscaler.kubernetes.io/safe-to-evict', 'false')) },
    says: /by cluster-autoscaler/,
  },
  { what: 'a pod without an owner', cluster: { nodes: onFirst({ owner: null }) }, says: /has no owner/ },
  {
    what: 'a PodDisruptionBudget that is used up',
    cluster: { nodes: TWO, snapshot: () => ({ disruptionBudgets: [pdb(0)] }) },
    says: /PodDisruptionBudget default\/pdb lets pod default\/a-0 not go now \(0 left\)/,
  },
  {
    what: 'two PodDisruptionBudgets for one pod',
    cluster: { nodes: TWO, snapshot: () => ({ disruptionBudgets: [pdb(5), pdb(5, 'other')] }) },
    says: /under 2 disruption budgets/,
  },
  {
    what: 'a budget of no nodes',
    cluster: {
      nodes: TWO,
      policy: {
        budgets: [{ nodes: { kind: 'count', amount: 0 }, reasons: ['Underutilized'], window: null }],
      },
    },
    says: /budgets of Provisioner default/,
  },
  { what: 'a suspended Provisioner', cluster: { nodes: TWO, provisioner: { suspended: true } }, says: /^$/ },
  {
    what: 'a node that opts out',
    cluster: {
      nodes: TWO,
      snapshot: ({ nodes }) => ({
        nodes: nodes.map((one) => ({ ...one, annotations: { 'karpenter.sh/do-not-consolidate': 'true' } })),
      }),
    },
    says: /the node forbids it/,
  },
  {
    what: 'spot for spot with few types to choose from',
    cluster: { nodes: { a: [400] }, catalogue: ALL, spot: true },
    says: /spot for spot needs 15/,
  },
];

function savings(fields: Partial<DisruptionPolicy['minimumSavings']>): DisruptionPolicy['minimumSavings'] {
  return { ...NO_CONSOLIDATION.minimumSavings, ...fields };
}

for (const { what, cluster, says } of keeping) {
  test(`nothing goes because of ${what}`, () => {
    const { action, kept } = decide(cluster);
    assert.equal(action, null);
    const first = kept.find(({ nodeClaim }) => nodeClaim === 'c-a');
    assert.match(first?.message ?? '', says);
  });
}

test('a PodDisruptionBudget bounds how many nodes go together', () => {
  const nodes = { a: [300], b: [300], c: [300], d: [300], e: [300], f: [300] };
  const { action } = decide({ nodes, snapshot: () => ({ disruptionBudgets: [pdb(2)] }) });
  assert.equal(action?.nodeClaims.length, 2);
});

test('a budget bounds how many nodes go together', () => {
  const nodes = { a: [300], b: [300], c: [300], d: [300], e: [300], f: [300] };
  const budgets = [{ nodes: { kind: 'count' as const, amount: 3 }, reasons: null, window: null }];
  assert.equal(decide({ nodes, policy: { budgets } }).action?.nodeClaims.length, 3);
});

const halts: readonly { what: string; snapshot: Cluster['snapshot']; says: RegExp }[] = [
  {
    what: 'a pod waits',
    snapshot: ({ pods }) => ({ pods: [...pods, aPod({ createdAtMs: NOW_MS - 1000 })] }),
    says: /pod default\/pod waits/,
  },
  {
    what: 'a node comes up',
    snapshot: ({ nodeClaims }) => ({ nodeClaims: [...nodeClaims, aNodeClaim({ name: 'new' })] }),
    says: /NodeClaim new is coming up/,
  },
  {
    what: 'a node is being drained',
    snapshot: ({ nodeClaims }) => ({
      nodeClaims: nodeClaims.map((one, index) => (index === 0 ? { ...one, deletionRequestedAtMs: 1 } : one)),
    }),
    says: /not been drained/,
  },
  {
    what: 'many nodes are not ready',
    snapshot: ({ nodes }) => ({
      nodes: nodes.map((one, index) => (index === 0 ? { ...one, conditions: [] } : one)),
    }),
    says: /1 of 2 nodes are not ready/,
  },
];
for (const { what, snapshot, says } of halts) {
  test(`nothing is done while ${what}`, () => {
    assert.match(decide({ nodes: TWO, ...(snapshot && { snapshot }) }).halted, says);
  });
}

test('a pod that has waited in vain for long does not hold up the rest', () => {
  const snapshot = ({ pods }: ClusterSnapshot): Partial<ClusterSnapshot> => ({
    pods: [...pods, aPod({ createdAtMs: NOW_MS - 600_000, cpuMillis: 1e9 })],
  });
  assert.deepEqual(decide({ nodes: TWO, snapshot }).action?.nodeClaims, ['c-a']);
});

test('nodes that pods are on their way to stay', () => {
  const view = { ...QUIET, nominatedUntilMs: new Map([['c-a', NOW_MS + 1]]) };
  assert.match(decide({ nodes: { a: [200], b: [1900] } }, view).kept[0]?.message ?? '', /on their way/);
});

test('spot goes for spot when there are fifteen cheaper types', () => {
  const many = Array.from({ length: 15 }, (_, index) =>
    anInstanceType({ name: `t${index}.small`, cpuMillis: 1000, memoryBytes: 2 * GIB, usdPerHour: 0.02 }),
  );
  const catalogue: Catalogue = new Map([['default', [...many, LARGE]]]);
  const { action } = decide({ nodes: { a: [400] }, catalogue, spot: true });
  assert.equal(action?.replacements[0]?.spec.instanceTypes.length, 15);
});

test('an action holds until something changes', () => {
  const cluster: Cluster = { nodes: { a: [200], b: [1500] } };
  const { action } = decide(cluster);
  assert.ok(action);
  const again = (changed: Cluster): string | null => {
    const consolidation = { snapshot: aCluster(changed), catalogue: ONLY_LARGE, view: QUIET };
    return decided(stillPays(consolidation, { nodeClaims: action.nodeClaims, replacements: [] }));
  };
  assert.equal(again(cluster), null);
  assert.match(again({ nodes: { a: [200], b: [1900] } }) ?? '', /cost as much|another node/);
  assert.match(
    again({ nodes: { a: [200, annotated('karpenter.sh/do-not-evict')], b: [1500] } }) ?? '',
    /forbids/,
  );
  assert.match(again({ nodes: { a: [], b: [1500] } }) ?? '', /gone or emptied/);
});

test('what has been consolidated is at rest, at a lower price', () => {
  const nodes = { a: [300], b: [700], c: [300], d: [1300] };
  let snapshot = aCluster({ nodes });
  const before = totalUsdPerHour(snapshot);
  for (let step = 0; ; step++) {
    assert.ok(step < 5, 'it does not come to rest');
    const { action } = decided(consolidate({ snapshot, catalogue: ONLY_LARGE, view: QUIET }));
    if (action === null) break;
    snapshot = { ...consolidated(snapshot, ONLY_LARGE, action), takenAtMs: snapshot.takenAtMs + NOW_MS };
  }
  assert.equal(snapshot.nodes.length, 2);
  assert.ok(totalUsdPerHour(snapshot) < before);
});

test('a node that would close a loop of replacements is left alone, and why is said', () => {
  const view = { ...QUIET, leftAlone: new Map([['c-a', 'it would be a loop']]) };
  const { action, kept } = decide({ nodes: { a: [200], b: [1900] } }, view);
  assert.equal(action, null);
  assert.equal(kept.find(({ nodeClaim }) => nodeClaim === 'c-a')?.message, 'it would be a loop');
});

test('pods are not moved for less than a share of what they cost', () => {
  const dear = anInstanceType({ name: 'm5.dear', usdPerHour: 0.096 });
  const cheaper = anInstanceType({ name: 'm5.cheaper', usdPerHour: 0.09 });
  const catalogue: Catalogue = new Map([['default', [dear, cheaper]]]);
  const full = Array.from({ length: 10 }, () => 180);
  const { action, kept } = decide({ nodes: { a: full, b: full }, catalogue });
  assert.equal(action, null);
  assert.match(
    kept[0]?.message ?? '',
    /would cost little less elsewhere: \$0\.0060\/h saved, \$0\.0\d+\/h wanted/,
  );
  const cheap: Catalogue = new Map([['default', [{ ...cheaper, offerings: SMALL.offerings }]]]);
  assert.equal(decide({ nodes: { a: full, b: full }, catalogue: cheap }).action?.nodeClaims.length, 2);
});
