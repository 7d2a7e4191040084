// Who is told what: the planned node of each waiting pod, written once, and never over a preemption.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveState } from '../../src/controllers/liveState.ts';
import { ProvisioningMemory } from '../../src/controllers/provisioningMemory.ts';
import {
  nominationsToWrite,
  targetsBefore,
  tellScheduler,
} from '../../src/controllers/schedulerNominations.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import type { Node } from '../../src/model/node.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { KubeApi } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aBoundPod, aNode, aNodeClaim, aPod, somePods } from '../builders.ts';

const NOW_MS = 1_000_000;

interface World {
  readonly pods: readonly Pod[];
  readonly nodes?: readonly Node[];
  readonly claims?: readonly NodeClaim[];
}

function aWorld({ pods, nodes = [], claims = [] }: World) {
  const state = new ClusterState();
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  const live = new LiveState(state, clock, () => {});
  const put = (pod: Pod): void => {
    const event = { type: 'upsert', kind: 'pod', key: podKey(pod), object: pod } as const;
    state.apply(event);
    memory.note(event, NOW_MS);
  };
  pods.forEach(put);
  for (const node of nodes) state.apply({ type: 'upsert', kind: 'node', key: node.name, object: node });
  for (const claim of claims) {
    state.apply({ type: 'upsert', kind: 'nodeClaim', key: claim.name, object: claim });
  }
  return { clock, live, memory, put };
}

const NODE = aNode({ name: 'ip-1', providerId: 'aws:///a/i-1' });
const CLAIM = aNodeClaim({ name: 'claim' });
const JOINED = { ...CLAIM, status: { ...CLAIM.status, providerId: 'aws:///a/i-1' } };
const AWAY = { ...CLAIM, status: { ...CLAIM.status, providerId: 'aws:///a/i-2' } };
const urgent = (nominatedNodeName: string): Pod => aPod({ nominatedNodeName, spec: { priority: 10 } });
const terminating = aBoundPod('other', { name: 'victim', deletionRequestedAtMs: 1 });

const CASES: readonly {
  when: string;
  pod?: Pod;
  others?: readonly Pod[];
  nodes?: readonly Node[];
  claims?: readonly NodeClaim[];
  target?: string;
  told: string | null;
}[] = [
  { when: 'it is planned onto a node', told: 'ip-1' },
  { when: 'it is planned onto a claim whose Node is there', claims: [JOINED], target: 'claim', told: 'ip-1' },
  { when: 'its claim has no instance yet', claims: [CLAIM], target: 'claim', told: null },
  { when: "its claim's Node has not joined yet", claims: [AWAY], target: 'claim', told: null },
  { when: 'its node is gone', nodes: [], told: null },
  { when: 'its node is being deleted', nodes: [{ ...NODE, deletionRequestedAtMs: 1 }], told: null },
  { when: 'it is bound', pod: aPod({ nodeName: 'other' }), told: null },
  { when: 'it is being deleted', pod: aPod({ deletionRequestedAtMs: 1 }), told: null },
  { when: 'it was told so already', pod: aPod({ nominatedNodeName: 'ip-1' }), told: null },
  { when: 'it was told another node, which is gone', pod: aPod({ nominatedNodeName: 'gone' }), told: 'ip-1' },
  {
    when: 'it was told another node, and is planned elsewhere now',
    pod: aPod({ nominatedNodeName: 'other' }),
    told: 'ip-1',
  },
  {
    when: 'it was told a node, and its claim has none yet',
    pod: aPod({ nominatedNodeName: 'other' }),
    claims: [CLAIM],
    target: 'claim',
    told: '',
  },
  { when: 'it was told a node, and now has no place', pod: urgent('other'), target: '', told: '' },
  { when: 'others terminate to make room for it', pod: urgent('other'), others: [terminating], told: null },
  {
    when: 'another scheduler may be about to make room for it',
    pod: urgent('other'),
    others: [{ ...terminating, deletionRequestedAtMs: null }],
    told: null,
  },
];

for (const { when, pod = aPod(), others = [], nodes, claims = [], target = 'ip-1', told } of CASES) {
  test(`a pod is told ${told === '' ? 'no node' : (told ?? 'nothing')} when ${when}`, () => {
    const there = nodes ?? [NODE, aNode({ name: 'other', providerId: 'aws:///a/i-9' })];
    const world = aWorld({ pods: [pod, ...others], nodes: there, claims });
    const written = nominationsToWrite(world, [{ pod: podKey(pod), target }], NOW_MS);
    const expected = told === null ? [] : [[podKey(pod), told]];
    assert.deepEqual(
      written.map((one) => [podKey(one.pod), one.nodeName]),
      expected,
    );
  });
}

function portsOver(clock: Ports['clock'], nominatePod: KubeApi['nominatePod']) {
  const counts: Record<string, number> = {};
  const warnings: object[] = [];
  const silent = (): void => {};
  const ports = {
    clock,
    kube: { nominatePod } as Partial<KubeApi> as KubeApi,
    telemetry: {
      log: { debug: silent, info: silent, warn: (facts: object) => warnings.push(facts), error: silent },
      metrics: {
        count: (_: string, { outcome = '' }: Readonly<Record<string, string>>) => {
          counts[outcome] = (counts[outcome] ?? 0) + 1;
        },
        gauge: silent,
        observe: silent,
      },
      dump: () => '',
    },
  };
  return { ports, counts, warnings };
}

const sentTo = (pods: readonly Pod[], target: string) => pods.map((pod) => ({ pod: podKey(pod), target }));

test('a bounded number is written at once, each once, and failures are logged and stop nothing', async () => {
  const pods = somePods(100, { name: 'web' });
  const world = aWorld({ pods, nodes: [NODE] });
  let underWay = 0;
  let most = 0;
  const { ports, counts, warnings } = portsOver(world.clock, async ({ name }) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await Promise.resolve();
    underWay -= 1;
    if (name === 'web-7' || name === 'web-9') throw new Error('HTTP 403');
    return name === 'web-8' ? 'gone' : 'written';
  });
  const telling = { ...world, settings: { ...DEFAULT_SETTINGS, writesAtOnce: 5 } };
  await tellScheduler(ports, telling, sentTo(pods, 'ip-1'));
  assert.equal(most, 5);
  assert.deepEqual(counts, { written: 97, gone: 1, failed: 2 });
  assert.deepEqual(warnings, [{ pods: 2, pod: 'default/web-7', node: 'ip-1', error: 'Error: HTTP 403' }]);
  await tellScheduler(ports, telling, sentTo(pods, 'ip-1'));
  assert.deepEqual(counts, { written: 97, gone: 1, failed: 2 }, 'the watch has yet to tell of them');
});

test('a pod that is bound while others are written is not told any more', async () => {
  const pods = somePods(2, { name: 'web' });
  const world = aWorld({ pods, nodes: [NODE] });
  const written: string[] = [];
  const { ports } = portsOver(world.clock, async ({ name }) => {
    written.push(name);
    for (const pod of pods) world.put({ ...pod, nodeName: 'other' });
    return 'written';
  });
  const telling = { ...world, settings: { ...DEFAULT_SETTINGS, writesAtOnce: 1 } };
  await tellScheduler(ports, telling, sentTo(pods, 'ip-1'));
  assert.deepEqual(written, ['web-0']);
});

test('the next plan sends pods where the last one did, by memory or by their nomination', () => {
  const [byClaim, byName, byField, nowhere] = somePods(4, { name: 'web' });
  assert.ok(byClaim && byName && byField && nowhere);
  const carrying = { ...byField, nominatedNodeName: 'ip-1' };
  const pods = [byClaim, byName, carrying, nowhere];
  const world = aWorld({ pods, nodes: [NODE], claims: [JOINED] });
  const nominations = [
    { pod: podKey(byClaim), target: { kind: 'nodeClaim', name: 'claim' } },
    { pod: podKey(byName), target: { kind: 'nodeClaim', name: 'unlaunched' } },
  ] as const;
  world.memory.nominations.nominate(nominations, NOW_MS, 1000);
  const targets = targetsBefore(world, world.live.snapshot(), pods);
  assert.deepEqual(Object.fromEntries(targets), {
    'default/web-0': 'ip-1',
    'default/web-1': 'unlaunched',
    'default/web-2': 'ip-1',
  });
});

test('nominations are taken off before others are written: the room that they keep is needed', async () => {
  const [staying, leaving] = somePods(2, { name: 'web' });
  assert.ok(staying && leaving);
  const pods = [staying, { ...leaving, nominatedNodeName: 'ip-1' }];
  const world = aWorld({ pods, nodes: [NODE] });
  const written: string[] = [];
  const { ports } = portsOver(world.clock, async ({ name }, nodeName) => {
    written.push(`${name} ${nodeName}`);
    return 'written';
  });
  const sent = [
    { pod: podKey(staying), target: 'ip-1' },
    { pod: podKey(leaving), target: '' },
  ];
  await tellScheduler(ports, { ...world, settings: DEFAULT_SETTINGS }, sent);
  assert.deepEqual(written, ['web-1 ', 'web-0 ip-1']);
});
