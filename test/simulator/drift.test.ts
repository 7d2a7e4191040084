// Drift over time: a canary first, the others after the soak, none when the image is bad, and what stays as it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DriftRules, NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { CLAIM_ANNOTATION, LABEL } from '../../src/model/labels.ts';
import { hasCondition, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import { CALM } from '../../src/simulator/faults.ts';
import type { HistoryEntry } from '../../src/simulator/history.ts';
import { ALWAYS, watchInvariants } from '../../src/simulator/invariants/all.ts';
import { Simulation, type SimulationSetup } from '../../src/simulator/simulation.ts';
import { aNodeClass, aPodSpec, aProvisioner, GIB } from '../builders.ts';
import { drawSetup, START_MS } from '../fuzz/drawSetup.ts';
import { FUZZ_CATALOGUE } from '../fuzz/runSeed.ts';

const MINUTE_MS = 60_000;
const RELEASED_MS = START_MS + 10 * MINUTE_MS;
const SOAK_MS = 5 * MINUTE_MS;
const REPLACE: DriftRules = { policy: 'Replace', canary: { nodes: 1, soakMs: SOAK_MS } };
const HALF = { nodes: { kind: 'count' as const, amount: 3 }, reasons: null, window: null };

function aDriftingProvisioner(drift: DriftRules, fields: Partial<Provisioner> = {}): Provisioner {
  return aProvisioner({
    requirements: [
      { key: LABEL.capacityType, operator: 'In', values: ['on-demand'] },
      { key: LABEL.arch, operator: 'In', values: ['amd64'] },
    ],
    ttlAfterEmptyMs: 30_000,
    disruption: { ...NO_CONSOLIDATION, drift, budgets: [HALF] },
    ...fields,
  });
}

/** Six pods on a node each, and an image that comes out after ten minutes. */
function aSetup(drift: DriftRules, fields: Partial<SimulationSetup> = {}): SimulationSetup {
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] };
  const apart = { selector, topologyKey: LABEL.hostname, namespaces: [], namespaceSelector: null };
  return {
    ...drawSetup(1, FUZZ_CATALOGUE),
    seed: 'drift',
    faults: CALM,
    daemonSets: [],
    provisioners: [aDriftingProvisioner(drift)],
    budgets: [
      {
        ...{ namespace: 'default', name: 'web', selector, minAvailable: null, maxUnavailable: '1' },
        unhealthyPodEvictionPolicy: 'IfHealthyBudget',
      },
    ],
    workloads: [
      {
        ...{ kind: 'Deployment', namespace: 'default', name: 'web', labels: { app: 'web' }, annotations: {} },
        pod: aPodSpec({ requests: { cpu: 700, memory: GIB, pods: 1 }, podAntiAffinity: [apart] }),
        steps: [{ atMs: START_MS, replicas: 6 }],
        runTimeMs: null,
      },
    ],
    images: [{ atMs: RELEASED_MS, id: 'ami-new', isBad: false }],
    ...fields,
  };
}

interface Watched {
  readonly simulation: Simulation;
  readonly entries: readonly HistoryEntry[];
  readonly conclude: () => readonly unknown[];
  readonly leastReady: () => number;
}

function watched(setup: SimulationSetup): Watched {
  const simulation = new Simulation(setup);
  const entries: HistoryEntry[] = [];
  simulation.history.listen((entry) => entries.push(entry));
  let least = Number.POSITIVE_INFINITY;
  simulation.onStep(() => {
    const ready = [...simulation.store.values('pod')].filter((pod) => pod.ready && pod.phase === 'Running');
    if (ready.length === 6 || least < Number.POSITIVE_INFINITY) least = Math.min(least, ready.length);
  });
  return { simulation, entries, conclude: watchInvariants(simulation, ALWAYS), leastReady: () => least };
}

function claims({ store }: Simulation): readonly NodeClaim[] {
  return [...store.values('nodeClaim')];
}

function imagesOf(simulation: Simulation): readonly string[] {
  return claims(simulation)
    .map(({ status }) => status.imageId)
    .sort();
}

function drifted(simulation: Simulation): readonly NodeClaim[] {
  return claims(simulation).filter((claim) => hasCondition(claim, 'Drifted'));
}

function gone(entries: readonly HistoryEntry[]): readonly HistoryEntry[] {
  return entries.filter(({ facts }) => facts.kind === 'Disrupted' && facts.disruption === 'Drifted');
}

const OLD = Array.from({ length: 6 }, () => 'ami-simulated');
const NEW = Array.from({ length: 6 }, () => 'ami-new');

test('one node goes first, the others after its soak, and five pods stay ready', async () => {
  const { simulation, entries, conclude, leastReady } = watched(aSetup(REPLACE));
  await simulation.run(RELEASED_MS + 30 * MINUTE_MS);
  assert.deepEqual(imagesOf(simulation), NEW);
  const [first, second] = gone(entries);
  assert.equal(gone(entries).length, 6);
  assert.ok((second?.atMs ?? 0) - (first?.atMs ?? 0) >= SOAK_MS, 'the second waits for the soak');
  assert.equal(leastReady(), 5);
  assert.deepEqual(drifted(simulation), []);
  assert.deepEqual(conclude(), []);
});

test('without a canary they go as budgets let them', async () => {
  const { simulation, leastReady } = watched(aSetup({ policy: 'Replace', canary: { nodes: 0, soakMs: 0 } }));
  let most = 0;
  simulation.onStep(() => {
    most = Math.max(most, claims(simulation).length);
  });
  await simulation.run(RELEASED_MS + 15 * MINUTE_MS);
  assert.deepEqual(imagesOf(simulation), NEW);
  assert.equal(most, 9);
  assert.equal(leastReady(), 5);
});

test('a controller that starts anew goes on with what it has ordered', async () => {
  // Some replacements are on order at a start, some nodes soak.
  const { simulation, entries, conclude } = watched(aSetup(REPLACE));
  for (let second = 30; second < 3600; second += 70)
    simulation.clock.at(RELEASED_MS + second * 1000, () => simulation.crash(1000));
  await simulation.run(RELEASED_MS + 60 * MINUTE_MS);
  assert.deepEqual(imagesOf(simulation), NEW);
  const bought = entries.filter(({ facts }) => facts.kind === 'Provisioned' && facts.replaces !== undefined);
  assert.equal(bought.length, 6);
  assert.deepEqual(conclude(), []);
});

const BAD = [{ atMs: RELEASED_MS, id: 'ami-bad', isBad: true }];

for (const crashes of [false, true]) {
  test(`a bad image stops after the canary${crashes ? ', whenever the controller starts anew' : ''}`, async () => {
    const { simulation, entries, leastReady } = watched(aSetup(REPLACE, { images: BAD }));
    if (crashes)
      for (let minute = 0; minute < 60; minute += 4)
        simulation.clock.at(RELEASED_MS + minute * MINUTE_MS, () => simulation.crash(2000));
    await simulation.run(RELEASED_MS + 80 * MINUTE_MS);
    assert.deepEqual(imagesOf(simulation), OLD);
    assert.equal(gone(entries).length, 0);
    assert.equal(leastReady(), 6);
    const bought = entries.filter(
      ({ facts }) => facts.kind === 'Provisioned' && facts.replaces !== undefined,
    );
    assert.equal(bought.length, 1);
    assert.ok(entries.some(({ subject }) => subject === 'rollout halted'));
    assert.ok(entries.some(({ facts }) => facts.disruption === 'RolledBack'));
    const marks = claims(simulation).map(({ annotations }) => annotations?.[CLAIM_ANNOTATION.rolloutHalted]);
    assert.equal(new Set(marks).size, 1);
    assert.ok(marks[0]);
    assert.equal(drifted(simulation).length, 6);
  });
}

/** What launches would use is known a little later than all else, as it is when EC2 has to be asked. */
function asksForLong(simulation: Simulation): void {
  const { cloud, clock } = simulation;
  cloud.nodeClassTargets = async () => {
    await clock.sleep(1500);
    return cloud.targets.now();
  };
}

function startsAnew(simulation: Simulation, everyMs: number): void {
  for (let atMs = RELEASED_MS; atMs < RELEASED_MS + 60 * MINUTE_MS; atMs += everyMs)
    simulation.clock.at(atMs, () => simulation.crash(2000));
}

function boughtFor(entries: readonly HistoryEntry[]): readonly HistoryEntry[] {
  return entries.filter(({ facts }) => facts.kind === 'Provisioned' && facts.replaces !== undefined);
}

test('a controller that starts anew buys no replacement twice', async () => {
  const { simulation, entries } = watched(aSetup(REPLACE));
  asksForLong(simulation);
  startsAnew(simulation, MINUTE_MS / 3);
  await simulation.run(RELEASED_MS + 60 * MINUTE_MS);
  assert.deepEqual(imagesOf(simulation), NEW);
  assert.equal(boughtFor(entries).length, 6);
});

test('a controller that starts anew knows what is halted before it knows the account', async () => {
  const changed = aDriftingProvisioner(REPLACE, { labels: { team: 'a' } });
  const changes = [{ atMs: RELEASED_MS, provisioners: [changed], nodeClasses: [] }];
  const { simulation, entries } = watched(aSetup(REPLACE, { images: BAD, changes }));
  asksForLong(simulation);
  startsAnew(simulation, 4 * MINUTE_MS);
  await simulation.run(RELEASED_MS + 60 * MINUTE_MS);
  assert.deepEqual(imagesOf(simulation), OLD);
  assert.equal(boughtFor(entries).length, 1);
});

test('a pod that comes to forbid it while the replacement comes up keeps its node', async () => {
  const { simulation, entries } = watched(aSetup(REPLACE));
  let kept = '';
  simulation.onStep(() => {
    const [ordered] = boughtFor(entries);
    if (ordered === undefined || kept !== '') return;
    kept = String(ordered.facts.replaces);
    const node = claims(simulation).find(({ name }) => name === kept)?.status.nodeName;
    for (const pod of simulation.store.values('pod')) {
      const annotations = { 'karpenter.sh/do-not-disrupt': 'true' };
      if (pod.nodeName === node)
        simulation.store.put('pod', `${pod.namespace}/${pod.name}`, { ...pod, annotations });
    }
  });
  await simulation.run(RELEASED_MS + 40 * MINUTE_MS);
  assert.notEqual(kept, '');
  const went = gone(entries).map(({ subject }) => subject);
  assert.equal(went.length, 5);
  assert.ok(!went.includes(kept));
});

test('a halted rollout goes on with the next image, or when its Provisioner is annotated anew', async () => {
  const images = [...BAD, { atMs: RELEASED_MS + 30 * MINUTE_MS, id: 'ami-new', isBad: false }];
  const { simulation } = watched(aSetup(REPLACE, { images }));
  await simulation.run(RELEASED_MS + 60 * MINUTE_MS);
  assert.deepEqual(imagesOf(simulation), NEW);

  const again = aDriftingProvisioner(REPLACE, { rolloutAttempt: '2' });
  const change = { atMs: RELEASED_MS + 30 * MINUTE_MS, provisioners: [again], nodeClasses: [] };
  const { simulation: other, entries } = watched(aSetup(REPLACE, { images: BAD, changes: [change] }));
  await other.run(RELEASED_MS + 60 * MINUTE_MS);
  assert.deepEqual(imagesOf(other), OLD);
  assert.equal(entries.filter(({ facts }) => facts.replaces !== undefined).length, 2);
});

test('replacements that become NotReady within their soak halt the rollout', async () => {
  const { simulation, entries } = watched(aSetup(REPLACE));
  let isSilenced = false;
  simulation.onStep(() => {
    const up = claims(simulation).find(
      (claim) => claim.status.imageId === 'ami-new' && hasCondition(claim, 'Initialized'),
    );
    if (up === undefined || isSilenced) return;
    isSilenced = true;
    simulation.kubelets.halt(up.status.nodeName);
    simulation.lifecycle.fellSilent(up.status.nodeName);
  });
  await simulation.run(RELEASED_MS + 40 * MINUTE_MS);
  assert.equal(gone(entries).length, 1);
  assert.ok(entries.some(({ subject }) => subject === 'rollout halted'));
});

for (const policy of ['Observe', 'Never'] as const) {
  test(`${policy}: nothing is replaced`, async () => {
    const { simulation, entries } = watched(aSetup({ ...REPLACE, policy }));
    await simulation.run(RELEASED_MS + 30 * MINUTE_MS);
    assert.deepEqual(imagesOf(simulation), OLD);
    assert.equal(gone(entries).length, 0);
    assert.equal(drifted(simulation).length, policy === 'Observe' ? 6 : 0);
  });
}

test('a changed template drifts its nodes; a changed limit does not', async () => {
  const limits = { cpu: 1_000_000 };
  const changed = aDriftingProvisioner(REPLACE, { labels: { team: 'a' }, limits });
  const at = (atMs: number, provisioner: Provisioner) => ({
    atMs,
    provisioners: [provisioner],
    nodeClasses: [],
  });
  const changes = [
    at(START_MS + 5 * MINUTE_MS, aDriftingProvisioner(REPLACE, { limits })),
    at(RELEASED_MS, changed),
  ];
  const { simulation } = watched(aSetup(REPLACE, { images: [], changes }));
  await simulation.run(RELEASED_MS - 1);
  assert.deepEqual(drifted(simulation), []);
  await simulation.run(RELEASED_MS + 30 * MINUTE_MS);
  assert.deepEqual(
    claims(simulation).map(({ spec }) => spec.labels.team),
    ['a', 'a', 'a', 'a', 'a', 'a'],
  );
  assert.deepEqual(drifted(simulation), []);
});

test('a changed node class drifts its nodes', async () => {
  const nodeClasses = [aNodeClass({ userData: '#!/bin/bash\necho hello\n' })];
  const changes = [{ atMs: RELEASED_MS, provisioners: [], nodeClasses }];
  const { simulation, entries } = watched(aSetup(REPLACE, { images: [], changes }));
  await simulation.run(RELEASED_MS + 30 * MINUTE_MS);
  assert.equal(gone(entries).length, 6);
});
