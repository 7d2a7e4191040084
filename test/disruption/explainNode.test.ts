// What `explainNode` says of a node: the standing of each reason, what keeps it, and when that changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Explainable, explainNode } from '../../src/disruption/explainNode.ts';
import type { ExplainedReason, NodeExplanation, Standing } from '../../src/disruption/explanation.ts';
import { replacementAnnotations } from '../../src/disruption/replacements.ts';
import { parseCron } from '../../src/model/cronSchedule.ts';
import { NO_CONSOLIDATION, type NodeBudget } from '../../src/model/disruptionPolicy.ts';
import type { Node } from '../../src/model/node.ts';
import { NO_STATUS, type NodeClaim, type NodeClaimStatus } from '../../src/model/nodeClaim.ts';
import type { Pod } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { Catalogue, ClusterSnapshot } from '../../src/model/snapshot.ts';
import {
  aBoundPod,
  aNodeClaim,
  aNodeClass,
  anInstanceType,
  anOwnedNode,
  aPod,
  aProvisioner,
  aSnapshot,
  GIB,
} from '../builders.ts';

/** A Monday, 10:00 UTC. */
const NOW_MS = Date.UTC(2026, 2, 2, 10);
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * HOUR_MS;
const OWNER = { kind: 'ReplicaSet', name: 'web', uid: 'rs' } as const;
const CATALOGUE: Catalogue = new Map([
  [
    'default',
    [
      anInstanceType(),
      anInstanceType({ name: 'c5.small', cpuMillis: 1000, memoryBytes: 2 * GIB, usdPerHour: 0.04 }),
    ],
  ],
]);
const CONSOLIDATING: Partial<Provisioner> = {
  disruption: { ...NO_CONSOLIDATION, consolidation: 'WhenEmptyOrUnderutilized', minimumNodeAgeMs: 0 },
};
const { drift: DRIFT } = NO_CONSOLIDATION;
const REPLACING = { disruption: { ...NO_CONSOLIDATION, drift: { ...DRIFT, policy: 'Replace' as const } } };
const DRIFTED: NodeClaimStatus = {
  ...NO_STATUS,
  providerId: 'aws:///us-east-1a/i-node',
  nodeName: 'node',
  usdPerHour: 0.096,
  conditions: [
    { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 },
    { type: 'Drifted', status: 'True', reason: 'ImageDrifted', message: 'another image', sinceMs: 0 },
  ],
};
const aWebPod = (fields: Parameters<typeof aBoundPod>[1] = {}): Pod =>
  aBoundPod('node', { name: 'web-1', owner: OWNER, labels: { app: 'web' }, ...fields });

/** Working hours in Berlin, 9:00 to 18:00, in which nothing may go. */
function workingHours(): NodeBudget {
  const schedule = parseCron('0 9 * * mon-fri');
  assert.ok(schedule);
  return {
    nodes: { kind: 'count', amount: 0 },
    reasons: null,
    window: { schedule, timeZone: 'Europe/Berlin', durationMs: 9 * HOUR_MS },
  };
}

interface Scene {
  readonly provisioner?: Partial<Provisioner>;
  readonly claim?: Partial<NodeClaim>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly node?: Partial<Node>;
  readonly pods?: readonly Pod[];
  readonly cluster?: Partial<ClusterSnapshot>;
}

/** One m5.large, three days old. */
function explain({
  provisioner,
  claim,
  annotations,
  node: ofNode,
  pods = [],
  cluster,
}: Scene): NodeExplanation {
  const node = anOwnedNode({
    name: 'node',
    annotations: annotations ?? {},
    createdAtMs: NOW_MS - 3 * DAY_MS,
    ...ofNode,
  });
  const status = {
    ...NO_STATUS,
    providerId: node.providerId,
    nodeName: node.name,
    instanceType: 'm5.large',
    zone: 'us-east-1a',
    capacityType: 'on-demand' as const,
    usdPerHour: 0.096,
    conditions: [{ type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const],
  };
  const own = aNodeClaim({ status, ...claim });
  const snapshot = aSnapshot({
    takenAtMs: NOW_MS,
    provisioners: [aProvisioner(provisioner)],
    nodeClasses: [aNodeClass()],
    nodes: [node],
    nodeClaims: [own],
    pods,
    ...cluster,
  });
  return explainNode({ claim: own, node } satisfies Explainable, snapshot, CATALOGUE);
}

interface Case extends Scene {
  readonly when: string;
  readonly reason: ExplainedReason;
  readonly standing: Standing;
  readonly says: RegExp;
  readonly changesAtMs?: number;
  readonly blockedBy?: string;
}

const CASES: readonly Case[] = [
  { when: 'nobody asks for it', reason: 'Empty', standing: 'off', says: /neither ttlSecondsAfterEmpty/ },
  {
    when: 'the Provisioner is suspended',
    provisioner: { ttlAfterEmptyMs: 1, suspended: true },
    reason: 'Empty',
    standing: 'off',
    says: /suspended/,
  },
  {
    when: 'pods are on it',
    provisioner: { ttlAfterEmptyMs: 1 },
    pods: [aWebPod(), aWebPod({ name: 'web-2' })],
    reason: 'Empty',
    standing: 'no',
    says: /pod default\/web-1 and 1 more are on it/,
  },
  {
    when: 'a pod is on its way',
    provisioner: { ttlAfterEmptyMs: 1 },
    pods: [aPod({ nominatedNodeName: 'node' })],
    reason: 'Empty',
    standing: 'no',
    says: /on their way/,
  },
  {
    when: 'it has been empty for a while',
    provisioner: { ttlAfterEmptyMs: 30_000 },
    claim: { emptySinceMs: NOW_MS - 10_000 },
    reason: 'Empty',
    standing: 'later',
    says: /kept for 30 s/,
    changesAtMs: NOW_MS + 20_000,
  },
  {
    when: 'its time is up',
    provisioner: { ttlAfterEmptyMs: 30_000 },
    claim: { emptySinceMs: NOW_MS - 30_000 },
    reason: 'Empty',
    standing: 'due',
    says: /its time is up/,
  },
  {
    when: 'the node opts out',
    provisioner: { ttlAfterEmptyMs: 30_000 },
    annotations: { 'karpenter.sh/do-not-disrupt': 'true' },
    reason: 'Empty',
    standing: 'blocked',
    says: /the node forbids it by karpenter.sh\/do-not-disrupt/,
  },
  {
    when: 'working hours keep it',
    provisioner: { ttlAfterEmptyMs: 1, disruption: { ...NO_CONSOLIDATION, budgets: [workingHours()] } },
    claim: { emptySinceMs: 0 },
    reason: 'Empty',
    standing: 'blocked',
    says: /budgets of Provisioner default/,
    // 18:00 in Berlin in winter.
    changesAtMs: Date.UTC(2026, 2, 2, 17),
  },
  { when: 'nobody asks for it', reason: 'Expired', standing: 'off', says: /ttlSecondsUntilExpired/ },
  {
    when: 'it is young enough',
    provisioner: { ttlUntilExpiredMs: 7 * DAY_MS },
    reason: 'Expired',
    standing: 'later',
    says: /at the age of 7 days/,
    changesAtMs: NOW_MS + 4 * DAY_MS,
  },
  {
    when: 'it is too old',
    provisioner: { ttlUntilExpiredMs: 2 * DAY_MS },
    pods: [aWebPod()],
    reason: 'Expired',
    standing: 'due',
    says: /older than ttlSecondsUntilExpired.*replacements are launched first/,
  },
  {
    when: 'it is too old, in working hours',
    provisioner: {
      ttlUntilExpiredMs: 2 * DAY_MS,
      disruption: { ...NO_CONSOLIDATION, budgets: [workingHours()] },
    },
    reason: 'Expired',
    standing: 'blocked',
    says: /older than.*but kept: spec.disruption.budgets/,
    changesAtMs: Date.UTC(2026, 2, 2, 17),
  },
  {
    when: 'nothing can be bought for its pods',
    provisioner: { ttlUntilExpiredMs: 2 * DAY_MS, requirements: [], limits: { cpu: 1000 } },
    pods: [aWebPod({ cpuMillis: 1900 })],
    reason: 'Expired',
    standing: 'blocked',
    says: /but kept: pod default\/web-1 would find no place/,
  },
  {
    when: 'it is as it would be launched',
    reason: 'Drifted',
    standing: 'no',
    says: /what would be launched now/,
  },
  {
    when: 'nobody asks for it',
    provisioner: { disruption: { ...NO_CONSOLIDATION, drift: { ...DRIFT, policy: 'Never' } } },
    claim: { status: DRIFTED },
    reason: 'Drifted',
    standing: 'off',
    says: /drift.policy of Provisioner default is Never/,
  },
  {
    when: 'drift is only observed',
    claim: { status: DRIFTED },
    reason: 'Drifted',
    standing: 'blocked',
    says: /ImageDrifted: another image, but kept: spec.disruption.drift.policy.*Observe/,
  },
  {
    when: 'its rollout was halted',
    provisioner: REPLACING,
    claim: { status: DRIFTED, annotations: { 'cooper.sh/rollout-halted': 'abc' } },
    reason: 'Drifted',
    standing: 'blocked',
    says: /its rollout was halted/,
  },
  {
    when: 'a pod forbids it',
    provisioner: REPLACING,
    claim: { status: DRIFTED },
    pods: [aWebPod({ annotations: { 'karpenter.sh/do-not-evict': 'true' } })],
    reason: 'Drifted',
    standing: 'blocked',
    says: /pod default\/web-1 forbids it/,
  },
  {
    when: 'it is to be replaced',
    provisioner: REPLACING,
    claim: { status: DRIFTED },
    pods: [aWebPod()],
    reason: 'Drifted',
    standing: 'due',
    says: /ImageDrifted: another image.*replacements are launched first/,
  },
  {
    when: 'nobody asks for it',
    reason: 'Underutilized',
    standing: 'off',
    says: /consolidationPolicy.*Never/,
  },
  {
    when: 'a smaller node would do',
    provisioner: CONSOLIDATING,
    pods: [aWebPod()],
    reason: 'Underutilized',
    standing: 'due',
    says: /1 pod of the node.*c5.small, which saves \$0\.0560\/h/,
  },
  {
    when: 'nothing is cheaper',
    provisioner: CONSOLIDATING,
    pods: [aWebPod({ cpuMillis: 1900 })],
    reason: 'Underutilized',
    standing: 'blocked',
    says: /nothing saved/,
  },
  {
    when: 'a pod opts out',
    provisioner: CONSOLIDATING,
    pods: [aWebPod({ annotations: { 'karpenter.sh/do-not-evict': 'true' } })],
    reason: 'Underutilized',
    standing: 'blocked',
    says: /pod default\/web-1 forbids it by karpenter.sh\/do-not-evict/,
    blockedBy: 'default/web-1',
  },
  {
    when: 'a pod opts out for a while',
    provisioner: CONSOLIDATING,
    pods: [aWebPod({ createdAtMs: NOW_MS - HOUR_MS, annotations: { 'karpenter.sh/do-not-disrupt': '4h' } })],
    reason: 'Underutilized',
    standing: 'blocked',
    says: /forbids it by karpenter.sh\/do-not-disrupt/,
    changesAtMs: NOW_MS + 3 * HOUR_MS,
  },
  {
    when: 'the empty node opts out for a while',
    provisioner: { ttlAfterEmptyMs: 30_000 },
    annotations: { 'karpenter.sh/do-not-disrupt': '96h' },
    reason: 'Empty',
    standing: 'blocked',
    says: /the node forbids it/,
    changesAtMs: NOW_MS + DAY_MS,
  },
  {
    when: 'a pod waits for a node',
    provisioner: CONSOLIDATING,
    pods: [aWebPod(), aPod({ name: 'new', createdAtMs: NOW_MS - 1000 })],
    reason: 'Underutilized',
    standing: 'blocked',
    says: /while pod default\/new waits for a node/,
  },
  {
    when: 'the node is too young',
    provisioner: {
      disruption: {
        ...NO_CONSOLIDATION,
        consolidation: 'WhenEmptyOrUnderutilized',
        minimumNodeAgeMs: 4 * DAY_MS,
      },
    },
    pods: [aWebPod()],
    reason: 'Underutilized',
    standing: 'blocked',
    says: /younger than minimumNodeAge/,
    changesAtMs: NOW_MS + DAY_MS,
  },
  {
    when: 'its kubelet has been silent for ten minutes',
    node: { conditions: [{ type: 'Ready', status: 'Unknown', sinceMs: NOW_MS - 10 * MINUTE_MS }] },
    reason: 'Unhealthy',
    standing: 'later',
    says: /Ready is Unknown/,
    changesAtMs: NOW_MS + 20 * MINUTE_MS,
  },
  {
    when: 'repair is only observed',
    node: { conditions: [{ type: 'Ready', status: 'Unknown', sinceMs: NOW_MS - HOUR_MS }] },
    reason: 'Unhealthy',
    standing: 'blocked',
    says: /Ready is Unknown since 60 min, but kept: spec.disruption.repair.policy/,
  },
  {
    when: 'repair is asked for',
    node: { conditions: [{ type: 'Ready', status: 'Unknown', sinceMs: NOW_MS - HOUR_MS }] },
    provisioner: { disruption: { ...NO_CONSOLIDATION, repair: { policy: 'Replace', toleratedMs: null } } },
    reason: 'Unhealthy',
    standing: 'due',
    says: /Ready is Unknown since 60 min$/,
  },
];

for (const { when, reason, standing, says, changesAtMs, blockedBy, ...scene } of CASES) {
  test(`${reason} is ${standing} when ${when}`, () => {
    const { reasons, nextChangeAtMs } = explain(scene);
    const one = reasons.find((each) => each.reason === reason);
    assert.ok(one);
    assert.equal(one.standing, standing, one.message);
    assert.match(one.message, says);
    assert.equal(one.changesAtMs, changesAtMs ?? null);
    if (changesAtMs !== undefined) assert.equal(nextChangeAtMs, changesAtMs);
    if (blockedBy !== undefined) assert.equal(one.obstacles[0]?.blockedBy, blockedBy);
  });
}

test('all pods in the way are named, with their budgets, and what they cost', () => {
  const { reasons, pods } = explain({
    provisioner: CONSOLIDATING,
    pods: [
      aWebPod(),
      aWebPod({ name: 'job-1', labels: {}, annotations: { 'karpenter.sh/do-not-evict': 'true' } }),
      aWebPod({ name: 'free-1', labels: {} }),
    ],
    cluster: {
      disruptionBudgets: [
        {
          namespace: 'default',
          name: 'web',
          selector: { expressions: [{ key: 'app', operator: 'In', values: ['web'] }] },
          disruptionsAllowed: 0,
        },
      ],
    },
  });
  const one = reasons.find(({ reason }) => reason === 'Underutilized');
  assert.deepEqual(
    one?.obstacles.map(({ blockedBy }) => blockedBy),
    ['default/web-1', 'default/job-1'],
  );
  assert.deepEqual(
    pods.map(({ pod, standing }) => `${pod} ${standing}`),
    ['default/free-1 moves', 'default/job-1 keeps', 'default/web-1 keeps'],
  );
  assert.equal(one?.proposal?.savingUsdPerHour?.toFixed(3), '0.056');
  assert.deepEqual(
    one?.proposal?.replacements.map(({ instanceType }) => instanceType),
    ['c5.small'],
  );
});

test('a node that leaves says which pods it waits for, and for what', () => {
  const { drain, reasons } = explain({
    claim: { deletionRequestedAtMs: NOW_MS - 60_000 },
    pods: [
      aWebPod(),
      aWebPod({ name: 'job-1', annotations: { 'karpenter.sh/do-not-evict': 'true' } }),
      aWebPod({ name: 'old-1', deletionRequestedAtMs: NOW_MS - 5000, deletionGraceSeconds: 7 }),
    ],
  });
  assert.deepEqual(reasons, []);
  assert.equal(drain?.sinceMs, NOW_MS - 60_000);
  assert.match(drain?.message ?? '', /waits for 1 of 3 pods/);
  assert.equal(drain?.pods.at(-1)?.message, 'for 5 s, of the 7 s that it is given');
  assert.deepEqual(
    drain?.pods.map(({ pod, state }) => `${pod} ${state}`),
    ['default/job-1 kept', 'default/web-1 evicted next', 'default/old-1 terminating'],
  );
});

test('each step of a launch has its time, and the steps to come have none', () => {
  const sinceMs = NOW_MS - 50_000;
  const { launch, state } = explain({
    claim: {
      createdAtMs: NOW_MS - 52_000,
      status: {
        ...NO_STATUS,
        providerId: 'aws:///us-east-1a/i-1',
        conditions: [{ type: 'Launched', status: 'True', reason: '', message: '', sinceMs }],
      },
    },
    cluster: { nodes: [] },
  });
  assert.deepEqual(launch.map(({ step, tookMs }) => [step, tookMs]).slice(0, 2), [
    ['decided', null],
    ['launched', 2000],
  ]);
  assert.equal(launch.find(({ step }) => step === 'ready')?.atMs, null);
  assert.match(state, /does not take pods yet|not joined/);
});

test('a node without a claim is left alone', () => {
  const node = anOwnedNode({ labels: { 'karpenter.sh/provisioner-name': '' } });
  const explanation = explainNode({ node, claim: undefined }, aSnapshot({ nodes: [node] }), new Map());
  assert.deepEqual(explanation.reasons, []);
  assert.match(explanation.state, /not Cooper's/);
});

test('a replacement that is under way is told of on both sides', () => {
  const annotations = replacementAnnotations('Expired', ['claim'], 'too old');
  const other = aNodeClaim({ name: 'new', createdAtMs: NOW_MS - 5000, annotations });
  const node = anOwnedNode({ name: 'node' });
  const old = aNodeClaim({ status: { ...NO_STATUS, providerId: node.providerId, nodeName: node.name } });
  const snapshot = aSnapshot({ takenAtMs: NOW_MS, nodes: [node], nodeClaims: [old, other] });
  const order = {
    ...{ reason: 'Expired', orderedAtMs: NOW_MS - 5000, message: 'too old' },
    ...{ nodeClaims: ['claim'], replacements: ['new'] },
  };
  assert.deepEqual(explainNode({ claim: old, node }, snapshot, CATALOGUE).orders, [order]);
  assert.deepEqual(explainNode({ claim: other, node: undefined }, snapshot, CATALOGUE).orders, [order]);
});
