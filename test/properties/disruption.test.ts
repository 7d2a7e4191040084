// What holds of emptiness, expiry and off-hours on random clusters: budgets of nodes and pods, windows, opt-outs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { disrupt } from '../../src/disruption/disruptor.ts';
import { decideLeaving, expiredNodes } from '../../src/disruption/leaving.ts';
import { parseCron } from '../../src/model/cronSchedule.ts';
import {
  BUDGETED_REASONS,
  type BudgetedReason,
  NO_CONSOLIDATION,
  type NodeBudget,
} from '../../src/model/disruptionPolicy.ts';
import { isReady } from '../../src/model/node.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { TimeWindow } from '../../src/model/timeWindow.ts';
import type { PodDisruptionBudget } from '../../src/model/workloads.ts';
import { aBoundPod, aNodeClaim, anOwnedNode, aProvisioner, aSnapshot } from '../builders.ts';

const RUNS = Math.max(1, Math.round(Number(process.env.COOPER_PROPERTY_RUNS ?? 2000) / 4));
const DAY_MINUTES = 1440;
const MINUTE_MS = 60_000;
/** A Monday, midnight. */
const START_MS = Date.parse('2026-11-23T00:00:00Z');
const INITIALIZED = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;

/** A daily window, by the minutes of the day: simple enough to be reckoned by hand. */
interface Daily {
  readonly startMinute: number;
  readonly minutes: number;
}

interface DrawnBudget {
  readonly count: number;
  readonly isPercent: boolean;
  readonly reasons: readonly BudgetedReason[] | null;
  readonly daily: Daily | null;
  readonly onlyWithin: boolean;
}

interface DrawnNode {
  readonly emptyForMinutes: number | null;
  readonly ageMinutes: number;
  readonly state: 'ready' | 'ready' | 'unready' | 'leaving' | 'rising';
  readonly forbids: boolean;
  readonly pods: readonly ('plain' | 'kept' | 'budgeted' | 'daemon')[];
}

interface Drawn {
  readonly atMinute: number;
  readonly budgets: readonly DrawnBudget[];
  readonly off: Daily | null;
  readonly suspended: boolean;
  readonly ttlMinutes: number | null;
  readonly lifeMinutes: number | null;
  readonly allowed: number;
  readonly nodes: readonly DrawnNode[];
}

const daily: fc.Arbitrary<Daily> = fc.record({
  startMinute: fc.integer({ min: 0, max: DAY_MINUTES - 1 }),
  minutes: fc.integer({ min: 1, max: DAY_MINUTES - 1 }),
});
const drawn: fc.Arbitrary<Drawn> = fc.record({
  atMinute: fc.integer({ min: 0, max: 3 * DAY_MINUTES }),
  budgets: fc.array(
    fc.record({
      count: fc.integer({ min: 0, max: 8 }),
      isPercent: fc.boolean(),
      reasons: fc.option(fc.uniqueArray(fc.constantFrom(...BUDGETED_REASONS), { minLength: 1 }), {
        nil: null,
      }),
      daily: fc.option(daily, { nil: null }),
      onlyWithin: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  off: fc.option(daily, { nil: null }),
  suspended: fc.nat({ max: 9 }).map((drawn) => drawn === 0),
  ttlMinutes: fc.option(fc.integer({ min: 0, max: 30 }), { nil: null }),
  lifeMinutes: fc.option(fc.integer({ min: 1, max: 90 }), { nil: null }),
  allowed: fc.integer({ min: 0, max: 3 }),
  nodes: fc.array(
    fc.record({
      emptyForMinutes: fc.option(fc.integer({ min: 0, max: 60 }), { nil: null }),
      ageMinutes: fc.integer({ min: 60, max: 120 }),
      state: fc.constantFrom<DrawnNode['state']>('ready', 'ready', 'ready', 'unready', 'leaving', 'rising'),
      forbids: fc.nat({ max: 5 }).map((drawn) => drawn === 0),
      pods: fc.array(fc.constantFrom('plain', 'kept', 'budgeted', 'daemon'), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});

function windowOf({ startMinute, minutes }: Daily): TimeWindow {
  const schedule = parseCron(`${startMinute % 60} ${Math.floor(startMinute / 60)} * * *`);
  assert.ok(schedule);
  return { schedule, durationMs: minutes * MINUTE_MS, timeZone: 'UTC' };
}

/** By hand: how long ago the window last opened, within the day. */
function isWithin({ startMinute, minutes }: Daily, atMinute: number): boolean {
  return (((atMinute - startMinute) % DAY_MINUTES) + DAY_MINUTES) % DAY_MINUTES < minutes;
}

function budgetOf({ count, isPercent, reasons, daily: window, onlyWithin }: DrawnBudget): NodeBudget {
  return {
    nodes: isPercent ? { kind: 'percent', amount: count * 10 } : { kind: 'count', amount: count },
    reasons,
    window: window === null ? null : windowOf(window),
    onlyWithin: onlyWithin && window !== null,
  };
}

const SELECTOR = { expressions: [{ key: 'app', operator: 'In' as const, values: ['budgeted'] }] };

function clusterOf(draw: Drawn): ClusterSnapshot {
  const nowMs = START_MS + draw.atMinute * MINUTE_MS;
  const budget: PodDisruptionBudget = {
    ...{ namespace: 'default', name: 'web', selector: SELECTOR, disruptionsAllowed: draw.allowed },
  };
  const { ttlMinutes, lifeMinutes, off, suspended } = draw;
  return aSnapshot({
    takenAtMs: nowMs,
    disruptionBudgets: [budget],
    provisioners: [
      aProvisioner({
        suspended,
        ttlAfterEmptyMs: ttlMinutes === null ? null : ttlMinutes * MINUTE_MS,
        ttlUntilExpiredMs: lifeMinutes === null ? null : lifeMinutes * MINUTE_MS,
        offHours: off === null ? [] : [windowOf(off)],
        disruption: { ...NO_CONSOLIDATION, budgets: draw.budgets.map(budgetOf) },
      }),
    ],
    nodes: draw.nodes.map(({ state, forbids, ageMinutes }, index) =>
      anOwnedNode({
        name: `n${index}`,
        createdAtMs: nowMs - ageMinutes * MINUTE_MS,
        annotations: forbids ? { 'karpenter.sh/do-not-disrupt': 'true' } : {},
        conditions: [{ type: 'Ready', status: state === 'unready' ? 'False' : 'True', sinceMs: 0 }],
      }),
    ),
    nodeClaims: draw.nodes.map(({ state, emptyForMinutes, ageMinutes }, index) =>
      aNodeClaim({
        name: `c${index}`,
        uid: `uid-${index}`,
        createdAtMs: nowMs - ageMinutes * MINUTE_MS,
        emptySinceMs: emptyForMinutes === null ? null : nowMs - emptyForMinutes * MINUTE_MS,
        deletionRequestedAtMs: state === 'leaving' ? nowMs - MINUTE_MS : null,
        status: {
          ...NO_STATUS,
          ...{ nodeName: `n${index}`, providerId: `n${index}`, usdPerHour: index % 3 },
          conditions: state === 'rising' ? [] : [INITIALIZED],
        },
      }),
    ),
    pods: draw.nodes.flatMap(({ pods }, index) =>
      pods.map((kind, place) =>
        aBoundPod(`n${index}`, {
          name: `p${index}-${place}`,
          labels: { app: kind },
          owner: { kind: kind === 'daemon' ? 'DaemonSet' : 'ReplicaSet', name: kind, uid: kind },
          annotations: kind === 'kept' ? { 'karpenter.sh/do-not-evict': 'true' } : {},
        }),
      ),
    ),
  });
}

/** How many may be going for the reason, budget by budget, as the documentation has it. */
function mostGoing(draw: Drawn, reason: BudgetedReason, initialized: number): number {
  const own = draw.budgets.filter(({ reasons }) => reasons?.includes(reason) ?? true);
  const isOpen = (budget: DrawnBudget): boolean =>
    budget.daily === null || isWithin(budget.daily, draw.atMinute);
  const maintenance = own.filter((budget) => budget.onlyWithin && budget.daily !== null);
  if (maintenance.length > 0 && !maintenance.some(isOpen)) return 0;
  const amounts = own
    .filter(isOpen)
    .map(({ count, isPercent }) => (isPercent ? Math.ceil((count * initialized) / 10) : count));
  return Math.min(Number.POSITIVE_INFINITY, ...amounts);
}

interface Going {
  readonly reason: BudgetedReason;
  readonly claim: string;
}

function decide(snapshot: ClusterSnapshot): readonly Going[] {
  const byTime = disrupt(snapshot, () => 0).plans.flatMap(({ reason, nodeClaims }) =>
    nodeClaims.map((claim) => ({ reason: reason as BudgetedReason, claim })),
  );
  const { leaving } = decideLeaving(snapshot, expiredNodes(snapshot), () => 0);
  const aged = leaving.map(({ reason, claim }) => ({ reason, claim: claim.name }));
  return byTime.length > 0 ? byTime : aged;
}

function offHoursFaults(claim: string, pods: readonly Pod[], draw: Drawn): readonly string[] {
  const faults: string[] = [];
  if (draw.off === null || !isWithin(draw.off, draw.atMinute)) faults.push(`${claim} goes by day`);
  const kept = pods.find(({ annotations }) => Object.keys(annotations).length > 0);
  if (kept !== undefined) faults.push(`${claim} goes though ${podKey(kept)} forbids it`);
  const covered = pods.filter(({ labels }) => labels.app === 'budgeted').length;
  if (covered > 0 && draw.allowed === 0) faults.push(`${claim} goes though no pod may be evicted`);
  return faults;
}

/** What the decision breaks, in sentences. */
function faultsOf(snapshot: ClusterSnapshot, draw: Drawn, going: readonly Going[]): readonly string[] {
  const faults: string[] = [];
  if (draw.suspended && going.length > 0) faults.push('a suspended Provisioner loses nodes');
  if (new Set(going.map(({ claim }) => claim)).size < going.length) faults.push('a node goes twice');
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  const initialized = snapshot.nodeClaims.filter(({ status }) => status.conditions.length > 0);
  const isGoing = ({ deletionRequestedAtMs, status }: (typeof initialized)[number]): boolean => {
    const node = nodes.get(status.nodeName);
    return deletionRequestedAtMs !== null || node === undefined || !isReady(node);
  };
  const before = initialized.filter(isGoing).length;
  // They are taken one after the other: each finds those before it gone.
  for (const [index, { reason, claim }] of going.entries()) {
    const most = mostGoing(draw, reason, initialized.length);
    if (before + index >= most) faults.push(`${claim} goes as ${reason}: ${before} + ${index} of ${most}`);
    const found = snapshot.nodeClaims.find(({ name }) => name === claim);
    if (found === undefined || found.deletionRequestedAtMs !== null) faults.push(`${claim} goes already`);
    const nodeName = found?.status.nodeName ?? '';
    const pods = snapshot.pods.filter((pod) => pod.nodeName === nodeName && pod.owner?.kind !== 'DaemonSet');
    const forbids = Object.keys(nodes.get(nodeName)?.annotations ?? {}).length > 0;
    if (reason !== 'Expired' && forbids) faults.push(`${claim} goes as ${reason} though its node forbids it`);
    if (reason === 'Empty' && pods.length > 0) faults.push(`${claim} goes as Empty with ${pods.length} pods`);
    if (reason === 'OffHours') faults.push(...offHoursFaults(claim, pods, draw));
  }
  return faults;
}

/** The claims are gone, with their nodes and pods. */
function without(snapshot: ClusterSnapshot, going: readonly Going[]): ClusterSnapshot {
  const names = new Set(going.map(({ claim }) => claim));
  const left = snapshot.nodeClaims.filter(({ name }) => !names.has(name));
  const nodeNames = new Set(left.map(({ status }) => status.nodeName));
  return {
    ...snapshot,
    nodeClaims: left,
    nodes: snapshot.nodes.filter(({ name }) => nodeNames.has(name)),
    pods: snapshot.pods.filter(({ nodeName }) => nodeNames.has(nodeName)),
  };
}

test('no decision breaks a budget of nodes or pods, a window or an opt-out, and repeating it comes to rest', () => {
  const seen = new Map<BudgetedReason, number>();
  fc.assert(
    fc.property(drawn, (draw) => {
      let snapshot = clusterOf(draw);
      for (let step = 0; ; step += 1) {
        assert.ok(step <= draw.nodes.length, 'it does not come to rest');
        const going = decide(snapshot);
        if (going.length === 0) break;
        assert.deepEqual(faultsOf(snapshot, draw, going), []);
        for (const { reason } of going) seen.set(reason, (seen.get(reason) ?? 0) + 1);
        snapshot = without(snapshot, going);
      }
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  for (const reason of ['Empty', 'Expired', 'OffHours'] as const)
    assert.ok((seen.get(reason) ?? 0) > RUNS / 20, `${reason} was seen ${seen.get(reason) ?? 0} times`);
});
