// Which unhealthy nodes are replaced, after how long, and when none is.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decideRepair } from '../../src/disruption/repair.ts';
import { NO_CONSOLIDATION, type RepairPolicy } from '../../src/model/disruptionPolicy.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { Node, NodeCondition } from '../../src/model/node.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aNode, aNodeClaim, anOwnedNode, aProvisioner, aSnapshot } from '../builders.ts';

const MINUTE_MS = 60_000;
const NOW_MS = 1_800_000_000_000;
const REPLACE: RepairPolicy = { policy: 'Replace', toleratedMs: null };

function condition(type: string, status: NodeCondition['status'], minutes: number): NodeCondition {
  return { type, status, sinceMs: NOW_MS - minutes * MINUTE_MS };
}

function aClaimOf(node: Node): NodeClaim {
  const base = aNodeClaim({ name: `claim-${node.name}` });
  const initialized = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;
  const { providerId, name: nodeName } = node;
  return { ...base, status: { ...base.status, providerId, nodeName, conditions: [initialized] } };
}

function aCluster(nodes: readonly Node[], provisioner: Partial<Provisioner> = {}): ClusterSnapshot {
  const owned = nodes.filter(({ labels }) => labels[LABEL.provisioner] !== undefined);
  const disruption = { ...NO_CONSOLIDATION, repair: REPLACE };
  return aSnapshot({
    takenAtMs: NOW_MS,
    provisioners: [aProvisioner({ disruption, ...provisioner })],
    nodes,
    nodeClaims: owned.map(aClaimOf),
  });
}

function some(count: number, prefix: string, conditions: readonly NodeCondition[]): readonly Node[] {
  return Array.from({ length: count }, (_, index) => anOwnedNode({ name: `${prefix}${index}`, conditions }));
}

const WELL = [condition('Ready', 'True', 100), condition('NetworkingReady', 'True', 100)];
const never = (): boolean => false;

describe('a node is replaced', () => {
  const CASES: readonly (readonly [what: string, bad: NodeCondition, minutesLeft: number | null])[] = [
    ['Ready False', condition('Ready', 'False', 30), 0],
    ['Ready Unknown', condition('Ready', 'Unknown', 31), 0],
    ['Ready False for less', condition('Ready', 'False', 29), 1],
    ['bad accelerators', condition('AcceleratedHardwareReady', 'False', 10), 0],
    ['bad accelerators for less', condition('AcceleratedHardwareReady', 'False', 8), 2],
    ['a bad runtime', condition('ContainerRuntimeReady', 'False', 30), 0],
    ['a bad kernel', condition('KernelReady', 'False', 30), 0],
    ['a bad network', condition('NetworkingReady', 'False', 30), 0],
    ['bad storage', condition('StorageReady', 'False', 30), 0],
    ['what the agent has not looked at', condition('KernelReady', 'Unknown', 90), null],
    ['pressure, which the kubelet sees to', condition('MemoryPressure', 'True', 90), null],
    ['a condition without a time', { type: 'Ready', status: 'False', sinceMs: 0 }, null],
  ];
  for (const [what, bad, minutesLeft] of CASES) {
    const when = minutesLeft === null ? 'never' : minutesLeft === 0 ? 'now' : `in ${minutesLeft} min`;
    test(`${when} for ${what}`, () => {
      const others = bad.type === 'Ready' ? [] : [condition('Ready', 'True', 100)];
      const sick = anOwnedNode({ name: 'sick', conditions: [...others, bad] });
      const decision = decideRepair(aCluster([sick, ...some(5, 'well', WELL)]), never);
      assert.deepEqual(
        decision.repairs.map(({ claim }) => claim.name),
        minutesLeft === 0 ? ['claim-sick'] : [],
      );
      assert.deepEqual(decision.held, []);
      const leftMs = decision.nextAtMs - NOW_MS;
      if (minutesLeft !== null && minutesLeft > 0) assert.equal(leftMs, minutesLeft * MINUTE_MS);
    });
  }

  test('after the time that the Provisioner says, for whatever condition', () => {
    const disruption = {
      ...NO_CONSOLIDATION,
      repair: { policy: 'Replace', toleratedMs: 2 * MINUTE_MS } as const,
    };
    const sick = anOwnedNode({ name: 'sick', conditions: [condition('Ready', 'Unknown', 2)] });
    const { repairs } = decideRepair(aCluster([sick, ...some(5, 'well', WELL)], { disruption }), never);
    assert.match(repairs[0]?.message ?? '', /^node is unhealthy: Ready is Unknown since 2 min$/);
  });
});

describe('a node is kept, and told why', () => {
  const SICK = [condition('Ready', 'False', 45)];
  const sick = anOwnedNode({ name: 'sick', conditions: SICK });
  const well = some(5, 'well', WELL);
  const CASES: readonly {
    readonly when: string;
    readonly cluster: ClusterSnapshot;
    readonly paused?: boolean;
    readonly told: RegExp;
  }[] = [
    {
      when: 'the Provisioner says nothing',
      cluster: aCluster([sick, ...well], { disruption: NO_CONSOLIDATION }),
      told: /repair.policy of Provisioner default is Observe; with Replace the node would be replaced/,
    },
    {
      when: 'it is suspended',
      cluster: aCluster([sick, ...well], { suspended: true }),
      told: /spec.suspend/,
    },
    {
      when: 'the node forbids it',
      cluster: aCluster([{ ...sick, annotations: { 'karpenter.sh/do-not-disrupt': 'true' } }, ...well]),
      told: /forbids it by karpenter.sh\/do-not-disrupt/,
    },
    {
      when: 'its Provisioner has nothing to replace it with',
      cluster: aCluster([sick, ...well]),
      paused: true,
      told: /never came up/,
    },
    {
      when: 'more than a fifth of its Provisioner is unhealthy',
      cluster: aCluster([...some(3, 'sick', SICK), ...some(7, 'well', WELL)]),
      told: /3 of 10 nodes of Provisioner default are unhealthy, and at most 20 %/,
    },
    {
      when: 'most of those have only just become so',
      cluster: aCluster([
        sick,
        ...some(2, 'new', [condition('Ready', 'Unknown', 1)]),
        ...some(7, 'well', WELL),
      ]),
      told: /3 of 10 nodes/,
    },
    {
      when: 'more than a fifth of the cluster is unhealthy',
      cluster: aCluster([
        ...[sick, ...some(9, 'well', WELL)],
        ...Array.from({ length: 3 }, (_, index) => aNode({ name: `static${index}`, conditions: SICK })),
      ]),
      told: /4 of 13 nodes of the cluster are unhealthy/,
    },
  ];
  for (const { when, cluster, paused = false, told } of CASES) {
    test(when, () => {
      const { repairs, held, nextAtMs } = decideRepair(cluster, () => paused);
      assert.deepEqual(repairs, []);
      assert.match(held[0]?.held ?? '', told);
      assert.ok(nextAtMs <= NOW_MS + MINUTE_MS);
    });
  }

  test('while others come back from the same outage: the last of them may be on their way', () => {
    const back = (minutes: number): readonly Node[] =>
      some(5, 'back', [condition('Ready', 'True', minutes)]).map((node) => ({
        ...node,
        createdAtMs: NOW_MS - 600 * MINUTE_MS,
      }));
    const afterwards = (minutes: number) =>
      decideRepair(aCluster([sick, ...back(minutes), ...some(4, 'well', WELL)]), never);
    const { repairs, held, nextAtMs } = afterwards(4);
    assert.deepEqual(repairs, []);
    assert.match(
      held[0]?.held ?? '',
      /^6 of 10 nodes .* are unhealthy or have just recovered, and at most 20 %/,
    );
    assert.ok(nextAtMs <= NOW_MS + MINUTE_MS);
    assert.equal(afterwards(5).repairs.length, 1, 'it has not come back');
  });

  test('but not for nodes that have just come up for the first time', () => {
    const young = some(9, 'young', [condition('Ready', 'True', 1)]).map((node) => ({
      ...node,
      createdAtMs: NOW_MS - 3 * MINUTE_MS,
    }));
    assert.equal(decideRepair(aCluster([sick, ...young]), never).repairs.length, 1);
  });

  test('unless a fifth or fewer are: two of ten go, and one of one', () => {
    const two = aCluster([...some(2, 'sick', SICK), ...some(8, 'well', WELL)]);
    assert.equal(decideRepair(two, never).repairs.length, 2);
    assert.equal(decideRepair(aCluster([sick]), never).repairs.length, 1);
  });

  test('but not when it comes up, goes, or is another machine than the claim has', () => {
    const [claim = assert.fail()] = aCluster([sick]).nodeClaims;
    const cluster = aCluster([sick, ...well]);
    const young = { ...claim, status: { ...claim.status, conditions: [] } };
    const going = { ...claim, deletionRequestedAtMs: NOW_MS };
    const other = { ...claim, status: { ...claim.status, providerId: 'aws:///us-east-1a/i-other' } };
    for (const one of [young, going, other]) {
      const { repairs, held } = decideRepair({ ...cluster, nodeClaims: [one] }, never);
      assert.deepEqual([repairs, held], [[], []]);
    }
  });

  test('nodes that come up count as nodes, and not as unhealthy ones', () => {
    const labels = { [LABEL.initialized]: 'false' };
    const young = some(4, 'young', [condition('Ready', 'False', 1)]).map((node) => ({
      ...node,
      labels: { ...node.labels, ...labels },
    }));
    assert.equal(decideRepair(aCluster([sick, ...young]), never).repairs.length, 1);
  });
});
