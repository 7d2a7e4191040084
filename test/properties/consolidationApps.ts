// Workloads of random clusters for consolidation: each of one or two kinds, that say what it asks for and forbids.
import fc from 'fast-check';
import { ANNOTATION, LABEL } from '../../src/model/labels.ts';
import type { Pod, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { Taint, Toleration } from '../../src/model/taint.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../src/model/volumes.ts';
import type { PodDisruptionBudget } from '../../src/model/workloads.ts';
import { aPod, MIB, ZONES } from '../builders.ts';

export const BATCH: Taint = { key: 'dedicated', value: 'batch', effect: 'NoSchedule' };
export const CSI_DRIVER = 'ebs.csi.aws.com';
export const GPU = 'nvidia.com/gpu';
/** A label that only some Provisioners and static nodes have. */
export const RACK = 'example.com/rack';
export const NAMESPACES = ['default', 'other'] as const;

const KINDS = [
  ...([
    'plain',
    'plain',
    'plain',
    'plain',
    'zone',
    'spread',
    'spread',
    'spread-hosts',
    'spread-soft',
  ] as const),
  ...(['spread-racks', 'spread-tier', 'spread-batch', 'apart', 'apart-zones', 'apart-others'] as const),
  ...([
    'together',
    'together-hosts',
    'with-next',
    'ports',
    'volumes',
    'volumes-free',
    'batch',
    'large',
  ] as const),
  ...(['gpu', 'spot', 'kept', 'kept-while', 'lone', 'twice', 'costly', 'important', 'stays'] as const),
];
type Kind = (typeof KINDS)[number];

/** Some pods of one owner. */
export interface App {
  /** Two kinds together keep all rules of both. */
  readonly kinds: readonly Kind[];
  readonly count: number;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  /** How many pods its PodDisruptionBudget allows to go; null without one. */
  readonly allowed: number | null;
  readonly namespace: string;
  /** Turns the details of its rules. */
  readonly variant: number;
}

export const anApp: fc.Arbitrary<App> = fc.record({
  kinds: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...KINDS).map((kind) => [kind]) },
    { weight: 1, arbitrary: fc.uniqueArray(fc.constantFrom(...KINDS), { minLength: 2, maxLength: 2 }) },
  ),
  count: fc.integer({ min: 1, max: 25 }),
  cpuMillis: fc.constantFrom(50, 200, 500, 900, 1500),
  memoryMib: fc.constantFrom(64, 256, 1024, 3000),
  allowed: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 4 }) },
    { weight: 1, arbitrary: fc.constant(30) },
  ),
  namespace: fc.constantFrom('default', 'default', 'default', 'other'),
  variant: fc.nat({ max: 11 }),
});

export function tolerating({ key }: Taint): Toleration {
  return { key, operator: 'Exists', value: '', effect: null, tolerationSeconds: null };
}

function selecting(key: string, value: string): NonNullable<PodAffinityTerm['selector']> {
  return { expressions: [{ key, operator: 'In', values: [value] }] };
}

function term(app: number, topologyKey: string): PodAffinityTerm {
  return { selector: selecting('app', `app${app}`), topologyKey, namespaces: [], namespaceSelector: null };
}

/** A hard spread over the pods of the app, with every policy at some variant. */
function spread(app: number, topologyKey: string, variant: number): TopologySpreadConstraint {
  return {
    ...{ topologyKey, maxSkew: variant === 3 ? 2 : 1, minDomains: [1, 1, 2, 1, 3][variant] ?? 1 },
    ...{ whenUnsatisfiable: 'DoNotSchedule', selector: selecting('app', `app${app}`) },
    nodeAffinityPolicy: variant === 5 ? 'Ignore' : 'Honor',
    nodeTaintsPolicy: variant > 6 ? 'Honor' : 'Ignore',
  };
}

type Rules = Partial<PodSpec>;

const ON_BATCH: Rules = { nodeSelector: { team: 'batch' }, tolerations: [tolerating(BATCH)] };

/** What a kind asks of nodes and of the pods around. */
const RULES: Partial<Readonly<Record<Kind, (app: number, variant: number) => Rules>>> = {
  zone: (app) => ({ nodeSelector: { [LABEL.zone]: ZONES[app % 3] ?? '' } }),
  spread: (app, variant) => ({ topologySpread: [spread(app, LABEL.zone, variant)] }),
  'spread-hosts': (app, variant) => ({
    topologySpread: [{ ...spread(app, LABEL.hostname, variant), maxSkew: 2, minDomains: 1 }],
  }),
  'spread-soft': (app) => ({
    topologySpread: [{ ...spread(app, LABEL.zone, 0), whenUnsatisfiable: 'ScheduleAnyway' }],
  }),
  'spread-racks': (app, variant) => ({ topologySpread: [spread(app, RACK, variant)] }),
  // Counts pods of other apps as well, whose own rules say nothing of it.
  'spread-tier': (app, variant) => ({
    topologySpread: [{ ...spread(app, LABEL.zone, variant), maxSkew: 2, selector: selecting('tier', 'web') }],
  }),
  'spread-batch': (app, variant) => ({ ...ON_BATCH, topologySpread: [spread(app, LABEL.zone, variant)] }),
  apart: (app) => ({ podAntiAffinity: [term(app, LABEL.hostname)] }),
  'apart-zones': (app) => ({ podAntiAffinity: [term(app, LABEL.zone)] }),
  'apart-others': (app, variant) => ({
    podAntiAffinity: [
      {
        ...term(app + 1, variant % 3 === 0 ? LABEL.zone : LABEL.hostname),
        namespaceSelector: variant % 2 === 0 ? { expressions: [] } : null,
      },
    ],
  }),
  together: (app) => ({ podAffinity: [term(app, LABEL.zone)] }),
  'together-hosts': (app) => ({ podAffinity: [term(app, LABEL.hostname)] }),
  // With pods that may move in the same action, and that may have no rules of their own.
  'with-next': (app, variant) => ({
    podAffinity: [
      { ...term(app + 1, variant % 2 === 0 ? LABEL.zone : LABEL.hostname), namespaces: [...NAMESPACES] },
    ],
  }),
  ports: () => ({ hostPorts: [{ port: 8080, protocol: 'TCP', ip: '' }] }),
  batch: () => ON_BATCH,
  spot: () => ({ nodeSelector: { [LABEL.capacityType]: 'spot' } }),
  important: () => ({ priority: 1_000_000 }),
  // Ends with its node: a drain does not move it.
  stays: (_, variant) => ({
    tolerations:
      variant === 0
        ? [{ key: '', operator: 'Exists', value: '', effect: null, tolerationSeconds: null }]
        : [],
  }),
};

function rulesOf({ kinds, variant }: App, app: number): Rules {
  const all = kinds.map((kind) => RULES[kind]?.(app, variant) ?? {});
  const merged: Record<string, unknown> = {};
  for (const [key, value] of all.flatMap((rules) => Object.entries(rules))) {
    const held = merged[key];
    merged[key] =
      Array.isArray(held) && Array.isArray(value)
        ? [...held, ...value]
        : held instanceof Object && value instanceof Object
          ? { ...held, ...value }
          : value;
  }
  return merged;
}

function annotationsOf({ kinds, variant }: App, app: number): Readonly<Record<string, string>> {
  return {
    ...(kinds.includes('kept') && { [ANNOTATION.doNotEvict]: 'true' }),
    // Over after some steps of consolidation, an hour each.
    ...(kinds.includes('kept-while') && { [ANNOTATION.doNotDisrupt]: `${1 + variant}h30m` }),
    ...(kinds.includes('costly') && {
      'controller.kubernetes.io/pod-deletion-cost': String((app - 1) * 2 ** 28),
    }),
  };
}

function volumesOf(name: string, { kinds }: App): PodSpec['volumes'] {
  const hasVolume = kinds.includes('volumes') || kinds.includes('volumes-free');
  return hasVolume ? [{ kind: 'claim', claimName: `data-${name}` }] : [];
}

/** All pods of the app before the scale-down, pending. */
export function podsOf(one: App, app: number): Pod[] {
  const { kinds, count, cpuMillis, memoryMib, namespace, variant } = one;
  const labels = { app: `app${app}`, tier: app % 2 === 0 ? 'web' : 'back' };
  const owner = kinds.includes('lone') ? null : { kind: 'ReplicaSet', name: labels.app, uid: labels.app };
  const rules = rulesOf(one, app);
  const isLarge = kinds.includes('large');
  const requests = {
    ...{ cpu: isLarge ? 6500 : cpuMillis, memory: memoryMib * MIB, pods: 1 },
    ...(kinds.includes('gpu') && { [GPU]: 1 + (variant % 2) }),
  };
  const annotations = annotationsOf(one, app);
  const first = aPod({ namespace, labels, owner, annotations, spec: { ...rules, requests } });
  return Array.from({ length: isLarge ? Math.min(count, 4) : count }, (_, index) => {
    const name = `app${app}-${index}`;
    const volumes = volumesOf(name, one);
    // Equal specs are one object, as they are at the door.
    const spec = volumes.length === 0 ? first.spec : { ...first.spec, volumes };
    return { ...first, name, uid: name, spec };
  });
}

/** Each pod with a volume has one of its own: in one zone, or (every other app) one that any node can reach. */
export function storageOf(
  pods: readonly Pod[],
  apps: readonly App[],
): Pick<ClusterSnapshot, 'persistentVolumes' | 'persistentVolumeClaims' | 'storageClasses'> {
  const users = pods.filter(({ spec }) => spec.volumes.length > 0);
  const isFree = ({ labels }: Pod): boolean =>
    apps.some(({ kinds }, app) => labels.app === `app${app}` && !kinds.includes('volumes'));
  const persistentVolumes = users.map((pod, index): PersistentVolume => {
    const zone = { key: LABEL.zone, operator: 'In' as const, values: [ZONES[index % 3] ?? ''] };
    return {
      name: `pv-${pod.name}`,
      nodeAffinity: isFree(pod) ? [] : [{ requirements: [zone], matchFields: false }],
      csiDriver: CSI_DRIVER,
    };
  });
  const persistentVolumeClaims = users.map(
    ({ namespace, name }): PersistentVolumeClaim => ({
      ...{ namespace, name: `data-${name}`, volumeName: `pv-${name}`, storageClassName: '' },
    }),
  );
  const storageClasses: StorageClass[] = [];
  return { persistentVolumes, persistentVolumeClaims, storageClasses };
}

/** One for each app that has one, a second for apps of the kind `twice`. */
export function budgetsOf(apps: readonly App[]): PodDisruptionBudget[] {
  return apps.flatMap(({ allowed, kinds, namespace }, app) => {
    if (allowed === null) return [];
    const selector = selecting('app', `app${app}`);
    const one = { namespace, name: `pdb${app}`, selector, disruptionsAllowed: allowed };
    return kinds.includes('twice') ? [one, { ...one, name: `${one.name}-more` }] : [one];
  });
}
