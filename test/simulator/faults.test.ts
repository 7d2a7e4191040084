// Each fault by itself does what its name says, and the cluster gets over it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import { isReady } from '../../src/model/node.ts';
import { podKey } from '../../src/model/pod.ts';
import { CALM, type FaultPlan } from '../../src/simulator/faults.ts';
import type { HistoryEntry, HistoryKind } from '../../src/simulator/history.ts';
import { ALWAYS_AND_AT_REST, watchInvariants } from '../../src/simulator/invariants/all.ts';
import type { Simulation } from '../../src/simulator/simulation.ts';
import { END_MS, START_MS } from '../fuzz/drawSetup.ts';
import { aSmallCluster } from './smallCluster.ts';

const NEVER = Number.POSITIVE_INFINITY;
const MINUTE_MS = 60_000;

/** Runs to the end; every invariant must hold, and all six pods must run. */
async function overcome(faults: Partial<FaultPlan>): Promise<{
  readonly simulation: Simulation;
  readonly entries: readonly HistoryEntry[];
  readonly of: (kind: HistoryKind) => readonly HistoryEntry[];
}> {
  const simulation = aSmallCluster(faults);
  const entries: HistoryEntry[] = [];
  simulation.history.listen((entry) => entries.push(entry));
  const conclude = watchInvariants(simulation, ALWAYS_AND_AT_REST);
  await simulation.run(END_MS);
  assert.deepEqual(conclude(), []);
  const running = [...simulation.store.values('pod')].filter(({ ready }) => ready);
  assert.equal(running.length, 6);
  return { simulation, entries, of: (kind) => entries.filter((entry) => entry.kind === kind) };
}

test('a partial fleet gives fewer instances than asked for, and the rest are asked for again', async () => {
  const { of } = await overcome({ cloud: { ...CALM.cloud, partialFleet: 1 } });
  const outcomes = new Set(of('FleetAnswered').map(({ facts }) => facts.outcome));
  assert.deepEqual([...outcomes].sort(), ['insufficientCapacity', 'launched']);
});

test('a spot instance has its notice for two minutes, is drained in them, and then goes in any case', async () => {
  const simulation = aSmallCluster({});
  const asked: string[] = [];
  simulation.cloud.observe({ terminationAsked: ({ nodeName }) => asked.push(nodeName) });
  await simulation.run(START_MS + 5 * MINUTE_MS);
  const [drained, held] = [...simulation.cloud.living()];
  for (const pod of [...(simulation.ledger.get(held?.nodeName ?? '')?.pods.values() ?? [])]) {
    const annotations = { 'karpenter.sh/do-not-evict': 'true' };
    simulation.store.put('pod', podKey(pod), { ...pod, annotations });
  }
  for (const one of [drained, held]) simulation.cloud.interrupt(one?.instance.providerId ?? '');
  assert.equal(simulation.cloud.interruptionNotices().length, 2);
  await simulation.run(START_MS + 7 * MINUTE_MS - 1);
  assert.deepEqual(asked, [drained?.nodeName]);
  assert.equal(held?.instance.state, 'running');
  await simulation.run(START_MS + 7 * MINUTE_MS);
  assert.equal(held?.instance.state, 'shutting-down');
  await simulation.run(START_MS + 10 * MINUTE_MS);
  assert.deepEqual(simulation.cloud.interruptionNotices(), []);
});

test('a claim that leaves says how far it has come: drained, then its instance terminating', async () => {
  const simulation = aSmallCluster({});
  const told: string[] = [];
  await simulation.run(START_MS + 5 * MINUTE_MS);
  simulation.store.subscribe((event) => {
    if (event.kind !== 'nodeClaim' || event.type !== 'upsert') return;
    const names = event.object.status.conditions.map(({ type }) => type).join(' ');
    if (event.object.deletionRequestedAtMs !== null && told.at(-1) !== names) told.push(names);
  });
  const [claim] = [...simulation.store.values('nodeClaim')];
  void simulation.kube.deleteNodeClaim(claim?.name ?? '', claim?.uid ?? '');
  await simulation.run(START_MS + 10 * MINUTE_MS);
  const before = 'Launched Registered Initialized';
  assert.deepEqual(told, [before, `${before} Drained`, `${before} Drained InstanceTerminating`]);
  assert.equal(simulation.store.get('nodeClaim', claim?.name ?? ''), undefined);
});

test('interruptions, failed hosts and silent kubelets cost nodes, and pods find others', async () => {
  for (const fault of ['interruptionMs', 'hostFailureMs', 'silenceMs'] as const) {
    const { of } = await overcome({ mishaps: { ...CALM.mishaps, [fault]: 4 * MINUTE_MS } });
    assert.ok(of('NodeNotReady').length > 0 || of('NodeGone').length > 0, fault);
  }
});

test('a Node that never becomes Ready is given back, with an event that says why', async () => {
  const { of, simulation } = await overcome({ cloud: { ...CALM.cloud, neverReady: 0.5 } });
  const told = of('EventPublished').filter(({ facts }) => facts.reason === 'NeverInitialized');
  assert.ok(told.length > 0);
  assert.match(String(told[0]?.facts.message), /15 min after it joined: the node is not Ready/);
  assert.ok([...simulation.store.values('node')].every(isReady));
});

test('a machine that registers twice ends with one registered Node', async () => {
  const { of, simulation } = await overcome({ cloud: { ...CALM.cloud, registersTwice: 1 } });
  assert.ok(of('NodeRegistered').length >= 2 * simulation.store.count('nodeClaim'));
  const owned = [...simulation.store.values('node')];
  assert.equal(new Set(owned.map(({ providerId }) => providerId)).size, owned.length);
  assert.ok(owned.every(({ labels }) => labels[LABEL.initialized] === 'true'));
});

test('calls that go through twice buy nothing twice', async () => {
  const { of } = await overcome({
    cloud: { ...CALM.cloud, repeated: 1, answerLost: 0.5 },
    kube: { ...CALM.kube, repeated: 0.3, answerLost: 0.1 },
  });
  const asked = of('FleetRequested').length;
  const launched = new Set(of('InstanceBooted').map(({ subject }) => subject)).size;
  assert.ok(asked > launched, `${asked} asked, ${launched} launched`);
});

test('lists that are out of date lose nothing', async () => {
  const { simulation } = await overcome({ cloud: { ...CALM.cloud, staleList: 1, listFails: 0.2 } });
  assert.equal([...simulation.cloud.living()].length, simulation.store.count('nodeClaim'));
});

test('events out of order, late and repeated lead to the same end', async () => {
  await overcome({ watch: { late: 0.5, latestMs: 5000, repeated: 0.5, reordered: 0.8 } });
});

test('an API server that is away, 410s, crashes and clocks that jump are got over', async () => {
  for (const fault of ['apiOutageMs', 'relistMs', 'crashMs', 'clockJumpMs'] as const) {
    const { of } = await overcome({ mishaps: { ...CALM.mishaps, [fault]: 5 * MINUTE_MS } });
    assert.ok(of('Mishap').length > 0, fault);
  }
});

test('two leaders act at once for the length of a lease, then one', async () => {
  const { of, simulation } = await overcome({ mishaps: { ...CALM.mishaps, twoLeadersMs: 5 * MINUTE_MS } });
  assert.ok(of('Mishap').some(({ subject }) => subject === 'twoLeaders'));
  assert.equal(simulation.processes.length, 1);
  const again = aSmallCluster({});
  await again.run(START_MS + MINUTE_MS);
  again.supersede(15_000);
  assert.equal(again.processes.length, 2);
  await again.run(START_MS + MINUTE_MS + 15_000);
  assert.deepEqual(
    again.processes.map(({ isAlive }) => isAlive),
    [true],
  );
});

test('a plan without faults has none', () => {
  const rates = [
    ...Object.values(CALM.cloud),
    ...Object.values(CALM.kube),
    CALM.watch.late,
    CALM.watch.reordered,
  ];
  assert.ok(rates.every((rate) => rate === 0));
  assert.ok(Object.values(CALM.mishaps).every((everyMs) => everyMs === NEVER));
});
