// Budgets of nodes: how many may go, by reason, window and what is going already.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BudgetRoom, budgetState, nextBudgetChange } from '../../src/disruption/budgets.ts';
import { disrupt } from '../../src/disruption/disruptor.ts';
import { decideLeaving, expiredNodes } from '../../src/disruption/leaving.ts';
import { parseCron } from '../../src/model/cronSchedule.ts';
import {
  type BudgetedReason,
  type DisruptionPolicy,
  NO_CONSOLIDATION,
  type NodeBudget,
} from '../../src/model/disruptionPolicy.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { TimeWindow } from '../../src/model/timeWindow.ts';
import { aNodeClaim, anOwnedNode, aProvisioner, aSnapshot } from '../builders.ts';

const INITIALIZED = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;
const NIGHT = parseCron('0 22 * * *');
const HOUR_MS = 3_600_000;
const NOBODY = (): number => 0;

function budget(nodes: string, fields: Partial<NodeBudget> = {}): NodeBudget {
  const kind = nodes.endsWith('%') ? 'percent' : 'count';
  return { nodes: { kind, amount: Number.parseInt(nodes, 10) }, reasons: null, window: null, ...fields };
}

interface Pool {
  readonly nodes: number;
  readonly deleting?: number;
  readonly notReady?: number;
  readonly policy?: Partial<DisruptionPolicy>;
  readonly provisioner?: Partial<Provisioner>;
  readonly at?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Empty nodes, stamped long ago; the first ones are being deleted, the next ones are not ready. */
function aPool({
  nodes,
  deleting = 0,
  notReady = 0,
  policy,
  provisioner,
  at,
  annotations,
}: Pool): ClusterSnapshot {
  const names = Array.from({ length: nodes }, (_, index) => `n${index}`);
  return aSnapshot({
    takenAtMs: Date.parse(at ?? '2026-11-21T12:00:00Z'),
    provisioners: [aProvisioner({ disruption: { ...NO_CONSOLIDATION, ...policy }, ...provisioner })],
    nodes: names.map((name, index) => {
      const isReady = index < deleting || index >= deleting + notReady;
      const conditions = [
        { type: 'Ready', status: isReady ? ('True' as const) : ('False' as const), sinceMs: 0 },
      ];
      return anOwnedNode({ name, conditions, annotations: annotations ?? {} });
    }),
    nodeClaims: names.map((name, index) =>
      aNodeClaim({
        name: `c${index}`,
        emptySinceMs: index,
        deletionRequestedAtMs: index < deleting ? 1 : null,
        status: { ...NO_STATUS, nodeName: name, providerId: name, conditions: [INITIALIZED] },
      }),
    ),
  });
}

const rooms: readonly {
  pool: Pool;
  budgets: readonly NodeBudget[];
  reason?: BudgetedReason;
  left: number;
}[] = [
  { pool: { nodes: 20 }, budgets: [], left: Number.POSITIVE_INFINITY },
  { pool: { nodes: 21 }, budgets: [], reason: 'Underutilized', left: 3 },
  { pool: { nodes: 20 }, budgets: [budget('5')], left: 5 },
  { pool: { nodes: 21 }, budgets: [budget('10%')], left: 3 },
  { pool: { nodes: 20 }, budgets: [budget('5'), budget('2')], left: 2 },
  { pool: { nodes: 20 }, budgets: [budget('0', { reasons: ['Drifted'] })], left: Number.POSITIVE_INFINITY },
  { pool: { nodes: 20 }, budgets: [budget('0', { reasons: ['Drifted', 'Empty'] })], left: 0 },
  { pool: { nodes: 20, deleting: 2 }, budgets: [budget('5')], left: 3 },
  { pool: { nodes: 20, deleting: 2, notReady: 1 }, budgets: [budget('5')], left: 2 },
  { pool: { nodes: 20, deleting: 9 }, budgets: [budget('5')], left: 0 },
];
for (const { pool, budgets, reason = 'Empty', left } of rooms) {
  test(`${JSON.stringify(pool)} with ${JSON.stringify(budgets)} lets ${left} go as ${reason}`, () => {
    const room = new BudgetRoom(aPool({ ...pool, policy: { budgets } }));
    assert.equal(room.left('default', reason), left);
  });
}

const windows = [
  { at: '2026-11-21T21:59:59Z', timeZone: 'UTC', open: false },
  { at: '2026-11-21T22:00:00Z', timeZone: 'UTC', open: true },
  { at: '2026-11-22T05:59:59Z', timeZone: 'UTC', open: true },
  { at: '2026-11-22T06:00:00Z', timeZone: 'UTC', open: false },
  { at: '2026-11-21T21:00:00Z', timeZone: 'Europe/Berlin', open: true },
  { at: '2026-11-22T05:00:00Z', timeZone: 'Europe/Berlin', open: false },
];
for (const { at, timeZone, open } of windows) {
  test(`a budget of 22:00 for 8 h in ${timeZone} ${open ? 'holds' : 'does not hold'} at ${at}`, () => {
    assert.ok(NIGHT);
    const window = { schedule: NIGHT, durationMs: 8 * HOUR_MS, timeZone };
    const room = new BudgetRoom(aPool({ nodes: 3, at, policy: { budgets: [budget('0', { window })] } }));
    assert.equal(room.left('default', 'Empty'), open ? 0 : Number.POSITIVE_INFINITY);
  });
}

function window(cron: string, hours: number, timeZone = 'UTC'): TimeWindow {
  const schedule = parseCron(cron);
  assert.ok(schedule);
  return { schedule, durationMs: hours * HOUR_MS, timeZone };
}

const NEVER = Number.POSITIVE_INFINITY;
/** Sunday night in Berlin; the clocks go forward in the one of 29 March 2026, and back in that of 25 October. */
const MAINTENANCE = { window: window('0 1 * * sun', 4, 'Europe/Berlin'), onlyWithin: true };
const WEEKDAYS = { window: window('0 9 * * mon-fri', 8), onlyWithin: true };

/** What ten nodes may do, and when that changes. */
const states: readonly {
  readonly what: string;
  readonly budgets: readonly NodeBudget[];
  readonly reason?: BudgetedReason;
  readonly at: string;
  readonly most: number;
  readonly boundBy?: number;
  readonly next: readonly [at: string, most: number] | null;
}[] = [
  {
    what: 'outside of a maintenance window none goes',
    budgets: [budget('100%', MAINTENANCE)],
    at: '2026-11-21T12:00:00Z',
    most: 0,
    next: ['2026-11-22T00:00:00Z', 10],
  },
  {
    what: 'within it as many as it says',
    budgets: [budget('3', MAINTENANCE)],
    at: '2026-11-22T00:00:00Z',
    most: 3,
    next: ['2026-11-22T04:00:00Z', 0],
  },
  {
    what: 'it lasts four hours where the clocks go forward within it',
    budgets: [budget('3', MAINTENANCE)],
    at: '2026-03-29T00:30:00Z',
    most: 3,
    next: ['2026-03-29T04:00:00Z', 0],
  },
  {
    what: 'it lasts four hours where the clocks go back within it',
    budgets: [budget('3', MAINTENANCE)],
    at: '2026-10-24T23:00:00Z',
    most: 3,
    next: ['2026-10-25T03:00:00Z', 0],
  },
  {
    what: 'of two maintenance windows one is enough',
    budgets: [budget('3', MAINTENANCE), budget('2', WEEKDAYS)],
    at: '2026-11-22T03:59:00Z',
    most: 3,
    next: ['2026-11-22T04:00:00Z', 0],
  },
  {
    what: 'the change after that is the other window',
    budgets: [budget('3', MAINTENANCE), budget('2', WEEKDAYS)],
    at: '2026-11-22T04:00:00Z',
    most: 0,
    next: ['2026-11-23T09:00:00Z', 2],
  },
  {
    what: 'a window for another reason does not count',
    budgets: [budget('3', { ...MAINTENANCE, reasons: ['Drifted'] })],
    at: '2026-11-21T12:00:00Z',
    most: NEVER,
    boundBy: -1,
    next: null,
  },
  {
    what: 'a budget without a window bounds what a maintenance window allows',
    budgets: [budget('100%', MAINTENANCE), budget('1')],
    at: '2026-11-22T00:00:00Z',
    most: 1,
    boundBy: 1,
    next: ['2026-11-22T04:00:00Z', 0],
  },
  {
    what: 'and allows nothing outside of it',
    budgets: [budget('1'), budget('100%', MAINTENANCE)],
    at: '2026-11-22T05:00:00Z',
    most: 0,
    boundBy: 1,
    next: ['2026-11-29T00:00:00Z', 1],
  },
  {
    what: 'a window in which none goes',
    budgets: [budget('0', { window: window('0 9 * * mon-fri', 8, 'America/New_York') })],
    at: '2026-11-20T12:00:00Z',
    most: NEVER,
    boundBy: -1,
    next: ['2026-11-20T14:00:00Z', 0],
  },
  {
    what: 'budgets without windows never change',
    budgets: [budget('2')],
    at: '2026-11-20T12:00:00Z',
    most: 2,
    next: null,
  },
  {
    what: 'without budgets a tenth goes to save money',
    budgets: [],
    reason: 'Underutilized',
    at: '2026-11-20T12:00:00Z',
    most: 1,
    boundBy: -1,
    next: null,
  },
];
for (const { what, budgets, reason = 'Expired', at, most, boundBy = 0, next: change } of states) {
  test(`${what}: ${most} at ${at}, and ${change?.join(': ') ?? 'no change'}`, () => {
    const policy = { ...NO_CONSOLIDATION, budgets };
    const pool = { nodes: 10, atMs: Date.parse(at) };
    assert.deepEqual(budgetState(policy, reason, pool), { most, boundBy });
    const next = nextBudgetChange(policy, reason, pool);
    const found = next === null ? null : [new Date(next.atMs).toISOString(), next.most];
    assert.deepEqual(found, change === null ? null : [new Date(change[0]).toISOString(), change[1]]);
    const room = new BudgetRoom(aPool({ nodes: 10, at, policy: { budgets } }));
    assert.equal(room.left('default', reason), most);
  });
}

test('expired nodes wait for the maintenance window, and go in it', () => {
  const policy = { budgets: [budget('100%', { ...MAINTENANCE, reasons: ['Expired'] })] };
  const at = (text: string): number =>
    expired(aPool({ nodes: 3, at: text, policy, provisioner: { ttlUntilExpiredMs: 1 } }));
  assert.deepEqual([at('2026-11-21T23:59:59Z'), at('2026-11-22T00:00:00Z')], [0, 3]);
});

test('empty nodes go as far as the budget lets them, the longest empty first; the others are held back', () => {
  const policy = { budgets: [budget('2')] };
  const decision = disrupt(aPool({ nodes: 4, policy, provisioner: { ttlAfterEmptyMs: 0 } }), NOBODY);
  assert.deepEqual(
    decision.plans.map(({ nodeClaims }) => nodeClaims),
    [['c0'], ['c1']],
  );
  assert.deepEqual(
    decision.held.map(({ claim }) => claim.name),
    ['c2', 'c3'],
  );
  assert.match(decision.held[0]?.message ?? '', /budgets of Provisioner default/);
  assert.equal(decision.nextAtMs, Date.parse('2026-11-21T12:01:00Z'));
});

function expired(pool: ClusterSnapshot): number {
  return decideLeaving(pool, expiredNodes(pool), NOBODY).leaving.length;
}

test('expired nodes share the budget with those that go already', () => {
  const policy = { budgets: [budget('2')] };
  const provisioner = { ttlUntilExpiredMs: 1000 };
  assert.equal(expired(aPool({ nodes: 3, policy, provisioner })), 2);
  assert.equal(expired(aPool({ nodes: 3, deleting: 1, policy, provisioner })), 1);
});

const keeps: readonly { what: string; pool: Partial<Pool>; plans: number }[] = [
  { what: 'WhenEmpty takes empty nodes', pool: { policy: { consolidation: 'WhenEmpty' } }, plans: 1 },
  {
    what: 'consolidateAfter is waited for',
    pool: { policy: { consolidation: 'WhenEmpty', consolidateAfterMs: 1e15 } },
    plans: 0,
  },
  { what: 'Never takes none', pool: {}, plans: 0 },
  {
    what: 'suspend keeps empty nodes',
    pool: { provisioner: { suspended: true, ttlAfterEmptyMs: 0 } },
    plans: 0,
  },
  {
    what: 'a node that opts out is kept',
    pool: { provisioner: { ttlAfterEmptyMs: 0 }, annotations: { 'karpenter.sh/do-not-disrupt': 'true' } },
    plans: 0,
  },
  {
    what: 'a node that opts out of consolidation is kept',
    pool: { provisioner: { ttlAfterEmptyMs: 0 }, annotations: { 'karpenter.sh/do-not-consolidate': 'true' } },
    plans: 0,
  },
];
for (const { what, pool, plans } of keeps) {
  test(what, () => assert.equal(disrupt(aPool({ nodes: 1, ...pool }), NOBODY).plans.length, plans));
}

test('suspend keeps expired nodes', () => {
  assert.equal(expired(aPool({ nodes: 1, provisioner: { ttlUntilExpiredMs: 1 } })), 1);
  assert.equal(expired(aPool({ nodes: 1, provisioner: { suspended: true, ttlUntilExpiredMs: 1 } })), 0);
});

test('jitter spreads the end of nodes over its length and never lets one live longer', () => {
  const ttlMs = 100 * HOUR_MS;
  const pool = aPool({ nodes: 200, policy: { expireJitterMs: 10 * HOUR_MS }, at: '1970-01-01T00:00:00Z' });
  const [base] = pool.provisioners;
  assert.ok(base);
  const provisioners = [{ ...base, ttlUntilExpiredMs: ttlMs }];
  const at = (ms: number): number => expired({ ...pool, provisioners, takenAtMs: ms });
  assert.equal(at(90 * HOUR_MS - 1), 0);
  const halfWay = at(95 * HOUR_MS);
  assert.ok(halfWay > 60 && halfWay < 140, `${halfWay}`);
  assert.equal(at(ttlMs), 200);
});
