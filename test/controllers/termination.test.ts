// What is taken away when: pods that come late, and how often EC2 is asked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/controllers/backoff.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import { type Terminating, terminateNodeClaims } from '../../src/controllers/termination.ts';
import type { Node } from '../../src/model/node.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { podKey } from '../../src/model/pod.ts';
import type { NodePatch } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aBoundPod, aNode, aNodeClaim } from '../builders.ts';

const NOW_MS = 1_800_000_000_000;

/** A cluster in which these claims are being deleted; the API server writes a node when `onPatch` has run. */
function aLeavingCluster(claims: readonly NodeClaim[], onPatch: (state: ClusterState) => void = () => {}) {
  const state = new ClusterState();
  for (const object of claims) state.apply({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
  const done = { terminated: [] as string[], evicted: [] as string[], released: [] as string[], lists: 0 };
  const ignore = (): void => {};
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
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
        done.evicted.push(name);
        return 'evicted';
      },
      readNodePods: async (nodeName: string) =>
        state.snapshot(NOW_MS).pods.filter((pod) => pod.nodeName === nodeName),
      releaseNodeClaim: async (name: string) => void done.released.push(name),
      writeNodeClaimStatus: async () => ({ kind: 'conflict' }),
      publishEvent: async () => {},
    },
    journal: { append: ignore },
    telemetry: {
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      metrics: { count: ignore, gauge: ignore, observe: ignore },
    },
    // Only what termination touches.
  } as unknown as Ports;
  const terminating: Terminating = {
    ...{ live, settings: DEFAULT_SETTINGS, launchesUnderWay: new Set(), goneInstances: new Set() },
    evictions: new Backoff(100, 10_000),
    questions: new Backoff(2000, 2000),
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
