// Random clusters that a scale-down has left fragmented: every rule that consolidation has to keep turns up.
import fc from 'fast-check';
import type { ConsolidationView } from '../../src/model/consolidation.ts';
import { parseCron } from '../../src/model/cronSchedule.ts';
import {
  type DisruptionPolicy,
  NO_CONSOLIDATION,
  type NodeBudget,
} from '../../src/model/disruptionPolicy.ts';
import type { InstanceType } from '../../src/model/instanceType.ts';
import { LABEL } from '../../src/model/labels.ts';
import { isTerminal, type Pod, type PodSpec } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { Catalogue, ClusterSnapshot } from '../../src/model/snapshot.ts';
import { untoleratedTaint } from '../../src/model/taint.ts';
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
} from '../builders.ts';
import { carriedOut } from '../disruption/consolidated.ts';
import {
  type App,
  anApp,
  BATCH,
  budgetsOf,
  CSI_DRIVER,
  GPU,
  podsOf,
  RACK,
  storageOf,
} from './consolidationApps.ts';
import {
  anOddity,
  aStaticNode,
  type Oddity,
  type StaticNode,
  staticNodes,
  withOddities,
} from './consolidationOddities.ts';

const HOUR_MS = 3_600_000;

const GPU_CAPACITY = { cpu: 4000, memory: 16 * GIB, pods: 29, 'ephemeral-storage': 20 * GIB, [GPU]: 2 };
const FEW_TYPES = [
  anInstanceType({ name: 't3.small', cpuMillis: 1000, memoryBytes: 2 * GIB, usdPerHour: 0.0208 }),
  anInstanceType({ name: 'c5.large', cpuMillis: 2000, memoryBytes: 4 * GIB, usdPerHour: 0.085 }),
  anInstanceType({ name: 'm5.large', usdPerHour: 0.096 }),
  anInstanceType({ name: 'r5.xlarge', cpuMillis: 4000, memoryBytes: 32 * GIB, usdPerHour: 0.252 }),
  anInstanceType({ name: 'm5.2xlarge', cpuMillis: 8000, memoryBytes: 32 * GIB, usdPerHour: 0.384 }),
  anInstanceType({ name: 'g4dn.xlarge', capacity: GPU_CAPACITY, usdPerHour: 0.526 }),
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

/** The larger the cheaper by the unit: large nodes are bought, and smaller ones pay once pods have gone. */
const LADDER = [1, 2, 4, 8].map((cpu) =>
  anInstanceType({
    ...{ name: `l${cpu}.size`, cpuMillis: cpu * 1000, memoryBytes: 4 * cpu * GIB },
    usdPerHour: 0.05 * cpu ** 0.9,
  }),
);
const TYPES = { few: FEW_TYPES, many: MANY_TYPES, ladder: [...LADDER, ...FEW_TYPES.slice(-1)] };

/** A daily window by hours: simple enough to be reckoned by hand. */
export interface Daily {
  readonly startHour: number;
  readonly hours: number;
}

export interface DrawnBudget {
  readonly nodes: NodeBudget['nodes'];
  readonly onlyUnderutilized: boolean;
  readonly daily: Daily | null;
  readonly onlyWithin: boolean;
}

type Policy = Pick<
  DisruptionPolicy,
  'consolidation' | 'minimumSavings' | 'minimumNodeAgeMs' | 'consolidateAfterMs'
> & { readonly budgets: readonly DrawnBudget[] };

interface Drawn {
  readonly apps: readonly App[];
  /** So many times the pods, of which there are few in most clusters. */
  readonly times: number;
  readonly capacityTypes: readonly string[];
  readonly types: keyof typeof TYPES;
  readonly keepPerMille: number;
  readonly policies: readonly [Policy, Policy];
  readonly others: readonly ('batch' | 'rack1' | 'rack2')[];
  readonly daemon: { readonly cpuMillis: number; readonly everywhere: boolean } | null;
  readonly statics: readonly StaticNode[];
  /** Volumes that a node can attach; null for any number. */
  readonly attachable: number | null;
  readonly later: Later;
}

/** What has changed since the cluster was made. */
interface Later {
  /** Of the first Provisioner: null for no limit, 0 for nothing more. */
  readonly cpuLeft: number | null;
  readonly nodesLeft: number | null;
  /** A zone that no Provisioner may launch in any more, or that has nothing on sale. */
  readonly zone: 'open' | 'forbidden' | 'sold-out';
  readonly oddities: readonly Oddity[];
  readonly hidden: 'none' | 'affinity' | 'taint';
}

const PERCENTS = [100, 100, 100, 60, 35, 10];
const aBudget: fc.Arbitrary<DrawnBudget> = fc.record({
  nodes: fc.oneof(
    fc.constantFrom(...PERCENTS).map((amount) => ({ kind: 'percent' as const, amount })),
    fc.constantFrom(0, 1, 2, 5, 50, 50).map((amount) => ({ kind: 'count' as const, amount })),
  ),
  onlyUnderutilized: fc.boolean(),
  daily: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.record({ startHour: fc.nat({ max: 6 }), hours: fc.integer({ min: 1, max: 6 }) }),
    },
  ),
  onlyWithin: fc.boolean(),
});

const aPolicy: fc.Arbitrary<Policy> = fc.record({
  consolidation: fc.constantFrom<DisruptionPolicy['consolidation'][]>(
    ...Array.from({ length: 8 }, () => 'WhenEmptyOrUnderutilized' as const),
    'WhenEmpty',
  ),
  budgets: fc.array(aBudget, { maxLength: 2 }),
  minimumSavings: fc.constantFrom(
    NO_CONSOLIDATION.minimumSavings,
    NO_CONSOLIDATION.minimumSavings,
    { percent: 20, usdPerHour: 0.01, usdPerHourPerEvictedPod: 0.002 },
    { percent: 0, usdPerHour: 0.05, usdPerHourPerEvictedPod: 0 },
    { percent: 0, usdPerHour: 0, usdPerHourPerEvictedPod: 0.01 },
    { percent: 45, usdPerHour: 0, usdPerHourPerEvictedPod: 0 },
  ),
  minimumNodeAgeMs: fc.constantFrom(300_000, 300_000, 300_000, 1.5 * HOUR_MS),
  consolidateAfterMs: fc.constantFrom(0, 0, HOUR_MS / 2),
});

const drawn: fc.Arbitrary<Drawn> = fc.record({
  apps: fc.array(anApp, { minLength: 1, maxLength: 6 }),
  times: fc.nat({ max: 24 }).map((one) => (one === 0 ? 6 : 1)),
  capacityTypes: fc.constantFrom(['on-demand'], ['on-demand'], ['spot', 'on-demand'], ['spot']),
  types: fc.constantFrom('few', 'many', 'many', 'ladder', 'ladder'),
  keepPerMille: fc.integer({ min: 150, max: 900 }),
  policies: fc.tuple(aPolicy, aPolicy),
  others: fc.subarray(['batch', 'rack1', 'rack2']),
  daemon: fc.option(fc.record({ cpuMillis: fc.constantFrom(100, 300), everywhere: fc.boolean() }), {
    nil: null,
  }),
  statics: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(aStaticNode, { minLength: 1, maxLength: 4 }) },
  ),
  attachable: fc.constantFrom(null, null, 2, 5),
  later: fc.record({
    cpuLeft: fc.constantFrom(null, null, null, 0, 2000, 9000),
    nodesLeft: fc.constantFrom(null, null, null, null, 0, 1),
    zone: fc.constantFrom('open', 'open', 'open', 'forbidden', 'sold-out'),
    hidden: fc.constantFrom('none', 'none', 'none', 'none', 'none', 'none', 'affinity', 'taint'),
    oddities: fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(anOddity, { minLength: 1, maxLength: 4 }) },
    ),
  }),
});

export interface FragmentedCluster {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  readonly view: ConsolidationView;
  /** By Provisioner, as they were drawn. */
  readonly budgets: ReadonlyMap<string, readonly DrawnBudget[]>;
}

/** Packed for all pods, of which some have gone since. */
export const fragmentedClusters: fc.Arbitrary<FragmentedCluster> = drawn
  .map(enlarged)
  .map(seen)
  .map(fragmented);

/**
 * A zone that came later, of two full nodes of which only the second counts for a spread: who looks at one node a zone
 * does not see that no more pods may go to the other zones.
 */
const HIDING: Readonly<Record<'affinity' | 'taint', readonly StaticNode['team'][]>> = {
  affinity: ['none', 'batch'],
  taint: ['tainted', 'none'],
};

function enlarged(draw: Drawn): Drawn {
  return { ...draw, apps: draw.apps.map((app) => ({ ...app, count: app.count * draw.times })) };
}

/** The first app is one with such a spread where a zone is hidden. */
function seen(draw: Drawn): Drawn {
  const { hidden } = draw.later;
  const [first, ...others] = draw.apps;
  if (hidden === 'none' || first === undefined) return draw;
  const app: App =
    hidden === 'affinity'
      ? { ...first, kinds: ['spread-batch'], variant: 0, count: 20 }
      : { ...first, kinds: ['spread'], variant: 7, count: 20 };
  return { ...draw, apps: [app, ...others], others: [...new Set([...draw.others, 'batch' as const])] };
}

function arrivals({ hidden }: Later): readonly StaticNode[] {
  if (hidden === 'none') return [];
  const full = { zone: 'us-east-1d', rack: null, usedPerMille: 1000, isLabelled: false, isCordoned: false };
  return HIDING[hidden].map((team) => ({ ...full, team }));
}

function budgetOf({ nodes, onlyUnderutilized, daily, onlyWithin }: DrawnBudget): NodeBudget {
  const schedule = parseCron(`0 ${daily?.startHour ?? 0} * * *`);
  if (schedule === null) throw new Error('no such schedule');
  const window = daily === null ? null : { schedule, durationMs: daily.hours * HOUR_MS, timeZone: 'UTC' };
  const reasons = onlyUnderutilized ? (['Underutilized'] as const) : null;
  return { nodes, reasons, window, onlyWithin: onlyWithin && daily !== null };
}

const OTHERS: Readonly<Record<Drawn['others'][number], Partial<Provisioner>>> = {
  batch: { labels: { team: 'batch' }, taints: [BATCH], weight: 5 },
  rack1: { labels: { [RACK]: 'r1' } },
  rack2: { labels: { [RACK]: 'r2' } },
};

/** The first one's pods have a policy of their own. */
function provisionersOf({ capacityTypes, policies, others }: Drawn): Provisioner[] {
  const requirements = [{ key: LABEL.capacityType, operator: 'In' as const, values: capacityTypes }];
  return ['default' as const, ...others].map((name) => {
    const { budgets, ...policy } = policies[name === 'default' ? 0 : 1];
    const disruption = { ...NO_CONSOLIDATION, ...policy, budgets: budgets.map(budgetOf) };
    return aProvisioner({ ...(name !== 'default' && OTHERS[name]), name, requirements, disruption });
  });
}

function fragmented(draw: Drawn): FragmentedCluster {
  const types = TYPES[draw.types];
  const provisioners = provisionersOf(draw);
  const catalogue: Catalogue = new Map(provisioners.map(({ name }) => [name, types]));
  const pods = draw.apps.flatMap(podsOf);
  const daemon = daemonOf(draw);
  const { nodes, pods: fillers } = staticNodes(draw.statics, 'static');
  const empty = aSnapshot({
    ...{ provisioners, nodes, pods: [...pods, ...fillers], ...storageOf(pods, draw.apps) },
    namespaces: ['default', 'other'].map((name) => ({
      name,
      labels: { 'kubernetes.io/metadata.name': name },
    })),
    daemonSets: daemon === null ? [] : [aDaemonSet({ name: 'agent', spec: daemon })],
    disruptionBudgets: budgetsOf(draw.apps),
  });
  const full = carriedOut(empty, catalogue, schedule(empty, catalogue, pods));
  const stays = (pod: Pod, index: number): boolean =>
    pod.nodeName !== '' && (index * 619) % 1000 < draw.keepPerMille;
  const arrived = staticNodes(arrivals(draw.later), 'arrival');
  const kept = withDaemons({ ...full, pods: full.pods.filter(stays) });
  const standing = {
    ...full,
    nodes: [...full.nodes, ...arrived.nodes],
    pods: [...kept, ...arrived.pods],
    takenAtMs: HOUR_MS,
    csiNodes: csiNodesOf(full, draw),
  };
  const { snapshot, view } = withOddities(standing, draw.later.oddities);
  return {
    snapshot: { ...snapshot, provisioners: changed(snapshot, draw.later) },
    catalogue: draw.later.zone === 'sold-out' ? withoutZone(catalogue) : catalogue,
    view,
    budgets: new Map(
      provisioners.map(({ name }) => [name, draw.policies[name === 'default' ? 0 : 1].budgets]),
    ),
  };
}

function daemonOf({ daemon }: Drawn): PodSpec | null {
  if (daemon === null) return null;
  const { cpuMillis, everywhere } = daemon;
  const anything = { key: '', operator: 'Exists' as const, value: '', effect: null, tolerationSeconds: null };
  const requests = { cpu: cpuMillis, memory: 64 * MIB, pods: 1 };
  return aPodSpec({ requests, tolerations: everywhere ? [anything] : [] });
}

/** Every node that a daemon tolerates runs it, which stays when the rest goes. */
export function withDaemons({ pods, nodes, daemonSets }: ClusterSnapshot): readonly Pod[] {
  const names = new Set(pods.map(({ name }) => name));
  const daemons = daemonSets.flatMap(({ name, namespace, spec }) =>
    nodes
      .filter((node) => untoleratedTaint(node.taints, spec.tolerations) === null)
      .filter((node) => !names.has(`${name}-${node.name}`))
      .map((node) => ({
        ...aPod({ name: `${name}-${node.name}`, namespace, owner: { kind: 'DaemonSet', name, uid: name } }),
        ...{ spec, nodeName: node.name, phase: 'Running' as const, ready: true, unschedulableSinceMs: null },
      })),
  );
  return [...pods, ...daemons];
}

/** What is attached stays attached, limit or not. */
function csiNodesOf({ nodes, pods }: ClusterSnapshot, { attachable }: Drawn): ClusterSnapshot['csiNodes'] {
  if (attachable === null) return [];
  const attached = Map.groupBy(
    pods.filter((pod) => pod.spec.volumes.length > 0 && !isTerminal(pod)),
    ({ nodeName }) => nodeName,
  );
  return nodes.map(({ name }) => ({
    name,
    volumeLimits: { [CSI_DRIVER]: Math.max(attachable, attached.get(name)?.length ?? 0) },
  }));
}

const LOST_ZONE = 'us-east-1c';

function withoutZone(catalogue: Catalogue): Catalogue {
  const soldOut = (type: InstanceType): InstanceType => ({
    ...type,
    offerings: type.offerings.map((one) => (one.zone === LOST_ZONE ? { ...one, available: false } : one)),
  });
  return new Map([...catalogue].map(([name, types]) => [name, types.map(soldOut)]));
}

function changed({ provisioners, nodes }: ClusterSnapshot, later: Later): readonly Provisioner[] {
  const { cpuLeft, nodesLeft, zone } = later;
  const elsewhere = { key: LABEL.zone, operator: 'NotIn' as const, values: [LOST_ZONE] };
  return provisioners.map((one, at) => {
    const owned = nodes.filter(({ labels }) => labels[LABEL.provisioner] === one.name);
    const usedMillis = owned.reduce((sum, { capacity }) => sum + (capacity.cpu ?? 0), 0);
    const limits = {
      ...(cpuLeft !== null && { cpu: usedMillis + cpuLeft }),
      ...(nodesLeft !== null && { nodes: owned.length + nodesLeft }),
    };
    return {
      ...one,
      ...(zone === 'forbidden' && { requirements: [...one.requirements, elsewhere] }),
      ...(at === 0 && Object.keys(limits).length > 0 && { limits }),
    };
  });
}
