// Every decision about a node, taken or not: one record in the journal, one event on the claim, one on the Node.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ConsolidationMemory, consolidateNodes } from '../../src/controllers/consolidation.ts';
import { disruptNodes } from '../../src/controllers/disruption.ts';
import { DriftWatch } from '../../src/controllers/drift.ts';
import { inlinePlanner } from '../../src/controllers/inlinePlanner.ts';
import { LaunchFailuresMemory } from '../../src/controllers/launchFailures.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { Nominations } from '../../src/controllers/nominations.ts';
import { ReplacementOrders } from '../../src/controllers/replacementOrders.ts';
import { ReplacingMemory, replaceNodes } from '../../src/controllers/replacing.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import { NO_CONSOLIDATION, type NodeBudget } from '../../src/model/disruptionPolicy.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { PodDisruptionBudget } from '../../src/model/workloads.ts';
import type { DecisionRecord } from '../../src/ports/journal.ts';
import type { EventDraft } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import {
  aBoundPod,
  aNodeClaim,
  aNodeClass,
  anInstanceType,
  anOwnedNode,
  aPod,
  aProvisioner,
  GIB,
} from '../builders.ts';

const NOW_MS = 10_000_000;
const OWNER = { kind: 'ReplicaSet', name: 'web', uid: 'rs' } as const;
const TYPES = [
  anInstanceType(),
  anInstanceType({ name: 'c5.small', cpuMillis: 1000, memoryBytes: 2 * GIB, usdPerHour: 0.04 }),
];

interface Told {
  readonly records: readonly DecisionRecord[];
  /** `reason kind name`. */
  readonly events: readonly string[];
}

interface Case {
  readonly when: string;
  readonly provisioner?: Partial<Provisioner>;
  readonly claim?: Partial<NodeClaim>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Bound to the node, as the watch tells it. */
  readonly pods?: readonly Pod[];
  /** What the server itself says is on the node. */
  readonly podsOnServer?: readonly Pod[];
  readonly disruptionBudget?: PodDisruptionBudget;
  readonly record: Partial<DecisionRecord>;
}

const NONE_MAY_GO: NodeBudget = { nodes: { kind: 'count', amount: 0 }, reasons: null, window: null };
const CONSOLIDATING = {
  ...NO_CONSOLIDATION,
  consolidation: 'WhenEmptyOrUnderutilized' as const,
  minimumNodeAgeMs: 0,
};
const consolidating = (more: object = {}) => ({ disruption: { ...CONSOLIDATING, ...more } });
const aWebPod = (fields: Parameters<typeof aBoundPod>[1] = {}) =>
  aBoundPod('node', { name: 'web-1', owner: OWNER, labels: { app: 'web' }, ...fields });

const OF_TIME: readonly Case[] = [
  {
    when: 'an empty node goes',
    provisioner: { ttlAfterEmptyMs: 1000 },
    claim: { emptySinceMs: 0 },
    record: { kind: 'Disrupted', code: 'DisruptionEmpty' },
  },
  {
    when: 'an empty node is kept by a budget',
    provisioner: { ttlAfterEmptyMs: 1000, disruption: { ...NO_CONSOLIDATION, budgets: [NONE_MAY_GO] } },
    claim: { emptySinceMs: 0 },
    record: { kind: 'Kept', code: 'DisruptionBlocked' },
  },
  {
    when: 'an empty node is kept by its own annotation',
    provisioner: { ttlAfterEmptyMs: 1000 },
    annotations: { 'karpenter.sh/do-not-disrupt': 'true' },
    record: { kind: 'Kept', code: 'DisruptionBlocked' },
  },
  {
    when: 'an empty node turns out to be in use',
    provisioner: { ttlAfterEmptyMs: 1000 },
    claim: { emptySinceMs: 0 },
    podsOnServer: [aWebPod()],
    record: { kind: 'Kept', code: 'DisruptionBlocked', blockedBy: 'default/web-1' },
  },
  {
    when: 'an old node goes that nothing need replace',
    provisioner: { ttlUntilExpiredMs: 1000 },
    record: { kind: 'Disrupted', code: 'DisruptionExpired' },
  },
  {
    when: 'an old node is kept by a budget',
    provisioner: { ttlUntilExpiredMs: 1000, disruption: { ...NO_CONSOLIDATION, budgets: [NONE_MAY_GO] } },
    pods: [aWebPod()],
    record: { kind: 'Kept', code: 'DisruptionBlocked' },
  },
];

const OF_MONEY: readonly Case[] = [
  {
    when: 'a node is kept by an annotation of a pod',
    provisioner: consolidating(),
    pods: [aWebPod({ annotations: { 'karpenter.sh/do-not-evict': 'true' } })],
    record: { kind: 'Kept', code: 'Unconsolidatable', blockedBy: 'default/web-1' },
  },
  {
    when: 'a node is kept by a PodDisruptionBudget',
    provisioner: consolidating(),
    pods: [aWebPod()],
    disruptionBudget: {
      namespace: 'default',
      name: 'web',
      selector: { expressions: [{ key: 'app', operator: 'In', values: ['web'] }] },
      disruptionsAllowed: 0,
    },
    record: { kind: 'Kept', code: 'Unconsolidatable', blockedBy: 'default/web-1' },
  },
  {
    when: 'a node is kept by a budget of its Provisioner',
    provisioner: consolidating({ budgets: [NONE_MAY_GO] }),
    pods: [aWebPod()],
    record: { kind: 'Kept', code: 'Unconsolidatable' },
  },
  {
    when: 'a node is kept because nothing is cheaper',
    provisioner: consolidating(),
    pods: [aWebPod({ cpuMillis: 1900 })],
    record: { kind: 'Kept', code: 'Unconsolidatable' },
  },
];

/** Runs a controller twice over one node: what is told the second time is told too often. */
async function told(one: Case, controller: 'disruption' | 'consolidation'): Promise<Told> {
  const records: DecisionRecord[] = [];
  const events: string[] = [];
  const node = anOwnedNode({ name: 'node', annotations: one.annotations ?? {} });
  const status = {
    ...NO_STATUS,
    providerId: node.providerId,
    nodeName: node.name,
    instanceType: 'm5.large',
    capacityType: 'on-demand' as const,
    usdPerHour: 0.096,
    conditions: [{ type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const],
  };
  const claim = aNodeClaim({ status, ...one.claim });
  const state = new ClusterState();
  const put = (
    kind: 'node' | 'nodeClaim' | 'provisioner' | 'pod' | 'nodeClass' | 'disruptionBudget',
    key: string,
    object: unknown,
  ) => state.apply({ type: 'upsert', kind, key, object } as never);
  put('node', node.name, node);
  put('nodeClaim', claim.name, claim);
  put('provisioner', 'default', aProvisioner(one.provisioner));
  const nodeClass = aNodeClass();
  put('nodeClass', nodeClass.key, nodeClass);
  for (const pod of one.pods ?? []) put('pod', podKey(pod), pod);
  const { disruptionBudget } = one;
  if (disruptionBudget !== undefined) put('disruptionBudget', podKey(disruptionBudget), disruptionBudget);
  const ignore = (): void => {};
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const telemetry = {
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    metrics: { count: ignore, gauge: ignore, observe: ignore },
    dump: () => '',
  };
  const ports = {
    clock,
    telemetry,
    planner: inlinePlanner(clock, telemetry),
    journal: { append: (record: DecisionRecord) => records.push(record) },
    cloud: { instanceTypes: async () => ({ kind: 'found', instanceTypes: TYPES }) },
    kube: {
      deleteNodeClaim: async () => 'deleted',
      readNodePods: async () => one.podsOnServer ?? [],
      writeEmptySince: async () => ({ kind: 'conflict' }),
      publishEvent: async ({ about, reason }: EventDraft) =>
        void events.push(`${reason} ${about.kind} ${about.name}`),
    },
  } as unknown as Ports;
  const live = new LiveState(state, clock, ignore);
  const nominations = new Nominations();
  const orders = new ReplacementOrders();
  const disrupting = {
    ...{ live, orders, nominations, settings: DEFAULT_SETTINGS, toldHeld: new Map<string, string>() },
    failures: new LaunchFailuresMemory(),
    toldUnrepaired: new Map<string, string>(),
  };
  const memory = new ConsolidationMemory();
  const failures = new LaunchFailuresMemory();
  const watch = new DriftWatch(DEFAULT_SETTINGS);
  const replacing = { live, orders, watch, failures, memory: new ReplacingMemory() };
  const look = (): Promise<unknown> =>
    controller === 'disruption'
      ? disruptNodes(ports, disrupting).then(() => replaceNodes(ports, replacing))
      : consolidateNodes(ports, { live, orders, nominations, memory, failures: new LaunchFailuresMemory() });
  await look();
  // The watch has told nothing in between: what was decided is not decided again.
  if (one.podsOnServer === undefined) await look();
  return { records, events };
}

for (const [controller, cases] of [
  ['disruption', OF_TIME],
  ['consolidation', OF_MONEY],
] as const) {
  for (const one of cases) {
    test(`${one.when}: one record, and events on claim and Node`, async () => {
      const { records, events } = await told(one, controller);
      assert.equal(records.length, 1);
      const [record] = records;
      assert.partialDeepStrictEqual(record, { subject: 'claim', ...one.record });
      assert.ok((record?.reason ?? '').length > 10);
      const { code } = one.record;
      assert.deepEqual(events, [`${code} NodeClaim claim`, `${code} Node node`]);
    });
  }
}

test('consolidation that halts is one record for the whole cluster, and no event', async () => {
  const young = aPod({ name: 'new', createdAtMs: NOW_MS - 1000 });
  const scene = { when: '', provisioner: consolidating(), pods: [aWebPod(), young], record: {} };
  const { records, events } = await told(scene, 'consolidation');
  assert.deepEqual(
    records.map(({ subject, code, reason }) => [subject, code, reason]),
    [['cluster', 'ConsolidationHalted', 'pod default/new waits for a node']],
  );
  assert.deepEqual(events, []);
});

/** They append records of their own: a launch that failed, an interruption that is told whatever becomes of it. */
const TELL_THEMSELVES: ReadonlySet<string> = new Set(['claimEvents.ts', 'launch.ts', 'interruption.ts']);

const FOLDER = new URL('../../src/controllers/', import.meta.url);

function controllersThat(call: string): readonly string[] {
  return readdirSync(FOLDER).filter((name) => readFileSync(new URL(name, FOLDER), 'utf8').includes(call));
}

test('no controller deletes a claim without telling why', () => {
  const deleting = controllersThat('kube.deleteNodeClaim(');
  assert.deepEqual(
    deleting.filter((name) => !TELL_THEMSELVES.has(name)),
    [],
  );
});

test('no controller tells of a claim and leaves it out of the journal', () => {
  // A launch that is refused is recorded as such.
  assert.deepEqual(controllersThat('await tellClaim('), ['claimEvents.ts', 'launch.ts']);
});
