// Random clusters that a scale-down has left fragmented: every rule that consolidation has to keep turns up.
import fc from 'fast-check';
import {
  type DisruptionPolicy,
  NO_CONSOLIDATION,
  type NodeBudget,
} from '../../src/model/disruptionPolicy.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { Catalogue, ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { Taint } from '../../src/model/taint.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../src/model/volumes.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import {
  aDaemonSet,
  anInstanceType,
  aPod,
  aPodSpec,
  aProvisioner,
  aSnapshot,
  GIB,
  MIB,
  ZONES,
} from '../builders.ts';
import { carriedOut } from '../disruption/consolidated.ts';

const HOUR_MS = 3_600_000;
const KINDS = [
  ...([
    'plain',
    'plain',
    'plain',
    'zone',
    'spread',
    'spread-hosts',
    'spread-soft',
    'apart',
    'apart-zones',
  ] as const),
  ...([
    'together',
    'together-hosts',
    'ports',
    'volumes',
    'kept',
    'lone',
    'twice',
    'batch',
    'costly',
  ] as const),
];
const TAINT: Taint = { key: 'dedicated', value: 'batch', effect: 'NoSchedule' };

const FEW_TYPES = [
  anInstanceType({ name: 't3.small', cpuMillis: 1000, memoryBytes: 2 * GIB, usdPerHour: 0.0208 }),
  anInstanceType({ name: 'c5.large', cpuMillis: 2000, memoryBytes: 4 * GIB, usdPerHour: 0.085 }),
  anInstanceType({ name: 'm5.large', usdPerHour: 0.096 }),
  anInstanceType({ name: 'r5.xlarge', cpuMillis: 4000, memoryBytes: 32 * GIB, usdPerHour: 0.252 }),
  anInstanceType({ name: 'm5.2xlarge', cpuMillis: 8000, memoryBytes: 32 * GIB, usdPerHour: 0.384 }),
];
/** Enough of one size that spot may be replaced by spot. */
const MANY_TYPES = [
  ...FEW_TYPES,
  ...Array.from({ length: 20 }, (_, index) =>
    anInstanceType({
      ...{ name: `m${index}i.large`, cpuMillis: 2000, memoryBytes: (6 + (index % 3)) * GIB },
      usdPerHour: 0.07 + 0.001 * index,
    }),
  ),
];

interface App {
  readonly kind: (typeof KINDS)[number];
  readonly count: number;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly allowed: number | null;
}

interface Drawn {
  readonly apps: readonly App[];
  readonly capacityTypes: readonly string[];
  readonly hasManyTypes: boolean;
  readonly keepPerMille: number;
  /** Of the first Provisioner, once the cluster stands: null for none, 0 for nothing more. */
  readonly cpuLeft: number | null;
  readonly policy: Pick<DisruptionPolicy, 'budgets' | 'minimumSavings'>;
  readonly hasSecond: boolean;
  readonly hasDaemon: boolean;
}

const anApp: fc.Arbitrary<App> = fc.record({
  kind: fc.constantFrom(...KINDS),
  count: fc.integer({ min: 1, max: 25 }),
  cpuMillis: fc.constantFrom(50, 200, 500, 900, 1500),
  memoryMib: fc.constantFrom(64, 256, 1024, 3000),
  allowed: fc.option(fc.integer({ min: 0, max: 4 }), { nil: null }),
});

const BUDGETS: readonly (readonly NodeBudget[])[] = [
  [],
  [{ nodes: { kind: 'percent', amount: 100 }, reasons: null, window: null }],
  [{ nodes: { kind: 'percent', amount: 35 }, reasons: null, window: null }],
  [{ nodes: { kind: 'count', amount: 2 }, reasons: ['Underutilized'], window: null }],
];

const drawn: fc.Arbitrary<Drawn> = fc.record({
  apps: fc.array(anApp, { minLength: 1, maxLength: 5 }),
  capacityTypes: fc.constantFrom(['on-demand'], ['spot', 'on-demand'], ['spot']),
  hasManyTypes: fc.boolean(),
  keepPerMille: fc.integer({ min: 150, max: 900 }),
  cpuLeft: fc.constantFrom(null, null, 0, 2000, 9000),
  policy: fc.record({
    budgets: fc.constantFrom(...BUDGETS),
    minimumSavings: fc.constantFrom(NO_CONSOLIDATION.minimumSavings, NO_CONSOLIDATION.minimumSavings, {
      percent: 20,
      usdPerHour: 0.01,
      usdPerHourPerEvictedPod: 0.002,
    }),
  }),
  hasSecond: fc.boolean(),
  hasDaemon: fc.boolean(),
});

export interface FragmentedCluster {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
}

/** Packed for all pods, of which some have gone since. */
export const fragmentedClusters: fc.Arbitrary<FragmentedCluster> = drawn.map(fragmented);

function specOf(kind: App['kind'], app: number): Partial<PodSpec> {
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: [`app${app}`] }] };
  const term = (topologyKey: string): PodAffinityTerm => ({
    ...{ selector, topologyKey, namespaces: [], namespaceSelector: null },
  });
  const spread = (
    topologyKey: string,
    whenUnsatisfiable: TopologySpreadConstraint['whenUnsatisfiable'] = 'DoNotSchedule',
  ): TopologySpreadConstraint => ({
    ...{ topologyKey, maxSkew: 1, minDomains: 1, whenUnsatisfiable },
    ...{ selector, nodeAffinityPolicy: 'Honor', nodeTaintsPolicy: 'Ignore' },
  });
  switch (kind) {
    case 'zone':
      return { nodeSelector: { [LABEL.zone]: ZONES[app % 3] ?? '' } };
    case 'spread':
      return { topologySpread: [spread(LABEL.zone)] };
    case 'spread-hosts':
      return { topologySpread: [{ ...spread(LABEL.hostname), maxSkew: 2 }] };
    case 'spread-soft':
      return { topologySpread: [spread(LABEL.zone, 'ScheduleAnyway')] };
    case 'apart':
      return { podAntiAffinity: [term(LABEL.hostname)] };
    case 'apart-zones':
      return { podAntiAffinity: [term(LABEL.zone)] };
    case 'together':
      return { podAffinity: [term(LABEL.zone)] };
    case 'together-hosts':
      return { podAffinity: [term(LABEL.hostname)] };
    case 'ports':
      return { hostPorts: [{ port: 8080, protocol: 'TCP', ip: '' }] };
    case 'batch':
      return {
        nodeSelector: { team: 'batch' },
        tolerations: [
          { key: TAINT.key, operator: 'Exists', value: '', effect: null, tolerationSeconds: null },
        ],
      };
    default:
      return {};
  }
}

function podsOf({ kind, count, cpuMillis, memoryMib }: App, app: number): Pod[] {
  const labels = { app: `app${app}` };
  const annotations: Record<string, string> =
    kind === 'kept'
      ? { 'karpenter.sh/do-not-evict': 'true' }
      : kind === 'costly'
        ? { 'controller.kubernetes.io/pod-deletion-cost': String(app * 2 ** 28) }
        : {};
  const owner = kind === 'lone' ? null : { kind: 'ReplicaSet', name: labels.app, uid: labels.app };
  const shared = specOf(kind, app);
  return Array.from({ length: count }, (_, index) => {
    const name = `app${app}-${index}`;
    const spec: Partial<PodSpec> =
      kind === 'volumes' ? { volumes: [{ kind: 'claim', claimName: `data-${name}` }] } : shared;
    return aPod({ name, labels, owner, annotations, cpuMillis, memoryBytes: memoryMib * MIB, spec });
  });
}

/** Each pod with a volume has one of its own, in one zone. */
function storageOf(
  pods: readonly Pod[],
): Pick<ClusterSnapshot, 'persistentVolumes' | 'persistentVolumeClaims'> {
  const names = pods.filter(({ spec }) => spec.volumes.length > 0).map(({ name }) => name);
  const persistentVolumes = names.map((name, index): PersistentVolume => {
    const zone = { key: LABEL.zone, operator: 'In' as const, values: [ZONES[index % 3] ?? ''] };
    return {
      name: `pv-${name}`,
      nodeAffinity: [{ requirements: [zone], matchFields: false }],
      csiDriver: 'ebs.csi.aws.com',
    };
  });
  const persistentVolumeClaims = names.map(
    (name): PersistentVolumeClaim => ({
      ...{ namespace: 'default', name: `data-${name}`, volumeName: `pv-${name}`, storageClassName: '' },
    }),
  );
  return { persistentVolumes, persistentVolumeClaims };
}

function provisionersOf({ capacityTypes, policy, hasSecond }: Drawn): Provisioner[] {
  const requirements = [{ key: LABEL.capacityType, operator: 'In' as const, values: capacityTypes }];
  const disruption = { ...NO_CONSOLIDATION, ...policy, consolidation: 'WhenEmptyOrUnderutilized' as const };
  const first = aProvisioner({ requirements, disruption });
  const second = { name: 'batch', labels: { team: 'batch' }, taints: [TAINT], weight: 5 };
  return hasSecond ? [first, aProvisioner({ ...second, requirements, disruption })] : [first];
}

function fragmented(draw: Drawn): FragmentedCluster {
  const types = draw.hasManyTypes ? MANY_TYPES : FEW_TYPES;
  const provisioners = provisionersOf(draw);
  const catalogue: Catalogue = new Map(provisioners.map(({ name }) => [name, types]));
  const pods = draw.apps.flatMap(podsOf);
  const daemon = aPodSpec({ requests: { cpu: 100, memory: 64 * MIB, pods: 1 } });
  const empty = aSnapshot({
    ...{ provisioners, pods, ...storageOf(pods) },
    daemonSets: draw.hasDaemon ? [aDaemonSet({ name: 'agent', spec: daemon })] : [],
    disruptionBudgets: draw.apps.flatMap(({ allowed, kind }, app) => {
      if (allowed === null) return [];
      const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: [`app${app}`] }] };
      const one = { namespace: 'default', name: `pdb${app}`, selector, disruptionsAllowed: allowed };
      return kind === 'twice' ? [one, { ...one, name: `${one.name}-more` }] : [one];
    }),
  });
  const full = carriedOut(empty, catalogue, schedule(empty, catalogue, pods));
  const stays = (pod: Pod, index: number): boolean =>
    pod.nodeName !== '' && (index * 619) % 1000 < draw.keepPerMille;
  const kept = withDaemons(full, draw.hasDaemon ? daemon : null).filter(stays);
  return {
    snapshot: { ...full, provisioners: limited(full, draw), pods: kept, takenAtMs: HOUR_MS },
    catalogue,
  };
}

/** Every node runs its daemon, which stays when the rest goes. */
function withDaemons({ pods, nodes }: ClusterSnapshot, spec: PodSpec | null): readonly Pod[] {
  if (spec === null) return pods;
  const owner = { kind: 'DaemonSet', name: 'agent', uid: 'agent' };
  const daemons = nodes.map(({ name }) => ({
    ...aPod({ name: `agent-${name}`, owner }),
    ...{ spec, nodeName: name, phase: 'Running' as const, ready: true, unschedulableSinceMs: null },
  }));
  return [...pods, ...daemons];
}

function limited({ provisioners, nodes }: ClusterSnapshot, { cpuLeft }: Drawn): readonly Provisioner[] {
  if (cpuLeft === null) return provisioners;
  const used = nodes.reduce((sum, { capacity }) => sum + (capacity.cpu ?? 0), 0);
  const [first, ...others] = provisioners;
  return first === undefined ? [] : [{ ...first, limits: { cpu: used + cpuLeft } }, ...others];
}
