// Random small clusters for properties of the packer: every rule turns up, most of them in company.
import fc from 'fast-check';
import type { InstanceType, Offering } from '../../src/model/instanceType.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { Requirement } from '../../src/model/requirement.ts';
import type { Catalogue, ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { Taint, Toleration } from '../../src/model/taint.ts';
import type { DaemonSet } from '../../src/model/workloads.ts';
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
  ZONES,
} from '../builders.ts';

export interface RandomCluster {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  readonly pods: readonly Pod[];
}

const GPU = 'nvidia.com/gpu';
const TAINT: Taint = { key: 'dedicated', value: 'batch', effect: 'NoSchedule' };
const SOFT: Taint = { key: 'soft', value: '', effect: 'PreferNoSchedule' };
const STARTUP: Taint = { key: 'cni', value: '', effect: 'NoSchedule' };
const tolerating = ({ key }: Taint): Toleration => ({
  key,
  operator: 'Exists',
  value: '',
  effect: null,
  tolerationSeconds: null,
});
const isIn = (key: string, ...values: string[]): Requirement => ({ key, operator: 'In', values });
const term = (...requirements: Requirement[]) => ({ requirements, matchFields: false });

/** Mostly nothing, sometimes the value. */
function sometimes<T>(value: fc.Arbitrary<T>, otherwise: T, weight = 1): fc.Arbitrary<T> {
  return fc.oneof({ weight: 7, arbitrary: fc.constant(otherwise) }, { weight, arbitrary: value });
}

const SHAPES = [
  { name: 'c5.large', cpuMillis: 2000, memoryBytes: 4 * GIB, pods: 29, usdPerHour: 0.085 },
  { name: 'm5.large', cpuMillis: 2000, memoryBytes: 8 * GIB, pods: 29, usdPerHour: 0.096 },
  { name: 'r5.xlarge', cpuMillis: 4000, memoryBytes: 32 * GIB, pods: 58, usdPerHour: 0.252 },
  { name: 'm5.2xlarge', cpuMillis: 8000, memoryBytes: 32 * GIB, pods: 58, usdPerHour: 0.384 },
  { name: 'm6g.xlarge', cpuMillis: 4000, memoryBytes: 16 * GIB, pods: 58, usdPerHour: 0.154, arch: 'arm64' },
  { name: 't3.nano', cpuMillis: 2000, memoryBytes: GIB / 2, pods: 4, usdPerHour: 0.0052 },
] as const;

function instanceType(shape: (typeof SHAPES)[number] | 'gpu', offerings: readonly Offering[]): InstanceType {
  if (shape !== 'gpu') {
    const type = anInstanceType({ ...shape, offerings });
    const burst = { baselineMillis: 200, usdPerVcpuHour: 0.05 };
    return shape.name === 't3.nano' ? { ...type, burst } : type;
  }
  const capacity = { cpu: 4000, memory: 16 * GIB, pods: 29, 'ephemeral-storage': 20 * GIB, [GPU]: 2 };
  return anInstanceType({ name: 'g4dn.xlarge', capacity, offerings });
}

const someOfferings = (usdPerHour: number): fc.Arbitrary<Offering[]> =>
  fc
    .tuple(
      fc.subarray([...ZONES], { minLength: 1 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 0, max: 63 }),
    )
    .map(([zones, tenths, outOfStock]) =>
      zones.flatMap((zone, index): Offering[] => [
        { zone, capacityType: 'on-demand', usdPerHour, available: ((outOfStock >> index) & 3) !== 3 },
        {
          zone,
          capacityType: 'spot',
          usdPerHour: (usdPerHour * (tenths + index)) / 10,
          available: ((outOfStock >> (index + 3)) & 1) === 0,
        },
      ]),
    );

const instanceTypes: fc.Arbitrary<InstanceType[]> = fc
  .subarray([...SHAPES, 'gpu' as const], { minLength: 2 })
  .chain((shapes) =>
    fc.tuple(
      ...shapes.map((shape) =>
        someOfferings(shape === 'gpu' ? 0.526 : shape.usdPerHour).map((offerings) =>
          instanceType(shape, offerings),
        ),
      ),
    ),
  );

const provisionerFields: fc.Arbitrary<Partial<Provisioner>> = fc.record({
  requirements: fc
    .tuple(
      fc.constantFrom(['on-demand'], ['spot', 'on-demand'], ['spot']),
      fc.constantFrom(['amd64'], ['amd64', 'arm64']),
      sometimes<Requirement[]>(
        fc.constantFrom([{ key: 'team', operator: 'Exists', values: [] }], [isIn('team', 'a', 'b')]),
        [],
      ),
      sometimes<Requirement[]>(
        fc.constantFrom(
          [isIn(LABEL.zone, ZONES[0], ZONES[1])],
          [{ key: LABEL.instanceCpu, operator: 'Lt', values: ['8'] }],
          [{ key: LABEL.instanceType, operator: 'Exists', values: [], minValues: 2 }],
          [{ key: LABEL.zone, operator: 'Exists', values: [], minValues: 2 }],
          [{ key: LABEL.capacityType, operator: 'Exists', values: [], minValues: 2 }],
        ),
        [],
      ),
    )
    .map(([capacityTypes, archs, team, more]) => [
      isIn(LABEL.capacityType, ...capacityTypes),
      isIn(LABEL.arch, ...archs),
      ...team,
      ...more,
    ]),
  labels: sometimes<Readonly<Record<string, string>>>(fc.constant({ tier: 'web' }), {}),
  taints: sometimes<Taint[]>(fc.constantFrom([TAINT], [SOFT], [TAINT, SOFT]), []),
  startupTaints: sometimes<Taint[]>(fc.constant([STARTUP]), []),
  limits: sometimes<Readonly<Record<string, number>> | null>(
    fc.constantFrom({ cpu: 9000 }, { memory: 40 * GIB }, { nodes: 3 }, { cpu: 0 }, { usdPerHour: 0.3 }),
    null,
  ),
  weight: fc.constantFrom(0, 0, 10),
});

const selecting = (app: string) => ({
  expressions: [{ key: 'app', operator: 'In' as const, values: [app] }],
});
const appNames = fc.constantFrom('a', 'b', 'c');
const podTerm: fc.Arbitrary<PodAffinityTerm> = fc
  .tuple(
    appNames,
    fc.constantFrom(LABEL.hostname, LABEL.hostname, LABEL.zone, LABEL.capacityType),
    fc.integer({ min: 0, max: 5 }),
  )
  .map(([app, topologyKey, kind]) => ({
    selector: selecting(app),
    topologyKey,
    namespaces: [],
    namespaceSelector: kind === 0 ? { expressions: [] } : null,
  }));
const spread: fc.Arbitrary<TopologySpreadConstraint> = fc.record({
  topologyKey: fc.constantFrom(LABEL.zone, LABEL.zone, LABEL.hostname, LABEL.capacityType),
  maxSkew: fc.constantFrom(1, 1, 2),
  minDomains: fc.constantFrom(1, 1, 1, 2, 3),
  whenUnsatisfiable: fc.constantFrom('DoNotSchedule', 'DoNotSchedule', 'ScheduleAnyway'),
  selector: appNames.map(selecting),
  nodeAffinityPolicy: fc.constantFrom('Honor', 'Honor', 'Ignore'),
  nodeTaintsPolicy: fc.constantFrom('Ignore', 'Ignore', 'Honor'),
});

const requests = fc
  .tuple(
    fc.constantFrom(50, 100, 100, 250, 250, 500, 500, 900, 900, 1500, 1500, 3900, 9000),
    fc.constantFrom(64 * MIB, 64 * MIB, 256 * MIB, 256 * MIB, GIB, GIB, 3 * GIB, 7 * GIB, 40 * GIB),
    sometimes<number>(fc.constantFrom(1, 2, 3), 0),
  )
  .map(([cpu, memory, gpus]) => ({ cpu, memory, pods: 1, ...(gpus > 0 ? { [GPU]: gpus } : {}) }));

const nodeSelector = sometimes<Readonly<Record<string, string>>>(
  fc.constantFrom(
    { [LABEL.zone]: ZONES[0] },
    { [LABEL.capacityType]: 'spot' },
    { [LABEL.arch]: 'arm64' },
    { team: 'a' },
    { team: 'z' },
    { tier: 'web' },
    { [LABEL.instanceType]: 'm5.large' },
  ),
  {},
);
const nodeAffinity = sometimes<PodSpec['nodeAffinity']>(
  fc.constantFrom(
    [term(isIn(LABEL.zone, ZONES[1], ZONES[2]))],
    [term({ key: LABEL.instanceType, operator: 'NotIn', values: ['m5.large', 'c5.large'] })],
    [term(isIn(LABEL.zone, ZONES[0]), isIn(LABEL.capacityType, 'spot')), term(isIn(LABEL.zone, ZONES[2]))],
    [term({ key: LABEL.instanceCpu, operator: 'Gt', values: ['3'] })],
    [term({ key: 'team', operator: 'DoesNotExist', values: [] })],
  ),
  null,
);

const podSpec: fc.Arbitrary<Partial<PodSpec>> = fc.record({
  requests,
  nodeSelector,
  nodeAffinity,
  tolerations: fc.constantFrom([], [], [tolerating(TAINT)]),
  podAffinity: sometimes<PodAffinityTerm[]>(fc.array(podTerm, { minLength: 1, maxLength: 2 }), []),
  podAntiAffinity: sometimes<PodAffinityTerm[]>(fc.array(podTerm, { minLength: 1, maxLength: 2 }), []),
  preferredPodAntiAffinity: sometimes<PodSpec['preferredPodAntiAffinity']>(
    podTerm.map((one) => [{ weight: 1, term: one }]),
    [],
  ),
  topologySpread: sometimes<TopologySpreadConstraint[]>(fc.array(spread, { minLength: 1, maxLength: 2 }), []),
  hostPorts: sometimes<PodSpec['hostPorts']>(fc.constant([{ ip: '', protocol: 'TCP', port: 80 }]), []),
  volumes: sometimes<PodSpec['volumes']>(
    fc.constantFrom(
      [{ kind: 'claim', claimName: 'bound' }],
      [{ kind: 'ephemeral', volumeName: 'tmp', storageClassName: 'zonal' }],
    ),
    [],
  ),
  priority: fc.constantFrom(0, 0, 100),
});

interface App {
  readonly app: string;
  readonly replicas: number;
  readonly spec: Partial<PodSpec>;
}
const apps: fc.Arbitrary<App[]> = fc.array(
  fc.record({ app: appNames, replicas: fc.integer({ min: 1, max: 6 }), spec: podSpec }),
  { minLength: 1, maxLength: 6 },
);

function podsOf(list: readonly App[]): Pod[] {
  return list.flatMap(({ app, replicas, spec }, index) => {
    const first = aPod({ labels: { app }, spec });
    return Array.from({ length: replicas }, (_, replica) => {
      const name = `${app}-${index}-${replica}`;
      return { ...first, name, uid: name };
    });
  });
}

const daemonSets: fc.Arbitrary<DaemonSet[]> = fc
  .array(
    fc.record({
      cpu: fc.constantFrom(10, 100, 400),
      everywhere: fc.boolean(),
      nodeSelector: sometimes<Readonly<Record<string, string>>>(
        fc.constantFrom({ [LABEL.arch]: 'amd64' }, { [LABEL.instanceType]: 'm5.large' }),
        {},
      ),
      hostPorts: sometimes<PodSpec['hostPorts']>(fc.constant([{ ip: '', protocol: 'TCP', port: 80 }]), []),
    }),
    { maxLength: 2 },
  )
  .map((list) =>
    list.map(({ cpu, everywhere, ...spec }, index) =>
      aDaemonSet({
        name: `daemon-${index}`,
        spec: {
          ...spec,
          requests: { cpu, memory: 64 * MIB, pods: 1 },
          tolerations: everywhere ? [tolerating(TAINT)] : [],
        },
      }),
    ),
  );

interface Standing {
  readonly zone: string;
  readonly cordoned: boolean;
  readonly tainted: boolean;
  readonly young: boolean;
  readonly bound: readonly App[];
}
const standing: fc.Arbitrary<Standing> = fc.record({
  zone: fc.constantFrom(...ZONES),
  cordoned: sometimes(fc.constant(true), false),
  tainted: sometimes(fc.constant(true), false),
  young: sometimes(fc.constant(true), false),
  bound: fc.array(
    fc.record({
      app: appNames,
      replicas: fc.integer({ min: 1, max: 2 }),
      spec: fc.record({
        requests: fc.constantFrom(
          { cpu: 100, memory: 64 * MIB, pods: 1 },
          { cpu: 900, memory: GIB, pods: 1 },
        ),
        podAntiAffinity: sometimes<PodAffinityTerm[]>(fc.array(podTerm, { maxLength: 1 }), []),
      }),
    }),
    { maxLength: 2 },
  ),
});

function nodeOf({ zone, cordoned, tainted, young }: Standing, index: number): Node {
  return anOwnedNode({
    name: `node-${index}`,
    unschedulable: cordoned,
    taints: [...(tainted ? [TAINT] : []), ...(young ? [STARTUP] : [])],
    labels: { [LABEL.zone]: zone, ...(young ? { [LABEL.initialized]: '' } : {}) },
  });
}

function claimOf({ young }: Standing, index: number): NodeClaim {
  const claim = aNodeClaim({ name: `claim-of-node-${index}` });
  const node = anOwnedNode({ name: `node-${index}` });
  const status = { ...NO_STATUS, nodeName: node.name, providerId: node.providerId };
  return { ...claim, spec: { ...claim.spec, startupTaints: young ? [STARTUP] : [] }, status };
}

interface Flight {
  readonly zones: readonly string[];
  readonly launched: boolean;
}
const inFlight: fc.Arbitrary<Flight[]> = fc.array(
  fc.record({ zones: fc.subarray([...ZONES], { minLength: 1 }), launched: fc.boolean() }),
  { maxLength: 2 },
);

/** Claims for an m5.large, launched or not, where one is sold. */
function flyingClaims(flights: readonly Flight[], types: readonly InstanceType[]): NodeClaim[] {
  const type = types.find(({ name }) => name === 'm5.large');
  if (type === undefined) return [];
  const sold = new Set(type.offerings.map(({ zone }) => zone));
  return flights.flatMap(({ zones, launched }, index) => {
    const [zone] = zones.filter((one) => sold.has(one));
    if (zone === undefined) return [];
    const { spec } = aNodeClaim();
    const requirements = [isIn(LABEL.zone, ...zones), isIn(LABEL.capacityType, 'on-demand')];
    const { capacity, allocatable, name } = type;
    const known = { instanceType: name, zone, capacityType: 'on-demand' as const, capacity, allocatable };
    const status = launched ? { ...NO_STATUS, ...known, providerId: `i-${index}` } : NO_STATUS;
    return [aNodeClaim({ name: `flying-${index}`, spec: { ...spec, requirements }, status })];
  });
}

const inZone = (zone: string) => [term(isIn('topology.ebs.csi.aws.com/zone', zone))];

/** A cluster with Provisioners, nodes, claims in flight, daemons, volumes, and pods to place. */
export const randomCluster: fc.Arbitrary<RandomCluster> = fc
  .record({
    types: instanceTypes,
    provisioners: fc.array(provisionerFields, { minLength: 1, maxLength: 3 }),
    daemonSets,
    standings: fc.array(standing, { maxLength: 3 }),
    flights: inFlight,
    apps,
  })
  .map(({ types, provisioners, daemonSets: daemons, standings, flights, apps: list }) => {
    const named = provisioners.map((fields, index) =>
      aProvisioner({ ...fields, name: index === 0 ? 'default' : `other-${index}` }),
    );
    const pods = podsOf(list);
    const bound = standings.flatMap((one, index) =>
      podsOf(one.bound).map((pod) =>
        aBoundPod(`node-${index}`, {
          name: `bound-${index}-${pod.name}`,
          labels: pod.labels,
          spec: pod.spec,
        }),
      ),
    );
    const snapshot = aSnapshot({
      provisioners: named,
      nodes: standings.map(nodeOf),
      nodeClaims: [...standings.map(claimOf), ...flyingClaims(flights, types)],
      pods: [...bound, ...pods],
      daemonSets: daemons,
      persistentVolumes: [{ name: 'pv', nodeAffinity: inZone(ZONES[1]), csiDriver: 'ebs.csi.aws.com' }],
      persistentVolumeClaims: [
        { namespace: 'default', name: 'bound', volumeName: 'pv', storageClassName: null },
      ],
      storageClasses: [
        {
          name: 'zonal',
          isDefault: false,
          provisioner: 'ebs.csi.aws.com',
          waitForFirstConsumer: true,
          allowedTopologies: inZone(ZONES[0]),
        },
      ],
    });
    return { snapshot, catalogue: new Map(named.map(({ name }) => [name, types])), pods };
  });
