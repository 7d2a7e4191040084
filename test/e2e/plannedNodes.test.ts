// Cooper's plans side by side with the real kube-scheduler: on the planned nodes it must find room for every pod.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PLAIN_NODE_CLASS, shippedCatalogue } from '../../src/aws/shippedCatalogue.ts';
import { REAL_CLOCK } from '../../src/cli/realClock.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { ProvisioningMemory } from '../../src/controllers/provisioningMemory.ts';
import { registrationPatch } from '../../src/controllers/registration.ts';
import { tellScheduler } from '../../src/controllers/schedulerNominations.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { PlannedNodeClaim, SchedulingPlan } from '../../src/model/plan.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import { labelsFromRequirements } from '../../src/model/requirement.ts';
import { formatResources } from '../../src/model/resources.ts';
import type { Catalogue, ClusterSnapshot } from '../../src/model/snapshot.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { isProvisionable } from '../../src/scheduling/provisionable.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import { allowedLots, type Lot, lotLabels } from '../../src/simulator/cloudMarket.ts';
import { Random } from '../../src/simulator/random.ts';
import { aNode, aNodeClaim } from '../builders.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import { pathOf, type RawObject, rawNode } from './harness/rawObjects.ts';
import { eachOf, type Stage, startStage } from './harness/stage.ts';
import { provisioner } from './placement/planObjects.ts';
import { NODE_SCENARIOS, type PlanScenario, POD_SCENARIOS } from './placement/planScenarios.ts';

const SCENARIOS = [...NODE_SCENARIOS, ...POD_SCENARIOS];

interface Run {
  readonly name: string;
  /** EC2 may deliver any type and zone that a claim allows: the cheapest, or the dearest. */
  readonly delivery: 'cheapest' | 'dearest';
  /** Told where the plan has each pod, the scheduler must find that node fit; untold it takes what it likes best. */
  readonly told: boolean;
}

const RUNS: readonly Run[] = [
  { name: 'told', delivery: 'cheapest', told: true },
  { name: 'told-dear', delivery: 'dearest', told: true },
  { name: 'untold', delivery: 'cheapest', told: false },
];

/** Pods wait behind a gate until the planned nodes are there, and then come in random order. */
const GATE = [{ name: 'example.com/until-the-nodes-are-there' }];

describe('planned nodes and the real kube-scheduler', { skip: await reasonToSkip() }, () => {
  let stage: Stage;
  before(
    async () => {
      stage = await startStage();
      const names = SCENARIOS.flatMap((_, index) => RUNS.map((run) => namespaceOf(index, run)));
      const namespaces = names.flatMap((ns) =>
        [ns, `${ns}-other`].map((name) => [name, { of: ns }] as const),
      );
      await stage.createNamespaces(new Map(namespaces));
    },
    { timeout: 20 * 60_000 },
  );
  after(async () => {
    await stage?.stop();
    assert.deepEqual(stage?.problems ?? [], []);
  });

  it('covers thirty clusters', () => assert.ok(SCENARIOS.length >= 30));

  for (const [index, scenario] of SCENARIOS.entries()) {
    for (const run of RUNS) {
      if (!run.told && scenario.anyOrder !== true) continue;
      it(`${scenario.name}: ${run.told ? 'as planned' : 'in any order'}, ${run.delivery} instances`, async () => {
        const namespace = namespaceOf(index, run);
        const objects = scenario.cluster?.(namespace) ?? [provisioner('default')];
        try {
          await rehearse(stage, { scenario, namespace, run, objects });
        } finally {
          await clear(stage, objects);
        }
      });
    }
  }
});

function namespaceOf(index: number, { name }: Run): string {
  return `s${index}-${name}`;
}

interface Rehearsal {
  readonly scenario: PlanScenario;
  readonly namespace: string;
  readonly run: Run;
  readonly objects: readonly RawObject[];
}

async function rehearse(stage: Stage, { scenario, namespace, run, objects }: Rehearsal): Promise<void> {
  const isLate = ({ kind }: RawObject): boolean => ['Pod', 'PersistentVolumeClaim'].includes(kind);
  await stage.create(objects.filter((object) => !isLate(object)));
  await stage.create(objects.filter(isLate));
  const waiting = scenario.pods(namespace);
  await stage.create(waiting.map((pod) => withSpec(pod, { schedulingGates: GATE })));
  const snapshot = await settledSnapshot(stage, [...objects, ...waiting]);
  const { plan, catalogue } = planFor(snapshot);

  const random = new Random(namespace);
  const nodes = plan.nodeClaims.map((claim, at) => {
    const lots = allowedLots(claim.spec, typesOf(catalogue, claim));
    const lot = run.delivery === 'cheapest' ? lots[0] : lots.at(-1);
    assert.ok(lot, `no offering is allowed for planned node ${at}`);
    return registeredNode(nodeName(namespace, at), claim, lot);
  });
  await stage.create(nodes);
  await daemonsBound(stage, objects);
  const places = placesOf(plan, namespace);
  if (run.told) await tell(stage, places);
  const order = shuffled(waiting, random);
  await eachOf(order, (pod) => stage.kube.patch(pathOf(pod), { spec: { schedulingGates: null } }));
  await allBound(stage, plan, run.told ? places : null);
  assert.equal(plan.refusals.length, scenario.refused ?? 0, JSON.stringify(plan.refusals, null, 1));
}

function nodeName(namespace: string, at: number): string {
  return `${namespace}-new-${at}`;
}

/** Where the plan has each pod, by pod key. */
function placesOf(plan: SchedulingPlan, namespace: string): ReadonlyMap<string, string> {
  const places = new Map(plan.nominations.map(({ pod, target }) => [pod, target.name]));
  for (const [at, { pods }] of plan.nodeClaims.entries()) {
    for (const pod of pods) places.set(pod, nodeName(namespace, at));
  }
  return places;
}

/** What the controllers do once planned nodes are there, by the port to a real API server. */
async function tell(stage: Stage, places: ReadonlyMap<string, string>): Promise<void> {
  const { log, metrics, outcomes } = outcomeCounter();
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  const live = new LiveState(stage.state, REAL_CLOCK, () => {});
  await stage.until('the watches to see the planned nodes', () =>
    [...places.values()].every((name) => live.get('node', name) !== undefined),
  );
  for (const pod of live.snapshot().pods) {
    memory.note(
      { type: 'upsert', kind: 'pod', key: podKey(pod), object: markedPod(pod) },
      REAL_CLOCK.nowMs(),
    );
  }
  const sent = [...places].map(([pod, target]) => ({ pod, target }));
  const ports = { clock: REAL_CLOCK, kube: stage.api, telemetry: { log, metrics, dump: () => '' } };
  await tellScheduler(ports, { live, memory, settings: DEFAULT_SETTINGS }, sent);
  assert.deepEqual(outcomes, { written: places.size });
}

function outcomeCounter() {
  const outcomes: Record<string, number> = {};
  const silent = (): void => {};
  const count = (_: string, { outcome = '' }: Readonly<Record<string, string>>): void => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  return { outcomes, log, metrics: { count, gauge: silent, observe: silent } };
}

/** The gates stand for the time that the scheduler needs to mark the pods. */
function markedPod(pod: Pod): Pod {
  return { ...pod, schedulingGated: false, unschedulableSinceMs: pod.nodeName === '' ? 0 : null };
}

function withSpec(object: RawObject, spec: object): RawObject {
  return { ...object, spec: { ...(object.spec as object), ...spec } };
}

/** The cluster once Cooper's watches have caught up with all that was created. */
async function settledSnapshot(stage: Stage, objects: readonly RawObject[]): Promise<ClusterSnapshot> {
  const count = (kind: string): number => objects.filter((object) => object.kind === kind).length;
  await stage.until('the watches to catch up', () => {
    const seen = stage.state.snapshot(0);
    const classes = seen.storageClasses.length >= count('StorageClass');
    return (
      seen.nodes.length === count('Node') &&
      seen.provisioners.length === count('Provisioner') &&
      seen.daemonSets.length === count('DaemonSet') &&
      seen.csiNodes.length === count('CSINode') &&
      seen.pods.filter(({ owner }) => owner === null).length === count('Pod') &&
      seen.persistentVolumeClaims.length >= count('PersistentVolumeClaim') &&
      classes
    );
  });
  await stage.untilClaimsBound();
  await daemonsBound(stage, objects);
  return stage.state.snapshot(0);
}

function planFor(snapshot: ClusterSnapshot): {
  readonly plan: SchedulingPlan;
  readonly catalogue: Catalogue;
} {
  const catalogue: Catalogue = new Map(
    snapshot.provisioners.map(({ name, kubelet }) => [
      name,
      shippedCatalogue('us-east-1', { kubelet, nodeClass: PLAIN_NODE_CLASS, simulatedSpotFraction: 0.4 }),
    ]),
  );
  const pods = snapshot.pods.map(markedPod).filter((pod) => isProvisionable(pod, 'default-scheduler'));
  const plan = schedule(snapshot, catalogue, pods, { budgetMs: 50, elapsedMs: () => 0 });
  assert.deepEqual(checkPlan(snapshot, catalogue, pods, plan), []);
  return { plan, catalogue };
}

function typesOf(catalogue: Catalogue, claim: PlannedNodeClaim) {
  return new Map((catalogue.get(claim.spec.provisioner) ?? []).map((type) => [type.name, type]));
}

/** The Node as it stands once the instance has joined and Cooper has registered and initialized it. */
function registeredNode(name: string, { spec }: PlannedNodeClaim, lot: Lot): RawObject {
  const typeLabels = labelsFromRequirements(lot.type.requirements);
  const patch = registrationPatch(aNodeClaim({ spec }), aNode({ name }), typeLabels);
  const allocatable = formatResources(lot.type.allocatable);
  const labels = {
    ...lotLabels(lot, name),
    ...patch.labels,
    [LABEL.capacityType]: lot.offering.capacityType,
    [LABEL.initialized]: 'true',
  };
  return rawNode({ name, labels, taints: spec.taints, allocatable });
}

/** Daemons come first: they tolerate a node that is not ready yet, other pods do not. */
async function daemonsBound(stage: Stage, objects: readonly RawObject[]): Promise<void> {
  const daemons = objects.filter(({ kind }) => kind === 'DaemonSet');
  for (const daemon of daemons) {
    const { template } = daemon.spec as { template: { spec: { nodeSelector?: Record<string, string> } } };
    const wanted = Object.entries(template.spec.nodeSelector ?? {});
    await stage.until(`the pods of daemon ${daemon.metadata.name}`, () => {
      const { nodes, pods } = stage.state.snapshot(0);
      const fitting = nodes.filter(({ labels }) => wanted.every(([key, value]) => labels[key] === value));
      const own = pods.filter(
        ({ owner, nodeName }) => owner?.name === daemon.metadata.name && nodeName !== '',
      );
      return own.length === fitting.length;
    });
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const keyed = items.map((item) => [random.uint32(), item] as const);
  return keyed.sort(([left], [right]) => left - right).map(([, item]) => item);
}

/**
 * Every pod that the plan has a place for is bound: where it was planned if the scheduler was told so. Spreads and
 * affinities may close that node while other pods have not come yet; then any node will do that leaves nobody out.
 */
async function allBound(
  stage: Stage,
  plan: SchedulingPlan,
  places: ReadonlyMap<string, string> | null,
): Promise<void> {
  const refused = new Set(plan.refusals.map(({ pod }) => pod));
  const placed = (): readonly Pod[] =>
    stage.state.snapshot(0).pods.filter((pod) => pod.owner === null && !refused.has(podKey(pod)));
  const pending = (): readonly string[] =>
    placed()
      .filter(({ nodeName }) => nodeName === '')
      .map(podKey);
  await stage.until('every planned pod to be bound', () => pending().length === 0, 30_000).catch(() => {});
  assert.deepEqual(pending(), [], `pods are left pending\n${describePlaces(stage, plan)}`);
  const isFree = ({ spec }: Pod): boolean => spec.topologySpread.length + spec.podAffinity.length === 0;
  const strays = (pod: Pod): boolean => (places?.get(podKey(pod)) ?? pod.nodeName) !== pod.nodeName;
  const astray = placed().filter((pod) => isFree(pod) && strays(pod));
  assert.deepEqual(astray.map(podKey), [], `pods are elsewhere than planned\n${describePlaces(stage, plan)}`);
}

function describePlaces(stage: Stage, plan: SchedulingPlan): string {
  const planned = plan.nodeClaims.map(
    ({ instanceType, zone, pods }, at) => `planned ${at} ${instanceType} ${zone}: ${pods.join(' ')}`,
  );
  const sent = plan.nominations.map(({ pod, target }) => `planned ${target.name}: ${pod}`);
  const byNode = Map.groupBy(stage.state.snapshot(0).pods, ({ nodeName }) => nodeName);
  const real = [...byNode].map(([node, pods]) => `real ${node || 'pending'}: ${pods.map(podKey).join(' ')}`);
  return [...planned, ...sent, ...real].join('\n');
}

/** Takes away what the next scenario must not see: it plans for the whole cluster. */
async function clear(stage: Stage, objects: readonly RawObject[]): Promise<void> {
  const kinds = ['DaemonSet', 'Provisioner', 'StorageClass', 'CSINode', 'RuntimeClass', 'PriorityClass'];
  await stage.delete(objects.filter(({ kind }) => kinds.includes(kind)).map(pathOf));
  await stage.until('everything to be gone', async () => {
    const {
      pods,
      nodes,
      persistentVolumeClaims,
      persistentVolumes,
      daemonSets,
      provisioners,
      storageClasses,
    } = stage.state.snapshot(0);
    await stage.delete([
      ...pods.map(({ namespace, name }) => `/api/v1/namespaces/${namespace}/pods/${name}`),
      ...nodes.map(({ name }) => `/api/v1/nodes/${name}`),
      ...persistentVolumeClaims.map(
        ({ namespace, name }) => `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`,
      ),
      ...persistentVolumes.map(({ name }) => `/api/v1/persistentvolumes/${name}`),
    ]);
    const left = [
      pods,
      nodes,
      persistentVolumeClaims,
      persistentVolumes,
      daemonSets,
      provisioners,
      storageClasses,
    ];
    return left.every((list) => list.length === 0);
  });
}
