// One planning pass of the real wiring over many pods (JSON on standard input), watched from inside and outside.
import { text } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import { Interner } from '../src/api/objects/interner.ts';
import { parsePod } from '../src/api/objects/pod.ts';
import { readCatalogue } from '../src/cli/catalogueFile.ts';
import { startControlLoop } from '../src/cli/controlLoop.ts';
import { serveEndpoints } from '../src/cli/endpoints.ts';
import { REAL_CLOCK } from '../src/cli/realClock.ts';
import type { RunSettings } from '../src/cli/settings.ts';
import { ControllerManager } from '../src/controllers/manager.ts';
import { DEFAULT_SETTINGS } from '../src/controllers/settings.ts';
import type { ClusterEvent } from '../src/model/clusterEvent.ts';
import type { InstanceType } from '../src/model/instanceType.ts';
import { LABEL } from '../src/model/labels.ts';
import type { NodeClaim } from '../src/model/nodeClaim.ts';
import { type Pod, podKey } from '../src/model/pod.ts';
import { ThreadPlanner } from '../src/planner/threadPlanner.ts';
import type { CloudProvider, LaunchedInstance } from '../src/ports/cloudProvider.ts';
import type { KubeApi } from '../src/ports/kubeApi.ts';
import type { Telemetry } from '../src/ports/telemetry.ts';
import { ClusterState } from '../src/state/clusterState.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { aNodeClaim, aNodeClass, anOwnedNode, aPodSpec, aProvisioner, GIB } from '../test/builders.ts';
import { fakeTypes } from './catalogues.ts';
import { type Blocks, watchEventLoop } from './eventLoopWatch.ts';
import { drawMix } from './mixes.ts';

export interface EventLoopCase {
  readonly pending: number;
  readonly nodes: number;
  readonly boundPods: number;
  /** A pod that no type holds: refused, each with an event and a line in the log. */
  readonly refused: boolean;
}

export interface EventLoopAnswer extends Blocks {
  readonly healthzSlowestMs: number;
  /** The same, less what the asking thread waited for a processor itself. */
  readonly healthzSlowestFairMs: number;
  readonly healthzAsked: number;
  /** From the first pod to the last claim stored or refusal told. */
  readonly passMs: number;
  readonly claims: number;
  readonly events: number;
}

const PROVISIONER = aProvisioner({
  requirements: [{ key: LABEL.capacityType, operator: 'In', values: ['spot', 'on-demand'] }],
});
/** Watches hand over lines as they come; so many in one turn is a lot. */
const EVENTS_A_TURN = 250;
/** Other controllers look at what has changed within this time. */
const AFTERWARDS_MS = 3_000;

const PASS_MOST_MS = 60_000;
/** No pass is due for so long: what is left is tried again after ten seconds. */
const SETTLED_MS = 2_000;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Kubernetes and EC2 in memory: each call answers in a later turn. */
class World {
  claims = 0;
  events = 0;
  readonly #types: readonly InstanceType[];

  constructor(types: readonly InstanceType[]) {
    this.#types = types;
  }

  get kube(): KubeApi {
    const written = async () => {
      await nextTurn();
      return 'written' as const;
    };
    const api: Partial<KubeApi> = {
      createNodeClaim: async ({ name, spec }) => {
        await nextTurn();
        this.claims += 1;
        const object: NodeClaim = { ...aNodeClaim({ name, spec }), createdAtMs: Date.now() };
        return { kind: 'written', object };
      },
      writeNodeClaimStatus: async (claim, status) => {
        await nextTurn();
        const resourceVersion = String(Number(claim.resourceVersion) + 1);
        return { kind: 'written', object: { ...claim, resourceVersion, status } };
      },
      patchNode: async (node, { labels = {}, annotations = {}, addFinalizer }) => {
        await nextTurn();
        const resourceVersion = String(Number(node.resourceVersion) + 1);
        const finalizers = addFinalizer === undefined ? node.finalizers : [...node.finalizers, addFinalizer];
        const merged = { ...node.labels, ...withoutNulls(labels) };
        const notes = { ...node.annotations, ...withoutNulls(annotations) };
        return {
          kind: 'written',
          object: { ...node, resourceVersion, finalizers, labels: merged, annotations: notes },
        };
      },
      publishEvent: async () => {
        this.events += 1;
        await nextTurn();
      },
      nominatePod: written,
      writeProvisionerStatus: written,
      writeNodeTemplateStatus: written,
    };
    return api as KubeApi;
  }

  get cloud(): CloudProvider {
    const api: Partial<CloudProvider> = {
      instanceTypes: async () => ({ kind: 'found', instanceTypes: this.#types }),
      launch: async (claim) => {
        await nextTurn();
        return { kind: 'launched', instance: launched(claim, this.#types) };
      },
      list: async () => [],
    };
    return api as CloudProvider;
  }
}

function withoutNulls(values: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  );
}

function launched({ name, uid, spec }: NodeClaim, types: readonly InstanceType[]): LaunchedInstance {
  const type = types.find((one) => one.name === spec.instanceTypes[0]);
  return {
    providerId: `aws:///test-zone-1/i-${name}`,
    instanceType: spec.instanceTypes[0] ?? '',
    zone: 'test-zone-1',
    capacityType: 'spot',
    imageId: 'ami-1',
    launchedAtMs: Date.now(),
    state: 'pending',
    nodeClaim: name,
    nodeClaimUid: uid,
    provisioner: spec.provisioner,
    usdPerHour: 1,
    capacity: type?.capacity ?? {},
    allocatable: type?.allocatable ?? {},
  };
}

/** Owned nodes with their claims, all but full of the pods of 200 apps. */
function* standing({ nodes, boundPods }: EventLoopCase): Generator<ClusterEvent> {
  const specs = Array.from({ length: 200 }, (_, app) =>
    aPodSpec({ requests: { cpu: 100 + app, memory: GIB / 4, pods: 1 } }),
  );
  for (let index = 0; index < nodes; index++) {
    const [name, providerId] = [`node-${index}`, `aws:///test-zone-1/i-${index}`];
    const amounts = { cpu: 3000, memory: 8 * GIB, pods: 58 };
    const labels = { [LABEL.zone]: `test-zone-${1 + (index % 3)}` };
    const node = anOwnedNode({ name, providerId, labels, capacity: amounts, allocatable: amounts });
    yield { type: 'upsert', kind: 'node', key: name, object: node };
    const conditions = (['Launched', 'Registered', 'Initialized'] as const).map((type) => ({
      type,
      status: 'True' as const,
      ...{ reason: '', message: '', sinceMs: 0 },
    }));
    const claim = aNodeClaim({ name: `claim-${index}` });
    const status = { ...claim.status, providerId, nodeName: name, instanceType: 'fake-it-3', conditions };
    yield { type: 'upsert', kind: 'nodeClaim', key: claim.name, object: { ...claim, status } };
  }
  for (let index = 0; index < boundPods; index++) {
    const app = index % specs.length;
    const object: Pod = {
      ...{ namespace: 'default', name: `app-${app}-${index}`, uid: `bound-${index}` },
      ...{ labels: { app: `app-${app}` }, annotations: {}, spec: specs[app] ?? aPodSpec() },
      owner: { kind: 'ReplicaSet', name: `app-${app}`, uid: `app-${app}` },
      ...{ createdAtMs: 0, phase: 'Running', ready: true, nodeName: `node-${index % nodes}` },
      ...{ nominatedNodeName: '', unschedulableSinceMs: null, schedulingGated: false },
      ...{ deletionRequestedAtMs: null, mirror: false },
    };
    yield { type: 'upsert', kind: 'pod', key: podKey(object), object };
  }
}

function* pending({ pending: count, refused }: EventLoopCase): Generator<ClusterEvent> {
  const interner = new Interner();
  const tooLarge = aPodSpec({ requests: { cpu: 10_000_000, memory: GIB, pods: 1 } });
  for (const manifest of drawMix('diverse', count)) {
    const parsed = parsePod(manifest, interner);
    if (parsed.kind === 'invalid') throw new Error(`${parsed.name} is invalid`);
    const { spec } = parsed.value;
    const object: Pod = {
      ...parsed.value,
      spec: refused ? tooLarge : spec,
      unschedulableSinceMs: Date.now(),
    };
    yield { type: 'upsert', kind: 'pod', key: podKey(object), object };
  }
}

async function feed(events: Iterable<ClusterEvent>, state: ClusterState, manager: ControllerManager) {
  let inTurn = 0;
  for (const event of events) {
    if (state.apply(event)) manager.noteEvent(event);
    inTurn += 1;
    if (inTurn % EVENTS_A_TURN === 0) await nextTurn();
  }
}

async function main(order: EventLoopCase): Promise<EventLoopAnswer> {
  const { metrics, registry } = createMetrics();
  let passes = 0;
  const log = createLog('info', (line) => {
    if (line.includes('"pods planned"')) passes += 1;
    if (line.includes('"level":"error"')) process.stderr.write(line);
  });
  const telemetry: Telemetry = { log, metrics, dump: () => 'not kept' };
  const probes = { metricsPort: 0, healthProbePort: 0 } as RunSettings;
  const endpoints = await serveEndpoints(probes, registry, { unreadyBecause: () => null });
  const { instanceTypes } = readCatalogue(fakeTypes(400));
  const world = new World(instanceTypes);
  const planner = new ThreadPlanner({ telemetry, dumpFolder: '' });
  const state = new ClusterState();
  const { kube, cloud } = world;
  const journal = { append: () => {}, latest: () => [] };
  const ports = { clock: REAL_CLOCK, kube, cloud, planner, journal, telemetry };
  const manager = new ControllerManager(ports, state, DEFAULT_SETTINGS);
  const nodeClass = aNodeClass();
  state.apply({ type: 'upsert', kind: 'provisioner', key: 'default', object: PROVISIONER });
  state.apply({ type: 'upsert', kind: 'nodeClass', key: nodeClass.key, object: nodeClass });
  await feed(standing(order), state, manager);
  await planner.prepare(state.snapshot(Date.now()));
  const loop = startControlLoop(manager, REAL_CLOCK);
  const probe = new Worker(new URL('./eventLoopProbe.ts', import.meta.url), {
    workerData: endpoints.ports.healthProbePort,
  });
  await new Promise((resolve) => setTimeout(resolve, AFTERWARDS_MS));
  const events = [...pending(order)];
  probe.postMessage('reset');
  await nextTurn();
  const blocks = watchEventLoop();
  const startMs = performance.now();
  await feed(events, state, manager);
  const isSettled = (): boolean =>
    passes > 0 && manager.idle && manager.memory.dueAtMs() > Date.now() + SETTLED_MS;
  while (!isSettled()) {
    if (performance.now() - startMs > PASS_MOST_MS) throw new Error('the pass has not ended');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const passMs = performance.now() - startMs;
  await new Promise((resolve) => setTimeout(resolve, AFTERWARDS_MS));
  const seen = blocks();
  probe.postMessage('report');
  const told = await new Promise<{ slowestMs: number; slowestFairMs: number; asked: number }>((resolve) =>
    probe.once('message', resolve),
  );
  loop.stop();
  while (!manager.idle) await new Promise((resolve) => setTimeout(resolve, 5));
  await Promise.all([probe.terminate(), planner.stop()]);
  endpoints.close();
  const { claims, events: eventCount } = world;
  return {
    ...seen,
    ...{ healthzSlowestMs: told.slowestMs, healthzSlowestFairMs: told.slowestFairMs },
    ...{ healthzAsked: told.asked, passMs, claims, events: eventCount },
  };
}

const order = JSON.parse(await text(process.stdin)) as EventLoopCase;
process.stdout.write(JSON.stringify(await main(order)));
