// The whole packer on small clusters: what is bought, what is filled first, what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import type { SchedulingPlan } from '../../src/model/plan.ts';
import type { Pod } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import {
  aBoundPod,
  aDaemonSet,
  aNodeClaim,
  anInstanceType,
  anOwnedNode,
  aPod,
  aProvisioner,
  aSnapshot,
  GIB,
  somePods,
} from '../builders.ts';

const LARGE = anInstanceType({ name: 'm5.large', usdPerHour: 0.096 });
const XLARGE = anInstanceType({
  name: 'm5.xlarge',
  cpuMillis: 4000,
  memoryBytes: 16 * GIB,
  pods: 58,
  usdPerHour: 0.192,
});
const ARM = anInstanceType({ name: 'm6g.large', arch: 'arm64', usdPerHour: 0.077 });
const TYPES = [LARGE, XLARGE, ARM];

function plan(pods: readonly Pod[], snapshot: Partial<ClusterSnapshot> = {}): SchedulingPlan {
  const whole = aSnapshot(snapshot);
  return schedule(whole, new Map(whole.provisioners.map((one) => [one.name, TYPES])), pods);
}

const limited = (limits: Record<string, number>) => [aProvisioner({ limits })];
const toleration = {
  key: 'team',
  operator: 'Exists' as const,
  value: '',
  effect: null,
  tolerationSeconds: null,
};
const teamTaint = { key: 'team', value: 'a', effect: 'NoSchedule' as const };

const bought: {
  when: string;
  pods: readonly Pod[];
  snapshot?: Partial<ClusterSnapshot>;
  types: readonly string[];
}[] = [
  { when: 'one small pod: the cheapest type', pods: [aPod()], types: ['m5.large'] },
  { when: 'a pod too large for it: the next', pods: [aPod({ cpuMillis: 3000 })], types: ['m5.xlarge'] },
  {
    when: 'eight pods of half a core: near-ties go to fewer nodes',
    pods: somePods(8, { cpuMillis: 500 }),
    types: ['m5.xlarge'],
  },
  {
    when: 'daemons take room: a pod of 2 cores needs the next type',
    pods: [aPod({ cpuMillis: 2000 })],
    snapshot: { daemonSets: [aDaemonSet()] },
    types: ['m5.xlarge'],
  },
  {
    when: 'daemons that the node does not match take none',
    pods: [aPod({ cpuMillis: 2000 })],
    snapshot: { daemonSets: [aDaemonSet({ spec: { nodeSelector: { [LABEL.arch]: 'arm64' } } })] },
    types: ['m5.large'],
  },
  {
    when: 'existing room is filled first',
    pods: somePods(2, { cpuMillis: 1000 }),
    snapshot: { nodes: [anOwnedNode()], pods: [aBoundPod('node', { name: 'there', cpuMillis: 1000 })] },
    types: ['m5.large'],
  },
  {
    when: 'a claim in flight takes pods',
    pods: [aPod({ cpuMillis: 1500 })],
    snapshot: { nodeClaims: [aNodeClaim()] },
    types: [],
  },
  {
    when: 'a node with startup taints that is coming up takes pods',
    pods: [aPod()],
    snapshot: {
      provisioners: [aProvisioner({ startupTaints: [teamTaint] })],
      nodes: [anOwnedNode({ taints: [teamTaint], labels: { [LABEL.initialized]: 'false' } })],
    },
    types: [],
  },
  {
    when: 'a cordoned node takes none',
    pods: [aPod()],
    snapshot: { nodes: [anOwnedNode({ unschedulable: true })] },
    types: ['m5.large'],
  },
  {
    when: 'a limit lets one node through',
    pods: somePods(4, { cpuMillis: 2000 }),
    snapshot: { provisioners: limited({ cpu: 3000 }) },
    types: ['m5.large'],
  },
  {
    when: 'a heavier Provisioner goes first, though it is dearer',
    pods: [aPod()],
    snapshot: {
      provisioners: [
        aProvisioner({ name: 'light' }),
        aProvisioner({
          name: 'heavy',
          weight: 10,
          requirements: [{ key: LABEL.instanceType, operator: 'In', values: ['m5.xlarge'] }],
        }),
      ],
    },
    types: ['m5.xlarge'],
  },
  {
    when: 'arm64 is cheaper where the Provisioner allows both',
    pods: [aPod()],
    snapshot: { provisioners: [aProvisioner({ requirements: [] })] },
    types: ['m6g.large'],
  },
];

for (const { when, pods, snapshot, types } of bought) {
  test(`bought: ${when}`, () => {
    const made = plan(pods, snapshot);
    assert.deepEqual(made.nodeClaims.map((one) => one.instanceType).sort(), types);
  });
}

const refused: {
  when: string;
  pod: Pod;
  snapshot?: Partial<ClusterSnapshot>;
  code: string;
  reason: RegExp;
}[] = [
  {
    when: 'no Provisioner',
    pod: aPod(),
    snapshot: { provisioners: [] },
    code: 'NoProvisioner',
    reason: /create one/,
  },
  {
    when: 'too many cores',
    pod: aPod({ cpuMillis: 9000 }),
    code: 'InsufficientResources',
    reason: /needs 9 of cpu; .*"default" allows has 4/,
  },
  {
    when: 'no such resource',
    pod: aPod({ requests: { 'nvidia.com/gpu': 1 } }),
    code: 'InsufficientResources',
    reason: /nvidia.com\/gpu/,
  },
  {
    when: 'taint not tolerated',
    pod: aPod(),
    snapshot: { provisioners: [aProvisioner({ taints: [teamTaint] })] },
    code: 'TaintNotTolerated',
    reason: /team=a:NoSchedule/,
  },
  {
    when: 'an undefined custom label',
    pod: aPod({ spec: { nodeSelector: { team: 'a' } } }),
    code: 'LabelUndefined',
    reason: /team.*"default"/,
  },
  {
    when: 'a label that the Provisioner denies',
    pod: aPod({ spec: { nodeSelector: { [LABEL.arch]: 'arm64' } } }),
    code: 'LabelMismatch',
    reason: /arm64.*amd64/,
  },
  {
    when: 'a zone without offerings',
    pod: aPod({ spec: { nodeSelector: { [LABEL.zone]: 'us-east-1z' } } }),
    code: 'NoCapacity',
    reason: /us-east-1z/,
  },
  {
    when: 'limit reached',
    pod: aPod(),
    snapshot: { provisioners: limited({ cpu: 1000 }) },
    code: 'LimitExceeded',
    reason: /may have 1 of cpu and has 0; a node needs 2/,
  },
];

for (const { when, pod, snapshot, code, reason } of refused) {
  test(`refused: ${when}`, () => {
    const made = plan([pod], snapshot);
    assert.equal(made.nodeClaims.length, 0);
    assert.equal(made.refusals[0]?.code, code);
    assert.match(made.refusals[0]?.reason ?? '', reason);
  });
}

test('a tolerated taint is no hindrance', () => {
  const made = plan([aPod({ spec: { tolerations: [toleration] } })], {
    provisioners: [aProvisioner({ taints: [teamTaint] })],
  });
  assert.equal(made.nodeClaims.length, 1);
  assert.deepEqual(made.nodeClaims[0]?.spec.taints, [teamTaint]);
});

/** Zones that the claim of the first planned node allows. */
function zonesOf(made: ReturnType<typeof plan>): readonly string[] {
  return made.nodeClaims[0]?.spec.requirements.find(({ key }) => key === LABEL.zone)?.values ?? [];
}

test('the claim names types and capacity type, and carries the labels', () => {
  const made = plan([aPod()], { provisioners: [aProvisioner({ labels: { team: 'a' } })] });
  const spec = made.nodeClaims[0]?.spec;
  assert.deepEqual(spec?.instanceTypes, ['m5.large', 'm5.xlarge']);
  assert.equal(spec?.labels['team'], 'a');
  assert.equal(spec?.labels[LABEL.capacityType], 'on-demand');
  assert.equal(spec?.labels[LABEL.provisioner], 'default');
  assert.deepEqual(spec?.requests, { cpu: 100, memory: 128 * 1024 * 1024, pods: 1 });
});

test('a claim that no rule ties to a zone is open to every zone at the same price', () => {
  const made = plan([aPod()]);
  assert.deepEqual(zonesOf(made), ['us-east-1a', 'us-east-1b', 'us-east-1c']);
  assert.equal(made.nodeClaims[0]?.spec.labels[LABEL.zone], undefined);
});

test('a limit on cpu does not tie a claim to a zone', () => {
  assert.equal(zonesOf(plan([aPod()], { provisioners: limited({ cpu: 100_000 }) })).length, 3);
});

test('a pod that selects a zone, or is spread over zones, ties its claim to one', () => {
  const inB = plan([aPod({ spec: { nodeSelector: { [LABEL.zone]: 'us-east-1b' } } })]);
  assert.deepEqual(zonesOf(inB), ['us-east-1b']);
  assert.equal(inB.nodeClaims[0]?.spec.labels[LABEL.zone], 'us-east-1b');
  const spread = {
    topologyKey: LABEL.zone,
    maxSkew: 1,
    minDomains: 1,
    whenUnsatisfiable: 'DoNotSchedule',
    selector: { expressions: [{ key: 'app', operator: 'In', values: ['spreading'] }] },
    nodeAffinityPolicy: 'Honor',
    nodeTaintsPolicy: 'Ignore',
  } as const;
  const spreading = aPod({
    name: 'spreading',
    labels: { app: 'spreading' },
    cpuMillis: 3000,
    spec: { topologySpread: [spread] },
  });
  assert.equal(zonesOf(plan([spreading])).length, 1);
  // A node that may come up in any zone could open one in which the spread counts nobody.
  const free = plan([aPod({ name: 'free', cpuMillis: 3000 }), spreading]).nodeClaims.map(
    ({ spec }) => spec.requirements.find(({ key }) => key === LABEL.zone)?.values.length,
  );
  assert.deepEqual(free, [1, 1]);
});

test('a zone in which a listed type is dearer than is acceptable is left out', () => {
  const dear = (zone: string, usdPerHour: number) => ({
    zone,
    capacityType: 'spot' as const,
    usdPerHour,
    available: true,
  });
  const offerings = [dear('us-east-1a', 0.03), dear('us-east-1b', 0.031), dear('us-east-1c', 0.09)];
  const requirements = [{ key: LABEL.capacityType, operator: 'In', values: ['spot'] }] as const;
  const snapshot = aSnapshot({ provisioners: [aProvisioner({ requirements })] });
  const made = schedule(snapshot, new Map([['default', [anInstanceType({ offerings })]]]), [aPod()]);
  assert.deepEqual(zonesOf(made), ['us-east-1a', 'us-east-1b']);
});

test('the order of input does not matter', () => {
  const pods = [
    ...somePods(7, { name: 'a', cpuMillis: 700 }),
    ...somePods(9, { name: 'b', memoryBytes: 3 * GIB }),
  ];
  assert.deepEqual(plan(pods.toReversed()), plan(pods));
});

test('improvement sends no pods to a Provisioner with a PreferNoSchedule taint', () => {
  const only = (name: string) => [{ key: LABEL.instanceType, operator: 'In' as const, values: [name] }];
  const snapshot = aSnapshot({
    provisioners: [
      aProvisioner({ name: 'plain', requirements: only('m5.large') }),
      aProvisioner({
        name: 'soft',
        taints: [{ key: 'soft', value: '', effect: 'PreferNoSchedule' }],
        requirements: only('m5.4xlarge'),
      }),
    ],
  });
  const types = [
    anInstanceType({ name: 'm5.large', usdPerHour: 0.096 }),
    anInstanceType({ name: 'm5.4xlarge', cpuMillis: 16_000, memoryBytes: 64 * GIB, usdPerHour: 0.768 }),
  ];
  const catalogue = new Map([
    ['plain', types.slice(0, 1)],
    ['soft', types.slice(1)],
  ]);
  const pods = [aPod({ name: 'big', cpuMillis: 9000 }), aPod({ name: 'small' })];
  const made = schedule(snapshot, catalogue, pods, { budgetMs: 50, elapsedMs: () => 0 });
  assert.deepEqual(made.nodeClaims.map((one) => one.spec.provisioner).sort(), ['plain', 'soft']);
  assert.deepEqual(checkPlan(snapshot, catalogue, pods, made), []);
});

test('which of two equal lots goes first does not hang on the order of pods', () => {
  const spreadOver = (app: string) => ({
    topologyKey: LABEL.zone,
    maxSkew: 1,
    minDomains: 1,
    whenUnsatisfiable: 'DoNotSchedule' as const,
    selector: { expressions: [{ key: 'app', operator: 'In' as const, values: [app] }] },
    nodeAffinityPolicy: 'Honor' as const,
    nodeTaintsPolicy: 'Ignore' as const,
  });
  const pods = ['a', 'c'].flatMap((app) => [
    aPod({ name: `${app}-watcher`, spec: { topologySpread: [spreadOver(app)] } }),
    ...somePods(3, {
      name: app,
      labels: { app },
      cpuMillis: 700,
      spec: { nodeSelector: { [LABEL.zone]: 'us-east-1a' } },
    }),
  ]);
  const snapshot = aSnapshot({ nodes: [anOwnedNode()] });
  const catalogue = new Map([['default', [anInstanceType({ name: 'm5.large', usdPerHour: 0.096 })]]]);
  const made = schedule(snapshot, catalogue, pods);
  assert.deepEqual(schedule(snapshot, catalogue, [...pods].reverse()), made);
});
