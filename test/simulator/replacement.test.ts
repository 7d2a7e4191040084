// Nodes that expire: replacements first, through crashes, limits and machines that never get ready.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { CLAIM_ANNOTATION, LABEL } from '../../src/model/labels.ts';
import { hasCondition } from '../../src/model/nodeClaim.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import { CALM } from '../../src/simulator/faults.ts';
import type { HistoryEntry } from '../../src/simulator/history.ts';
import { ALWAYS_AND_AT_REST, watchInvariants } from '../../src/simulator/invariants/all.ts';
import { Simulation, type SimulationSetup } from '../../src/simulator/simulation.ts';
import { aPodSpec, aProvisioner, GIB } from '../builders.ts';
import { drawSetup, START_MS } from '../fuzz/drawSetup.ts';
import { FUZZ_CATALOGUE } from '../fuzz/runSeed.ts';

const MINUTE_MS = 60_000;
const TTL_MS = 20 * MINUTE_MS;

/** Six pods that share no node, on nodes that expire after 20 minutes. */
function aSetup(provisioner: Partial<Provisioner> = {}): SimulationSetup {
  const labels = { app: 'web' };
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] };
  const apart = { selector, topologyKey: LABEL.hostname, namespaces: [], namespaceSelector: null };
  return {
    ...drawSetup(1, FUZZ_CATALOGUE),
    seed: 'replacement',
    faultsUntilMs: START_MS + 90 * MINUTE_MS,
    faults: CALM,
    daemonSets: [],
    provisioners: [
      aProvisioner({
        requirements: [
          { key: LABEL.capacityType, operator: 'In', values: ['on-demand'] },
          { key: LABEL.arch, operator: 'In', values: ['amd64'] },
        ],
        ttlAfterEmptyMs: 30_000,
        ttlUntilExpiredMs: TTL_MS,
        ...provisioner,
      }),
    ],
    budgets: [
      {
        namespace: 'default',
        name: 'web',
        selector,
        minAvailable: null,
        maxUnavailable: '1',
        unhealthyPodEvictionPolicy: 'IfHealthyBudget',
      },
    ],
    workloads: [
      {
        kind: 'Deployment',
        namespace: 'default',
        name: 'web',
        labels,
        annotations: {},
        pod: aPodSpec({ requests: { cpu: 700, memory: GIB, pods: 1 }, podAntiAffinity: [apart] }),
        steps: [{ atMs: START_MS, replicas: 6 }],
        runTimeMs: null,
      },
    ],
  };
}

interface Watched {
  readonly simulation: Simulation;
  readonly entries: readonly HistoryEntry[];
  readonly conclude: () => readonly unknown[];
}

function watched(setup: SimulationSetup): Watched {
  const simulation = new Simulation(setup);
  const entries: HistoryEntry[] = [];
  simulation.history.listen((entry) => entries.push(entry));
  return { simulation, entries, conclude: watchInvariants(simulation, ALWAYS_AND_AT_REST) };
}

function decisions(entries: readonly HistoryEntry[], kind: string): readonly HistoryEntry[] {
  return entries.filter(({ facts }) => facts.kind === kind);
}

function readyPods({ store }: Simulation): number {
  return [...store.values('pod')].filter(({ ready, phase }) => ready && phase === 'Running').length;
}

/** The fewest ready pods from the time on at which all were ready. */
function watchReady(simulation: Simulation): () => number {
  let least = Number.POSITIVE_INFINITY;
  simulation.onStep(() => {
    const ready = readyPods(simulation);
    if (ready === 6 || least < Number.POSITIVE_INFINITY) least = Math.min(least, ready);
  });
  return () => least;
}

test('every node that expires is replaced first, and at most one pod is away at a time', async () => {
  const { simulation, entries, conclude } = watched(aSetup());
  const least = watchReady(simulation);
  await simulation.run(START_MS + 35 * MINUTE_MS);
  const gone = decisions(entries, 'Disrupted').filter(({ facts }) => facts.disruption === 'Expired');
  assert.equal(gone.length, 6);
  const bought = decisions(entries, 'Provisioned').filter(({ facts }) => facts.replaces !== undefined);
  assert.equal(bought.length, 6);
  for (const { subject, atMs } of gone) {
    const instead = bought.find(({ facts }) => (facts.replaces as string[]).includes(subject));
    const up = decisions(entries, 'Initialized').find((entry) => entry.subject === instead?.subject);
    assert.ok(up !== undefined && up.atMs <= atMs, `${subject} went before ${instead?.subject} was up`);
  }
  assert.equal(least(), 5);
  assert.equal(readyPods(simulation), 6);
  assert.deepEqual(
    conclude().filter((one) => !JSON.stringify(one).includes('comesToRest')),
    [],
  );
});

test('an order survives a crash: no second replacement is bought', async () => {
  const { simulation, entries } = watched(aSetup());
  const least = watchReady(simulation);
  let crashes = 0;
  simulation.history.listen(({ facts }) => {
    if (facts.kind !== 'Provisioned' || facts.replaces === undefined || crashes >= 3) return;
    crashes += 1;
    simulation.clock.after(1 + 400 * crashes, () => simulation.crash(3000));
  });
  await simulation.run(START_MS + 35 * MINUTE_MS);
  const bought = decisions(entries, 'Provisioned').filter(({ facts }) => facts.replaces !== undefined);
  assert.equal(crashes, 3);
  assert.equal(bought.length, 6);
  assert.equal(least(), 5);
  assert.equal(decisions(entries, 'Disrupted').length, 6);
});

test('where limits leave no room for a replacement, nodes go without one after ten minutes', async () => {
  const { simulation, entries } = watched(aSetup({ limits: { cpu: 12_000 } }));
  await simulation.run(START_MS + 45 * MINUTE_MS);
  const gone = decisions(entries, 'Disrupted').filter(({ facts }) => facts.disruption === 'Expired');
  assert.equal(gone.length, 6);
  for (const { atMs, facts } of gone) {
    assert.ok(atMs >= START_MS + TTL_MS + 10 * MINUTE_MS);
    assert.match(String(facts.reason), /without a replacement: .*may have 12 of cpu/);
  }
  const kept = decisions(entries, 'Kept').filter(({ facts }) =>
    String(facts.reason).includes('find no place'),
  );
  assert.equal(new Set(kept.map(({ subject }) => subject)).size, 6);
  assert.equal(readyPods(simulation), 6);
});

test('nodes that work stay while what is bought in their place never gets ready', async () => {
  const { simulation, entries } = watched(aSetup());
  await simulation.run(START_MS + 10 * MINUTE_MS);
  simulation.cloud.setFaults({ ...CALM.cloud, neverBoots: 1 });
  await simulation.run(START_MS + 80 * MINUTE_MS);
  const settled = new Set(decisions(entries, 'Initialized').map(({ subject }) => subject));
  assert.equal(settled.size, 6);
  assert.ok(!decisions(entries, 'Disrupted').some(({ subject }) => settled.has(subject)));
  assert.equal(readyPods(simulation), 6);
  const claims = [...simulation.store.values('nodeClaim')];
  assert.equal(claims.filter((claim) => hasCondition(claim, 'Initialized')).length, 6);
  const bought = decisions(entries, 'Provisioned').filter(({ facts }) => facts.replaces !== undefined);
  assert.ok(bought.length <= 40, `${bought.length} bought in vain`);
});

test('of many that expire at once, no more are under way than the budget says', async () => {
  const budget = { nodes: { kind: 'count' as const, amount: 2 }, reasons: null, window: null };
  const disruption = { ...NO_CONSOLIDATION, budgets: [budget] };
  const { simulation, entries } = watched(aSetup({ disruption }));
  let most = 0;
  simulation.onStep(() => {
    const claims = [...simulation.store.values('nodeClaim')];
    most = Math.max(most, claims.length);
  });
  await simulation.run(START_MS + 50 * MINUTE_MS);
  assert.ok(decisions(entries, 'Disrupted').length >= 6);
  assert.equal(most, 8);
});

test('a replacement that may not be stored keeps no other node from being replaced', async () => {
  const { simulation, entries } = watched(aSetup());
  await simulation.run(START_MS + 10 * MINUTE_MS);
  const [oldest] = [...simulation.store.values('node')].sort(
    (one, two) => one.createdAtMs - two.createdAtMs || (one.name < two.name ? -1 : 1),
  );
  const kept = [...simulation.store.values('nodeClaim')].find(
    ({ status }) => status.nodeName === oldest?.name,
  );
  const create = simulation.kube.createNodeClaim.bind(simulation.kube);
  simulation.kube.createNodeClaim = async (draft) => {
    if (draft.annotations?.[CLAIM_ANNOTATION.replaces] === kept?.name)
      throw new Error('admission webhook denied the request');
    return create(draft);
  };
  await simulation.run(START_MS + TTL_MS + 3 * MINUTE_MS);
  const gone = decisions(entries, 'Disrupted').filter(({ facts }) => facts.disruption === 'Expired');
  assert.equal(gone.filter(({ subject }) => subject !== kept?.name).length, 5);
});
