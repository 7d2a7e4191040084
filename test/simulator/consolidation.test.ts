// Consolidation over time: replacements first, no pod without a node for long, a lower price, and rest.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replacedBy } from '../../src/disruption/replacements.ts';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { LABEL } from '../../src/model/labels.ts';
import { podKey } from '../../src/model/pod.ts';
import { CALM } from '../../src/simulator/faults.ts';
import { formatEntry } from '../../src/simulator/history.ts';
import { ALWAYS, ALWAYS_AND_AT_REST, watchInvariants } from '../../src/simulator/invariants/all.ts';
import { Simulation, type SimulationSetup } from '../../src/simulator/simulation.ts';
import type { WorkloadSpec } from '../../src/simulator/workloads.ts';
import { aPodSpec, aProvisioner, GIB } from '../builders.ts';
import { drawSetup, START_MS } from '../fuzz/drawSetup.ts';
import { FUZZ_CATALOGUE } from '../fuzz/runSeed.ts';

const MINUTE_MS = 60_000;
const TEN_MINUTES_MS = START_MS + 10 * MINUTE_MS;

function aWorkload(
  name: string,
  replicas: readonly [number, number],
  fields: Partial<WorkloadSpec> = {},
): WorkloadSpec {
  const [before, after] = replicas;
  return {
    kind: 'Deployment',
    namespace: 'default',
    name,
    labels: { app: name },
    annotations: {},
    pod: aPodSpec({ requests: { cpu: 700, memory: GIB, pods: 1 } }),
    steps: [
      { atMs: START_MS, replicas: before },
      { atMs: TEN_MINUTES_MS, replicas: after },
    ],
    runTimeMs: null,
    ...fields,
  };
}

function aCluster(workloads: readonly WorkloadSpec[], consolidation = true): SimulationSetup {
  const policy = { consolidation: 'WhenEmptyOrUnderutilized' as const, minimumNodeAgeMs: 2 * MINUTE_MS };
  return {
    ...drawSetup(1, FUZZ_CATALOGUE),
    faults: CALM,
    daemonSets: [],
    budgets: [],
    provisioners: [
      aProvisioner({
        requirements: [
          { key: LABEL.capacityType, operator: 'In', values: ['on-demand'] },
          { key: LABEL.arch, operator: 'In', values: ['amd64'] },
        ],
        ...(consolidation ? { disruption: { ...NO_CONSOLIDATION, ...policy } } : { ttlAfterEmptyMs: 30_000 }),
      }),
    ],
    workloads,
  };
}

interface Ending {
  readonly usdPerHour: number;
  readonly nodes: number;
  readonly violations: readonly unknown[];
  readonly lines: readonly string[];
}

async function ends(setup: SimulationSetup): Promise<Ending> {
  const simulation = new Simulation(setup);
  const conclude = watchInvariants(simulation, ALWAYS_AND_AT_REST);
  const lines: string[] = [];
  simulation.history.listen((entry) => lines.push(formatEntry(entry)));
  await simulation.run(START_MS + 90 * MINUTE_MS);
  const living = [...simulation.cloud.living()];
  const usdPerHour = living.reduce((sum, { instance }) => sum + (instance.usdPerHour ?? 0), 0);
  return { usdPerHour, nodes: living.length, violations: conclude(), lines };
}

const KEPT = { annotations: { 'karpenter.sh/do-not-evict': 'true' } };

test('what a scale-down leaves is brought together, and costs less', async () => {
  const workloads = [aWorkload('web', [40, 12]), aWorkload('api', [20, 6])];
  const [with_, without] = [await ends(aCluster(workloads)), await ends(aCluster(workloads, false))];
  assert.deepEqual(with_.violations, []);
  assert.ok(with_.usdPerHour < without.usdPerHour, `${with_.usdPerHour} and ${without.usdPerHour} $/h`);
  assert.ok(with_.lines.some((line) => line.includes('Underutilized')));
});

test('pods that forbid it keep their nodes', async () => {
  const { violations, lines } = await ends(aCluster([aWorkload('web', [40, 12], KEPT)]));
  assert.deepEqual(violations, []);
  assert.ok(!lines.some((line) => line.includes('Evicted')));
});

test('a node is replaced by a cheaper one, which is up before the old one goes', async () => {
  const { violations, lines } = await ends(aCluster([aWorkload('web', [10, 1])]));
  assert.deepEqual(violations, []);
  const bought = lines.findIndex((line) => line.includes('replacement: '));
  assert.ok(bought >= 0, 'nothing was replaced');
  const gone = lines.findIndex((line, index) => index > bought && line.includes('Underutilized'));
  const up = lines.findIndex((line, index) => index > bought && line.includes('Initialized'));
  assert.ok(up > bought && gone > up, `bought at ${bought}, up at ${up}, gone at ${gone}`);
});

test('what others buy after an action does not hold up the next one', async () => {
  const steps = (...at: readonly (readonly [minute: number, replicas: number])[]) => ({
    steps: at.map(([minute, replicas]) => ({ atMs: START_MS + minute * MINUTE_MS, replicas })),
  });
  const large = { pod: aPodSpec({ requests: { cpu: 3000, memory: GIB, pods: 1 } }) };
  const workloads = [
    aWorkload('first', [20, 3]),
    aWorkload('second', [20, 3], steps([0, 20], [14, 3])),
    aWorkload('growing', [1, 30], { ...large, ...steps([0, 1], [11.5, 30]) }),
  ];
  const { violations, lines } = await ends(aCluster(workloads));
  assert.deepEqual(violations, []);
  const first = lines.findIndex((line) => line.includes('fit on other nodes'));
  const grown = lines.findIndex((line) => line.includes('growing') && line.includes('waits for a node'));
  const next = lines.findLastIndex((line) => line.includes('fit on other nodes'));
  assert.ok(first >= 0 && first < grown && grown < next, `${first}, ${grown}, ${next}`);
  assert.deepEqual(
    lines.filter((line) => line.includes('it pauses')),
    [],
  );
});

test('a suspended Provisioner launches nothing and takes nothing away', async () => {
  const setup = aCluster([aWorkload('web', [10, 1])]);
  const provisioners = setup.provisioners.map((one) => ({ ...one, suspended: true }));
  const { nodes, lines } = await ends({ ...setup, provisioners });
  assert.equal(nodes, 0);
  assert.ok(lines.some((line) => line.includes('spec.suspend')));
});

test('nodes bought for pods that a budget never lets go do not stay idle beside theirs', async () => {
  const setup = aCluster([aWorkload('web', [6, 6])], false);
  const provisioners = setup.provisioners.map((one) => ({ ...one, ttlUntilExpiredMs: 20 * MINUTE_MS }));
  const budget = {
    ...{ namespace: 'default', name: 'web', minAvailable: null, maxUnavailable: '0' },
    selector: { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] },
    unhealthyPodEvictionPolicy: 'IfHealthyBudget' as const,
  };
  const simulation = new Simulation({ ...setup, provisioners, budgets: [budget] });
  const conclude = watchInvariants(simulation, ALWAYS);
  const instances = async (minutes: number): Promise<number> => {
    await simulation.run(START_MS + minutes * MINUTE_MS);
    return [...simulation.cloud.living()].length;
  };
  const before = await instances(19);
  assert.equal(await instances(25), 2 * before);
  assert.equal(await instances(40), before);
  assert.equal(await instances(90), before);
  assert.ok([...simulation.store.values('pod')].every(({ ready }) => ready));
  assert.deepEqual(conclude(), []);
});

test('a replacement that is given up is unmarked, and goes since it is empty', async () => {
  const simulation = new Simulation(aCluster([aWorkload('web', [10, 1])]));
  const { store } = simulation;
  let givenUpAtMs = 0;
  simulation.history.listen(({ facts, atMs }) => {
    if (String(facts.reason).startsWith('not consolidated after all')) givenUpAtMs = atMs;
  });
  let unmarkedAtMs = 0;
  let isForbidden = false;
  simulation.onStep(() => {
    const isMarked = [...store.values('nodeClaim')].some((claim) => replacedBy(claim).length > 0);
    if (givenUpAtMs > 0 && !isMarked && unmarkedAtMs === 0) unmarkedAtMs = simulation.clock.nowMs();
    if (isForbidden || !isMarked) return;
    isForbidden = true;
    for (const pod of store.values('pod'))
      store.put('pod', podKey(pod), { ...pod, annotations: { 'karpenter.sh/do-not-evict': 'true' } });
  });
  await simulation.run(START_MS + 40 * MINUTE_MS);
  assert.ok(givenUpAtMs > 0);
  assert.ok(unmarkedAtMs > 0 && unmarkedAtMs - givenUpAtMs < 1000, `${unmarkedAtMs - givenUpAtMs} ms later`);
  assert.equal(store.count('nodeClaim'), 1);
});
