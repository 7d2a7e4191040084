// Which nodes a cheapest cluster would do without: what goes holds, pays, and is the same every time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Board } from '../../src/disruption/consolidationBoard.ts';
import { type Candidate, selectCandidates } from '../../src/disruption/consolidationCandidates.ts';
import { ConsolidationCluster } from '../../src/disruption/consolidationCluster.ts';
import { LOOKS_A_TURN, seekGoal } from '../../src/disruption/consolidationGoal.ts';
import { Offers } from '../../src/disruption/consolidationOutlook.ts';
import { decided, nominating } from '../../src/disruption/consolidationSearch.ts';
import { worthOf } from '../../src/disruption/consolidationWorth.ts';
import { podKey } from '../../src/model/pod.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { RandomDraws } from '../../src/scheduling/randomDraws.ts';
import { GIB, type PodFields } from '../builders.ts';
import { QUIET } from './consolidated.ts';
import { aCluster, type Cluster, ONLY_LARGE } from './largeNodes.ts';
import { aPaper, apartFrom, type Place, type Places } from './paper.ts';

/** The names of the nodes that go, in order of their seats, and what that gains. */
function sought(places: Places, seed = 2): { readonly going: string; readonly gainedUsd: number } {
  const { board, seats } = aPaper(places);
  decided(seekGoal(board, new RandomDraws(seed)));
  const gone = board.standings.filter((one) => board.isGone(one));
  const going = gone.map(({ seat }) => seats[seat]?.node.name).join(' ');
  return { going, gainedUsd: gone.reduce((sum, { gainUsd }) => sum + gainUsd, 0) };
}

const goes = (cpuMillis: number, gainUsd: number, wasteUsd = gainUsd): Place => ({
  ...{ pods: [cpuMillis], gainUsd, wasteUsd },
});
const stays = (cpuMillis: number): Place => ({ pods: [cpuMillis] });

const CASES: Readonly<Record<string, readonly [places: Places, going: string]>> = {
  'the most wasteful goes first': [{ a: goes(300, 1), b: goes(300, 2), c: stays(1700) }, 'b'],
  'all go that can': [{ a: goes(300, 1), b: goes(300, 2), c: stays(1400) }, 'a b'],
  'what gains nothing stays': [{ a: goes(300, 0), b: goes(300, -1), c: stays(100) }, ''],
  'what gains goes, although a cheapest cluster would keep it': [{ a: goes(300, 1, -1), b: stays(100) }, 'a'],
  'no candidates, nothing goes': [{ a: stays(100) }, ''],
  'a pod that fits nowhere keeps its node': [{ a: goes(1500, 1), b: stays(600) }, ''],
};
for (const [what, [places, going]] of Object.entries(CASES)) {
  test(what, () => assert.equal(sought(places).going, going));
}

/** One dear node, or two others together, find room on the last one; full ones beside give the search time. */
function atOdds(): Places {
  const full = (cpuMillis: number, gainUsd: number, wasteUsd: number): Place => ({
    ...goes(cpuMillis, gainUsd, wasteUsd),
    cpuMillis,
  });
  const others = Array.from({ length: 12 }, (_, at) => [`other-${at}`, full(1950, 1, 0.9)] as const);
  return {
    ...{ dear: full(1000, 1, 0.95), ...Object.fromEntries(others) },
    ...{ one: full(500, 0.8, 0.94), two: full(500, 0.8, 0.94), rest: stays(1000) },
  };
}

test('what went first comes back where others gain more in its place', () => {
  const { going, gainedUsd } = sought(atOdds());
  assert.equal(going, 'one two');
  assert.equal(gainedUsd, 1.6);
});

test('the search gives way to others after so many looks', () => {
  const sizes = [100, 250, 300, 400, 700, 900];
  const many = Array.from({ length: 400 }, (_, at) => {
    const pods = [sizes[at % 6] ?? 0, sizes[(at + (at >> 3)) % 6] ?? 0];
    return [`n${at}`, { pods, gainUsd: 1, wasteUsd: 0.1 + (at % 7) / 100 }] as const;
  });
  const { board } = aPaper(Object.fromEntries(many));
  let pauses = 0;
  for (const _ of seekGoal(board, new RandomDraws(1))) pauses += 1;
  assert.ok(board.looks > 2 * LOOKS_A_TURN, `${board.looks} looks`);
  // A removal and a change are not interrupted.
  assert.ok(pauses > board.looks / LOOKS_A_TURN / 2, `${pauses} pauses, ${board.looks} looks`);
});

const somePlaces = fc
  .array(
    fc.record({
      pods: fc.array(fc.constantFrom(100, 300, 500, 900), { minLength: 1, maxLength: 2 }),
      gainUsd: fc.constantFrom(-1, 0, 0.5, 1, 1.5),
      wasteUsd: fc.constantFrom(-0.5, 0, 0.5),
    }),
    { minLength: 2, maxLength: 10 },
  )
  .map((list): Places => Object.fromEntries(list.map((place, at) => [`n${at}`, place])));

/** What the first pass alone gains: each that can go, the most wasteful first. */
function greedyUsd(board: Board): number {
  const paying = board.standings.filter(({ gainUsd }) => gainUsd > 0);
  paying.sort((left, right) => right.wasteUsd - left.wasteUsd);
  return paying.reduce((sum, one) => sum + (board.remove(one) ? one.gainUsd : 0), 0);
}

test('nodes that gain nothing never go, and no change loses what was gained', () => {
  fc.assert(
    fc.property(somePlaces, fc.nat(1000), (places, seed) => {
      const { going, gainedUsd } = sought(places, seed);
      for (const name of going.split(' ')) assert.ok((places[name]?.gainUsd ?? 1) > 0);
      assert.ok(gainedUsd >= greedyUsd(aPaper(places).board) - 1e-6);
      assert.deepEqual(sought(places, seed), { going, gainedUsd }, 'the same seed, the same end');
    }),
  );
});

/** The goal of a whole cluster, and what is wrong with it by the rules of the scheduler. */
function goalOf(cluster: Cluster): {
  readonly going: readonly Candidate[];
  readonly wrong: readonly string[];
} {
  const consolidation = { snapshot: aCluster(cluster), catalogue: ONLY_LARGE, view: QUIET };
  const { candidates } = selectCandidates(consolidation.snapshot, QUIET);
  const paper = new ConsolidationCluster(consolidation.snapshot, candidates);
  const board = paper.board(candidates, worthOf(consolidation, candidates, new Offers(consolidation)));
  decided(seekGoal(board, new RandomDraws(2)));
  const going = board.standings.filter((one) => board.isGone(one)).map(({ candidate }) => candidate);
  const { snapshot, pods } = paper.whole(going);
  const plan = nominating(pods.map(podKey), board.homes());
  return { going, wrong: checkPlan(snapshot, ONLY_LARGE, pods, plan) };
}

const aPod = fc.record({
  cpuMillis: fc.constantFrom(50, 100, 300, 500),
  memoryBytes: fc.constantFrom(GIB / 8, GIB, 2 * GIB),
});
/** Pods of one node, of which some keep off others: by host one of `web` at most, and none beside `db`. */
const APART: Readonly<Record<string, readonly PodFields[]>> = {
  none: [],
  web: [{ labels: { app: 'web' }, spec: apartFrom('web') }],
  db: [{ labels: { app: 'db' }, spec: apartFrom('web') }],
  dbs: [{ labels: { app: 'db' } }, { labels: { app: 'db' }, spec: apartFrom('web') }],
};

function nodesWith(...kinds: readonly string[]): fc.Arbitrary<Cluster['nodes']> {
  const aNode = fc
    .record({
      plain: fc.array(aPod, { minLength: 1, maxLength: 4 }),
      kind: fc.constantFrom(...kinds),
    })
    .map(({ plain, kind }) => [...plain, ...(APART[kind] ?? [])]);
  return fc
    .array(aNode, { minLength: 2, maxLength: 10 })
    .map((list) => Object.fromEntries(list.map((pods, at) => [`n${at}`, pods])));
}

for (const [what, kinds] of [
  ['plain pods', ['none']],
  ['pods that keep off each other', ['none', 'web', 'db', 'dbs']],
] as const) {
  test(`${what} of what goes fit where they would be, by the rules of the scheduler`, () => {
    let gone = 0;
    fc.assert(
      fc.property(nodesWith(...kinds), (nodes) => {
        const { going, wrong } = goalOf({ nodes });
        gone += going.length;
        assert.deepEqual(wrong, []);
      }),
    );
    assert.ok(gone > 50, `only ${gone} nodes have gone`);
  });
}
