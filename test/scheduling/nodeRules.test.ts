// Scheduling rules about what nodes are and have: one case each, named after the rule.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import type { SchedulingPlan } from '../../src/model/plan.ts';
import type { Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { isProvisionable } from '../../src/scheduling/provisionable.ts';
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
  MIB,
  somePods,
} from '../builders.ts';

const A = 'us-east-1a';
const B = 'us-east-1b';
const HUGE = 'hugepages-2Mi';
const GPU = 'nvidia.com/gpu';
const TYPES = [
  anInstanceType({ name: 'm5.large', usdPerHour: 0.096 }),
  anInstanceType({ name: 'm5.xlarge', cpuMillis: 4000, memoryBytes: 16 * GIB, pods: 58, usdPerHour: 0.192 }),
  anInstanceType({
    name: 'g4dn.xlarge',
    capacity: {
      cpu: 4000,
      memory: 16 * GIB,
      pods: 29,
      [GPU]: 1,
      [HUGE]: GIB,
      'ephemeral-storage': 200 * GIB,
    },
    usdPerHour: 0.526,
  }),
];

const spread = (fields: Partial<TopologySpreadConstraint> = {}): TopologySpreadConstraint => ({
  topologyKey: LABEL.zone,
  maxSkew: 1,
  minDomains: 1,
  whenUnsatisfiable: 'DoNotSchedule',
  selector: { expressions: [{ key: 'app', operator: 'In', values: ['web'] }] },
  nodeAffinityPolicy: 'Honor',
  nodeTaintsPolicy: 'Ignore',
  ...fields,
});
const apart = (fields: Partial<PodAffinityTerm> = {}): Partial<PodSpec> => ({
  podAntiAffinity: [
    {
      selector: { expressions: [{ key: 'app', operator: 'In', values: ['web'] }] },
      topologyKey: LABEL.zone,
      namespaces: [],
      namespaceSelector: null,
      ...fields,
    },
  ],
});
const web = (count: number, spec: Partial<PodSpec> = {}): Pod[] =>
  somePods(count, { name: 'web', labels: { app: 'web' }, spec });
const asking = (requests: Readonly<Record<string, number>>): readonly Pod[] => [aPod({ requests })];
const inZones = (...zones: string[]) => [
  aProvisioner({ requirements: [{ key: LABEL.zone, operator: 'In', values: zones }] }),
];
const limited = (limits: Readonly<Record<string, number>>) => ({ provisioners: [aProvisioner({ limits })] });
const teamTaint = { key: 'team', value: 'a', effect: 'NoSchedule' as const };
/** A pod labelled app=web runs in zone A, in the namespace. */
const running = (namespace: string): Partial<ClusterSnapshot> => ({
  provisioners: inZones(A),
  nodes: [anOwnedNode({ unschedulable: true })],
  pods: [aBoundPod('node', { namespace, name: 'there', labels: { app: 'web' } })],
  namespaces: [
    { name: 'default', labels: { team: 'ours' } },
    { name: 'other', labels: { team: 'theirs' } },
  ],
});
const theirs = { expressions: [{ key: 'team', operator: 'In' as const, values: ['theirs'] }] };
const claim = aNodeClaim();
const openClaim = {
  ...claim,
  spec: {
    ...claim.spec,
    requirements: [{ key: LABEL.zone, operator: 'In' as const, values: [A, B] }],
  },
};
const byZone: PodAffinityTerm = {
  selector: { expressions: [{ key: 'app', operator: 'In', values: ['web'] }] },
  topologyKey: LABEL.zone,
  namespaces: [],
  namespaceSelector: null,
};
/** Three pods that need an m5.large each, so that zones are all that is left to choose. */
const wholeNodes = (spec: Partial<PodSpec>): Pod[] =>
  somePods(3, {
    name: 'web',
    labels: { app: 'web' },
    spec: {
      requests: { cpu: 2000, memory: 128 * MIB, pods: 1 },
      nodeSelector: { [LABEL.instanceType]: 'm5.large' },
      ...spec,
    },
  });
const scratch = {
  volumes: [{ kind: 'ephemeral' as const, volumeName: 'scratch', storageClassName: 'zonal' }],
};
const zonalStorage: Partial<ClusterSnapshot> = {
  storageClasses: [
    {
      name: 'zonal',
      isDefault: false,
      provisioner: 'ebs.csi.aws.com',
      waitForFirstConsumer: true,
      allowedTopologies: [
        { matchFields: false, requirements: [{ key: LABEL.zone, operator: 'In', values: [B] }] },
      ],
    },
  ],
};
/** A node in zone B whose taint keeps the pods away, beside a Provisioner for zone A. */
const taintedInB: Partial<ClusterSnapshot> = {
  provisioners: inZones(A),
  nodes: [anOwnedNode({ labels: { [LABEL.zone]: B }, taints: [teamTaint] })],
};

interface Case {
  readonly rule: string;
  readonly pods: readonly Pod[];
  readonly cluster?: Partial<ClusterSnapshot>;
  /** Types of the planned nodes. */
  readonly types?: readonly string[];
  readonly zone?: string;
  readonly zones?: readonly string[];
  readonly refused?: readonly string[];
}

const cases: readonly Case[] = [
  { rule: 'memory', pods: asking({ memory: 9 * GIB }), types: ['m5.xlarge'] },
  { rule: 'ephemeral-storage', pods: asking({ 'ephemeral-storage': 30 * GIB }), types: ['g4dn.xlarge'] },
  {
    rule: 'pod count',
    pods: somePods(30, { cpuMillis: 10, memoryBytes: MIB }),
    types: ['m5.large', 'm5.large'],
  },
  { rule: 'extended resources and GPUs', pods: asking({ [GPU]: 1 }), types: ['g4dn.xlarge'] },
  { rule: 'hugepages', pods: asking({ [HUGE]: 2 * MIB }), types: ['g4dn.xlarge'] },
  {
    rule: 'more hugepages than any type has',
    pods: asking({ [HUGE]: 2 * GIB }),
    refused: ['InsufficientResources'],
  },
  {
    rule: 'what a DaemonSet asks for by LimitRange defaults comes off the node',
    pods: [aPod({ memoryBytes: 8 * GIB })],
    cluster: { daemonSets: [aDaemonSet({ spec: { requests: { memory: 64 * MIB, pods: 1 } } })] },
    types: ['m5.xlarge'],
  },
  {
    rule: 'labels of the Provisioner',
    pods: web(1, { nodeSelector: { tier: 'web' } }),
    cluster: { provisioners: [aProvisioner({ labels: { tier: 'web' } })] },
    types: ['m5.large'],
  },
  {
    rule: 'a custom label that no Provisioner defines',
    pods: web(1, { nodeSelector: { tier: 'web' } }),
    refused: ['LabelUndefined'],
  },
  {
    rule: 'a custom label by the Exists rule',
    pods: web(1, { nodeSelector: { tier: 'web' } }),
    cluster: {
      provisioners: [aProvisioner({ requirements: [{ key: 'tier', operator: 'Exists', values: [] }] })],
    },
    types: ['m5.large'],
  },
  {
    rule: 'a restricted label is nobody’s to define',
    pods: web(1, { nodeSelector: { 'kubernetes.io/custom': 'x' } }),
    refused: ['LabelUndefined'],
  },
  {
    rule: 'taints',
    pods: web(1),
    cluster: { provisioners: [aProvisioner({ taints: [teamTaint] })] },
    refused: ['TaintNotTolerated'],
  },
  {
    rule: 'startupTaints need no toleration',
    pods: web(1),
    cluster: { provisioners: [aProvisioner({ startupTaints: [teamTaint] })] },
    types: ['m5.large'],
  },
  {
    rule: 'the limit on nodes',
    pods: web(2, { ...apart({ topologyKey: LABEL.hostname }) }),
    cluster: limited({ nodes: 1 }),
    types: ['m5.large'],
    refused: ['LimitExceeded'],
  },
  {
    rule: 'the limit on usdPerHour',
    pods: asking({ cpu: 3000 }),
    cluster: limited({ usdPerHour: 0.1 }),
    refused: ['LimitExceeded'],
  },
  {
    rule: 'a limit on memory',
    pods: asking({}),
    cluster: limited({ memory: 4 * GIB }),
    refused: ['LimitExceeded'],
  },
  {
    rule: 'minDomains: with fewer domains than asked for, each may hold maxSkew',
    pods: web(4, { topologySpread: [spread({ minDomains: 3 })] }),
    cluster: { provisioners: inZones(A, B) },
    types: ['m5.large', 'm5.large'],
    refused: ['TopologySpread', 'TopologySpread'],
  },
  {
    rule: 'nodeAffinityPolicy Honor: zones that its selector excludes are no domains',
    pods: web(2, { nodeSelector: { [LABEL.zone]: A }, topologySpread: [spread()] }),
    types: ['m5.large'],
  },
  {
    rule: 'nodeAffinityPolicy Ignore: they are',
    pods: web(2, {
      nodeSelector: { [LABEL.zone]: A },
      topologySpread: [spread({ nodeAffinityPolicy: 'Ignore' })],
    }),
    types: ['m5.large'],
    refused: ['TopologySpread'],
  },
  {
    rule: 'nodeTaintsPolicy Ignore: a node whose taint is not tolerated makes a domain',
    pods: web(2, { topologySpread: [spread()] }),
    cluster: taintedInB,
    types: ['m5.large'],
    refused: ['TopologySpread'],
  },
  {
    rule: 'nodeTaintsPolicy Honor: it makes none',
    pods: web(2, { topologySpread: [spread({ nodeTaintsPolicy: 'Honor' })] }),
    cluster: taintedInB,
    types: ['m5.large'],
  },
  {
    rule: 'a claim in flight may make a domain of each zone that it may come up in',
    pods: [aPod({ spec: { topologySpread: [spread({ nodeTaintsPolicy: 'Honor' })] } })],
    cluster: {
      provisioners: [aProvisioner({ taints: [teamTaint] })],
      nodes: [anOwnedNode()],
      pods: ['one', 'two'].map((name) => aBoundPod('node', { name, labels: { app: 'web' } })),
      nodeClaims: [openClaim],
    },
    refused: ['TopologySpread'],
  },
  {
    rule: 'anti-affinity looks into its own namespace',
    pods: web(1, apart()),
    cluster: running('default'),
    refused: ['PodAntiAffinity'],
  },
  { rule: 'and into no other', pods: web(1, apart()), cluster: running('other'), types: ['m5.large'] },
  {
    rule: 'namespaces',
    pods: web(1, apart({ namespaces: ['other'] })),
    cluster: running('other'),
    refused: ['PodAntiAffinity'],
  },
  {
    rule: 'namespaceSelector',
    pods: web(1, apart({ namespaceSelector: theirs })),
    cluster: running('other'),
    refused: ['PodAntiAffinity'],
  },
  {
    rule: 'namespaceSelector that leaves the namespace out',
    pods: web(1, apart({ namespaceSelector: theirs })),
    cluster: running('default'),
    types: ['m5.large'],
  },
  {
    rule: 'ephemeral volume templates and StorageClass topology',
    pods: web(1, scratch),
    cluster: zonalStorage,
    zone: B,
  },
  {
    rule: 'ScheduleAnyway spread by zone is sought where zones cost the same',
    pods: wholeNodes({ topologySpread: [spread({ whenUnsatisfiable: 'ScheduleAnyway' })] }),
    zones: [A, B, 'us-east-1c'],
  },
  {
    rule: 'ScheduleAnyway spread by zone counts pods that run',
    pods: wholeNodes({ topologySpread: [spread({ whenUnsatisfiable: 'ScheduleAnyway' })] }),
    cluster: { ...running('default'), provisioners: inZones(A, B) },
    zones: [A, B, B],
  },
  {
    rule: 'preferred anti-affinity by zone is sought where zones cost the same',
    pods: wholeNodes({ preferredPodAntiAffinity: [{ weight: 1, term: byZone }] }),
    zones: [A, B, 'us-east-1c'],
  },
  {
    rule: 'preferred affinity by zone is sought where zones cost the same',
    pods: wholeNodes({ preferredPodAffinity: [{ weight: 1, term: byZone }] }),
    cluster: {
      ...running('default'),
      nodes: [anOwnedNode({ labels: { [LABEL.zone]: B }, unschedulable: true })],
      provisioners: inZones(A, B),
    },
    zones: [B, B, B],
  },
  {
    rule: 'a preference by zone is no veto',
    pods: wholeNodes({ preferredPodAntiAffinity: [{ weight: 1, term: byZone }] }),
    cluster: { provisioners: inZones(A) },
    zones: [A, A, A],
  },
  {
    rule: 'a preferred node term that nothing satisfies is relaxed',
    pods: web(1, {
      preferredNodeAffinity: [
        {
          weight: 100,
          term: { matchFields: false, requirements: [{ key: LABEL.zone, operator: 'In', values: ['none'] }] },
        },
      ],
    }),
    types: ['m5.large'],
  },
];

function planned({ pods, cluster }: Case): SchedulingPlan {
  const snapshot = aSnapshot(cluster);
  const catalogue = new Map(snapshot.provisioners.map((one) => [one.name, TYPES]));
  const plan = schedule(snapshot, catalogue, pods);
  assert.deepEqual(checkPlan(snapshot, catalogue, pods, plan), []);
  return plan;
}

for (const one of cases) {
  test(`rule: ${one.rule}`, () => {
    const { nodeClaims, refusals } = planned(one);
    assert.deepEqual(
      refusals.map(({ code }) => code),
      one.refused ?? [],
    );
    if (one.types !== undefined) {
      assert.deepEqual(
        nodeClaims.map(({ instanceType }) => instanceType),
        one.types,
      );
    }
    if (one.zone !== undefined) assert.equal(nodeClaims[0]?.zone, one.zone);
    if (one.zones !== undefined) assert.deepEqual(nodeClaims.map(({ zone }) => zone).sort(), one.zones);
  });
}

const leftAlone: readonly { rule: string; pod: Pod }[] = [
  { rule: 'scheduling gates', pod: aPod({ schedulingGated: true }) },
  { rule: 'terminating pods', pod: aPod({ deletionRequestedAtMs: 1 }) },
  { rule: 'pods of other schedulers', pod: aPod({ spec: { schedulerName: 'mine' } }) },
  { rule: 'pods that the kube-scheduler has not judged yet', pod: aPod({ unschedulableSinceMs: null }) },
  { rule: 'bound pods', pod: aPod({ nodeName: 'node' }) },
  { rule: 'pods of a DaemonSet', pod: aPod({ owner: { kind: 'DaemonSet', name: 'd', uid: 'd' } }) },
];

for (const { rule, pod } of leftAlone) {
  test(`left alone: ${rule}`, () => {
    assert.equal(isProvisionable(aPod(), 'default-scheduler'), true);
    assert.equal(isProvisionable(pod, 'default-scheduler'), false);
  });
}
