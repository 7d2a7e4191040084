// A cluster, an account and their troubles, drawn from one seed: every workload in it can be served in the end.

import { parseCron } from '../../src/model/cronSchedule.ts';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import type { InstanceType } from '../../src/model/instanceType.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { PodSpec } from '../../src/model/pod.ts';
import { NODES_LIMIT, PRICE_LIMIT, type Provisioner } from '../../src/model/provisioner.ts';
import type { BadImage } from '../../src/simulator/cloudMarket.ts';
import type { BudgetSpec } from '../../src/simulator/disruptionBudgets.ts';
import { drawFaults } from '../../src/simulator/faults.ts';
import { Random } from '../../src/simulator/random.ts';
import { USUAL_TIMINGS } from '../../src/simulator/simulatedCloud.ts';
import type { SimulationSetup } from '../../src/simulator/simulation.ts';
import type { ReplicaStep, WorkloadSpec } from '../../src/simulator/workloads.ts';
import { aDaemonSet, aNodeClass, aPodSpec, aProvisioner } from '../builders.ts';

const MINUTE_MS = 60_000;
export const START_MS = Date.UTC(2026, 0, 5);
/** Changes and faults until here, and then time to come to rest. */
export const TROUBLED_MS = 40 * MINUTE_MS;
export const END_MS = START_MS + 110 * MINUTE_MS;

const ZONES = ['us-east-1a', 'us-east-1b', 'us-east-1c'];
const TEAM_TAINT = { key: 'team', value: 'data', effect: 'NoSchedule' } as const;
const MIB = 2 ** 20;
/** Most drains have no bound; the others are cut while pods opt out or stop slowly. */
const GRACES_MS = [null, null, 10_000, 60_000, 5 * MINUTE_MS];

/** All that one seed stands for. */
export function drawSetup(seed: number, catalogue: readonly InstanceType[]): SimulationSetup {
  const random = new Random(`fuzz/${seed}`);
  const grace = random.fork('grace');
  const drawn = drawWorkloads(random.fork('workloads'));
  const workloads = withSurge(random.fork('surge'), withVolumes(random.fork('volumes'), drawn));
  return {
    seed: `fuzz/${seed}`,
    startMs: START_MS,
    instanceTypes: catalogue,
    cloudTimings: USUAL_TIMINGS,
    kubeletTimings: { readyMs: 6000, startupTaintsMs: 3000, pullMs: 2500, startMs: 700 },
    settings: { planBudgetMs: 5, surgeSingleReplicas: true },
    faults: drawFaults(random.fork('faults')),
    faultsUntilMs: START_MS + TROUBLED_MS,
    shortages: [],
    badImages: drawBadImages(random.fork('badImages')),
    provisioners: withRepair(
      random.fork('repair'),
      withBounds(
        random.fork('bounds'),
        withDrift(
          random.fork('drift'),
          withConsolidation(random.fork('consolidation'), drawProvisioners(random.fork('provisioners'))),
        ),
      ),
    ).map((one) => ({ ...one, terminationGracePeriodMs: grace.pick(GRACES_MS) })),
    nodeClasses: [aNodeClass()],
    namespaces: [{ name: 'default', labels: {} }],
    staticNodes: [],
    daemonSets: random.chance(0.5)
      ? [aDaemonSet({ name: 'logs', spec: { requests: { cpu: 50, memory: 100 * MIB, pods: 1 } } })]
      : [],
    budgets: drawBudgets(random.fork('budgets'), workloads),
    workloads,
    images: drawImages(random.fork('images')),
    volumes: volumesOf(workloads),
    keepEntries: 200,
  };
}

/** Sometimes nothing that the first Provisioner launches joins, from some time on until the faults end. */
function drawBadImages(random: Random): readonly BadImage[] {
  if (!random.chance(0.15)) return [];
  const fromMs = START_MS + random.integer(0, 20) * MINUTE_MS;
  return [{ provisioner: 'default', fromMs, untilMs: START_MS + TROUBLED_MS }];
}

/** The first takes any pod without limits, so that nothing waits for ever; others add taints, limits, short lives. */
function drawProvisioners(random: Random): readonly Provisioner[] {
  const first = aProvisioner({
    name: 'default',
    uid: 'uid-default',
    requirements: [
      {
        key: LABEL.capacityType,
        operator: 'In',
        values: random.pick([['on-demand'], ['spot', 'on-demand']]),
      },
      { key: LABEL.arch, operator: 'In', values: ['amd64'] },
      { key: LABEL.os, operator: 'In', values: ['linux'] },
    ],
    ttlAfterEmptyMs: random.pick([30_000, 60_000, 120_000]),
    ttlUntilExpiredMs: random.chance(0.3) ? random.integer(10, 25) * MINUTE_MS : null,
    startupTaints: random.chance(0.3) ? [{ key: 'cni', value: '', effect: 'NoSchedule' }] : [],
  });
  if (random.chance(0.5)) return [first];
  const second = aProvisioner({
    ...first,
    name: 'second',
    uid: 'uid-second',
    weight: random.integer(1, 100),
    taints: random.chance(0.5) ? [TEAM_TAINT] : [],
    startupTaints: [],
    limits: random.chance(0.7) ? { cpu: random.integer(2, 24) * 1000 } : null,
    ttlUntilExpiredMs: null,
  });
  return [first, second];
}

/** Some clusters are consolidated: their empty nodes go by that too. */
function withConsolidation(random: Random, provisioners: readonly Provisioner[]): readonly Provisioner[] {
  if (!random.chance(0.3)) return provisioners;
  const disruption = {
    ...NO_CONSOLIDATION,
    consolidation: 'WhenEmptyOrUnderutilized' as const,
    consolidateAfterMs: random.pick([0, 30_000, 5 * MINUTE_MS]),
    minimumNodeAgeMs: random.pick([MINUTE_MS, 5 * MINUTE_MS]),
    budgets: random.chance(0.5)
      ? []
      : [
          {
            nodes: { kind: 'percent' as const, amount: random.pick([20, 100]) },
            reasons: null,
            window: null,
          },
        ],
  };
  return provisioners.map((one) => ({ ...one, ttlAfterEmptyMs: null, disruption }));
}

/** The second one is off now and then, or may have but a few nodes, or cost but a little; the first takes its pods. */
function withBounds(random: Random, [first, ...others]: readonly Provisioner[]): readonly Provisioner[] {
  if (first === undefined) return [];
  const bounded = others.map((one): Provisioner => {
    const begins = [random.integer(3, 15), random.integer(20, 30)];
    const schedule = parseCron(`${begins.join(',')} 0 * * *`);
    const offHours =
      schedule !== null && random.chance(0.4)
        ? [{ schedule, durationMs: random.integer(2, 10) * MINUTE_MS, timeZone: 'UTC' }]
        : [];
    const limits = random.pick([{}, {}, { [NODES_LIMIT]: random.integer(1, 4) }, { [PRICE_LIMIT]: 0.5 }]);
    const hasLimits = one.limits !== null || Object.keys(limits).length > 0;
    return { ...one, offHours, limits: hasLimits ? { ...one.limits, ...limits } : null };
  });
  return [first, ...bounded];
}

/** Some replace nodes that are silent for a while: sooner than anybody would, since silences are short. */
function withRepair(random: Random, provisioners: readonly Provisioner[]): readonly Provisioner[] {
  if (!random.chance(0.3)) return provisioners;
  const repair = { policy: 'Replace' as const, toleratedMs: random.pick([MINUTE_MS, 3 * MINUTE_MS]) };
  return provisioners.map((one) => ({ ...one, disruption: { ...one.disruption, repair } }));
}

/** Some clusters replace what has drifted. */
function withDrift(random: Random, provisioners: readonly Provisioner[]): readonly Provisioner[] {
  if (!random.chance(0.4)) return provisioners;
  const canary = { nodes: random.integer(0, 2), soakMs: random.integer(1, 4) * MINUTE_MS };
  return provisioners.map((one) => ({
    ...one,
    disruption: { ...one.disruption, drift: { policy: 'Replace', canary } },
  }));
}

/** A bad image is followed by a good one: what it has kept waiting is served in the end. */
function drawImages(random: Random): NonNullable<SimulationSetup['images']> {
  if (random.chance(0.5)) return [];
  const atMs = START_MS + random.integer(3 * MINUTE_MS, 25 * MINUTE_MS);
  const good = { atMs: atMs + random.integer(MINUTE_MS, 12 * MINUTE_MS), id: 'ami-good', isBad: false };
  return random.chance(0.4) ? [{ atMs, id: 'ami-bad', isBad: true }, good] : [good];
}

function drawWorkloads(random: Random): readonly WorkloadSpec[] {
  const count = random.integer(1, 5);
  return Array.from({ length: count }, (_, index) => drawWorkload(random.fork(`${index}`), `app${index}`));
}

function drawWorkload(random: Random, name: string): WorkloadSpec {
  const isJob = random.chance(0.2);
  const labels = { app: name };
  const optsOut = !isJob && random.chance(0.1);
  return {
    kind: isJob ? 'Job' : 'Deployment',
    namespace: 'default',
    name,
    labels,
    annotations: optsOut ? { 'karpenter.sh/do-not-evict': 'true' } : {},
    pod: drawPod(random, labels),
    steps: drawSteps(random, isJob),
    runTimeMs: isJob ? random.integer(10, 600) * 1000 : null,
  };
}

function drawPod(random: Random, labels: Readonly<Record<string, string>>): PodSpec {
  const cpu = random.pick([50, 100, 250, 500, 1000, 2500]);
  const memory = random.pick([64, 128, 512, 1024, 4096]) * MIB;
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: [labels.app ?? ''] }] };
  const alike: readonly Partial<PodSpec>[] = [
    {},
    {},
    { nodeSelector: { [LABEL.zone]: random.pick(ZONES) } },
    { nodeSelector: { [LABEL.instanceCategory]: random.pick(['c', 'm', 'r']) } },
    { podAntiAffinity: [affinity(selector, LABEL.hostname)] },
    { topologySpread: [spread(selector, random.pick([LABEL.zone, LABEL.hostname]))] },
    { tolerations: [{ ...TEAM_TAINT, operator: 'Equal', tolerationSeconds: null }] },
  ];
  const rules = random.pick(alike);
  return aPodSpec({
    requests: { cpu, memory, pods: 1 },
    terminationGraceSeconds: random.integer(0, 30),
    ...rules,
  });
}

function affinity(selector: PodSpec['podAffinity'][number]['selector'], topologyKey: string) {
  return { selector, topologyKey, namespaces: [], namespaceSelector: null };
}

function spread(selector: PodSpec['podAffinity'][number]['selector'], topologyKey: string) {
  return {
    topologyKey,
    maxSkew: 1,
    minDomains: 1,
    whenUnsatisfiable: 'DoNotSchedule' as const,
    selector,
    nodeAffinityPolicy: 'Honor' as const,
    nodeTaintsPolicy: 'Ignore' as const,
  };
}

function drawSteps(random: Random, isJob: boolean): readonly ReplicaStep[] {
  const steps: ReplicaStep[] = [];
  let atMs = START_MS + random.integer(0, 2 * MINUTE_MS);
  while (atMs < START_MS + TROUBLED_MS) {
    steps.push({ atMs, replicas: random.chance(0.25) ? 0 : random.integer(1, 12) });
    atMs += random.integer(5_000, 15 * MINUTE_MS);
  }
  if (!isJob && random.chance(0.5)) steps.push({ atMs: START_MS + TROUBLED_MS, replicas: 0 });
  return steps;
}

function drawBudgets(random: Random, workloads: readonly WorkloadSpec[]): readonly BudgetSpec[] {
  return workloads
    .filter(({ kind }) => kind === 'Deployment' && random.chance(0.4))
    .map(({ name, namespace }) => ({
      namespace,
      name,
      selector: { expressions: [{ key: 'app', operator: 'In' as const, values: [name] }] },
      ...random.pick([
        { minAvailable: '1', maxUnavailable: null },
        { minAvailable: '50%', maxUnavailable: null },
        { minAvailable: null, maxUnavailable: '1' },
        { minAvailable: null, maxUnavailable: '30%' },
      ]),
      unhealthyPodEvictionPolicy: random.pick(['IfHealthyBudget', 'AlwaysAllow'] as const),
    }));
}

/** Some Deployments share a volume among their pods, which is attached to each of their nodes. */
function withVolumes(random: Random, workloads: readonly WorkloadSpec[]): readonly WorkloadSpec[] {
  return workloads.map((one) => {
    if (one.kind === 'Job' || !random.chance(0.2)) return one;
    return { ...one, pod: { ...one.pod, volumes: [{ kind: 'claim' as const, claimName: one.name }] } };
  });
}

function volumesOf(workloads: readonly WorkloadSpec[]): NonNullable<SimulationSetup['volumes']> {
  const claims = workloads.flatMap(({ namespace, pod }) =>
    pod.volumes.flatMap((volume) =>
      volume.kind === 'claim'
        ? [{ namespace, name: volume.claimName, volumeName: `pv-${volume.claimName}` }]
        : [],
    ),
  );
  return {
    persistentVolumes: claims.map(({ volumeName: name }) => ({
      name,
      nodeAffinity: [],
      csiDriver: 'shared',
    })),
    persistentVolumeClaims: claims.map((one) => ({ ...one, storageClassName: '' })),
  };
}

/** Some Deployments ask to be rolled while they have one pod, and have one more often. */
function withSurge(random: Random, workloads: readonly WorkloadSpec[]): readonly WorkloadSpec[] {
  return workloads.map((one) => {
    if (one.kind === 'Job' || !random.chance(0.3)) return one;
    const annotations = { ...one.annotations, 'cooper.sh/surge': 'true' };
    const steps = one.steps.map((step) => (random.chance(0.6) ? { ...step, replicas: 1 } : step));
    return { ...one, annotations, steps };
  });
}
