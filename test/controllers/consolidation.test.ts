// Carrying out consolidation: pods are held to the places of the decision, and what it gains is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConsolidationMemory, consolidateNodes } from '../../src/controllers/consolidation.ts';
import { inlinePlanner } from '../../src/controllers/inlinePlanner.ts';
import { LaunchFailuresMemory } from '../../src/controllers/launchFailures.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { Nominations } from '../../src/controllers/nominations.ts';
import { ReplacementOrders } from '../../src/controllers/replacementOrders.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import { podKey } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { DecisionRecord } from '../../src/ports/journal.ts';
import type { EventDraft, NodeClaimDraft } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aBoundPod, aNodeClaim, anOwnedNode } from '../builders.ts';
import { aCluster, type Cluster, INITIALIZED, LARGE, NOW_MS, SMALL } from '../disruption/largeNodes.ts';

const HELD_MS = 60_000;

/** A controller over one cluster, and all that it has done. */
class Scene {
  readonly records: DecisionRecord[] = [];
  /** `reason kind name`. */
  readonly events: string[] = [];
  readonly deleted: string[] = [];
  readonly made: NodeClaim[] = [];
  readonly nominations = new Nominations();
  readonly state = new ClusterState();
  orders = new ReplacementOrders();
  readonly #ports: Ports;
  readonly #live: LiveState;
  readonly #memory = new ConsolidationMemory();

  constructor(cluster: Cluster) {
    const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
    fill(this.state, aCluster(cluster));
    this.#ports = this.#portsOf(clock);
    this.#live = new LiveState(this.state, clock, () => {});
  }

  look(): Promise<unknown> {
    const { orders, nominations } = this;
    const [live, memory] = [this.#live, this.#memory];
    const failures = new LaunchFailuresMemory();
    return consolidateNodes(this.#ports, { live, orders, nominations, memory, failures });
  }

  put(kind: 'node' | 'nodeClaim' | 'pod' | 'provisioner' | 'nodeClass', key: string, object: unknown): void {
    this.state.apply({ type: 'upsert', kind, key, object } as never);
  }

  #portsOf(clock: Ports['clock']): Ports {
    const ignore = (): void => {};
    const telemetry = {
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      metrics: { count: ignore, gauge: ignore, observe: ignore },
      dump: () => '',
    };
    return {
      ...{ clock, telemetry, planner: inlinePlanner(clock, telemetry) },
      journal: { append: (record: DecisionRecord) => this.records.push(record) },
      cloud: { instanceTypes: async () => ({ kind: 'found', instanceTypes: [LARGE, SMALL] }) },
      kube: {
        createNodeClaim: async (draft: NodeClaimDraft) => {
          const object = { ...aNodeClaim({ name: draft.name, createdAtMs: NOW_MS }), ...draft };
          this.made.push(object);
          return { kind: 'written', object };
        },
        deleteNodeClaim: async (name: string) => {
          this.deleted.push(name);
          return 'deleted';
        },
        publishEvent: async ({ about, reason }: EventDraft) =>
          void this.events.push(`${reason} ${about.kind} ${about.name}`),
      },
    } as unknown as Ports;
  }
}

function fill(
  state: ClusterState,
  { provisioners, nodeClasses, nodes, nodeClaims, pods }: ClusterSnapshot,
): void {
  const put = (kind: string, key: string, object: unknown): void =>
    void state.apply({ type: 'upsert', kind, key, object } as never);
  for (const one of provisioners) put('provisioner', one.name, one);
  for (const one of nodeClasses) put('nodeClass', one.key, one);
  for (const one of nodes) put('node', one.name, one);
  for (const one of nodeClaims) put('nodeClaim', one.name, one);
  for (const one of pods) put('pod', podKey(one), one);
}

test('once nodes are deleted, their pods are held to the places of the decision', async () => {
  const scene = new Scene({ nodes: { a: [200], b: [1500] } });
  await scene.look();
  const nominations = [{ pod: 'default/a-0', target: { kind: 'node', name: 'b' } }];
  assert.deepEqual(scene.orders.open('Underutilized')[0]?.nominations, nominations);
  assert.deepEqual([scene.deleted, scene.nominations.size], [[], 0]);
  await scene.look();
  assert.deepEqual(scene.deleted, ['c-a']);
  assert.deepEqual(scene.nominations.targetsOf(['default/a-0']), new Map([['default/a-0', 'b']]));
  assert.equal(scene.nominations.endsAtMs('b'), NOW_MS + HELD_MS);
});

test('what it saves and which pods move is in the journal, and an event on claim and Node', async () => {
  const scene = new Scene({ nodes: { a: [100, 100], b: [500, 500, 500] } });
  await scene.look();
  await scene.look();
  const gone = scene.records.filter(({ kind }) => kind === 'Disrupted');
  assert.equal(gone.length, 1);
  const { savingUsdPerHour = 0, ...record } = gone[0] ?? {};
  assert.ok(Math.abs(savingUsdPerHour - 0.096) < 1e-9, `${savingUsdPerHour} $/h`);
  assert.partialDeepStrictEqual(record, {
    ...{ subject: 'c-a', code: 'DisruptionUnderutilized', podsMoved: ['default/a-0', 'default/a-1'] },
  });
  const told = scene.events.filter((event) => event.startsWith('Disruption'));
  assert.deepEqual(told, ['DisruptionUnderutilized NodeClaim c-a', 'DisruptionUnderutilized Node a']);
});

test('an order that does not pay any more nominates nobody', async () => {
  const scene = new Scene({ nodes: { a: [200], b: [1500] } });
  await scene.look();
  const owner = { kind: 'ReplicaSet', name: 'app', uid: 'app' };
  scene.put('pod', 'default/late', aBoundPod('b', { name: 'late', owner, cpuMillis: 450 }));
  await scene.look();
  assert.deepEqual([scene.deleted, scene.nominations.size], [[], 0]);
  assert.deepEqual(scene.orders.open('Underutilized'), []);
});

/** A look that has bought a node, which is up by now. */
async function replaced(): Promise<{ readonly scene: Scene; readonly made: string }> {
  const scene = new Scene({ nodes: { a: [400] } });
  await scene.look();
  const [claim] = scene.made;
  assert.ok(claim !== undefined);
  const providerId = 'aws:///us-east-1a/i-new';
  const status = { ...NO_STATUS, providerId, nodeName: 'new', usdPerHour: 0.02, conditions: [INITIALIZED] };
  scene.put('nodeClaim', claim.name, { ...claim, resourceVersion: '2', status });
  const room = { cpu: 1000, memory: 2 ** 31, pods: 29 };
  scene.put('node', 'new', anOwnedNode({ name: 'new', providerId, capacity: room, allocatable: room }));
  return { scene, made: claim.name };
}

test('pods that a node was bought for are held to its claim', async () => {
  const { scene, made } = await replaced();
  await scene.look();
  assert.deepEqual(scene.deleted, ['c-a']);
  assert.deepEqual(scene.nominations.targetsOf(['default/a-0']), new Map([['default/a-0', made]]));
});

test('after a restart the order is carried out, with nothing known of where its pods were to go', async () => {
  const { scene } = await replaced();
  scene.orders = new ReplacementOrders();
  await scene.look();
  assert.deepEqual([scene.deleted, scene.nominations.size], [['c-a'], 0]);
  const [gone] = scene.records.filter(({ kind }) => kind === 'Disrupted');
  assert.deepEqual([gone?.subject, gone?.savingUsdPerHour, gone?.podsMoved], ['c-a', undefined, undefined]);
});
