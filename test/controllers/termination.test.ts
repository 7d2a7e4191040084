// What is taken away when: pods that come late, and how often EC2 is asked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttachmentLists } from '../../src/controllers/attachmentLists.ts';
import { Backoff } from '../../src/controllers/backoff.ts';
import { DrainStarts } from '../../src/controllers/drainStarts.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import { type Terminating, terminateNodeClaims } from '../../src/controllers/termination.ts';
import { DISRUPTED_TAINT } from '../../src/disruption/evictable.ts';
import type { Node } from '../../src/model/node.ts';
import type { NodeClaim, NodeClaimCondition, NodeClaimSpec } from '../../src/model/nodeClaim.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { Rollout } from '../../src/model/workloads.ts';
import type { EventDraft, NodePatch } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aBoundPod, aNode, aNodeClaim, type PodFields } from '../builders.ts';

const NOW_MS = 1_800_000_000_000;

/** A cluster in which these claims are being deleted; the API server writes a node when `onPatch` has run. */
function aLeavingCluster(claims: readonly NodeClaim[], onPatch: (state: ClusterState) => void = () => {}) {
  const state = new ClusterState();
  for (const object of claims) state.apply({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
  const done = {
    terminated: [] as string[],
    evicted: [] as string[],
    /** By the end of its time: `name graceSeconds`. */
    deleted: [] as string[],
    released: [] as string[],
    /** Reason and message of events about the claim. */
    told: [] as string[],
    lists: 0,
    /** Volumes attached to the node of `aDrain`. */
    attached: [] as string[],
    /** Without the right to list attachments. */
    mayNotList: false,
    attachmentLists: 0,
    /** True while the status of that node lists attached volumes. */
    reportsVolumes: false,
    /** Messages of the log at level warn. */
    warnings: [] as string[],
    /** Pods whose eviction a budget refuses. */
    refused: new Set<string>(),
    /** Pods whose eviction is denied, by the word of a webhook, say. */
    denied: new Set<string>(),
    /** Pods whose eviction gets no answer. */
    unanswered: new Set<string>(),
    nowMs: NOW_MS,
    /** The Deployment above every pod; null for none. */
    rollout: null as Rollout | null | 'forbidden',
    rolled: 0,
    interrupted: false,
  };
  const ignore = (): void => {};
  const clock = { nowMs: () => done.nowMs, sleep: async () => {} };
  const live = new LiveState(state, clock, ignore);
  const patchNode = async (node: Node, { addTaints = [], unschedulable = false }: NodePatch) => {
    onPatch(state);
    const object = { ...node, unschedulable, taints: addTaints, resourceVersion: '2' };
    return { kind: 'written', object };
  };
  const ports = {
    clock,
    cloud: {
      list: async () => {
        done.lists += 1;
        return [];
      },
      terminate: async (providerId: string) => {
        done.terminated.push(providerId);
        return 'terminating';
      },
    },
    kube: {
      patchNode,
      evictPod: async ({ name }: { readonly name: string }) => {
        if (done.unanswered.has(name)) throw new Error('the API server was not reached');
        if (done.denied.has(name)) return { kind: 'denied', reason: 'webhook "guard" denied the request' };
        if (done.refused.has(name)) return 'blocked';
        done.evicted.push(name);
        return 'evicted';
      },
      readRollout: async () => done.rollout,
      restartRollout: async (rollout: Rollout, atMs: number) => {
        done.rollout = { ...rollout, restartedAtMs: atMs };
        done.rolled += 1;
        return 'restarted';
      },
      readVolumeAttachments: async () => {
        done.attachmentLists += 1;
        if (done.mayNotList) return 'forbidden';
        return done.attached.map((volumeName) => ({ nodeName: aNode().name, volumeName }));
      },
      reportsVolumes: async (name: string) => name === aNode().name && done.reportsVolumes,
      deletePod: async ({ name }: { readonly name: string }, graceSeconds: number) => {
        done.deleted.push(`${name} ${graceSeconds}`);
        return 'deleted';
      },
      readNodePods: async (nodeName: string) =>
        state.snapshot(NOW_MS).pods.filter((pod) => pod.nodeName === nodeName),
      releaseNodeClaim: async (name: string) => void done.released.push(name),
      writeNodeClaimStatus: async (claim: NodeClaim, status: NodeClaim['status']) => ({
        kind: 'written',
        object: { ...claim, status, resourceVersion: `${Number(claim.resourceVersion) + 1}` },
      }),
      publishEvent: async ({ about, reason, message }: EventDraft) => {
        if (about.kind === 'NodeClaim') done.told.push(`${reason} ${message}`);
      },
    },
    journal: { append: ignore },
    telemetry: {
      log: {
        ...{ debug: ignore, info: ignore, error: ignore },
        warn: (_: object, message: string) => void done.warnings.push(message),
      },
      metrics: { count: ignore, gauge: ignore, observe: ignore },
    },
    // Only what termination touches.
  } as unknown as Ports;
  const terminating: Terminating = {
    ...{
      live,
      settings: { ...DEFAULT_SETTINGS, surgeSingleReplicas: true },
      launchesUnderWay: new Set(),
      goneInstances: new Set(),
    },
    evictions: new Backoff(100, 10_000),
    questions: new Backoff(2000, 2000),
    refusals: new Map(),
    denials: new Map(),
    telling: new Map(),
    starts: new DrainStarts(),
    attachments: new AttachmentLists(),
    detachSinceMs: new Map(),
    isInterrupted: () => done.interrupted,
  };
  return { state, done, run: () => terminateNodeClaims(ports, terminating) };
}

function aLeavingClaim(fields: Partial<NodeClaim> = {}): NodeClaim {
  return aNodeClaim({ deletionRequestedAtMs: NOW_MS, ...fields });
}

test('a pod that is bound while its node is cordoned is evicted before the instance goes', async () => {
  const node = aNode();
  const base = aLeavingClaim();
  const claim = { ...base, status: { ...base.status, providerId: node.providerId, nodeName: node.name } };
  const late = aBoundPod(node.name, { name: 'late' });
  const { state, done, run } = aLeavingCluster([claim], (to) =>
    to.apply({ type: 'upsert', kind: 'pod', key: podKey(late), object: late }),
  );
  state.apply({ type: 'upsert', kind: 'node', key: node.name, object: node });
  await run();
  assert.deepEqual(done.terminated, [], 'the pods that were read before the cordon say nothing');
  await run();
  assert.deepEqual([done.evicted, done.terminated], [['late'], []]);
  state.apply({ type: 'delete', kind: 'pod', key: podKey(late) });
  await run();
  assert.deepEqual(done.terminated, [node.providerId]);
});

test('many claims that were never launched are let go after one look at the instances', async () => {
  const claims = Array.from({ length: 40 }, (_, index) => aLeavingClaim({ name: `claim-${index}` }));
  const { done, run } = aLeavingCluster(claims);
  await run();
  assert.equal(done.released.length, 40);
  assert.equal(done.lists, 1);
});

/** A claim whose node is cordoned already, with these pods on it, 100 s into its deletion. */
function aDrain(pods: readonly Pod[], spec: Partial<NodeClaimSpec> = {}) {
  const node = aNode({ unschedulable: true, taints: [DISRUPTED_TAINT] });
  const base = aLeavingClaim({ deletionRequestedAtMs: NOW_MS - 100_000, resourceVersion: '1' });
  const status = { ...base.status, providerId: node.providerId, nodeName: node.name };
  const claim = { ...base, spec: { ...base.spec, ...spec }, status };
  const cluster = aLeavingCluster([claim]);
  const { state } = cluster;
  state.apply({ type: 'upsert', kind: 'node', key: node.name, object: node });
  for (const object of pods) state.apply({ type: 'upsert', kind: 'pod', key: podKey(object), object });
  const condition = (wanted: NodeClaimCondition['type']) =>
    state.get('nodeClaim', claim.name)?.status.conditions.find(({ type }) => type === wanted);
  return { ...cluster, condition, drained: () => condition('Drained') };
}

const DO_NOT_EVICT = { 'karpenter.sh/do-not-evict': 'true' };

test('near the end of its time a drain deletes what forbids it, and at the end the instance goes', async () => {
  const node = aNode();
  const kept = aBoundPod(node.name, { name: 'kept', annotations: DO_NOT_EVICT });
  const slow = aBoundPod(node.name, { name: 'slow', deletionRequestedAtMs: NOW_MS });
  const { done, run, drained } = aDrain([kept, slow], { terminationGracePeriodMs: 160_000 });
  assert.deepEqual(await run(), { afterMs: 5_000 });
  assert.deepEqual(done.deleted, [], 'a minute is left, and the pod needs half of it');
  done.nowMs += 28_500;
  assert.deepEqual(await run(), { afterMs: 1_500 }, 'until the pod needs the rest');
  done.nowMs += 1_500;
  await run();
  await run();
  assert.deepEqual(done.deleted, ['kept 30']);
  assert.deepEqual(done.terminated, []);
  done.nowMs += 30_000;
  await run();
  assert.deepEqual(done.terminated, [node.providerId]);
  assert.equal(drained()?.status, 'False');
  assert.match(drained()?.message ?? '', /over with 2 pods left on the node: default\/kept, default\/slow/);
});

test('what stands in the way is named once, with its cause, and again only when it has changed', async () => {
  const node = aNode();
  const kept = aBoundPod(node.name, { name: 'kept', annotations: DO_NOT_EVICT });
  const web = aBoundPod(node.name, { name: 'web', labels: { app: 'web' } });
  const { state, done, run, drained } = aDrain([kept, web]);
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] };
  const budget = { namespace: 'default', name: 'web', selector, disruptionsAllowed: 0 };
  state.apply({ type: 'upsert', kind: 'disruptionBudget', key: 'default/web', object: budget });
  done.refused.add('web');
  await run();
  const forbids =
    'pod default/kept forbids the drain by karpenter.sh/do-not-evict: remove the annotation or the pod';
  const refuses = 'PodDisruptionBudget default/web lets pod default/web not go now';
  assert.deepEqual(done.told, [`FailedDraining ${refuses}; ${forbids}`]);
  assert.deepEqual([drained()?.status, drained()?.message], ['Unknown', `${refuses}; ${forbids}`]);
  for (let times = 0; times < 5; times += 1) {
    done.nowMs += 10_000;
    await run();
  }
  assert.equal(done.told.length, 1);
  done.refused.clear();
  done.nowMs += 10_000;
  await run();
  assert.deepEqual(done.told.slice(1), [`FailedDraining ${forbids}`]);
  state.apply({ type: 'delete', kind: 'pod', key: podKey(kept) });
  state.apply({ type: 'delete', kind: 'pod', key: podKey(web) });
  await run();
  assert.equal(drained()?.status, 'True');
  assert.deepEqual(done.terminated, [node.providerId]);
});

test('a pod whose eviction fails is named with the cause, and keeps no other from being told of', async () => {
  const { done, run } = aDrain([
    aBoundPod(aNode().name, { name: 'guarded' }),
    aBoundPod(aNode().name, { name: 'kept', annotations: DO_NOT_EVICT }),
  ]);
  done.denied.add('guarded');
  for (let times = 0; times < 12; times += 1) {
    await run();
    done.nowMs += 2_500;
  }
  assert.equal(done.told.length, 1, 'told once');
  assert.match(done.told[0] ?? '', /pod default\/guarded cannot be evicted: webhook "guard" denied/);
  assert.match(done.told[0] ?? '', /pod default\/kept forbids the drain/);
  done.denied.clear();
  done.nowMs += 10_000;
  await run();
  assert.deepEqual(done.evicted, ['guarded']);
});

const LOGS = { name: 'logs', owner: { kind: 'DaemonSet', name: 'logs', uid: 'logs' } };
const DAEMON_REFUSALS = [
  { by: 'a budget', list: 'refused', told: /pod default\/logs is refused its eviction for now/ },
  { by: 'a webhook', list: 'denied', told: /pod default\/logs cannot be evicted: webhook "guard" denied/ },
] as const;
for (const { by, list, told } of DAEMON_REFUSALS) {
  test(`a daemon whose eviction ${by} refuses holds its node up for a minute, and is named`, async () => {
    const { done, run } = aDrain([aBoundPod(aNode().name, LOGS)]);
    done[list].add('logs');
    await run();
    assert.equal(done.told.length, 1);
    assert.match(done.told[0] ?? '', told);
    assert.match(done.told[0] ?? '', /a daemon is waited for no longer than a minute/);
    done.nowMs += 59_000;
    await run();
    assert.deepEqual(done.terminated, []);
    done.nowMs += 1_000;
    await run();
    assert.deepEqual(done.terminated, [aNode().providerId]);
  });
}

test('a daemon that the API server has not answered about is asked for again, however late', async () => {
  const { done, run } = aDrain([aBoundPod(aNode().name, LOGS)]);
  done.unanswered.add('logs');
  await run();
  done.nowMs += 120_000;
  await run();
  assert.deepEqual(done.terminated, []);
  done.unanswered.clear();
  done.nowMs += 5_000;
  await run();
  assert.deepEqual(done.evicted, ['logs']);
});

test('an ordinary pod whose eviction a webhook denies holds its node until its time is up', async () => {
  const { done, run } = aDrain([aBoundPod(aNode().name, { name: 'web' })], {
    terminationGracePeriodMs: 1_000_000,
  });
  done.denied.add('web');
  for (; done.nowMs < NOW_MS + 869_000; done.nowMs += 79_000) await run();
  assert.deepEqual([done.evicted, done.deleted, done.terminated], [[], [], []]);
  done.nowMs = NOW_MS + 870_000;
  await run();
  assert.deepEqual(done.deleted, ['web 30']);
});

const VOLUME = { name: 'pv-a', nodeAffinity: [], csiDriver: 'ebs.csi.aws.com' };

test('the instance ends once the volumes of the pods that have left are detached', async () => {
  const { state, done, run, condition } = aDrain([]);
  state.apply({ type: 'upsert', kind: 'persistentVolume', key: 'pv-a', object: VOLUME });
  done.attached = ['pv-a', 'pv-b'];
  await run();
  const message = 'volumes are still attached: pv-a, pv-b';
  assert.deepEqual(
    [condition('VolumesDetached')?.status, condition('VolumesDetached')?.message],
    ['Unknown', message],
  );
  assert.deepEqual(done.told, [`AwaitingVolumeDetachment ${message}`]);
  for (let times = 0; times < 10; times += 1) {
    done.nowMs += 2_000;
    await run();
  }
  assert.equal(done.told.length, 1);
  assert.deepEqual(done.terminated, []);
  done.attached = [];
  done.nowMs += 2_000;
  await run();
  assert.equal(condition('VolumesDetached')?.status, 'True');
  assert.deepEqual(done.terminated, [aNode().providerId]);
});

test('a list from before the drain was over ends no instance', async () => {
  const late = aBoundPod(aNode().name, { name: 'late' });
  const { state, done, run } = aDrain([late]);
  state.apply({ type: 'upsert', kind: 'persistentVolume', key: 'pv-a', object: VOLUME });
  await run();
  state.apply({ type: 'delete', kind: 'pod', key: podKey(late) });
  done.attached = ['pv-a'];
  done.nowMs += 500;
  await run();
  assert.deepEqual(done.terminated, []);
});

test('at the end of its time a drain waits for volumes no longer', async () => {
  const { state, done, run, condition } = aDrain([], { terminationGracePeriodMs: 110_000 });
  state.apply({ type: 'upsert', kind: 'persistentVolume', key: 'pv-a', object: VOLUME });
  done.attached = ['pv-a'];
  await run();
  done.nowMs += 8_000;
  await run();
  assert.deepEqual(done.terminated, []);
  done.nowMs += 2_000;
  await run();
  assert.deepEqual(done.terminated, [aNode().providerId]);
  const { status, reason } = condition('VolumesDetached') ?? {};
  assert.deepEqual([status, reason], ['False', 'TerminationGracePeriodElapsed']);
});

test('a cluster without volumes is not asked for attachments', async () => {
  const { done, run, condition } = aDrain([]);
  done.attached = ['pv-a'];
  await run();
  assert.deepEqual(done.terminated, [aNode().providerId]);
  assert.equal(condition('VolumesDetached'), undefined);
});

/** A drained node in a cluster with volumes, whose chart does not grant the right to list their attachments. */
function anUnentitledDrain(spec: Partial<NodeClaimSpec> = {}) {
  const drain = aDrain([], spec);
  drain.state.apply({ type: 'upsert', kind: 'persistentVolume', key: 'pv-a', object: VOLUME });
  drain.done.mayNotList = true;
  return drain;
}

const NOT_LISTED = 'volume attachments may not be listed: drains go by what Nodes report';

test('without the right to list attachments, a node that reports no volume goes, and it is told once', async () => {
  const { done, run, condition } = anUnentitledDrain();
  await run();
  assert.deepEqual(done.terminated, [aNode().providerId]);
  assert.deepEqual(done.warnings, [NOT_LISTED]);
  assert.equal(condition('VolumesDetached')?.status, 'True');
});

test('without that right, a node whose status lists volumes is waited for, with the mend said once', async () => {
  const { done, run, condition } = anUnentitledDrain();
  done.reportsVolumes = true;
  for (; done.nowMs < NOW_MS + 300_000; done.nowMs += 2_000) await run();
  assert.deepEqual(done.terminated, []);
  assert.deepEqual(done.warnings, [NOT_LISTED]);
  assert.equal(done.told.length, 1);
  const right = /list volumeattachments\.storage\.k8s\.io.*upgrade the chart/;
  assert.match(done.told[0] ?? '', right);
  assert.match(condition('VolumesDetached')?.message ?? '', right);
  assert.ok(done.attachmentLists <= 6, `asked for the list ${done.attachmentLists} times in five minutes`);
  done.reportsVolumes = false;
  await run();
  assert.deepEqual(done.terminated, [aNode().providerId]);
});

test('without that right, the wait ends when Kubernetes itself would detach by force', async () => {
  const { done, run, condition } = anUnentitledDrain();
  done.reportsVolumes = true;
  for (; done.nowMs < NOW_MS + 360_000; done.nowMs += 2_000) await run();
  assert.deepEqual(done.terminated, []);
  await run();
  assert.deepEqual(done.terminated, [aNode().providerId]);
  const { status, reason } = condition('VolumesDetached') ?? {};
  assert.deepEqual([status, reason], ['False', 'AttachmentsUnknown']);
});

test('once the right is there, the list counts again, and its loss is told anew', async () => {
  const { done, run } = anUnentitledDrain();
  done.reportsVolumes = true;
  await run();
  Object.assign(done, {
    mayNotList: false,
    reportsVolumes: false,
    attached: ['pv-a'],
    nowMs: NOW_MS + 60_000,
  });
  for (let times = 0; times < 5; times += 1, done.nowMs += 2_000) await run();
  assert.deepEqual(done.terminated, [], 'the list knows better than the status');
  assert.match(done.told.at(-1) ?? '', /volumes are still attached: pv-a/);
  Object.assign(done, { mayNotList: true });
  await run();
  assert.equal(done.warnings.length, 2);
});

const ROLLOUT: Rollout = {
  namespace: 'default',
  name: 'web',
  uid: 'uid-web',
  replicas: 1,
  surges: true,
  restartedAtMs: null,
};
const SINGLE: PodFields = {
  name: 'web-1',
  owner: { kind: 'ReplicaSet', name: 'web', uid: 'set' },
  annotations: { 'cooper.sh/surge': 'true' },
  ready: true,
};

test('a Deployment of one pod is rolled once, and its pod evicted if five minutes do not do', async () => {
  const { done, run } = aDrain([aBoundPod(aNode().name, SINGLE)]);
  done.rollout = ROLLOUT;
  for (let times = 0; times < 30; times += 1) {
    await run();
    done.nowMs += 10_000;
  }
  assert.deepEqual([done.rolled, done.evicted], [1, []]);
  await run();
  assert.deepEqual([done.rolled, done.evicted], [1, ['web-1']]);
});

const PLAIN: readonly {
  what: string;
  pod?: PodFields;
  rollout: Rollout | null | 'forbidden';
  interrupted?: boolean;
}[] = [
  { what: 'a pod that does not ask for it', pod: { annotations: {} }, rollout: ROLLOUT },
  { what: 'a pod that is not ready', pod: { ready: false }, rollout: ROLLOUT },
  {
    what: 'a pod of a StatefulSet',
    pod: { owner: { kind: 'StatefulSet', name: 'db', uid: 'db' } },
    rollout: ROLLOUT,
  },
  { what: 'a pod of an instance that EC2 takes back', rollout: ROLLOUT, interrupted: true },
  { what: 'one of several', rollout: { ...ROLLOUT, replicas: 2 } },
  { what: 'a Deployment that deletes first', rollout: { ...ROLLOUT, surges: false } },
  { what: 'a ReplicaSet without a Deployment', rollout: null },
  { what: 'a Deployment that may not be read', rollout: 'forbidden' },
];
for (const { what, pod = {}, rollout, interrupted = false } of PLAIN) {
  test(`${what} is evicted without a rollout`, async () => {
    const { done, run } = aDrain([aBoundPod(aNode().name, { ...SINGLE, ...pod })]);
    Object.assign(done, { rollout, interrupted });
    await run();
    assert.deepEqual([done.rolled, done.evicted], [0, ['web-1']]);
  });
}
