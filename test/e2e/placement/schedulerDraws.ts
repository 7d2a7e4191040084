// Small random clusters for the comparison of the simulated kube-scheduler with the real one.
import type { Random } from '../../../src/simulator/random.ts';
import { type RawObject, rawNode, rawPod } from '../harness/rawObjects.ts';
import { zoneAffinity } from '../harness/volumeProvisioner.ts';

export interface Draw {
  readonly name: string;
  /** Nodes, bound pods, volumes: there before the first pod comes. */
  readonly cluster: readonly RawObject[];
  /** They come one after the other, each when the one before has been judged. */
  readonly pods: readonly RawObject[];
}

/**
 * All draws live in one cluster at the same time, so nothing of one may reach another: pods select the nodes of their
 * draw, and rules that count pods do it over keys that only these nodes have.
 */
interface Place {
  readonly name: string;
  readonly other: string;
  readonly zoneKey: string;
  readonly hostKey: string;
  readonly zones: readonly string[];
  /** What most pods are about: rules in company hide each other, so that some draws dwell on one. */
  readonly theme: (typeof THEMES)[number];
}

const THEMES = ['all', 'all', 'all', 'spread', 'spread', 'ports'] as const;

const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const SCENARIO = 'example.com/draw';
const APPS = ['a', 'b', 'c'];
const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';
const DRIVER = 'ebs.csi.aws.com';
export const LATE_CLASS = 'when-first-used';
const TAINTS = [
  { key: 'dedicated', value: 'x', effect: 'NoSchedule' },
  { key: 'dedicated', value: 'x', effect: 'NoExecute' },
  { key: 'tired', value: '', effect: 'PreferNoSchedule' },
  { key: 'wet', value: 'y', effect: 'PreferNoSchedule' },
];
const TOLERATIONS = [
  { key: 'dedicated', operator: 'Equal', value: 'x' },
  { key: 'dedicated', operator: 'Equal', value: 'x', effect: 'NoSchedule' },
  { key: 'dedicated', operator: 'Equal', value: 'z' },
  { key: 'tired', operator: 'Exists' },
  { operator: 'Exists' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];

/** @param name also the namespace; a second one is called `<name>-other` */
export function drawCluster(name: string, random: Random): Draw {
  const place: Place = {
    name,
    other: `${name}-other`,
    zoneKey: `zone.example.com/${name}`,
    hostKey: `host.example.com/${name}`,
    zones: ['a', 'b', 'c'].map((letter) => `${name}-${letter}`),
    theme: random.pick(THEMES),
  };
  const nodes = list(random.integer(3, 6), (at) => drawNode(place, at, random));
  const limited = nodes.filter(() => random.chance(0.3));
  const bound = list(random.integer(0, 4), (at) => {
    const pod = drawPod(place, `bound-${at}`, random);
    const { volumes: _volumes, ...spec } = pod.spec as Record<string, unknown>;
    const nodeName = random.pick(nodes).metadata.name;
    return { ...pod, spec: { ...spec, nodeName } };
  });
  const pods = list(random.integer(2, 8), (at) => drawPod(place, `pod-${at}`, random));
  const claimed = pods.flatMap((pod) => (hasVolume(pod) ? drawClaim(place, pod.metadata, random) : []));
  return { name, cluster: [...nodes, ...limited.map(csiNode), ...claimed, ...bound], pods };
}

function list<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

function drawNode({ name, zoneKey, hostKey, zones, theme }: Place, at: number, random: Random): RawObject {
  const node = `${name}-${at}`;
  const zone = random.pick(zones);
  const gpus: Record<string, string> = random.chance(0.3)
    ? { 'nvidia.com/gpu': `${random.integer(1, 2)}` }
    : {};
  return rawNode({
    name: node,
    labels: {
      [SCENARIO]: name,
      [ZONE]: zone,
      [hostKey]: node,
      ...(random.chance(0.9) ? { [zoneKey]: zone } : {}),
      ...(random.chance(0.6) ? { disk: random.pick(['ssd', 'hdd']) } : {}),
      generation: `${random.integer(3, 7)}`,
    },
    taints: random.chance(theme === 'spread' ? 0.5 : 0.3) ? [random.pick(TAINTS)] : [],
    unschedulable: random.chance(0.07),
    allocatable: {
      cpu: `${random.integer(2, 6) * 1000 - 70}m`,
      memory: `${random.integer(3, 12)}Gi`,
      pods: `${random.integer(2, 12)}`,
      ...gpus,
    },
  });
}

function csiNode({ metadata }: RawObject): RawObject {
  const drivers = [{ name: DRIVER, nodeID: metadata.name, allocatable: { count: 1 } }];
  return { kind: 'CSINode', metadata: { name: metadata.name }, spec: { drivers } };
}

function hasVolume(pod: RawObject): boolean {
  return (pod.spec as { readonly volumes?: readonly object[] }).volumes !== undefined;
}

/** A claim that waits for its pod, or one whose volume lies in a zone; now and then none is there. */
function drawClaim(
  { zones }: Place,
  { namespace, name }: RawObject['metadata'],
  random: Random,
): readonly RawObject[] {
  const kind = random.integer(0, 9);
  if (kind === 0) return [];
  const isLate = kind < 6;
  const volumeName = `${namespace}-${name}`;
  const size = { storage: '1Gi' };
  const claim = {
    kind: 'PersistentVolumeClaim',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: size },
      storageClassName: isLate ? LATE_CLASS : 'by-hand',
      ...(isLate ? {} : { volumeName }),
    },
  };
  if (isLate) return [claim];
  const volume = {
    kind: 'PersistentVolume',
    metadata: { name: volumeName },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: size,
      storageClassName: 'by-hand',
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: { kind: 'PersistentVolumeClaim', namespace, name },
      csi: { driver: DRIVER, volumeHandle: volumeName },
      nodeAffinity: zoneAffinity(random.pick(zones)),
    },
  };
  return [volume, claim];
}

function drawPod(place: Place, name: string, random: Random): RawObject {
  const isPorted = random.chance(place.theme === 'ports' ? 0.8 : 0.1);
  const isPlain = place.theme === 'spread';
  const namespace = isPlain || random.chance(0.85) ? place.name : place.other;
  return rawPod({
    namespace,
    name,
    labels: {
      app: isPlain ? random.pick(['a', 'a', 'b']) : random.pick(APPS),
      revision: random.pick(['1', '2']),
    },
    requests: drawRequests(place, random),
    ...(isPorted ? { ports: [drawPort(random)] } : {}),
    spec: {
      nodeSelector: { [SCENARIO]: place.name },
      tolerations: random.chance(0.3) ? [random.pick(TOLERATIONS)] : [],
      ...(place.theme === 'ports' ? {} : { affinity: drawAffinity(place, random) }),
      topologySpreadConstraints: drawSpreads(place, random),
      ...(place.theme === 'all' && random.chance(0.2)
        ? { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: name } }] }
        : {}),
    },
  });
}

/** Where room is not what the draw is about, there is room. */
function drawRequests({ theme }: Place, random: Random): Record<string, string> {
  const most = theme === 'all' ? 20 : 5;
  const gpu: Record<string, string> = theme === 'all' && random.chance(0.1) ? { 'nvidia.com/gpu': '1' } : {};
  if (random.chance(0.1)) return gpu;
  return {
    cpu: `${random.integer(1, most) * 100}m`,
    memory: `${random.integer(1, most + 10) * 128}Mi`,
    ...gpu,
  };
}

function drawAffinity(place: Place, random: Random): object {
  const required = random.chance(place.theme === 'spread' ? 0.5 : 0.25)
    ? { [REQUIRED]: { nodeSelectorTerms: drawTerms(random) } }
    : {};
  if (place.theme === 'spread') return { nodeAffinity: required };
  const preferred = random.chance(0.2) ? { [PREFERRED]: drawPreferences(random) } : {};
  return {
    nodeAffinity: { ...required, ...preferred },
    podAffinity: drawPodTerms(place, random, 0.15),
    podAntiAffinity: drawPodTerms(place, random, 0.2),
  };
}

function drawPort(random: Random): object {
  const hostPort = random.pick([8080, 9090]);
  const protocol = random.pick(['TCP', 'TCP', 'UDP']);
  return {
    containerPort: 80,
    hostPort,
    protocol,
    ...(random.chance(0.3) ? { hostIP: random.pick(['127.0.0.1', '10.0.0.1']) } : {}),
  };
}

function drawCondition(random: Random): object {
  return random.pick([
    { key: 'disk', operator: 'In', values: ['ssd'] },
    { key: 'disk', operator: 'In', values: ['ssd', 'hdd'] },
    { key: 'disk', operator: 'NotIn', values: ['hdd'] },
    { key: 'disk', operator: 'Exists' },
    { key: 'disk', operator: 'DoesNotExist' },
    { key: 'generation', operator: 'Gt', values: ['4'] },
    { key: 'generation', operator: 'Lt', values: ['6'] },
    { key: 'generation', operator: 'NotIn', values: ['5'] },
  ]);
}

function drawTerms(random: Random): object[] {
  return list(random.integer(1, 2), () => ({
    matchExpressions: list(random.integer(1, 2), () => drawCondition(random)),
  }));
}

function drawPreferences(random: Random): object[] {
  return list(random.integer(1, 2), () => ({
    weight: random.integer(1, 100),
    preference: { matchExpressions: [drawCondition(random)] },
  }));
}

function drawSelector(random: Random): object {
  return random.pick([
    { matchLabels: { app: random.pick(APPS) } },
    { matchLabels: { app: random.pick(APPS) } },
    { matchExpressions: [{ key: 'app', operator: 'In', values: ['a', 'b'] }] },
    { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['c'] }] },
  ]);
}

function drawPodTerm(place: Place, random: Random): object {
  const where = random.integer(0, 9);
  const here = where === 0 ? { namespaces: [place.other] } : {};
  const both = where === 1 ? { namespaceSelector: { matchLabels: { of: place.name } } } : {};
  return {
    labelSelector: drawSelector(random),
    topologyKey: random.pick([place.zoneKey, place.hostKey, HOSTNAME]),
    ...here,
    ...both,
    ...(random.chance(0.15) ? { matchLabelKeys: ['revision'] } : {}),
  };
}

function drawPodTerms(place: Place, random: Random, likely: number): object {
  const hard = random.chance(likely) ? list(random.integer(1, 2), () => drawPodTerm(place, random)) : [];
  const soft = random.chance(likely)
    ? list(random.integer(1, 2), () => ({
        weight: random.integer(1, 100),
        podAffinityTerm: drawPodTerm(place, random),
      }))
    : [];
  return { [REQUIRED]: hard, [PREFERRED]: soft };
}

function drawSpreads(place: Place, random: Random): object[] {
  const isTheme = place.theme === 'spread';
  if (!random.chance(isTheme ? 0.9 : 0.3)) return [];
  const keys = random.chance(0.3)
    ? [place.zoneKey, place.hostKey]
    : [random.pick([place.zoneKey, place.zoneKey, place.hostKey])];
  return keys.map((topologyKey) => {
    const isHard = random.chance(isTheme ? 0.8 : 0.5);
    const labelSelector = isTheme ? { matchLabels: { app: 'a' } } : drawSelector(random);
    return {
      topologyKey,
      maxSkew: random.integer(1, 2),
      whenUnsatisfiable: isHard ? 'DoNotSchedule' : 'ScheduleAnyway',
      labelSelector: random.chance(0.1) ? {} : labelSelector,
      ...(isHard && random.chance(0.4) ? { minDomains: random.integer(2, 4) } : {}),
      nodeAffinityPolicy: random.pick(['Honor', 'Honor', 'Ignore']),
      nodeTaintsPolicy: random.pick(['Honor', 'Ignore']),
      ...(random.chance(0.15) ? { matchLabelKeys: ['revision'] } : {}),
    };
  });
}
