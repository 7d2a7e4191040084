// The workloads of the packing benchmarks, drawn from a seed.
import { Chance } from './chance.ts';
import type { PodJson } from './problem.ts';

const CPU_MILLIS = [100, 250, 500, 1000, 1500] as const;
const MEMORY_MI = [100, 256, 512, 1024, 2048, 4096] as const;
const LETTERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const;
const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const CAPACITY_TYPE = 'karpenter.sh/capacity-type';

type Labels = Readonly<Record<string, string>>;
type Requests = Readonly<Record<string, string>>;

/** Collects the pods of one mix. */
export class Workload {
  readonly chance: Chance;
  readonly pods: PodJson[] = [];

  constructor(seed: number) {
    this.chance = new Chance(seed);
  }

  /** Adds one pod; its uid is random, since the peer breaks ties by it. */
  add(
    kind: string,
    labels: Labels,
    spec: Readonly<Record<string, unknown>> & { readonly requests: Requests },
  ): void {
    const { requests, ...rest } = spec;
    const index = String(this.pods.length).padStart(12, '0');
    const random = this.chance.below(0x1_0000_0000).toString(16).padStart(8, '0');
    this.pods.push({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${kind}-${index}`,
        namespace: 'default',
        uid: `${random}-0000-4000-8000-${index}`,
        labels,
      },
      spec: { containers: [{ name: 'main', image: 'pause', resources: resourcesOf(requests) }], ...rest },
    });
  }
}

/** Extended resources are asked for by limit, as Kubernetes wants it. */
function resourcesOf(requests: Requests): object {
  const extended = Object.entries(requests).filter(([name]) => name.includes('/'));
  return extended.length === 0 ? { requests } : { requests, limits: Object.fromEntries(extended) };
}

function amounts(cpuMillis: number, memoryMi: number): Requests {
  return { cpu: `${cpuMillis}m`, memory: `${memoryMi}Mi` };
}

function plainRequests({ chance }: Workload): Requests {
  return amounts(chance.among(CPU_MILLIS), chance.among(MEMORY_MI));
}

const selecting = (labels: Labels): object => ({ labelSelector: { matchLabels: labels } });
const spreadOver = (topologyKey: string, labels: Labels): object => ({
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey, whenUnsatisfiable: 'DoNotSchedule', ...selecting(labels) },
  ],
});
const affinityTerms = (topologyKey: string, labels: Labels): object => ({
  requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, ...selecting(labels) }],
});
const nearTo = (topologyKey: string, labels: Labels): object => ({
  affinity: { podAffinity: affinityTerms(topologyKey, labels) },
});
const apartFrom = (topologyKey: string, labels: Labels): object => ({
  affinity: { podAntiAffinity: affinityTerms(topologyKey, labels) },
});

function generic(workload: Workload, count: number): void {
  for (let i = 0; i < count; i += 1) {
    workload.add(
      'generic',
      { 'my-label': workload.chance.among(LETTERS) },
      { requests: plainRequests(workload) },
    );
  }
}

/**
 * The mix of Karpenter's scheduling benchmark: a fifth each of generic pods, pods spread over zones and over nodes
 * (each counting a label drawn apart from its own), pods drawn to their like within a zone, and pods that all keep
 * off each other's nodes; what is left over is generic.
 */
function diverse(workload: Workload, count: number): void {
  const share = Math.floor(count / 5);
  generic(workload, share);
  for (const topologyKey of [ZONE, HOSTNAME]) {
    for (let i = 0; i < share; i += 1) {
      const own = { 'my-label': workload.chance.among(LETTERS) };
      const counted = { 'my-label': workload.chance.among(LETTERS) };
      const spread = spreadOver(topologyKey, counted);
      workload.add('spread', own, { requests: plainRequests(workload), ...spread });
    }
  }
  for (let i = 0; i < share; i += 1) {
    const labels = { 'my-affinity': workload.chance.among(LETTERS) };
    workload.add('affinity', labels, { requests: plainRequests(workload), ...nearTo(ZONE, labels) });
  }
  for (let i = 0; i < share; i += 1) {
    const labels = { app: 'nginx' };
    workload.add('apart', labels, { requests: plainRequests(workload), ...apartFrom(HOSTNAME, labels) });
  }
  generic(workload, count - workload.pods.length);
}

/** Apps of 1 to 50 replicas, each of one shape: a quarter spread over zones, an eighth one to a node. */
function deployments(workload: Workload, count: number): void {
  for (let app = 0; workload.pods.length < count; app += 1) {
    const replicas = Math.min(1 + workload.chance.below(50), count - workload.pods.length);
    const requests = plainRequests(workload);
    const labels = { app: `app-${app}` };
    const rules = [spreadOver(ZONE, labels), spreadOver(ZONE, labels), apartFrom(HOSTNAME, labels)];
    const rule = rules[workload.chance.below(8)] ?? {};
    for (let i = 0; i < replicas; i += 1) workload.add(`app${app}`, labels, { requests, ...rule });
  }
}

/** Requests over three orders of magnitude: most pods tiny, few that need half a large node (Pareto, shape 1.1). */
function longTail(workload: Workload, count: number): void {
  const { chance } = workload;
  for (let i = 0; i < count; i += 1) {
    const cpuMillis = Math.min(24_000, Math.ceil(50 / (1 - chance.next()) ** (1 / 1.1) / 10) * 10);
    const mibPerMilli = 0.5 * 16 ** chance.next();
    const memoryMi = Math.min(128 * 1024, Math.ceil((cpuMillis * mibPerMilli) / 16) * 16);
    workload.add('tail', { app: 'tail' }, { requests: amounts(cpuMillis, memoryMi) });
  }
}

/** Caches and databases: little CPU, 2 to 48 GiB of memory; one pod in five is ordinary. */
function memoryHeavy(workload: Workload, count: number): void {
  const { chance } = workload;
  for (let i = 0; i < count; i += 1) {
    const heavy = amounts(
      chance.among([100, 250, 500, 1000]),
      1024 * chance.among([2, 4, 6, 8, 12, 16, 32, 48]),
    );
    const requests = chance.below(5) === 0 ? plainRequests(workload) : heavy;
    workload.add('memory', { app: 'memory' }, { requests });
  }
}

/** One pod in twenty needs 1, 2 or 4 GPUs, the others must not fill GPU nodes. */
function gpus(workload: Workload, count: number): void {
  const { chance } = workload;
  for (let i = 0; i < count; i += 1) {
    const wanted = chance.below(20) === 0 ? { 'nvidia.com/gpu': String(chance.among([1, 1, 1, 2, 4])) } : {};
    const requests = 'nvidia.com/gpu' in wanted ? amounts(2000, 8192) : plainRequests(workload);
    workload.add(
      'nvidia.com/gpu' in wanted ? 'gpu' : 'cpu',
      { app: 'mixed' },
      { requests: { ...requests, ...wanted } },
    );
  }
}

/** Apps of 1 to 30 replicas that may run on spot, but for one in eight. */
function capacityTypes(workload: Workload, count: number): void {
  for (let app = 0; workload.pods.length < count; app += 1) {
    const replicas = Math.min(1 + workload.chance.below(30), count - workload.pods.length);
    const requests = plainRequests(workload);
    const bound = workload.chance.below(8) === 0 ? { nodeSelector: { [CAPACITY_TYPE]: 'on-demand' } } : {};
    for (let i = 0; i < replicas; i += 1)
      workload.add(`app${app}`, { app: `app-${app}` }, { requests, ...bound });
  }
}

/** Apps of 2 to 6 replicas: all spread over zones, half of them one to a node as well. */
function smallApps(workload: Workload, count: number): void {
  for (let app = 0; workload.pods.length < count; app += 1) {
    const replicas = Math.min(2 + workload.chance.below(5), count - workload.pods.length);
    const labels = { app: `app-${app}` };
    const requests = plainRequests(workload);
    const apart = workload.chance.below(2) === 0 ? apartFrom(HOSTNAME, labels) : {};
    for (let i = 0; i < replicas; i += 1) {
      workload.add(`app${app}`, labels, { requests, ...spreadOver(ZONE, labels), ...apart });
    }
  }
}

/** All mixes by name. `constrained` ones have rules between pods. */
export const MIXES = {
  diverse: { draw: diverse, constrained: true },
  generic: { draw: generic, constrained: false },
  deployments: { draw: deployments, constrained: true },
  'long-tail': { draw: longTail, constrained: false },
  'memory-heavy': { draw: memoryHeavy, constrained: false },
  gpus: { draw: gpus, constrained: false },
  'capacity-types': { draw: capacityTypes, constrained: false },
  'small-apps': { draw: smallApps, constrained: true },
} as const;

export type MixName = keyof typeof MIXES;

/** The pods of a mix. */
export function drawMix(name: MixName, count: number, seed = 42): readonly PodJson[] {
  const workload = new Workload(seed);
  MIXES[name].draw(workload, count);
  return workload.pods;
}
