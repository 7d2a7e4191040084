// One look at nodes that go: what was ordered before, and could not be had.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DriftWatch } from '../../src/controllers/drift.ts';
import { inlinePlanner } from '../../src/controllers/inlinePlanner.ts';
import { LaunchFailuresMemory } from '../../src/controllers/launchFailures.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { ReplacementOrders } from '../../src/controllers/replacementOrders.ts';
import { ReplacingMemory, replaceNodes } from '../../src/controllers/replacing.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import { replacementAnnotations } from '../../src/disruption/replacements.ts';
import { type BudgetedReason, NO_CONSOLIDATION, type NodeBudget } from '../../src/model/disruptionPolicy.ts';
import type { Node } from '../../src/model/node.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aBoundPod, aNodeClaim, aNodeClass, anOwnedNode, aProvisioner } from '../builders.ts';

const NOW_MS = 10_000_000;
const MINUTE_MS = 60_000;
const INITIALIZED = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;
const NONE_MAY_GO: NodeBudget = { nodes: { kind: 'count', amount: 0 }, reasons: null, window: null };

interface Looked {
  readonly deleted: readonly string[];
  readonly unmarked: readonly string[];
}

interface Given {
  readonly budgets?: readonly NodeBudget[];
  readonly others?: readonly NodeClaim[];
  readonly orders?: ReplacementOrders;
  readonly memory?: ReplacingMemory;
  readonly nowMs?: number;
}

function emptyNodesOf(claims: readonly NodeClaim[]): readonly Node[] {
  return claims.flatMap(({ status: { nodeName: name } }) => (name === '' ? [] : [anOwnedNode({ name })]));
}

/** Looks once at an expired node with a pod, where nothing is on sale. */
async function looked({
  budgets = [],
  others = [],
  orders = new ReplacementOrders(),
  memory = new ReplacingMemory(),
  nowMs = NOW_MS,
}: Given): Promise<Looked> {
  const node = anOwnedNode({ name: 'node' });
  const { providerId } = node;
  const status = { ...NO_STATUS, providerId, nodeName: 'node', conditions: [INITIALIZED] };
  const claims = [aNodeClaim({ status }), ...others];
  const provisioner = aProvisioner({ ttlUntilExpiredMs: 1, disruption: { ...NO_CONSOLIDATION, budgets } });
  const pod = aBoundPod('node', { name: 'web', owner: { kind: 'ReplicaSet', name: 'web', uid: 'rs' } });
  const nodeClass = aNodeClass();
  const state = new ClusterState();
  state.apply({ type: 'upsert', kind: 'provisioner', key: provisioner.name, object: provisioner });
  state.apply({ type: 'upsert', kind: 'nodeClass', key: nodeClass.key, object: nodeClass });
  for (const object of [node, ...emptyNodesOf(others)])
    state.apply({ type: 'upsert', kind: 'node', key: object.name, object });
  state.apply({ type: 'upsert', kind: 'pod', key: 'default/web', object: pod });
  for (const claim of claims)
    state.apply({ type: 'upsert', kind: 'nodeClaim', key: claim.name, object: claim });
  const ignore = (): void => {};
  const clock = { nowMs: () => nowMs, sleep: async () => {} };
  const telemetry = {
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    metrics: { count: ignore, gauge: ignore, observe: ignore },
    dump: () => '',
  };
  const deleted: string[] = [];
  const unmarked: string[] = [];
  const ports = {
    ...{ clock, telemetry, planner: inlinePlanner(clock, telemetry), journal: { append: ignore } },
    cloud: { instanceTypes: async () => ({ kind: 'found', instanceTypes: [] }) },
    kube: {
      deleteNodeClaim: async (name: string) => {
        deleted.push(name);
        return 'deleted';
      },
      annotateNodeClaim: async (claim: NodeClaim) => {
        unmarked.push(claim.name);
        return { kind: 'written', object: { ...claim, annotations: {} } };
      },
      publishEvent: async () => {},
    },
  } as unknown as Ports;
  const live = new LiveState(state, clock, ignore);
  const watch = new DriftWatch(DEFAULT_SETTINGS);
  await replaceNodes(ports, { live, orders, watch, memory, failures: new LaunchFailuresMemory() });
  return { deleted, unmarked };
}

for (const [budgets, goes] of [
  [[], true],
  [[NONE_MAY_GO], false],
] as const) {
  const then = goes ? 'goes without it in the end' : 'stays while its budgets let none go';
  test(`an expired node whose replacement cannot be had ${then}`, async () => {
    const orders = new ReplacementOrders();
    const order = { reason: 'Expired', nodeClaims: ['claim'], replacements: ['gone'], message: '' } as const;
    orders.begin({ ...order, orderedAtMs: NOW_MS - MINUTE_MS, untilMs: NOW_MS + MINUTE_MS });
    const memory = new ReplacingMemory();
    memory.unplaceableSinceMs.set('claim', NOW_MS - 11 * MINUTE_MS);
    const { deleted } = await looked({ budgets, orders, memory });
    assert.deepEqual(deleted, goes ? ['claim'] : []);
  });
}

test('a mark whose reason nobody knows is taken off, those of open orders are not', async () => {
  const marked = (name: string, reason: string): NodeClaim =>
    aNodeClaim({ name, annotations: replacementAnnotations(reason as BudgetedReason, ['claim'], 'why') });
  const { unmarked } = await looked({ others: [marked('later', 'Outdated'), marked('empty', 'Empty')] });
  assert.deepEqual(unmarked, ['later', 'empty']);
  assert.deepEqual((await looked({ others: [marked('new', 'Expired')] })).unmarked, []);
});

test('a deleted claim uses the budget up for as long as the watch shows it, and no longer', async () => {
  const [first, second] = ['first', 'second'].map((name) =>
    aNodeClaim({ name, status: { ...NO_STATUS, nodeName: name, conditions: [INITIALIZED] } }),
  );
  assert.ok(first && second);
  const memory = new ReplacingMemory();
  memory.pauses.hold('claim', NOW_MS + 60 * MINUTE_MS);
  const nodes = { kind: 'count', amount: 1 } as const;
  const given = { orders: new ReplacementOrders(), memory, budgets: [{ ...NONE_MAY_GO, nodes }] };
  const deletedBy = async (minute: number, others: readonly NodeClaim[]): Promise<readonly string[]> =>
    (await looked({ ...given, others, nowMs: NOW_MS + minute * MINUTE_MS })).deleted;
  assert.deepEqual(await deletedBy(0, [first, second]), ['first']);
  assert.deepEqual(await deletedBy(2, [first, second]), [], 'the watch stands still');
  const anew = { ...first, uid: 'another' };
  assert.deepEqual(await deletedBy(3, [second]), ['second']);
  assert.deepEqual(await deletedBy(5, [anew]), ['first'], 'another claim of that name');
  assert.equal(given.orders.sizes().claimsDeleted, 1, 'those that are gone are forgotten');
});
