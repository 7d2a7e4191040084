import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ThreadPlanner } from '../../src/planner/threadPlanner.ts';
import type { PlanProblem } from '../../src/ports/planner.ts';
import type { Telemetry } from '../../src/ports/telemetry.ts';
import { checkedPlan } from '../../src/scheduling/checkedPlan.ts';
import { anInstanceType, aProvisioner, aSnapshot, somePods } from '../builders.ts';

/** 30 replicas of an app that keeps to one pod a node, and 40 small pods. */
function aProblem(): PlanProblem {
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: ['apart'] }] };
  const apart = {
    selector,
    topologyKey: 'kubernetes.io/hostname',
    namespaces: [],
    namespaceSelector: null,
  };
  const pods = [
    ...somePods(30, { name: 'apart', labels: { app: 'apart' }, spec: { podAntiAffinity: [apart] } }),
    ...somePods(40, { name: 'small' }),
  ];
  const snapshot = aSnapshot({ provisioners: [aProvisioner()], pods, takenAtMs: 5 });
  const catalogue = new Map([['default', [anInstanceType(), anInstanceType({ name: 'm5.xlarge' })]]]);
  return { snapshot, catalogue, pods, nominated: new Map(), budgetMs: 0 };
}

class Watched {
  readonly errors: string[] = [];
  restarts = 0;
  readonly telemetry: Telemetry = {
    log: {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (_, message) => this.errors.push(message),
    },
    metrics: {
      count: (name) => {
        if (name === 'cooper_planner_restarts_total') this.restarts += 1;
      },
      gauge: () => {},
      observe: () => {},
    },
    dump: () => 'not kept',
  };
}

function aPlanner(context: TestContext, fault: string | null, deadlineMs = 60_000) {
  const dumpFolder = mkdtempSync(join(tmpdir(), 'cooper-planner-'));
  const watched = new Watched();
  if (fault !== null) writeFileSync(join(dumpFolder, 'fault'), fault);
  const planner = new ThreadPlanner({
    telemetry: watched.telemetry,
    dumpFolder,
    deadlineMs,
    ...(fault === null ? {} : { entry: new URL('./faultyThread.ts', import.meta.url) }),
  });
  context.after(async () => {
    await planner.stop();
    rmSync(dumpFolder, { recursive: true });
  });
  return { planner, watched, dumpFolder };
}

function plannedHere({ snapshot, catalogue, pods, nominated, budgetMs }: PlanProblem) {
  return checkedPlan(snapshot, catalogue, pods, { budgetMs, elapsedMs: () => 0, nominated }).plan;
}

test('a thread gives the plan that this thread would have made', async (context) => {
  const { planner, watched } = aPlanner(context, null);
  const problem = aProblem();
  await planner.prepare(problem.snapshot);
  const answers = await Promise.all([planner.plan(problem), planner.plan({ ...problem, pods: [] })]);
  assert.deepEqual(answers, [
    { kind: 'passed', plan: plannedHere(problem) },
    { kind: 'passed', plan: plannedHere({ ...problem, pods: [] }) },
  ]);
  assert.deepEqual([watched.errors, watched.restarts], [[], 0]);
});

test('a plan that fails its check is not handed out, and is kept with its snapshot', async (context) => {
  const { planner, dumpFolder } = aPlanner(context, 'forgets a pod');
  const problem = aProblem();
  const answer = await planner.plan(problem);
  assert.equal(answer.kind, 'violating');
  assert.ok(answer.kind === 'violating');
  assert.match(answer.violations.join('\n'), /default\/apart-\d+ is neither placed nor refused/);
  assert.ok(answer.dump.startsWith(dumpFolder), answer.dump);
  const kept = JSON.parse(readFileSync(answer.dump, 'utf8'));
  assert.deepEqual(Object.keys(kept), ['violations', 'plan', 'pods', 'snapshot', 'catalogue']);
  assert.deepEqual(kept.snapshot, JSON.parse(JSON.stringify(problem.snapshot)));
});

test('a thread that dies is replaced, and the batch is planned again', async (context) => {
  const { planner, watched } = aPlanner(context, 'dies once');
  const problem = aProblem();
  assert.deepEqual(await planner.plan(problem), { kind: 'passed', plan: plannedHere(problem) });
  assert.deepEqual([watched.errors, watched.restarts], [['planning thread died'], 1]);
});

test('a batch that kills every thread is given up with a reason, and the next one finds a thread', async (context) => {
  const { planner, watched } = aPlanner(context, 'dies');
  for (const restarts of [1, 3]) {
    const reason = 'the planning thread died: it exited with code 3';
    assert.deepEqual(await planner.plan(aProblem()), { kind: 'failed', reason });
    assert.equal(watched.restarts, restarts);
  }
});

test('a plan that takes too long is refused with a reason, and its thread is replaced', async (context) => {
  const { planner, watched } = aPlanner(context, 'hangs', 1500);
  const reason = 'no plan for 70 pods within 1.5 s';
  assert.deepEqual(await planner.plan(aProblem()), { kind: 'failed', reason });
  assert.deepEqual([watched.errors, watched.restarts], [['planning took too long'], 1]);
});

test('a fault in the packer is an answer; the thread lives on', async (context) => {
  const { planner, watched } = aPlanner(context, 'throws');
  const answer = await planner.plan(aProblem());
  assert.ok(answer.kind === 'failed');
  assert.match(answer.reason, /planning failed, which is a fault of Cooper: Error: planted/);
  assert.equal(watched.restarts, 0);
});

test('a planner that was stopped answers that it was', async (context) => {
  const { planner } = aPlanner(context, null);
  await planner.stop();
  assert.deepEqual(await planner.plan(aProblem()), { kind: 'failed', reason: 'Cooper is stopping' });
});

test('plans that have been handed out are not kept for as long as the thread lives', async (context) => {
  const { planner } = aPlanner(context, null);
  const given: WeakRef<object>[] = [];
  for (let round = 0; round < 3; round++) given.push(new WeakRef(await planner.plan(aProblem())));
  await planner.plan({ ...aProblem(), pods: [] });
  setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  const kept = given.filter((one) => one.deref() !== undefined);
  assert.equal(kept.length, 0, `${kept.length} of 3 plans are still held`);
});
