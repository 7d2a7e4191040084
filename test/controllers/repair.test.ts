// Replacing an unhealthy node: asked of the server first, its drain given an end, told once when it is kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LaunchFailuresMemory } from '../../src/controllers/launchFailures.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { repairNodes } from '../../src/controllers/repair.ts';
import { ReplacementOrders } from '../../src/controllers/replacementOrders.ts';
import { drainEndMs } from '../../src/disruption/drainStep.ts';
import { NO_CONSOLIDATION, type RepairPolicy } from '../../src/model/disruptionPolicy.ts';
import { CLAIM_ANNOTATION } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { EventDraft, WriteOutcome } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNodeClaim, anOwnedNode, aProvisioner } from '../builders.ts';

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const SICK = anOwnedNode({ conditions: [{ type: 'Ready', status: 'Unknown', sinceMs: NOW_MS - HOUR_MS }] });
const WELL = anOwnedNode({ conditions: [{ type: 'Ready', status: 'True', sinceMs: NOW_MS }] });

interface Case {
  readonly policy?: RepairPolicy['policy'];
  /** As the server has it. */
  readonly fresh?: Node | null;
  readonly annotated?: WriteOutcome<NodeClaim>['kind'];
  readonly looks?: number;
  /** As the watch has it. */
  readonly node?: Node;
  readonly claim?: Partial<NodeClaim>;
}

async function repaired({
  policy = 'Replace',
  fresh = SICK,
  annotated = 'written',
  looks = 1,
  node = SICK,
  claim: fields = {},
}: Case) {
  const initialized = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;
  const base = aNodeClaim(fields);
  const { providerId, name: nodeName } = node;
  const claim = { ...base, status: { ...base.status, providerId, nodeName, conditions: [initialized] } };
  const disruption = { ...NO_CONSOLIDATION, repair: { policy, toleratedMs: null } };
  const state = new ClusterState();
  const provisioner = aProvisioner({ disruption });
  state.apply({ type: 'upsert', kind: 'provisioner', key: provisioner.name, object: provisioner });
  state.apply({ type: 'upsert', kind: 'nodeClaim', key: claim.name, object: claim });
  state.apply({ type: 'upsert', kind: 'node', key: node.name, object: node });
  const ignore = (): void => {};
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const done: string[] = [];
  const told: EventDraft[] = [];
  const counted: unknown[] = [];
  let marked: NodeClaim = claim;
  const ports = {
    clock,
    kube: {
      readNode: async () => fresh,
      annotateNodeClaim: async (_: NodeClaim, annotations: Readonly<Record<string, string | null>>) => {
        const left = Object.entries(annotations).filter(([, value]) => value !== null);
        marked = { ...claim, annotations: Object.fromEntries(left), resourceVersion: '2' } as NodeClaim;
        done.push(left.length > 0 ? 'marked' : 'unmarked');
        return annotated === 'written' ? { kind: 'written', object: marked } : { kind: annotated };
      },
      deleteNodeClaim: async () => {
        done.push('deleted');
        return 'deleted';
      },
      publishEvent: async (event: EventDraft) => void told.push(event),
    },
    journal: { append: ignore },
    telemetry: {
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      metrics: { count: (...what: unknown[]) => void counted.push(what) },
    },
    // Only what repair touches.
  } as unknown as Ports;
  const live = new LiveState(state, clock, ignore);
  const orders = new ReplacementOrders();
  const repairing = {
    live,
    orders,
    failures: new LaunchFailuresMemory(),
    toldUnrepaired: new Map<string, string>(),
  };
  let afterMs = 0;
  for (let count = 0; count < looks; count += 1) ({ afterMs } = await repairNodes(ports, repairing));
  return { done, told, counted, marked, afterMs };
}

test('an unhealthy node gets an end for its drain, and goes', async () => {
  const { done, told, counted, marked } = await repaired({});
  assert.deepEqual(done, ['marked', 'deleted']);
  assert.equal(told[0]?.reason, 'DisruptionUnhealthy');
  assert.match(told[0]?.message ?? '', /Ready is Unknown since 60 min/);
  assert.deepEqual(counted, [
    ['cooper_nodeclaims_disrupted_total', { provisioner: 'default', reason: 'Unhealthy' }],
  ]);
  assert.equal(drainEndMs(marked, NOW_MS), NOW_MS + 300_000);
  const spec = { ...marked.spec, terminationGracePeriodMs: 60_000 };
  assert.equal(drainEndMs({ ...marked, spec }, NOW_MS), NOW_MS + 60_000, 'the sooner end counts');
});

const KEPT: readonly (readonly [when: string, one: Case, done: readonly string[]])[] = [
  ['the server says that it is well', { fresh: WELL }, []],
  ['the server has no such node', { fresh: null }, []],
  ['the claim has changed meanwhile', { annotated: 'conflict' }, ['marked']],
];
for (const [when, one, expected] of KEPT) {
  test(`it is kept for now when ${when}`, async () => {
    const { done, told, afterMs } = await repaired(one);
    assert.deepEqual([done, told], [expected, []]);
    assert.ok(afterMs > 0 && afterMs <= 60_000, 'and looked at again');
  });
}

const MARK = { [CLAIM_ANNOTATION.drainEnd]: new Date(NOW_MS + 60_000).toISOString() };

test('one that was let go is not told of again while the watch is late', async () => {
  const { done, told, counted } = await repaired({ looks: 3 });
  assert.deepEqual([done, told.length, counted.length], [['marked', 'deleted'], 2, 1]);
});

test('a node that was to go, and is well again before its claim was deleted, loses the end of its drain', async () => {
  const { done, marked, told } = await repaired({ node: WELL, claim: { annotations: MARK }, looks: 2 });
  assert.deepEqual([done, told], [['unmarked'], []]);
  assert.equal(drainEndMs(marked, NOW_MS), null, 'whatever takes it away now drains it in full');
});

test('one that leaves keeps the end of its drain, and so does one that is still to go', async () => {
  const leaving = { annotations: MARK, deletionRequestedAtMs: NOW_MS };
  assert.deepEqual((await repaired({ claim: leaving })).done, []);
  assert.deepEqual((await repaired({ claim: { annotations: MARK } })).done, ['marked', 'deleted']);
});

test('with Observe nothing is done, and it is told once on the claim and its node', async () => {
  const { done, told } = await repaired({ policy: 'Observe', looks: 3 });
  assert.deepEqual(done, []);
  assert.deepEqual(
    told.map(({ about, reason }) => [about.kind, reason]),
    [
      ['NodeClaim', 'Unrepaired'],
      ['Node', 'Unrepaired'],
    ],
  );
});
