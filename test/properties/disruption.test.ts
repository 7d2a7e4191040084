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
import { LABEL } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { Pod } from '../../src/model/pod.ts';
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

const STATES = ['ready', 'ready', 'ready', 'ready', 'unready', 'leaving', 'rising', 'unlabelled'] as const;
const PODS = ['plain', 'kept', 'kept-while', 'unsafe', 'budgeted', 'daemon', 'static', 'ended'] as const;
const MARKS = [
  'none',
  'none',
  'none',
  'none',
  'disrupt',
  'disrupt-while',
  'consolidate',
  'scale-down',
] as const;
/** Opt-outs for a while hold for so long from creation on. */
const WHILE_MINUTES = 90;

interface DrawnNode {
  readonly emptyForMinutes: number | null;
  readonly ageMinutes: number;
  readonly state: (typeof STATES)[number];
  readonly mark: (typeof MARKS)[number];
  /** Pods are on their way for so long; null for none. */
  readonly expectedMinutes: number | null;
  readonly price: number;
  readonly pods: readonly (typeof PODS)[number][];
}

interface Drawn {
  readonly atMinute: number;
  readonly budgets: readonly DrawnBudget[];
  readonly off: Daily | null;
  readonly suspended: boolean;
  readonly ttlMinutes: number | null;
  /** `WhenEmpty` with so long a `consolidateAfter`; null for `Never`. */
  readonly consolidateAfterMinutes: number | null;
  readonly jitterMinutes: number;
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
  consolidateAfterMinutes: fc.option(fc.integer({ min: 0, max: 30 }), { nil: null }),
  jitterMinutes: fc.constantFrom(0, 0, 0, 10, 200),
  lifeMinutes: fc.option(fc.integer({ min: 1, max: 230 }), { nil: null }),
  allowed: fc.integer({ min: 0, max: 3 }),
  nodes: fc.array(
    fc.record({
      emptyForMinutes: fc.option(fc.integer({ min: 0, max: 60 }), { nil: null }),
      ageMinutes: fc.integer({ min: 60, max: 120 }),
      state: fc.constantFrom(...STATES),
      mark: fc.constantFrom(...MARKS),
      expectedMinutes: fc.oneof(
        { weight: 5, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 5 }) },
      ),
      price: fc.nat({ max: 3 }),
      pods: fc.array(fc.constantFrom(...PODS), { maxLength: 3 }),
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
        disruption: {
          ...NO_CONSOLIDATION,
          consolidation: draw.consolidateAfterMinutes === null ? 'Never' : 'WhenEmpty',
          consolidateAfterMs: (draw.consolidateAfterMinutes ?? 0) * MINUTE_MS,
          expireJitterMs: draw.jitterMinutes * MINUTE_MS,
          budgets: draw.budgets.map(budgetOf),
        },
      }),
    ],
    nodes: draw.nodes.map((one, index) => nodeOf(one, index, nowMs)),
    nodeClaims: draw.nodes.map((one, index) => claimOf(one, index, nowMs)),
    pods: draw.nodes.flatMap(({ pods, ageMinutes }, index) =>
      pods.map((kind, place) => podOf(kind, `${index}-${place}`, nowMs - ageMinutes * MINUTE_MS)),
    ),
  });
}

const ANNOTATIONS: Readonly<Record<DrawnNode['mark'], Readonly<Record<string, string>>>> = {
  none: {},
  disrupt: { 'karpenter.sh/do-not-disrupt': 'true' },
  'disrupt-while': { 'karpenter.sh/do-not-disrupt': `${WHILE_MINUTES}m` },
  consolidate: { 'karpenter.sh/do-not-consolidate': 'true' },
  'scale-down': { 'cluster-autoscaler.kubernetes.io/scale-down-disabled': 'true' },
};

function nodeOf({ state, mark, ageMinutes }: DrawnNode, index: number, nowMs: number): Node {
  return anOwnedNode({
    name: `n${index}`,
    createdAtMs: nowMs - ageMinutes * MINUTE_MS,
    annotations: ANNOTATIONS[mark],
    labels: state === 'unlabelled' ? { [LABEL.initialized]: '' } : {},
    conditions: [{ type: 'Ready', status: state === 'unready' ? 'False' : 'True', sinceMs: 0 }],
  });
}

function claimOf(
  { state, emptyForMinutes, ageMinutes, price }: DrawnNode,
  index: number,
  nowMs: number,
): NodeClaim {
  return aNodeClaim({
    name: `c${index}`,
    uid: `uid-${index}`,
    createdAtMs: nowMs - ageMinutes * MINUTE_MS,
    emptySinceMs: emptyForMinutes === null ? null : nowMs - emptyForMinutes * MINUTE_MS,
    deletionRequestedAtMs: state === 'leaving' ? nowMs - MINUTE_MS : null,
    status: {
      ...NO_STATUS,
      ...{ nodeName: `n${index}`, providerId: `n${index}`, usdPerHour: price },
      conditions: state === 'rising' ? [] : [INITIALIZED],
    },
  });
}

const POD_ANNOTATIONS: Partial<Readonly<Record<(typeof PODS)[number], Readonly<Record<string, string>>>>> = {
  kept: { 'karpenter.sh/do-not-evict': 'true' },
  'kept-while': { 'karpenter.sh/do-not-disrupt': `${WHILE_MINUTES}m` },
  unsafe: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' },
};

/** @param place number of its node, then its own among the pods there */
function podOf(kind: (typeof PODS)[number], place: string, createdAtMs: number): Pod {
  const [node = ''] = place.split('-');
  return aBoundPod(`n${node}`, {
    ...{ name: `p${place}`, labels: { app: kind }, createdAtMs },
    owner: { kind: kind === 'daemon' ? 'DaemonSet' : 'ReplicaSet', name: kind, uid: kind },
    annotations: POD_ANNOTATIONS[kind] ?? {},
    mirror: kind === 'static',
    phase: kind === 'ended' ? 'Succeeded' : 'Running',
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

/** A node that still stands, as it was drawn. */
interface Standing extends DrawnNode {
  readonly claim: string;
}

function standing(snapshot: ClusterSnapshot, draw: Drawn): readonly Standing[] {
  return snapshot.nodeClaims.flatMap(({ name }) => {
    const drawnNode = draw.nodes[Number(name.slice(1))];
    return drawnNode === undefined ? [] : [{ ...drawnNode, claim: name }];
  });
}

const VACANT: ReadonlySet<string> = new Set(['daemon', 'static', 'ended']);
const occupants = ({ pods }: DrawnNode): readonly string[] => pods.filter((kind) => !VACANT.has(kind));

function isMarked({ mark, ageMinutes }: DrawnNode): boolean {
  return mark === 'disrupt' || (mark === 'disrupt-while' && ageMinutes < WHILE_MINUTES);
}

/** For how long an empty node is kept, in minutes; null for ever. */
function keptEmptyMinutes({ suspended, ttlMinutes, consolidateAfterMinutes }: Drawn): number | null {
  return suspended ? null : (ttlMinutes ?? consolidateAfterMinutes);
}

/** For how long the node counts as empty, in minutes; null when it does not. */
function emptyMinutes(node: Standing, draw: Drawn): number | null {
  const { mark, state, emptyForMinutes, expectedMinutes } = node;
  if (keptEmptyMinutes(draw) === null || isMarked(node)) return null;
  if (mark === 'consolidate' || mark === 'scale-down') return null;
  if (state === 'rising' || state === 'unlabelled' || state === 'leaving') return null;
  return occupants(node).length > 0 || (expectedMinutes ?? 0) > 0 ? null : (emptyForMinutes ?? 0);
}

/** Takes from the front as many as the budgets of the reason leave. */
class Purse {
  readonly #draw: Drawn;
  readonly #initialized: number;
  #going: number;

  constructor(nodes: readonly Standing[], draw: Drawn) {
    const initialized = nodes.filter(({ state }) => state !== 'rising');
    this.#draw = draw;
    this.#initialized = initialized.length;
    this.#going = initialized.filter(({ state }) => state === 'leaving' || state === 'unready').length;
  }

  spend(reason: BudgetedReason, claims: readonly string[]): Going[] {
    const most = mostGoing(this.#draw, reason, this.#initialized);
    const going = claims.slice(0, Math.max(0, most - this.#going));
    this.#going += going.length;
    return going.map((claim) => ({ reason, claim }));
  }
}

const byName = (left: Standing, right: Standing): number => (left.claim < right.claim ? -1 : 1);

/** By hand: the longest empty first, then what is not wanted at this hour, the dearest first. */
function expectedNow(nodes: readonly Standing[], draw: Drawn): readonly Going[] {
  const empties = nodes
    .filter((node) => (emptyMinutes(node, draw) ?? -1) >= (keptEmptyMinutes(draw) ?? 0))
    .sort((left, right) => (right.emptyForMinutes ?? 0) - (left.emptyForMinutes ?? 0) || byName(left, right));
  const isOff = draw.off !== null && !draw.suspended && isWithin(draw.off, draw.atMinute);
  let evictions = draw.allowed;
  const unwanted = nodes
    .filter((node) => isOff && node.state !== 'leaving' && !empties.includes(node))
    .sort((left, right) => right.price - left.price || byName(left, right))
    .filter((node) => {
      const pods = occupants(node);
      const isKept = pods.some(
        (kind) =>
          kind === 'kept' || kind === 'unsafe' || (kind === 'kept-while' && node.ageMinutes < WHILE_MINUTES),
      );
      const budgeted = pods.filter((kind) => kind === 'budgeted').length;
      if (isMarked(node) || isKept || (budgeted > 0 && evictions < 1)) return false;
      evictions -= budgeted;
      return true;
    });
  const purse = new Purse(nodes, draw);
  return [
    ...purse.spend(
      'Empty',
      empties.map(({ claim }) => claim),
    ),
    ...purse.spend(
      'OffHours',
      unwanted.map(({ claim }) => claim),
    ),
  ];
}

/** By hand: the oldest first. With jitter each goes somewhat early: then only those that must and may are known. */
function expectedByAge(nodes: readonly Standing[], draw: Drawn): Record<'must' | 'may', readonly Going[]> {
  const { lifeMinutes, jitterMinutes, suspended } = draw;
  if (lifeMinutes === null || suspended) return { must: [], may: [] };
  const early = Math.min(jitterMinutes, lifeMinutes / 2);
  const older = (minutes: number): readonly string[] =>
    nodes
      .filter(({ ageMinutes, state }) => ageMinutes >= minutes && state !== 'leaving')
      .sort((left, right) => right.ageMinutes - left.ageMinutes || byName(left, right))
      .map(({ claim }) => claim);
  const all = (claims: readonly string[]): Going[] => claims.map((claim) => ({ reason: 'Expired', claim }));
  if (early > 0) return { must: [], may: all(older(lifeMinutes - early)) };
  const exact = new Purse(nodes, draw).spend('Expired', older(lifeMinutes));
  return { must: exact, may: exact };
}

function decide(snapshot: ClusterSnapshot, draw: Drawn): readonly Going[] {
  const nowMs = snapshot.takenAtMs;
  const nodes = standing(snapshot, draw);
  const expectedMs = new Map(
    nodes.flatMap(({ claim, expectedMinutes }) =>
      expectedMinutes === null ? [] : [[claim, nowMs + expectedMinutes * MINUTE_MS] as const],
    ),
  );
  const { plans, emptinessChanges } = disrupt(snapshot, (name) => expectedMs.get(name) ?? 0);
  const byTime = plans.flatMap(({ reason, nodeClaims }) =>
    nodeClaims.map((claim) => ({ reason: reason as BudgetedReason, claim })),
  );
  assert.deepEqual(byTime, expectedNow(nodes, draw));
  const stamps = nodes.flatMap((node) => {
    const minutes = emptyMinutes(node, draw);
    if ((minutes === null) === (node.emptyForMinutes === null) || node.state === 'leaving') return [];
    return [{ claim: node.claim, emptySinceMs: minutes === null ? null : nowMs }];
  });
  const stamped = emptinessChanges.map(({ claim, emptySinceMs }) => ({ claim: claim.name, emptySinceMs }));
  assert.deepEqual(stamped, stamps);
  const { leaving } = decideLeaving(snapshot, expiredNodes(snapshot), () => 0);
  const aged = leaving.map(({ reason, claim }) => ({ reason, claim: claim.name }));
  const { must, may } = expectedByAge(nodes, draw);
  const mayGo = new Set(may.map(({ claim }) => claim));
  if (draw.jitterMinutes === 0) assert.deepEqual(aged, must);
  assert.deepEqual(
    aged.filter(({ claim }) => !mayGo.has(claim)),
    [],
  );
  return byTime.length > 0 ? byTime : aged;
}

/** The order aside: budgets, and that none goes twice. */
function faultsOf(nodes: readonly Standing[], draw: Drawn, going: readonly Going[]): readonly string[] {
  const faults: string[] = [];
  if (draw.suspended && going.length > 0) faults.push('a suspended Provisioner loses nodes');
  if (new Set(going.map(({ claim }) => claim)).size < going.length) faults.push('a node goes twice');
  const initialized = nodes.filter(({ state }) => state !== 'rising');
  const before = initialized.filter(({ state }) => state === 'leaving' || state === 'unready').length;
  // They are taken one after the other: each finds those before it gone.
  for (const [index, { reason, claim }] of going.entries()) {
    const most = mostGoing(draw, reason, initialized.length);
    if (before + index >= most) faults.push(`${claim} goes as ${reason}: ${before} + ${index} of ${most}`);
    const node = nodes.find((one) => one.claim === claim);
    if (node === undefined || node.state === 'leaving') faults.push(`${claim} goes already`);
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
        const going = decide(snapshot, draw);
        if (going.length === 0) break;
        assert.deepEqual(faultsOf(standing(snapshot, draw), draw, going), []);
        for (const { reason } of going) seen.set(reason, (seen.get(reason) ?? 0) + 1);
        snapshot = without(snapshot, going);
      }
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  for (const reason of ['Empty', 'Expired', 'OffHours'] as const)
    assert.ok((seen.get(reason) ?? 0) > RUNS / 20, `${reason} was seen ${seen.get(reason) ?? 0} times`);
});
