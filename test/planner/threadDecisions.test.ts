// Decisions on consolidation in the planning thread: the same as here, and no plan waits for them.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { consolidate } from '../../src/disruption/consolidation.ts';
import { decided } from '../../src/disruption/consolidationSearch.ts';
import type { Consolidation } from '../../src/model/consolidation.ts';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { LABEL } from '../../src/model/labels.ts';
import { ThreadPlanner } from '../../src/planner/threadPlanner.ts';
import type { Telemetry } from '../../src/ports/telemetry.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import { anInstanceType, aPod, aProvisioner, aSnapshot, somePods } from '../builders.ts';
import { carriedOut, QUIET } from '../disruption/consolidated.ts';

const CATALOGUE = new Map([['default', [anInstanceType()]]]);

function telemetryInto(errors: string[]): Telemetry {
  return {
    log: {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (_, message) => errors.push(message),
    },
    metrics: { count: () => {}, gauge: () => {}, observe: () => {} },
    dump: () => 'not kept',
  };
}

/** Forty nodes that two thirds of their pods have left. */
function aConsolidation(): Consolidation {
  const pods = Array.from({ length: 240 }, (_, index) =>
    aPod({
      name: `a-${index}`,
      cpuMillis: 300,
      owner: { kind: 'ReplicaSet', name: 'a', uid: 'a' },
    }),
  );
  const disruption = { ...NO_CONSOLIDATION, consolidation: 'WhenEmptyOrUnderutilized' as const };
  const onDemand = { key: LABEL.capacityType, operator: 'In' as const, values: ['on-demand'] };
  const empty = aSnapshot({ provisioners: [aProvisioner({ disruption, requirements: [onDemand] })], pods });
  const full = carriedOut(empty, CATALOGUE, schedule(empty, CATALOGUE, pods));
  const rest = full.pods.filter((_, index) => index % 3 === 0);
  return { snapshot: { ...full, pods: rest, takenAtMs: 3_600_000 }, catalogue: CATALOGUE, view: QUIET };
}

function aPlanner(context: TestContext, fault: string | null, deadlineMs = 60_000) {
  const dumpFolder = mkdtempSync(join(tmpdir(), 'cooper-planner-'));
  if (fault !== null) writeFileSync(join(dumpFolder, 'fault'), fault);
  const entry = new URL('./faultyThread.ts', import.meta.url);
  const errors: string[] = [];
  const telemetry = telemetryInto(errors);
  const options = { telemetry, dumpFolder, deadlineMs, ...(fault === null ? {} : { entry }) };
  const planner = new ThreadPlanner(options);
  context.after(async () => {
    await planner.stop();
    rmSync(dumpFolder, { recursive: true });
  });
  return { planner, errors };
}

/** The thread, which warms itself up first, has the question by then. */
async function told(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('a thread decides what this thread would have decided, and looks again at what was ordered', async (context) => {
  const { planner, errors } = aPlanner(context, null);
  const consolidation = aConsolidation();
  const decision = await planner.consolidate(consolidation);
  assert.deepEqual(decision, decided(consolidate(consolidation)));
  const { action } = decision;
  assert.ok(action !== null && action.nodeClaims.length > 1);
  const ordered = { nodeClaims: action.nodeClaims, replacements: [] };
  assert.equal(await planner.stillPays(consolidation, ordered), null);
  const gone = { nodeClaims: ['claim-gone'], replacements: [] };
  assert.match((await planner.stillPays(consolidation, gone)) ?? '', /gone or emptied meanwhile/);
  assert.deepEqual(errors, []);
});

test('a plan that is asked for while a decision is made comes first', async (context) => {
  const { planner } = aPlanner(context, null);
  const { snapshot, catalogue, view } = aConsolidation();
  const pods = somePods(3, { name: 'late' });
  const order: string[] = [];
  const problem = { snapshot, catalogue, pods, nominated: new Map(), budgetMs: 0 };
  const deciding = planner.consolidate({ snapshot, catalogue, view }).finally(() => order.push('decision'));
  await told();
  const plan = await planner.plan(problem).finally(() => order.push('plan'));
  const decision = await deciding;
  assert.deepEqual(order, ['plan', 'decision']);
  assert.equal(plan.kind, 'passed');
  assert.ok(decision.action !== null);
});

test('a thread that dies over a plan ends the decision with a reason; the next finds another', async (context) => {
  const { planner, errors } = aPlanner(context, 'dies once');
  const { snapshot, catalogue, view } = aConsolidation();
  const problem = { snapshot, catalogue, pods: somePods(3), nominated: new Map(), budgetMs: 0 };
  const deciding = planner.consolidate({ snapshot, catalogue, view });
  await told();
  await planner.plan(problem);
  const decision = await deciding;
  assert.equal(decision.action, null);
  assert.match(decision.halted, /the planning thread died: it exited with code 3/);
  assert.ok(errors.includes('no decision on consolidation was made'));
  assert.ok((await planner.consolidate({ snapshot, catalogue, view })).action !== null);
});

test('a planner that was stopped decides nothing', async (context) => {
  const { planner, errors } = aPlanner(context, null);
  await planner.stop();
  const decision = await planner.consolidate(aConsolidation());
  assert.equal(decision.action, null);
  assert.match(decision.halted, /has ended/);
  assert.deepEqual(errors, []);
});
