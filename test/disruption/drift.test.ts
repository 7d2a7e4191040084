// Drift: what counts as it, what does not, and what hashes are of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DRIFT_FACTS_NONE, type DriftFacts, decideDrift, madeFrom } from '../../src/disruption/drift.ts';
import {
  chooseDrifted,
  decideDrifting,
  decideRollout,
  driftKeptBy,
  rolloutId,
} from '../../src/disruption/rollout.ts';
import { type DriftPolicy, NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { CLAIM_ANNOTATION, LABEL } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import { NO_STATUS, type NodeClaim, type NodeClaimCondition } from '../../src/model/nodeClaim.ts';
import type { NodeClass } from '../../src/model/nodeClass.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aBoundPod, aNodeClaim, aNodeClass, anOwnedNode, aProvisioner, aSnapshot } from '../builders.ts';

const PROVIDER_ID = 'aws:///us-east-1a/i-node';
const NODE_CLASS = aNodeClass();
const PROVISIONER = aProvisioner();
const MINUTE_MS = 60_000;

function upSince(sinceMs: number, type: NodeClaimCondition['type'] = 'Initialized'): NodeClaimCondition {
  return { type, status: 'True', reason: '', message: '', sinceMs };
}

function aClaim(fields: Partial<NodeClaim> = {}): NodeClaim {
  return aNodeClaim({
    annotations: { [CLAIM_ANNOTATION.madeFrom]: madeFrom(PROVISIONER, NODE_CLASS) },
    status: {
      ...NO_STATUS,
      ...{ providerId: PROVIDER_ID, nodeName: 'node', instanceType: 'm5.large', zone: 'us-east-1a' },
      ...{ capacityType: 'on-demand', imageId: 'ami-1', conditions: [upSince(0)] },
    },
    ...fields,
  });
}

interface Case {
  readonly when: string;
  readonly provisioner?: Partial<Provisioner>;
  readonly nodeClass?: Partial<NodeClass>;
  readonly node?: Partial<Node>;
  readonly claim?: Partial<NodeClaim>;
  readonly facts?: Partial<DriftFacts>;
  readonly reason: string | null;
}

const TARGETS = { imageIds: ['ami-2', 'ami-1'], subnetIds: ['subnet-1'], securityGroupIds: ['sg-2', 'sg-1'] };
const targets = (fields: Partial<typeof TARGETS> = {}): Partial<DriftFacts> => ({
  targets: new Map([[NODE_CLASS.key, { ...TARGETS, ...fields }]]),
  networks: new Map([[PROVIDER_ID, { subnetId: 'subnet-1', securityGroupIds: ['sg-1', 'sg-2'] }]]),
});
const asks = (...requirements: Provisioner['requirements']) => ({ requirements });
const taint = (key: string) => ({ key, value: '', effect: 'NoSchedule' as const });

const CASES: readonly Case[] = [
  { when: 'nothing has changed', facts: targets(), reason: null },
  { when: 'labels have changed', provisioner: { labels: { a: 'b' } }, reason: 'TemplateDrifted' },
  { when: 'annotations have changed', provisioner: { annotations: { a: 'b' } }, reason: 'TemplateDrifted' },
  { when: 'taints have changed', provisioner: { taints: [taint('a')] }, reason: 'TemplateDrifted' },
  {
    when: 'startup taints have changed',
    provisioner: { startupTaints: [taint('a')] },
    reason: 'TemplateDrifted',
  },
  {
    when: 'kubelet settings have changed',
    provisioner: { kubelet: { maxPods: 9 } },
    reason: 'TemplateDrifted',
  },
  { when: 'the limits have changed', provisioner: { limits: { cpu: 1 } }, reason: null },
  { when: 'the weight has changed', provisioner: { weight: 7 }, reason: null },
  { when: 'lifetimes have changed', provisioner: { ttlUntilExpiredMs: 1, ttlAfterEmptyMs: 1 }, reason: null },
  { when: 'user data has changed', nodeClass: { userData: 'x' }, reason: 'NodeClassDrifted' },
  { when: 'tags have changed', nodeClass: { tags: { a: 'b' } }, reason: 'NodeClassDrifted' },
  {
    when: 'the image family has changed',
    nodeClass: { amiFamily: 'Bottlerocket' },
    reason: 'NodeClassDrifted',
  },
  { when: 'the profile has changed', nodeClass: { instanceProfile: 'other' }, reason: 'NodeClassDrifted' },
  {
    when: 'a selector has changed, and selects the same',
    nodeClass: { subnetSelector: { x: 'y' } },
    reason: null,
  },
  { when: 'it is another generation', nodeClass: { generation: 9 }, reason: null },
  {
    when: 'the claim does not say what it was made from',
    claim: { annotations: {} },
    provisioner: { labels: { a: 'b' } },
    reason: null,
  },
  {
    when: 'the claim says it in another version',
    claim: { annotations: { [CLAIM_ANNOTATION.madeFrom]: 'v0/a/b' } },
    provisioner: { labels: { a: 'b' } },
    reason: null,
  },
  {
    when: 'the claim is being deleted',
    claim: { deletionRequestedAtMs: 1 },
    nodeClass: { userData: 'x' },
    reason: null,
  },
  { when: 'its image is launched no more', facts: targets({ imageIds: ['ami-2'] }), reason: 'ImageDrifted' },
  { when: 'its image is one of several', facts: targets({ imageIds: ['ami-1', 'ami-3'] }), reason: null },
  {
    when: 'its subnet is selected no more',
    facts: targets({ subnetIds: ['subnet-2'] }),
    reason: 'SubnetDrifted',
  },
  {
    when: 'a security group has gone',
    facts: targets({ securityGroupIds: ['sg-1'] }),
    reason: 'SecurityGroupsDrifted',
  },
  {
    when: 'a security group has come',
    facts: targets({ securityGroupIds: ['sg-1', 'sg-2', 'sg-3'] }),
    reason: 'SecurityGroupsDrifted',
  },
  { when: 'nothing is known of the account', reason: null },
  {
    when: 'its zone is allowed no more',
    provisioner: asks({ key: LABEL.zone, operator: 'In', values: ['us-east-1b'] }),
    reason: 'RequirementsDrifted',
  },
  {
    when: 'its capacity type is excluded',
    provisioner: asks({ key: LABEL.capacityType, operator: 'NotIn', values: ['on-demand'] }),
    reason: 'RequirementsDrifted',
  },
  {
    when: 'its generation is too old',
    provisioner: asks({ key: LABEL.instanceGeneration, operator: 'Gt', values: ['5'] }),
    node: { labels: { [LABEL.instanceGeneration]: '5' } },
    reason: 'RequirementsDrifted',
  },
  {
    when: 'a well-known label was never put on the node',
    provisioner: asks({ key: LABEL.instanceGeneration, operator: 'Gt', values: ['5'] }),
    reason: null,
  },
  {
    when: 'a label of the user is asked for anew',
    provisioner: asks({ key: 'team', operator: 'In', values: ['a', 'b'] }),
    reason: 'RequirementsDrifted',
  },
  {
    when: 'a label of the user was asked for when it was planned',
    provisioner: asks({ key: 'team', operator: 'In', values: ['a', 'b'] }),
    claim: {
      spec: { ...aNodeClaim().spec, requirements: [{ key: 'team', operator: 'In', values: ['a', 'b'] }] },
    },
    reason: null,
  },
];

function aCluster({ provisioner, nodeClass, node, claim }: Omit<Case, 'when' | 'reason'>): ClusterSnapshot {
  return aSnapshot({
    takenAtMs: 60 * MINUTE_MS,
    provisioners: [aProvisioner({ ...provisioner })],
    nodeClasses: [aNodeClass({ ...nodeClass })],
    nodes: [anOwnedNode({ name: 'node', providerId: PROVIDER_ID, ...node })],
    nodeClaims: [aClaim(claim)],
  });
}

for (const { reason, facts, ...one } of CASES) {
  test(`${reason ?? 'no drift'} when ${one.when}`, () => {
    const { drifted } = decideDrift(aCluster(one), { ...DRIFT_FACTS_NONE, ...facts });
    assert.equal(drifted.get('claim')?.reason ?? null, reason);
  });
}

test('Never looks for nothing, and stamps nothing', () => {
  const drift = { ...NO_CONSOLIDATION.drift, policy: 'Never' as DriftPolicy };
  const provisioner = { labels: { a: 'b' }, disruption: { ...NO_CONSOLIDATION, drift } };
  const { drifted, stamps } = decideDrift(
    aCluster({ provisioner, claim: { annotations: {} } }),
    DRIFT_FACTS_NONE,
  );
  assert.equal(drifted.size + stamps.length, 0);
});

test('a claim without a stamp, or with one of another version, is stamped with what is now', () => {
  for (const annotations of [{}, { [CLAIM_ANNOTATION.madeFrom]: 'v0/a/b' }]) {
    const { stamps } = decideDrift(aCluster({ claim: { annotations } }), DRIFT_FACTS_NONE);
    assert.deepEqual(
      stamps.map(({ madeFrom: stamp }) => stamp),
      [madeFrom(PROVISIONER, NODE_CLASS)],
    );
  }
});

test('the order in which things are written changes nothing', () => {
  const left = aProvisioner({ labels: { a: '1', b: '2' }, taints: [taint('a'), taint('b')] });
  const right = aProvisioner({ labels: { b: '2', a: '1' }, taints: [taint('b'), taint('a')] });
  assert.equal(madeFrom(left, NODE_CLASS), madeFrom(right, NODE_CLASS));
});

test('a rollout has another name for another target or attempt only', () => {
  const id = rolloutId(PROVISIONER, NODE_CLASS, TARGETS);
  assert.equal(rolloutId(aProvisioner({ weight: 3 }), aNodeClass(), { ...TARGETS }), id);
  const others = [
    rolloutId(PROVISIONER, NODE_CLASS, { ...TARGETS, imageIds: ['ami-3'] }),
    rolloutId(PROVISIONER, aNodeClass({ userData: 'x' }), TARGETS),
    rolloutId(aProvisioner({ labels: { a: 'b' } }), NODE_CLASS, TARGETS),
    rolloutId(aProvisioner({ rolloutAttempt: '2' }), NODE_CLASS, TARGETS),
    rolloutId(aProvisioner({ name: 'other' }), NODE_CLASS, TARGETS),
  ];
  assert.equal(new Set([id, ...others]).size, 6);
});

const NOT_READY = (sinceMs: number) => ({
  conditions: [{ type: 'Ready', status: 'False' as const, sinceMs }],
});

interface Member {
  readonly launchedMs: number | null;
  readonly upMs?: number;
  readonly deletedMs?: number;
  readonly unreadySinceMs?: number;
}

/** Minutes; it is minute 60, the soak takes 10, and replacements have 10 to come up. Canary: 1 node. */
const ROLLOUTS: readonly { when: string; member: Member | null; phase: string }[] = [
  { when: 'nothing was bought', member: null, phase: 'canary' },
  { when: 'its launch goes on', member: { launchedMs: null }, phase: 'soaking' },
  { when: 'the first comes up', member: { launchedMs: 51 }, phase: 'soaking' },
  { when: 'the first has not come up', member: { launchedMs: 50 }, phase: 'halted' },
  { when: 'the first was given back in time', member: { launchedMs: 51, deletedMs: 55 }, phase: 'canary' },
  { when: 'the first was given back too late', member: { launchedMs: 40, deletedMs: 50 }, phase: 'halted' },
  { when: 'the first soaks', member: { launchedMs: 45, upMs: 51 }, phase: 'soaking' },
  { when: 'the first has soaked', member: { launchedMs: 45, upMs: 50 }, phase: 'going' },
  {
    when: 'the first is NotReady for a moment',
    member: { launchedMs: 40, upMs: 55, unreadySinceMs: 59.5 },
    phase: 'soaking',
  },
  {
    when: 'the first has become NotReady',
    member: { launchedMs: 40, upMs: 55, unreadySinceMs: 58 },
    phase: 'halted',
  },
  {
    when: 'the first has become NotReady long after',
    member: { launchedMs: 0, upMs: 1, unreadySinceMs: 58 },
    phase: 'soaking',
  },
];
for (const { when, member, phase } of ROLLOUTS) {
  test(`a rollout is ${phase} when ${when}`, () => {
    const { disruption } = PROVISIONER;
    const drift = { policy: 'Replace' as const, canary: { nodes: 1, soakMs: 10 * MINUTE_MS } };
    const provisioner = aProvisioner({ disruption: { ...disruption, drift } });
    const conditions = [
      ...(member?.launchedMs == null ? [] : [upSince(member.launchedMs * MINUTE_MS, 'Launched')]),
      ...(member?.upMs === undefined ? [] : [upSince(member.upMs * MINUTE_MS)]),
    ];
    const claim = aClaim({
      annotations: { [CLAIM_ANNOTATION.rollout]: 'r1' },
      deletionRequestedAtMs: member?.deletedMs === undefined ? null : member.deletedMs * MINUTE_MS,
      status: { ...aClaim().status, conditions },
    });
    const unready = member?.unreadySinceMs;
    const cluster = aCluster({ node: unready === undefined ? {} : NOT_READY(unready * MINUTE_MS) });
    const snapshot = { ...cluster, provisioners: [provisioner], nodeClaims: member === null ? [] : [claim] };
    assert.equal(decideRollout(snapshot, provisioner, 'r1', 10 * MINUTE_MS).phase, phase);
  });
}

function replacing(): Provisioner {
  const drift = { policy: 'Replace' as const, canary: { nodes: 1, soakMs: 10 * MINUTE_MS } };
  return aProvisioner({ disruption: { ...NO_CONSOLIDATION, drift } });
}

test('a replacement that another Provisioner launches is a canary too', () => {
  const claim = aClaim({
    spec: { ...aNodeClaim().spec, provisioner: 'other' },
    annotations: { [CLAIM_ANNOTATION.rollout]: 'r1' },
    status: { ...aClaim().status, conditions: [upSince(50 * MINUTE_MS, 'Launched')] },
  });
  const snapshot = { ...aCluster({}), nodeClaims: [claim] };
  assert.equal(decideRollout(snapshot, replacing(), 'r1', 11 * MINUTE_MS).mayGo, 0);
  assert.equal(decideRollout(snapshot, replacing(), 'r1', 9 * MINUTE_MS).phase, 'halted');
});

/** Two nodes whose image is launched no more. */
function twoDrifted(facts: Partial<DriftFacts>) {
  const claims = ['a', 'b'].map((name) =>
    aClaim({ name, status: { ...aClaim().status, nodeName: name, imageId: 'ami-0' } }),
  );
  const nodes = claims.map(({ name }) => anOwnedNode({ name, providerId: `p-${name}` }));
  const snapshot = { ...aCluster({}), provisioners: [replacing()], nodeClaims: claims, nodes };
  return { snapshot, drifting: decideDrifting(snapshot, { ...DRIFT_FACTS_NONE, ...facts }, MINUTE_MS) };
}

test('a node that nothing can be bought for gives its place in the canary to the next', () => {
  const { snapshot, drifting } = twoDrifted(targets());
  const chosen = (passedOver: readonly string[]): readonly string[] =>
    chooseDrifted(snapshot, drifting, (name) => passedOver.includes(name)).may.map(({ claim }) => claim.name);
  assert.deepEqual(chosen([]), ['a']);
  assert.deepEqual(chosen(['a']), ['a', 'b']);
});

test('a rollout waits for the targets of the node class as it is now', () => {
  const generations = (generation: number) => new Map([[NODE_CLASS.key, generation]]);
  const rolloutsOf = (facts: Partial<DriftFacts>): readonly (readonly string[])[] => {
    const { drifting } = twoDrifted(facts);
    return [[...drifting.rollouts.keys()], [...drifting.untold]];
  };
  assert.deepEqual(rolloutsOf(targets()), [['default'], []]);
  const ofNow = generations(NODE_CLASS.generation);
  assert.deepEqual(rolloutsOf({ ...targets(), generations: ofNow }), [['default'], []]);
  const before = generations(NODE_CLASS.generation - 1);
  assert.deepEqual(rolloutsOf({ ...targets(), generations: before }), [[], ['default']]);
  assert.deepEqual(rolloutsOf({}), [[], ['default']]);
});

test('a mark on any claim halts its rollout, and no other', () => {
  const claim = aClaim({ annotations: { [CLAIM_ANNOTATION.rolloutHalted]: 'r1' } });
  const snapshot = { ...aCluster({}), nodeClaims: [claim] };
  const phase = (id: string): string => decideRollout(snapshot, PROVISIONER, id, 1).phase;
  assert.deepEqual([phase('r1'), phase('r2')], ['halted', 'canary']);
});

const OWNER = { kind: 'ReplicaSet', name: 'web', uid: 'u' };
const KEEPERS: readonly { what: string; pod?: object; node?: Partial<Node>; by: RegExp | null }[] = [
  { what: 'a plain pod', pod: { owner: OWNER }, by: null },
  { what: 'a pod without an owner', pod: { owner: null }, by: /no owner/ },
  {
    what: 'a pod that opts out',
    pod: { owner: OWNER, annotations: { 'karpenter.sh/do-not-disrupt': 'true' } },
    by: /forbids/,
  },
  {
    what: 'a node that opts out',
    node: { annotations: { 'karpenter.sh/do-not-disrupt': 'true' } },
    by: /the node forbids/,
  },
  {
    what: 'a node that opts out of consolidation',
    node: { annotations: { 'karpenter.sh/do-not-consolidate': 'true' } },
    by: null,
  },
];
for (const { what, pod, node, by } of KEEPERS) {
  test(`${what} ${by === null ? 'lets the drifted node go' : 'keeps the drifted node'}`, () => {
    const cluster = { ...aCluster({ ...(node === undefined ? {} : { node }) }) };
    const pods = pod === undefined ? [] : [aBoundPod('node', pod)];
    const told = driftKeptBy({ ...cluster, pods }, aClaim());
    if (by === null) assert.equal(told, null);
    else assert.match(told ?? '', by);
  });
}
