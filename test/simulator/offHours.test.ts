// A Provisioner that is off at night, over a day: drained in the evening, back in the morning.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCron } from '../../src/model/cronSchedule.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import { CALM } from '../../src/simulator/faults.ts';
import type { HistoryEntry } from '../../src/simulator/history.ts';
import { ALWAYS_AND_AT_REST, watchInvariants } from '../../src/simulator/invariants/all.ts';
import { Simulation, type SimulationSetup } from '../../src/simulator/simulation.ts';
import type { WorkloadSpec } from '../../src/simulator/workloads.ts';
import { aPodSpec, aProvisioner, GIB } from '../builders.ts';
import { drawSetup, START_MS } from '../fuzz/drawSetup.ts';
import { FUZZ_CATALOGUE } from '../fuzz/runSeed.ts';

const HOUR_MS = 3_600_000;
/** The simulation begins at midnight: off from 19:00 to 22:00 in Tokyo is 10:00 to 13:00 here. */
const OFF_AT_MS = START_MS + 10 * HOUR_MS;
const ON_AT_MS = START_MS + 13 * HOUR_MS;

const REQUIREMENTS = [
  { key: LABEL.capacityType, operator: 'In' as const, values: ['on-demand'] },
  { key: LABEL.instanceSize, operator: 'In' as const, values: ['large'] },
];

function sleeper(fields: Partial<Provisioner> = {}): Provisioner {
  const schedule = parseCron('0 19 * * *');
  assert.ok(schedule);
  return aProvisioner({
    requirements: REQUIREMENTS,
    ttlAfterEmptyMs: 30_000,
    offHours: [{ schedule, durationMs: 3 * HOUR_MS, timeZone: 'Asia/Tokyo' }],
    ...fields,
  });
}

function aWorkload(fields: Partial<WorkloadSpec> = {}): WorkloadSpec {
  return {
    kind: 'Deployment',
    namespace: 'default',
    name: 'web',
    labels: { app: 'web' },
    annotations: {},
    pod: aPodSpec({ requests: { cpu: 1500, memory: GIB, pods: 1 } }),
    steps: [{ atMs: START_MS, replicas: 6 }],
    runTimeMs: null,
    ...fields,
  };
}

interface Day {
  readonly simulation: Simulation;
  readonly entries: readonly HistoryEntry[];
  /** Runs on, and says what is there then. */
  readonly until: (atMs: number) => Promise<{ readonly instances: number; readonly running: number }>;
  readonly conclude: () => readonly unknown[];
}

function aDay(setup: Partial<SimulationSetup>): Day {
  const simulation = new Simulation({
    ...drawSetup(1, FUZZ_CATALOGUE),
    faults: CALM,
    daemonSets: [],
    budgets: [],
    provisioners: [sleeper()],
    workloads: [aWorkload()],
    ...setup,
  });
  const entries: HistoryEntry[] = [];
  simulation.history.listen((entry) => entries.push(entry));
  const conclude = watchInvariants(simulation, ALWAYS_AND_AT_REST);
  const until = async (atMs: number) => {
    await simulation.run(atMs);
    const running = [...simulation.store.values('pod')].filter(({ ready }) => ready).length;
    return { instances: [...simulation.cloud.living()].length, running };
  };
  return { simulation, entries, until, conclude };
}

const told = (entries: readonly HistoryEntry[], reason: string): readonly string[] =>
  entries.flatMap(({ kind, facts }) =>
    kind === 'EventPublished' && facts.reason === reason ? [String(facts.message)] : [],
  );

test('in the evening all nodes go, pods wait with the reason said, in the morning they run again', async () => {
  const { until, entries, conclude } = aDay({});
  assert.deepEqual(await until(OFF_AT_MS - 1), { instances: 6, running: 6 });
  assert.deepEqual(await until(OFF_AT_MS + 10 * 60_000), { instances: 0, running: 0 });
  assert.ok(told(entries, 'DisruptionOffHours').every((text) => /off until 2026-01-05T13:00:00Z/.test(text)));
  assert.ok(told(entries, 'DisruptionOffHours').length >= 6);
  const waiting = told(entries, 'FailedProvisioning');
  assert.ok(waiting.length > 0);
  for (const text of waiting)
    assert.match(
      text,
      /^OffHours: Provisioner default is off until 2026-01-05T13:00:00Z by its spec\.schedule/,
    );
  assert.deepEqual(await until(ON_AT_MS - 1), { instances: 0, running: 0 });
  assert.deepEqual(await until(ON_AT_MS + 5 * 60_000), { instances: 6, running: 6 });
  await until(ON_AT_MS + HOUR_MS);
  assert.deepEqual(conclude(), []);
});

test('pods that another Provisioner takes move there, and stay', async () => {
  const other = aProvisioner({ name: 'other', uid: 'uid-other', requirements: REQUIREMENTS });
  const { until, simulation, conclude } = aDay({ provisioners: [sleeper({ weight: 10 }), other] });
  await until(OFF_AT_MS - 1);
  const owners = () => new Set([...simulation.cloud.living()].map(({ instance }) => instance.provisioner));
  assert.deepEqual([...owners()], ['default']);
  assert.deepEqual(await until(OFF_AT_MS + 10 * 60_000), { instances: 6, running: 6 });
  assert.deepEqual([...owners()], ['other']);
  await until(ON_AT_MS + HOUR_MS);
  assert.deepEqual([...owners()], ['other']);
  assert.deepEqual(conclude(), []);
});

test('a pod that forbids it keeps its node running through the night', async () => {
  const workloads = [
    aWorkload(),
    aWorkload({
      name: 'kept',
      labels: { app: 'kept' },
      annotations: { 'karpenter.sh/do-not-disrupt': 'true' },
      steps: [{ atMs: START_MS, replicas: 2 }],
    }),
  ];
  const { until, entries, conclude } = aDay({ workloads });
  assert.deepEqual(await until(OFF_AT_MS - 1), { instances: 8, running: 8 });
  assert.deepEqual(await until(OFF_AT_MS + HOUR_MS), { instances: 2, running: 2 });
  const blocked = told(entries, 'DisruptionBlocked').filter((text) => text.startsWith('OffHours'));
  assert.ok(
    blocked.some((text) => /pod default\/kept-.* forbids it by karpenter\.sh\/do-not-disrupt/.test(text)),
  );
  await until(ON_AT_MS + HOUR_MS);
  assert.deepEqual(conclude(), []);
});

test('a PodDisruptionBudget keeps what it wants running, one pod goes', async () => {
  const budget = {
    namespace: 'default',
    name: 'web',
    selector: { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] },
    minAvailable: null,
    maxUnavailable: '1',
    unhealthyPodEvictionPolicy: 'IfHealthyBudget' as const,
  };
  const { until, entries, conclude } = aDay({ budgets: [budget] });
  assert.deepEqual(await until(OFF_AT_MS + HOUR_MS), { instances: 5, running: 5 });
  assert.ok(told(entries, 'DisruptionBlocked').some((text) => /PodDisruptionBudget default\/web/.test(text)));
  assert.deepEqual(await until(ON_AT_MS + HOUR_MS), { instances: 6, running: 6 });
  assert.deepEqual(conclude(), []);
});
