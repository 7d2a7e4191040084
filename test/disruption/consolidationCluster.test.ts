// What a trial of consolidation is shown of the cluster, and the order in which nodes are tried.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectCandidates } from '../../src/disruption/consolidationCandidates.ts';
import { ConsolidationCluster } from '../../src/disruption/consolidationCluster.ts';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { LABEL } from '../../src/model/labels.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import type { PodSpec } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import { aBoundPod, aNodeClaim, anOwnedNode, aProvisioner, aSnapshot, type PodFields } from '../builders.ts';
import { QUIET } from './consolidated.ts';

const INITIALIZED = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;

interface Nodes {
  /** CPU of the pods of each node, or more of them. */
  readonly nodes: Readonly<Record<string, readonly (number | PodFields)[]>>;
  readonly zones?: Readonly<Record<string, string>>;
  readonly provisioner?: Partial<Provisioner>;
}

function aCluster({ nodes, zones = {}, provisioner = {} }: Nodes) {
  const names = Object.keys(nodes);
  const snapshot = aSnapshot({
    takenAtMs: 10_000_000,
    provisioners: [
      aProvisioner({
        disruption: { ...NO_CONSOLIDATION, consolidation: 'WhenEmptyOrUnderutilized' },
        ...provisioner,
      }),
    ],
    nodes: names.map((name) => anOwnedNode({ name, labels: { [LABEL.zone]: zones[name] ?? 'us-east-1a' } })),
    nodeClaims: names.map((name) =>
      aNodeClaim({
        name: `c-${name}`,
        status: { ...NO_STATUS, usdPerHour: 0.096, nodeName: name, conditions: [INITIALIZED] },
      }),
    ),
    pods: names.flatMap((node) =>
      (nodes[node] ?? []).map((one, index) =>
        aBoundPod(node, {
          ...{ name: `${node}-${index}`, owner: { kind: 'ReplicaSet', name: 'a', uid: 'a' } },
          ...(typeof one === 'number' ? { cpuMillis: one } : one),
        }),
      ),
    ),
  });
  const { candidates } = selectCandidates(snapshot, QUIET);
  return { candidates, cluster: new ConsolidationCluster(snapshot, candidates) };
}

/** What is shown when the first candidate goes: open nodes, shut nodes, pods. */
function shown(nodes: Nodes) {
  const { candidates, cluster } = aCluster(nodes);
  const { snapshot, pods } = cluster.narrowed(candidates.slice(0, 1));
  return {
    going: candidates[0]?.claim.name,
    open: snapshot.nodes.filter(({ unschedulable }) => !unschedulable).map(({ name }) => name),
    shut: snapshot.nodes.filter(({ unschedulable }) => unschedulable).map(({ name }) => name),
    there: snapshot.pods.map(({ name }) => name),
    claims: snapshot.nodeClaims.map(({ name }) => name),
    moved: pods.map(({ name, nodeName }) => `${name}${nodeName}`),
  };
}

const ORDERS: readonly { readonly what: string; readonly nodes: Nodes['nodes']; readonly order: string }[] = [
  { what: 'the least used of two', nodes: { a: [900], b: [200] }, order: 'c-b c-a' },
  { what: 'the one with fewer pods', nodes: { a: [100, 100, 100], b: [300] }, order: 'c-b c-a' },
  {
    what: 'the one whose pods are cheaper to evict',
    nodes: {
      a: [{ cpuMillis: 300, annotations: { 'controller.kubernetes.io/pod-deletion-cost': '2147483647' } }],
      b: [300],
    },
    order: 'c-b c-a',
  },
  { what: 'well-used nodes last', nodes: { a: [1900], b: [100], c: [1000] }, order: 'c-b c-c c-a' },
  { what: 'the first by name of two alike', nodes: { b: [300], a: [300] }, order: 'c-a c-b' },
];
for (const { what, nodes, order } of ORDERS) {
  test(`first goes ${what}`, () => {
    const names = aCluster({ nodes }).candidates.map(({ claim }) => claim.name);
    assert.equal(names.join(' '), order);
  });
}

test('a trial is shown nodes with room, those that stay longest first, and the pods unbound', () => {
  const seen = shown({ nodes: { a: [100], b: [1930], c: [1000], d: [900], e: [800], f: [300] } });
  assert.equal(seen.going, 'c-a');
  assert.deepEqual(seen.moved, ['a-0']);
  assert.deepEqual(seen.open, ['c', 'd', 'e']);
  assert.deepEqual(seen.there, ['c-0', 'd-0', 'e-0']);
  assert.deepEqual(seen.claims, ['c-c', 'c-d', 'c-e']);
});

test('pods that a spread over zones counts are shown on nodes that take none, and each zone by one node', () => {
  const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] };
  const spec: Partial<PodSpec> = {
    topologySpread: [
      {
        ...{ topologyKey: LABEL.zone, maxSkew: 1, minDomains: 1, selector },
        whenUnsatisfiable: 'DoNotSchedule',
        ...{ nodeAffinityPolicy: 'Honor' as const, nodeTaintsPolicy: 'Ignore' as const },
      },
    ],
  };
  const web = { labels: { app: 'web' }, spec, cpuMillis: 100 };
  const seen = shown({
    nodes: { a: [web], b: [{ ...web, cpuMillis: 1000 }, 930], c: [1930], d: [1000] },
    zones: { a: 'us-east-1a', b: 'us-east-1b', c: 'us-east-1c', d: 'us-east-1a' },
  });
  assert.equal(seen.going, 'c-a');
  assert.deepEqual(seen.open, ['d']);
  assert.deepEqual(new Set(seen.shut), new Set(['a', 'b', 'c']));
  assert.deepEqual(seen.there, ['d-0', 'b-0']);
});

test('where limits count nodes, claims that are not shown count all the same, and take no pods', () => {
  const nodes = { a: [100], b: [1930], c: [1000] };
  const { candidates, cluster } = aCluster({ nodes, provisioner: { limits: { cpu: 100_000 } } });
  const { nodeClaims } = cluster.narrowed(candidates.slice(0, 1)).snapshot;
  const leaving = nodeClaims.filter((one) => one.deletionRequestedAtMs !== null);
  assert.deepEqual(new Set(nodeClaims.map(({ name }) => name)), new Set(['c-a', 'c-b', 'c-c']));
  assert.deepEqual(new Set(leaving.map(({ name }) => name)), new Set(['c-a', 'c-b']));
});

test('the whole cluster without a node is all of it, its claim on the way out', () => {
  const { candidates, cluster } = aCluster({ nodes: { a: [100], b: [1930] } });
  const { snapshot, pods } = cluster.whole(candidates.slice(0, 1));
  assert.deepEqual(
    snapshot.nodes.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.deepEqual(
    snapshot.nodeClaims.filter((one) => one.deletionRequestedAtMs !== null).map(({ name }) => name),
    ['c-a'],
  );
  assert.deepEqual([snapshot.pods.length, pods.length], [1, 1]);
});

test('nodes that are to take pods are shown in any case, with what runs there', () => {
  const { candidates, cluster } = aCluster({ nodes: { a: [100], b: [1930], c: [1000], d: [900], e: [800] } });
  const { snapshot } = cluster.narrowed(candidates.slice(0, 1), ['b', 'no-node']);
  const shownOpen = snapshot.nodes.filter(({ unschedulable }) => !unschedulable).map(({ name }) => name);
  assert.deepEqual(shownOpen, ['c', 'd', 'e', 'b']);
  assert.ok(snapshot.pods.some(({ name }) => name === 'b-0'));
});

test('a node gains its price less that of its evictions, and next to nothing for what has to move', () => {
  const { candidates, cluster } = aCluster({ nodes: { a: [100, 300], b: [1000] } });
  const [first] = candidates;
  assert.ok(first !== undefined);
  const { standings } = cluster.board(candidates, {
    ...{ wastefulFirst: candidates, prices: { cpu: 0.0001, memory: 0 }, evictionUsdPerHour: 0.01 },
    wasteUsd: new Map([[first, 0.5]]),
  });
  const gains = [0.096 - 2 * 0.01 - 0.001 * 0.04, 0.096 - 0.01 - 0.001 * 0.1];
  assert.equal(standings.length, 2);
  for (const { candidate, seat, gainUsd, wasteUsd } of standings) {
    assert.ok(Math.abs(gainUsd - (gains[seat] ?? 0)) < 1e-9, `${candidate.claim.name} gains ${gainUsd} $/h`);
    assert.equal(wasteUsd, candidate === first ? 0.5 : 0);
  }
});
