// A hundred nodes launched at once from an image with which none ever joins: what that costs, and what mends it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventDraft } from '../../src/ports/kubeApi.ts';
import { ALWAYS, watchInvariants } from '../../src/simulator/invariants/all.ts';
import type { Simulation } from '../../src/simulator/simulation.ts';
import { aNodeClass } from '../builders.ts';
import { START_MS } from '../fuzz/drawSetup.ts';
import { aSmallCluster } from './smallCluster.ts';

const MINUTE_MS = 60_000;
const PODS = 100;

/** Launches by minute since the start, and what the pods were told. */
function watched(simulation: Simulation) {
  const launches: number[] = [];
  const told: EventDraft[] = [];
  simulation.cloud.observe({
    changed: ({ instance }) => {
      if (instance.state === 'pending') launches.push((simulation.clock.nowMs() - START_MS) / MINUTE_MS);
    },
  });
  simulation.kube.observe({ published: (event) => told.push(event) });
  const between = (from: number, until: number): number =>
    launches.filter((minute) => minute >= from && minute < until).length;
  return { told, between };
}

const BAD: Parameters<typeof aSmallCluster> = [
  {},
  [{ atMs: START_MS, replicas: PODS }],
  {},
  { badImages: [{ provisioner: 'default', fromMs: 0, untilMs: Number.POSITIVE_INFINITY }] },
];

test('a hundred nodes that never join are followed by single ones, ever further apart', async () => {
  const simulation = aSmallCluster(...BAD);
  const { told, between } = watched(simulation);
  const conclude = watchInvariants(simulation, ALWAYS);
  await simulation.run(START_MS + 360 * MINUTE_MS);
  assert.deepEqual(conclude(), []);
  const first = between(0, 15);
  assert.ok(first >= PODS && first <= PODS + 4, `${first} before any was known not to join`);
  const later = between(15, 360);
  assert.ok(later >= 4 && later <= 7, `${later} in the six hours after`);
  const pod = told
    .filter(({ about, reason }) => about.kind === 'Pod' && reason === 'FailedProvisioning')
    .at(-1);
  assert.match(
    pod?.message ?? '',
    /Provisioner default: its last \d+ nodes never came up \(console: Failed to start/,
  );
  assert.match(pod?.message ?? '', /nothing is launched until 2026-|is tried alone/);
  const status = simulation.kube.provisionerStatuses.get('default')?.conditions[0];
  assert.deepEqual([status?.status, status?.reason], ['False', 'NodesNeverJoined']);
});

test('a controller that is started again goes on as the one before', async () => {
  const simulation = aSmallCluster(...BAD);
  const { between } = watched(simulation);
  for (let minute = 16; minute < 120; minute += 7)
    simulation.clock.at(START_MS + minute * MINUTE_MS, () => simulation.crash(2_000));
  await simulation.run(START_MS + 120 * MINUTE_MS);
  assert.ok(between(15, 120) <= 4, `${between(15, 120)} after the first`);
});

test('a change of the node class is tried at once, and all come up', async () => {
  const mendedAtMs = START_MS + 18 * MINUTE_MS;
  const simulation = aSmallCluster(
    BAD[0],
    BAD[1],
    {},
    {
      badImages: [{ provisioner: 'default', fromMs: 0, untilMs: mendedAtMs }],
      changes: [{ atMs: mendedAtMs, provisioners: [], nodeClasses: [aNodeClass({ userData: 'mended' })] }],
    },
  );
  const { between } = watched(simulation);
  await simulation.run(START_MS + 30 * MINUTE_MS);
  assert.ok(between(18, 19) > 1, `${between(18, 19)} launched when it was mended`);
  const waiting = [...simulation.store.values('pod')].filter(({ nodeName }) => nodeName === '');
  assert.equal(waiting.length, 0);
  assert.equal(simulation.store.get('provisioner', 'default')?.launchFailures, undefined);
});

/** The same with an image behind a parameter: nothing that is written changes with it. */
function withBadImage(): Simulation {
  const simulation = aSmallCluster(BAD[0], BAD[1]);
  simulation.cloud.targets.release({ id: 'ami-bad', isBad: true });
  return simulation;
}

test('another image behind its parameter is tried at once, and all come up', async () => {
  const simulation = withBadImage();
  const { between } = watched(simulation);
  const conclude = watchInvariants(simulation, ALWAYS);
  const mendedAtMs = START_MS + 42 * MINUTE_MS;
  simulation.clock.at(mendedAtMs, () => simulation.cloud.targets.release({ id: 'ami-mended', isBad: false }));
  await simulation.run(START_MS + 60 * MINUTE_MS);
  assert.equal(between(36, 42), 0, 'the second pause is ten minutes');
  assert.ok(between(42, 43) >= PODS, `${between(42, 43)} launched when it was mended`);
  const waiting = [...simulation.store.values('pod')].filter(({ nodeName }) => nodeName === '');
  assert.equal(waiting.length, 0);
  assert.equal(simulation.store.get('provisioner', 'default')?.launchFailures, undefined);
  assert.deepEqual(conclude(), []);
});

test('a bad image in place of a bad one is counted by itself, and launches stop for it as well', async () => {
  const simulation = withBadImage();
  const { between } = watched(simulation);
  const conclude = watchInvariants(simulation, ALWAYS);
  const changedAtMs = START_MS + 18 * MINUTE_MS;
  simulation.clock.at(changedAtMs, () => simulation.cloud.targets.release({ id: 'ami-worse', isBad: true }));
  await simulation.run(START_MS + 120 * MINUTE_MS);
  assert.ok(between(18, 19) > 1, `${between(18, 19)} tried at once`);
  assert.ok(between(34, 120) <= 6, `${between(34, 120)} once it was known`);
  assert.deepEqual(conclude(), []);
});

test('when the cause goes by itself, one node is tried, and the others follow as soon as it has come up', async () => {
  const simulation = aSmallCluster(
    BAD[0],
    BAD[1],
    {},
    {
      badImages: [{ provisioner: 'default', fromMs: 0, untilMs: START_MS + 16 * MINUTE_MS }],
    },
  );
  const { between } = watched(simulation);
  const conclude = watchInvariants(simulation, ALWAYS);
  await simulation.run(START_MS + 40 * MINUTE_MS);
  assert.equal(between(16, 20), 0, 'the pause is five minutes');
  assert.equal(between(20, 20.4), 1, 'one to see');
  assert.ok(between(20.4, 24) >= PODS - 1, `${between(20.4, 24)} after it`);
  assert.deepEqual(conclude(), []);
});
