// The search for what is best taken away: plans on paper, plans that do not hold, and what is best of all found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Candidate, selectCandidates } from '../../src/disruption/consolidationCandidates.ts';
import { ConsolidationCluster } from '../../src/disruption/consolidationCluster.ts';
import { checked, decided, type Found, Search } from '../../src/disruption/consolidationSearch.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { PodFields } from '../builders.ts';
import { QUIET } from './consolidated.ts';
import { aCluster, type Cluster, type NodePods, ONLY_LARGE } from './largeNodes.ts';
import { apartFrom, spreadWith } from './paper.ts';

interface Searching {
  readonly search: Search;
  readonly candidates: readonly Candidate[];
  /** Those of that names, in that order. */
  readonly named: (...nodes: readonly string[]) => readonly Candidate[];
  readonly cluster: ConsolidationCluster;
}

/** A search over a cluster of which these may go: the last ones take pods first. */
function aSearch(given: Cluster, going = Object.keys(given.nodes)): Searching {
  const consolidation = { snapshot: aCluster(given), catalogue: ONLY_LARGE, view: QUIET };
  const all = selectCandidates(consolidation.snapshot, QUIET).candidates;
  const named = (...nodes: readonly string[]): readonly Candidate[] =>
    nodes.flatMap((name) => all.filter(({ claim }) => claim.name === `c-${name}`));
  const candidates = named(...going);
  const cluster = new ConsolidationCluster(consolidation.snapshot, candidates);
  const terms = { catalogue: ONLY_LARGE, wholeUsdPerHour: 0, pods: 0 };
  return { search: new Search(consolidation, cluster, terms), candidates, named, cluster };
}

const homesOf = (homes: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(homes).map(([pod, node]) => [`default/${pod}`, node]));

/** Node names by pod name: where the pods of what was found go. */
function placesOf(found: Found | null): Readonly<Record<string, string>> | null {
  if (found === null) return null;
  const { nominations } = found.saving.action;
  return Object.fromEntries(nominations.map(({ pod, target }) => [pod.split('/')[1], target.name]));
}

const web = (cpuMillis: number, spec: PodFields['spec'] = {}): PodFields => ({
  ...{ cpuMillis, labels: { app: 'web' }, spec },
});

const TOWARDS: readonly {
  readonly what: string;
  readonly cluster: Cluster;
  readonly going?: readonly string[];
  readonly homes: Readonly<Record<string, string>>;
  /** Where pods go in the end; null when nothing was found. */
  readonly places: Readonly<Record<string, string>> | null;
  readonly trials: number;
}[] = [
  {
    what: 'homes that hold are taken as they are, tight or not',
    cluster: { nodes: { a: [200], b: [1700], c: [100] } },
    homes: { 'a-0': 'c' },
    places: { 'a-0': 'c' },
    trials: 1,
  },
  {
    what: 'pods whose homes have no room go elsewhere',
    cluster: { nodes: { a: [200, 300], b: [1700], c: [1700], d: [1800] } },
    homes: { 'a-0': 'b', 'a-1': 'd' },
    places: { 'a-0': 'b', 'a-1': 'c' },
    trials: 2,
  },
  {
    what: 'so do those that a rule keeps off theirs',
    cluster: { nodes: { a: [web(200, apartFrom('web'))], b: [web(1000)], c: [1000] } },
    homes: { 'a-0': 'b' },
    places: { 'a-0': 'c' },
    trials: 2,
  },
  {
    what: 'a pod without a home is looked for one',
    cluster: { nodes: { a: [200], b: [1000] } },
    homes: {},
    places: { 'a-0': 'b' },
    trials: 2,
  },
  {
    what: 'where they would have to buy as much, nothing is found',
    cluster: { nodes: { a: [200], b: [1900] } },
    homes: { 'a-0': 'b' },
    places: null,
    trials: 2,
  },
  {
    what: 'what saves too little is not planned anew',
    cluster: {
      nodes: { a: [200], b: [1000] },
      policy: { minimumSavings: { percent: 0, usdPerHour: 1, usdPerHourPerEvictedPod: 0 } },
    },
    homes: { 'a-0': 'b' },
    places: null,
    trials: 1,
  },
  {
    what: 'no nodes, no trial',
    cluster: { nodes: { a: [200], b: [1000] } },
    going: [],
    homes: {},
    places: null,
    trials: 0,
  },
];
for (const { what, cluster, going = ['a'], homes, places, trials } of TOWARDS) {
  test(what, () => {
    const { search, named } = aSearch(cluster);
    const found = decided(search.toward(named(...going), homesOf(homes)));
    assert.deepEqual(placesOf(found), places);
    assert.equal(search.trials, trials);
    assert.equal(search.best, found?.saving.action ?? null);
    assert.equal(search.hasFound, found !== null);
  });
}

test('of all that was found the best is what saves most, whenever it was', () => {
  const { search, named } = aSearch({ nodes: { a: [100, 100], b: [100], c: [100], d: [1000] } });
  const goal = decided(search.toward(named('a', 'b'), homesOf({ 'a-0': 'd', 'a-1': 'd', 'b-0': 'd' })));
  assert.deepEqual(search.best?.nodeClaims, ['c-a', 'c-b']);
  // A single node saves less.
  decided(search.growing(named('c')));
  assert.equal(search.best, goal?.saving.action);
  // Three save more.
  decided(search.growing(named('b', 'c', 'a')));
  assert.deepEqual(search.best?.nodeClaims, ['c-b', 'c-c', 'c-a']);
});

const TEAM = { team: 'x' };
const SPREAD = { ...spreadWith('web', 1, LABEL.zone), nodeSelector: TEAM };

/**
 * Pods of `web` may go to nodes of the team. Two full nodes without any stand in a zone of their own: of its nodes a
 * trial is shown the first, which is not of the team, so that it does not see the zone as one to spread over.
 */
function aSplit(nodes: Record<string, NodePods>, far: readonly string[] = []): Cluster {
  const isFar = (name: string): boolean => ['other', 'hidden', ...far].includes(name);
  return {
    nodes: { other: [1950], hidden: [1950], ...nodes },
    snapshot: (base) => ({
      nodes: base.nodes.map((node) => ({
        ...node,
        labels: {
          ...node.labels,
          ...(node.name === 'other' ? {} : TEAM),
          [LABEL.zone]: isFar(node.name) ? 'us-east-1b' : 'us-east-1a',
        },
      })),
    }),
  };
}

test('a plan that breaks a rule before the whole cluster is made anew, and then pays', () => {
  const near = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`near-${at}`, [web(50)]] as const));
  const split = aSplit({ a: [web(300, SPREAD)], ...near, far: [500] }, ['far']);
  // Nodes near by are shown first, and are enough.
  const { search, named } = aSearch(split, ['a', 'far', 'other', 'hidden', ...Object.keys(near)]);
  const found = decided(search.growing(named('a')));
  assert.deepEqual(placesOf(found), { 'a-0': 'far' });
  assert.equal(search.best, found?.saving.action);
});

test('plans are made anew before the whole cluster three times at most', () => {
  const going = ['a1', 'a2', 'a3', 'a4', 'a5'];
  const lone = Object.fromEntries(going.map((name): [string, NodePods] => [name, [web(1200, SPREAD)]]));
  const { search, named } = aSearch(aSplit({ ...lone, near: [web(50)] }));
  decided(search.singles(named(...going), () => []));
  assert.equal(search.best, null);
  const said = going.map((name) => search.blocked.get(`c-${name}`)?.message ?? '');
  for (const message of said.slice(0, 3)) assert.match(message, /would find no place/);
  const unseen = 'a rule between its pods and others keeps them where they are';
  assert.deepEqual(said.slice(3), [unseen, unseen]);
});

test('a plan before the whole cluster keeps to homes while they do', () => {
  const given = aSearch({ nodes: { a: [200], b: [1000], c: [100] } });
  const consolidation = { snapshot: aCluster({ nodes: { a: [200], b: [1000], c: [100] } }), view: QUIET };
  for (const home of ['b', 'c']) {
    const homes = homesOf({ 'a-0': home });
    const plan = checked({ ...consolidation, catalogue: ONLY_LARGE }, given.cluster, given.named('a'), homes);
    assert.deepEqual(plan?.nominations, [{ pod: 'default/a-0', target: { kind: 'node', name: home } }]);
  }
});
