// What holds of consolidation on random clusters that a scale-down has left fragmented.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { consolidate } from '../../src/disruption/consolidation.ts';
import { decided } from '../../src/disruption/consolidationSearch.ts';
import type { ConsolidationAction } from '../../src/model/consolidation.ts';
import {
  type DisruptionPolicy,
  NO_CONSOLIDATION,
  type NodeBudget,
} from '../../src/model/disruptionPolicy.ts';
import { selectorMatches } from '../../src/model/labelSelector.ts';
import { LABEL } from '../../src/model/labels.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../../src/model/snapshot.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import { anInstanceType, aPod, aProvisioner, aSnapshot, GIB, MIB, ZONES } from '../builders.ts';
import { carriedOut, consolidated, QUIET, totalUsdPerHour } from '../disruption/consolidated.ts';

const RUNS = Math.max(1, Math.round(Number(process.env.COOPER_PROPERTY_RUNS ?? 2000) / 20));
const HOUR_MS = 3_600_000;
const STEPS_MOST = 60;
const KINDS = ['plain', 'zone', 'spread', 'apart', 'kept', 'lone', 'twice'] as const;

const CATALOGUE: Catalogue = new Map([
  [
    'default',
    [
      anInstanceType({ name: 't3.small', cpuMillis: 1000, memoryBytes: 2 * GIB, usdPerHour: 0.0208 }),
      anInstanceType({ name: 'c5.large', cpuMillis: 2000, memoryBytes: 4 * GIB, usdPerHour: 0.085 }),
      anInstanceType({ name: 'm5.large', usdPerHour: 0.096 }),
      anInstanceType({ name: 'r5.xlarge', cpuMillis: 4000, memoryBytes: 32 * GIB, usdPerHour: 0.252 }),
      anInstanceType({ name: 'm5.2xlarge', cpuMillis: 8000, memoryBytes: 32 * GIB, usdPerHour: 0.384 }),
    ],
  ],
]);

interface Drawn {
  readonly apps: readonly {
    readonly kind: (typeof KINDS)[number];
    readonly count: number;
    readonly cpuMillis: number;
    readonly memoryMib: number;
    readonly allowed: number | null;
  }[];
  readonly capacityTypes: readonly string[];
  readonly keepPerMille: number;
  /** Nothing more may be bought. */
  readonly isLimited: boolean;
  readonly budgets: readonly NodeBudget[];
  readonly minimumSavings: DisruptionPolicy['minimumSavings'];
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  apps: fc.array(
    fc.record({
      kind: fc.constantFrom(...KINDS, 'plain' as const, 'plain' as const),
      count: fc.integer({ min: 1, max: 25 }),
      cpuMillis: fc.constantFrom(50, 200, 500, 900, 1500),
      memoryMib: fc.constantFrom(64, 256, 1024, 3000),
      allowed: fc.option(fc.integer({ min: 0, max: 4 }), { nil: null }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  capacityTypes: fc.constantFrom(['on-demand'], ['spot', 'on-demand']),
  keepPerMille: fc.integer({ min: 150, max: 900 }),
  isLimited: fc.boolean(),
  budgets: fc.constantFrom<readonly NodeBudget[]>(
    [],
    [{ nodes: { kind: 'percent', amount: 100 }, reasons: null, window: null }],
    [{ nodes: { kind: 'count', amount: 2 }, reasons: ['Underutilized'], window: null }],
  ),
  minimumSavings: fc.constantFrom(NO_CONSOLIDATION.minimumSavings, {
    percent: 20,
    usdPerHour: 0.01,
    usdPerHourPerEvictedPod: 0.002,
  }),
});

function podsOf({ apps }: Drawn): Pod[] {
  return apps.flatMap(({ kind, count, cpuMillis, memoryMib }, app) => {
    const labels = { app: `app${app}` };
    const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: [labels.app] }] };
    const apart = { selector, topologyKey: LABEL.hostname, namespaces: [], namespaceSelector: null };
    const spread = {
      ...{ topologyKey: LABEL.zone, maxSkew: 1, minDomains: 1, whenUnsatisfiable: 'DoNotSchedule' as const },
      ...{ selector, nodeAffinityPolicy: 'Honor' as const, nodeTaintsPolicy: 'Ignore' as const },
    };
    const spec = {
      ...(kind === 'zone' ? { nodeSelector: { [LABEL.zone]: ZONES[app % 3] ?? '' } } : {}),
      ...(kind === 'spread' ? { topologySpread: [spread] } : {}),
      ...(kind === 'apart' ? { podAntiAffinity: [apart] } : {}),
    };
    const annotations: Record<string, string> =
      kind === 'kept' ? { 'karpenter.sh/do-not-evict': 'true' } : {};
    const owner = kind === 'lone' ? null : { kind: 'ReplicaSet', name: labels.app, uid: labels.app };
    return Array.from({ length: count }, (_, index) =>
      aPod({
        ...{ name: `app${app}-${index}`, labels, owner, annotations, cpuMillis },
        ...{ memoryBytes: memoryMib * MIB, spec },
      }),
    );
  });
}

/** Packed for all pods, of which some are gone. */
function fragmented(draw: Drawn): ClusterSnapshot {
  const pods = podsOf(draw);
  const policy = { budgets: draw.budgets, minimumSavings: draw.minimumSavings };
  const empty = aSnapshot({
    provisioners: [
      aProvisioner({
        requirements: [{ key: LABEL.capacityType, operator: 'In', values: draw.capacityTypes }],
        disruption: { ...NO_CONSOLIDATION, ...policy, consolidation: 'WhenEmptyOrUnderutilized' },
      }),
    ],
    pods,
    disruptionBudgets: draw.apps.flatMap(({ allowed, kind }, app) => {
      if (allowed === null) return [];
      const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: [`app${app}`] }] };
      const one = { namespace: 'default', name: `pdb${app}`, selector, disruptionsAllowed: allowed };
      return kind === 'twice' ? [one, { ...one, name: `${one.name}-more` }] : [one];
    }),
  });
  const full = carriedOut(empty, CATALOGUE, schedule(empty, CATALOGUE, pods));
  const stays = (pod: Pod, index: number): boolean =>
    pod.nodeName !== '' && (index * 619) % 1000 < draw.keepPerMille;
  const limits = draw.isLimited ? { cpu: 0 } : null;
  const provisioners = full.provisioners.map((one) => ({ ...one, limits }));
  return { ...full, provisioners, pods: full.pods.filter(stays), takenAtMs: HOUR_MS };
}

/** What the action would break, in sentences. */
function faultsOf(snapshot: ClusterSnapshot, action: ConsolidationAction, draw: Drawn): string[] {
  const faults: string[] = [];
  const nodes = new Set(
    snapshot.nodeClaims
      .filter(({ name }) => action.nodeClaims.includes(name))
      .map(({ status }) => status.nodeName),
  );
  const moved = snapshot.pods.filter(({ nodeName }) => nodes.has(nodeName));
  if (moved.some(({ owner }) => owner === null)) faults.push('a pod without an owner is evicted');
  if (moved.some(({ annotations }) => Object.keys(annotations).length > 0))
    faults.push('an opt-out is broken');
  for (const { name, selector, disruptionsAllowed } of snapshot.disruptionBudgets) {
    const covered = moved.filter(({ labels }) => selectorMatches(selector, labels)).length;
    if (covered > disruptionsAllowed)
      faults.push(`${name} allows ${disruptionsAllowed}, ${covered} are evicted`);
  }
  const [budget] = draw.budgets;
  const all = snapshot.nodeClaims.length;
  const most =
    budget === undefined
      ? Math.ceil(all / 10)
      : budget.nodes.kind === 'count'
        ? budget.nodes.amount
        : Math.ceil((all * budget.nodes.amount) / 100);
  if (action.nodeClaims.length > most)
    faults.push(`${action.nodeClaims.length} of ${all} nodes go, ${most} may`);
  const going = new Set(action.nodeClaims);
  const rest = {
    ...snapshot,
    nodes: snapshot.nodes.filter(({ name }) => !nodes.has(name)),
    nodeClaims: snapshot.nodeClaims.filter(({ name }) => !going.has(name)),
    pods: snapshot.pods.filter(({ nodeName }) => !nodes.has(nodeName)),
  };
  const unbound = moved.map((pod) => ({ ...pod, nodeName: '', phase: 'Pending' as const, ready: false }));
  const { replacements: nodeClaims, nominations } = action;
  const usdPerHour = nodeClaims.reduce((sum, one) => sum + one.usdPerHour, 0);
  const plan = { nodeClaims, nominations, refusals: [], usdPerHour, lowerBoundUsdPerHour: 0 };
  faults.push(...checkPlan(rest, CATALOGUE, unbound, plan));
  return faults;
}

test('consolidation keeps budgets, loses no pod, lowers the price at every step, and comes to rest', () => {
  let actions = 0;
  fc.assert(
    fc.property(drawn, (draw) => {
      let snapshot = fragmented(draw);
      for (let step = 0; ; step++) {
        assert.ok(step < STEPS_MOST, 'it does not come to rest');
        const search = consolidate({ snapshot, catalogue: CATALOGUE, view: QUIET });
        const { action, trials } = decided(search);
        assert.ok(trials <= 40);
        if (action === null) break;
        actions += 1;
        assert.deepEqual(faultsOf(snapshot, action, draw), []);
        const next = consolidated(snapshot, CATALOGUE, action);
        const saved = totalUsdPerHour(snapshot) - totalUsdPerHour(next);
        assert.ok(saved > 0 && saved >= action.savingUsdPerHour - 1e-9, `${saved} saved`);
        assert.deepEqual(new Set(next.pods.map(podKey)), new Set(snapshot.pods.map(podKey)));
        assert.ok(next.pods.every((pod) => next.nodes.some(({ name }) => name === pod.nodeName)));
        snapshot = { ...next, takenAtMs: snapshot.takenAtMs + HOUR_MS };
      }
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  assert.ok(actions > RUNS / 2, `only ${actions} actions were seen`);
});
