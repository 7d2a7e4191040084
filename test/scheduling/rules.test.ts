// One case for each scheduling rule, named after it: how many nodes, and which pods share one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceType } from '../../src/model/instanceType.ts';
import type { LabelSelector } from '../../src/model/labelSelector.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { SchedulingPlan } from '../../src/model/plan.ts';
import type { Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
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

const TYPES = [
  anInstanceType({ name: 'm5.large', usdPerHour: 0.096 }),
  anInstanceType({ name: 'm5.xlarge', cpuMillis: 4000, memoryBytes: 16 * GIB, pods: 58, usdPerHour: 0.192 }),
  anInstanceType({
    name: 'm5.4xlarge',
    cpuMillis: 16_000,
    memoryBytes: 64 * GIB,
    pods: 234,
    usdPerHour: 0.768,
  }),
];

const selector = (app: string): LabelSelector => ({
  expressions: [{ key: 'app', operator: 'In', values: [app] }],
});
const term = (app: string, topologyKey: string): PodAffinityTerm => ({
  selector: selector(app),
  topologyKey,
  namespaces: [],
  namespaceSelector: null,
});
const spread = (
  topologyKey: string,
  fields: Partial<TopologySpreadConstraint> = {},
): TopologySpreadConstraint => ({
  topologyKey,
  maxSkew: 1,
  minDomains: 1,
  whenUnsatisfiable: 'DoNotSchedule',
  selector: selector('web'),
  nodeAffinityPolicy: 'Honor',
  nodeTaintsPolicy: 'Ignore',
  ...fields,
});
const web = (count: number, spec: Partial<PodSpec> = {}): Pod[] =>
  somePods(count, { name: 'web', labels: { app: 'web' }, spec });
const db = (count: number, spec: Partial<PodSpec> = {}): Pod[] =>
  somePods(count, { name: 'db', labels: { app: 'db' }, spec });
const port = (ip = '') => ({ ip, protocol: 'TCP', port: 80 });
const claimed = { volumes: [{ kind: 'claim' as const, claimName: 'data' }] };
const soon = aNodeClaim();
const openClaim = {
  ...soon,
  spec: {
    ...soon.spec,
    requirements: [{ key: LABEL.zone, operator: 'In' as const, values: ['us-east-1a', 'us-east-1b'] }],
  },
};
const diskIn = (zone: string): Partial<ClusterSnapshot> => ({
  persistentVolumeClaims: [
    { namespace: 'default', name: 'data', volumeName: 'disk', storageClassName: 'gp3' },
  ],
  persistentVolumes: [
    {
      name: 'disk',
      csiDriver: 'ebs.csi.aws.com',
      nodeAffinity: [
        { matchFields: false, requirements: [{ key: LABEL.zone, operator: 'In', values: [zone] }] },
      ],
    },
  ],
});

function plan(pods: readonly Pod[], fields: Partial<ClusterSnapshot> = {}): SchedulingPlan {
  const snapshot = aSnapshot(fields);
  const catalogue = new Map(snapshot.provisioners.map((one) => [one.name, TYPES]));
  const made = schedule(snapshot, catalogue, pods);
  assert.deepEqual(checkPlan(snapshot, catalogue, pods, made), []);
  return made;
}

const zonesOf = (made: SchedulingPlan): string[] =>
  made.nodeClaims.flatMap((claim) => claim.pods.map(() => claim.zone)).sort();

interface Case {
  readonly rule: string;
  readonly pods: readonly Pod[];
  readonly cluster?: Partial<ClusterSnapshot>;
  readonly nodes?: number;
  readonly zones?: readonly string[];
  readonly refused?: readonly string[];
  readonly nominated?: number;
}

const A = 'us-east-1a';
const B = 'us-east-1b';
const C = 'us-east-1c';

const cases: readonly Case[] = [
  {
    rule: 'anti-affinity over host names',
    pods: web(3, { podAntiAffinity: [term('web', LABEL.hostname)] }),
    nodes: 3,
  },
  {
    rule: 'anti-affinity of running pods keeps others off',
    pods: web(1),
    cluster: {
      nodes: [anOwnedNode()],
      pods: [aBoundPod('node', { name: 'there', spec: { podAntiAffinity: [term('web', LABEL.hostname)] } })],
    },
    nodes: 1,
    nominated: 0,
  },
  {
    rule: 'anti-affinity over zones: one pod in each, the rest refused',
    pods: web(4, { podAntiAffinity: [term('web', LABEL.zone)] }),
    zones: [A, B, C],
    refused: ['PodAntiAffinity'],
  },
  {
    rule: 'spread over host names',
    pods: web(4, { topologySpread: [spread(LABEL.hostname, { maxSkew: 2 })] }),
    nodes: 2,
  },
  {
    rule: 'spread over zones',
    pods: web(6, { topologySpread: [spread(LABEL.zone)] }),
    zones: [A, A, B, B, C, C],
  },
  {
    rule: 'spread counts pods that run',
    pods: web(2, { topologySpread: [spread(LABEL.zone)] }),
    cluster: {
      nodes: [anOwnedNode()],
      pods: [aBoundPod('node', { name: 'there', labels: { app: 'web' }, cpuMillis: 2000 })],
    },
    zones: [B, C],
  },
  {
    rule: 'spread does not count pods on nodes that its own selector excludes',
    pods: web(1, {
      nodeSelector: { [LABEL.capacityType]: 'on-demand' },
      topologySpread: [spread(LABEL.zone)],
    }),
    cluster: {
      nodes: [anOwnedNode({ labels: { [LABEL.capacityType]: 'spot' } })],
      pods: [aBoundPod('node', { name: 'there', labels: { app: 'web' } })],
    },
    nodes: 1,
  },
  {
    rule: 'ScheduleAnyway is no veto',
    pods: web(4, { topologySpread: [spread(LABEL.hostname, { whenUnsatisfiable: 'ScheduleAnyway' })] }),
    nodes: 1,
  },
  {
    rule: 'affinity over zones to itself',
    pods: web(3, { podAffinity: [term('web', LABEL.zone)] }),
    zones: [A, A, A],
  },
  {
    rule: 'affinity over zones to a running pod',
    pods: web(1, { podAffinity: [term('db', LABEL.zone)] }),
    cluster: {
      nodes: [anOwnedNode({ labels: { [LABEL.zone]: C } })],
      pods: [aBoundPod('node', { name: 'there', labels: { app: 'db' }, cpuMillis: 2000 })],
    },
    zones: [C],
  },
  {
    rule: 'affinity to a pod that is nowhere',
    pods: web(1, { podAffinity: [term('db', LABEL.zone)] }),
    refused: ['PodAffinity'],
  },
  {
    rule: 'affinity over host names to pods that wait',
    pods: [...web(2, { podAffinity: [term('db', LABEL.hostname)] }), ...db(1)],
    nodes: 1,
  },
  {
    rule: 'all terms of an affinity look for one pod',
    pods: [...web(1, { podAffinity: [term('db', LABEL.zone), term('cache', LABEL.zone)] }), ...db(1)],
    refused: ['PodAffinity'],
  },
  {
    rule: 'preferred anti-affinity is no veto',
    pods: web(5, { preferredPodAntiAffinity: [{ weight: 100, term: term('web', LABEL.hostname) }] }),
    nodes: 1,
  },
  { rule: 'host ports', pods: web(2, { hostPorts: [port()] }), nodes: 2 },
  {
    rule: 'a port on all addresses excludes it on each',
    pods: [...web(1, { hostPorts: [port()] }), ...db(1, { hostPorts: [port('10.0.0.1')] })],
    nodes: 2,
  },
  {
    rule: 'a port on two addresses may be shared',
    pods: [...web(1, { hostPorts: [port('10.0.0.2')] }), ...db(1, { hostPorts: [port('10.0.0.1')] })],
    nodes: 1,
  },
  {
    rule: 'a daemon holds the port',
    pods: web(1, { hostPorts: [port()] }),
    cluster: { daemonSets: [aDaemonSet({ spec: { hostPorts: [port()] } })] },
    refused: ['HostPort'],
  },
  { rule: 'zone of a bound volume', pods: web(1, claimed), cluster: diskIn(B), zones: [B] },
  { rule: 'a claim that does not exist', pods: web(1, claimed), refused: ['Volume'] },
  {
    rule: 'CSI attach limits of a node',
    pods: web(1, claimed),
    cluster: {
      ...diskIn(A),
      nodes: [anOwnedNode()],
      csiNodes: [{ name: 'node', volumeLimits: { 'ebs.csi.aws.com': 0 } }],
    },
    nodes: 1,
    nominated: 0,
  },
  {
    rule: 'preferred node terms are followed where they cost nothing',
    pods: web(1, {
      preferredNodeAffinity: [
        {
          weight: 1,
          term: { matchFields: false, requirements: [{ key: LABEL.zone, operator: 'In', values: [C] }] },
        },
      ],
    }),
    zones: [C],
  },
  {
    rule: 'node affinity terms are ORed',
    pods: web(1, {
      nodeAffinity: [
        { matchFields: false, requirements: [{ key: LABEL.zone, operator: 'In', values: ['nowhere'] }] },
        { matchFields: false, requirements: [{ key: LABEL.zone, operator: 'In', values: [B] }] },
      ],
    }),
    zones: [B],
  },
  {
    rule: 'Gt on an instance property',
    pods: web(1, {
      nodeAffinity: [
        { matchFields: false, requirements: [{ key: LABEL.instanceCpu, operator: 'Gt', values: ['3'] }] },
      ],
    }),
    nodes: 1,
  },
  {
    rule: 'pods choose the value of a label that the Provisioner leaves open, each value on its own node',
    pods: [...web(1, { nodeSelector: { team: 'a' } }), ...db(1, { nodeSelector: { team: 'b' } })],
    cluster: {
      provisioners: [aProvisioner({ requirements: [{ key: 'team', operator: 'Exists', values: [] }] })],
    },
    nodes: 2,
  },
  {
    rule: 'PreferNoSchedule is avoided while another Provisioner can',
    pods: web(1),
    cluster: {
      provisioners: [
        aProvisioner({
          name: 'a',
          weight: 10,
          taints: [{ key: 'x', value: '', effect: 'PreferNoSchedule' }],
        }),
        aProvisioner({ name: 'b', requirements: [{ key: LABEL.zone, operator: 'In', values: [C] }] }),
      ],
    },
    zones: [C],
  },
  {
    rule: 'a spread does not count pods that are sent to a node it does not look at',
    pods: [
      ...somePods(3, {
        name: 'free',
        labels: { app: 'web' },
        spec: { nodeSelector: { [LABEL.zone]: A } },
      }),
      ...web(7, { nodeSelector: { team: 'a' }, topologySpread: [spread(LABEL.zone)] }),
    ],
    cluster: {
      provisioners: [aProvisioner({ requirements: [{ key: 'team', operator: 'Exists', values: [] }] })],
      nodes: [anOwnedNode()],
    },
    nominated: 3,
    refused: ['TopologySpread', 'TopologySpread'],
  },
  {
    rule: 'a spread looks at a planned node by what its type is, not by all that its Provisioner allows',
    pods: web(2, {
      nodeSelector: { [LABEL.arch]: 'amd64' },
      topologySpread: [spread(LABEL.hostname)],
    }),
    cluster: {
      provisioners: [
        aProvisioner({
          requirements: [{ key: LABEL.arch, operator: 'In', values: ['amd64', 'arm64'] }],
        }),
      ],
    },
    nodes: 2,
  },
  {
    rule: 'anti-affinity over a label that no node has keeps nobody away',
    pods: web(2, { podAntiAffinity: [term('web', 'example.com/rack')] }),
    nodes: 1,
  },
  {
    rule: 'a claim that may still come up in either zone takes no pods that must stay apart by zone',
    pods: [...db(1), ...web(1, { podAntiAffinity: [term('db', LABEL.zone)] })],
    cluster: {
      provisioners: [aProvisioner({ taints: [{ key: 'dedicated', value: '', effect: 'NoSchedule' }] })],
      nodeClaims: [openClaim],
    },
    nominated: 0,
    refused: ['TaintNotTolerated', 'TaintNotTolerated'],
  },
  {
    rule: 'of two kinds of pods drawn to each other, one starts, and none starts elsewhere',
    pods: [
      ...somePods(1, {
        name: 'tied',
        labels: { app: 'web' },
        spec: { ...claimed, podAffinity: [term('web', LABEL.hostname)] },
      }),
      ...web(1, {
        nodeSelector: { [LABEL.zone]: A },
        podAffinity: [{ ...term('web', LABEL.hostname), namespaceSelector: { expressions: [] } }],
      }),
    ],
    cluster: diskIn(B),
    nodes: 1,
    refused: ['PodAffinity'],
  },
];

for (const { rule, pods, cluster, nodes, zones, refused = [], nominated } of cases) {
  test(`rule: ${rule}`, () => {
    const made = plan(pods, cluster);
    assert.deepEqual(
      made.refusals.map((one) => one.code),
      refused,
    );
    if (nodes !== undefined) assert.equal(made.nodeClaims.length, nodes);
    if (zones !== undefined) assert.deepEqual(zonesOf(made), zones);
    if (nominated !== undefined) assert.equal(made.nominations.length, nominated);
  });
}

test('rule: the most urgent pods go first when limits bind', () => {
  const urgent = aPod({ name: 'z-urgent', cpuMillis: 1500, spec: { priority: 1000 } });
  const idle = aPod({ name: 'a-idle', cpuMillis: 2000 });
  const made = plan([idle, urgent], { provisioners: [aProvisioner({ limits: { cpu: 2000 } })] });
  assert.deepEqual(
    made.nodeClaims.flatMap((one) => one.pods),
    ['default/z-urgent'],
  );
  assert.deepEqual(
    made.refusals.map((one) => one.code),
    ['LimitExceeded'],
  );
});

test('rule: pods go again where an earlier plan has sent them', () => {
  const pods = [aPod({ name: 'big', cpuMillis: 1500 }), aPod({ name: 'small', cpuMillis: 600 })];
  const snapshot = aSnapshot({ nodes: [anOwnedNode({ name: 'one' })] });
  const catalogue = new Map([['default', TYPES]]);
  const sent = (pod: string): ReadonlyMap<string, string> => new Map([[pod, 'one']]);
  for (const pod of ['default/small', 'default/big']) {
    const made = schedule(snapshot, catalogue, pods, {
      budgetMs: 0,
      elapsedMs: () => 0,
      nominated: sent(pod),
    });
    assert.deepEqual(
      made.nominations.map((one) => one.pod),
      [pod],
    );
    assert.deepEqual(checkPlan(snapshot, catalogue, pods, made), []);
  }
});

test('rule: minValues keeps types open, and refuses where too few are left', () => {
  const floor = (minValues: number) => [
    aProvisioner({ requirements: [{ key: LABEL.instanceType, operator: 'Exists', values: [], minValues }] }),
  ];
  assert.equal(plan(web(1), { provisioners: floor(3) }).nodeClaims[0]?.spec.instanceTypes.length, 3);
  assert.deepEqual(
    plan(web(1), { provisioners: floor(4) }).refusals.map((one) => one.code),
    ['MinValues'],
  );
});

const sold = (name: string, offered: readonly (readonly [string, 'spot' | 'on-demand'])[]) =>
  anInstanceType({
    name,
    offerings: offered.map(([zone, capacityType]) => ({
      zone,
      capacityType,
      usdPerHour: 0.1,
      available: true,
    })),
  });
const [IN_A, IN_B] = ['us-east-1a', 'us-east-1b'];
const offeredFloors: {
  key: string;
  types: readonly InstanceType[];
  listed: readonly string[];
}[] = [
  {
    key: LABEL.zone,
    types: [
      sold('m5.large', [
        [IN_A, 'spot'],
        [IN_B, 'spot'],
      ]),
    ],
    listed: ['m5.large'],
  },
  { key: LABEL.zone, types: [sold('m5.large', [[IN_A, 'spot']])], listed: [] },
  {
    key: LABEL.zone,
    types: [
      sold('m5.large', [[IN_A, 'spot']]),
      sold('m6i.large', [
        [IN_A, 'spot'],
        [IN_B, 'spot'],
      ]),
    ],
    listed: ['m5.large', 'm6i.large'],
  },
  {
    key: LABEL.zone,
    types: [
      sold('m5.large', [[IN_A, 'spot']]),
      { ...sold('t3.nano', [[IN_B, 'spot']]), allocatable: { cpu: 10, memory: GIB, pods: 4 } },
    ],
    listed: [],
  },
  {
    key: LABEL.capacityType,
    types: [
      sold('m5.large', [
        [IN_A, 'spot'],
        [IN_A, 'on-demand'],
      ]),
    ],
    listed: ['m5.large'],
  },
  {
    key: LABEL.capacityType,
    types: [
      sold('m5.large', [
        [IN_A, 'spot'],
        [IN_B, 'spot'],
      ]),
    ],
    listed: [],
  },
];
for (const { key, types, listed } of offeredFloors) {
  const names = types.map(({ name, offerings }) => `${name} in ${offerings.length}`).join(' and ');
  test(`rule: minValues 2 of ${key} with ${names}: ${listed.length === 0 ? 'refused' : 'kept'}`, () => {
    const provisioners = [
      aProvisioner({ requirements: [{ key, operator: 'Exists', values: [], minValues: 2 }] }),
    ];
    const snapshot = aSnapshot({ provisioners });
    const catalogue = new Map([['default', types]]);
    for (const pods of [web(1), web(1, { topologySpread: [spread(LABEL.zone)] })]) {
      const made = schedule(snapshot, catalogue, pods);
      assert.deepEqual(checkPlan(snapshot, catalogue, pods, made), []);
      assert.deepEqual(made.nodeClaims[0]?.spec.instanceTypes ?? [], listed);
      const codes = made.refusals.map((one) => one.code);
      assert.deepEqual(codes, listed.length === 0 ? ['MinValues'] : []);
    }
  });
}

test('rule: minValues under limits: where too few types are left for a node, others take its pods', () => {
  const floor = { key: LABEL.instanceType, operator: 'Exists' as const, values: [], minValues: 2 };
  const narrow = aProvisioner({ name: 'narrow', requirements: [floor], limits: { cpu: 6000 }, weight: 10 });
  const pods = web(3, { podAntiAffinity: [term('web', LABEL.hostname)] });
  const planWith = (others: readonly Provisioner[]): SchedulingPlan => {
    const snapshot = aSnapshot({ provisioners: [narrow, ...others] });
    const catalogue = new Map(snapshot.provisioners.map(({ name }) => [name, TYPES]));
    const made = schedule(snapshot, catalogue, pods);
    assert.deepEqual(checkPlan(snapshot, catalogue, pods, made), []);
    return made;
  };
  const claims = planWith([aProvisioner({ name: 'wide' })]).nodeClaims;
  assert.deepEqual(claims.map(({ spec }) => spec.provisioner).sort(), ['narrow', 'wide', 'wide']);
  assert.deepEqual(
    planWith([]).refusals.map(({ code }) => code),
    ['MinValues', 'MinValues'],
  );
});

test('rule: improvement never costs more, and stays valid', () => {
  const pods = [
    ...somePods(40, { name: 'cpu', cpuMillis: 900 }),
    ...somePods(40, { name: 'mem', memoryBytes: 3 * GIB }),
  ];
  const snapshot = aSnapshot();
  const catalogue = new Map([['default', TYPES]]);
  const first = schedule(snapshot, catalogue, pods);
  const better = schedule(snapshot, catalogue, pods, { budgetMs: 50, elapsedMs: () => 0 });
  assert.deepEqual(checkPlan(snapshot, catalogue, pods, better), []);
  assert.ok(better.usdPerHour <= first.usdPerHour + 1e-9);
  assert.ok(better.lowerBoundUsdPerHour <= better.usdPerHour);
});
