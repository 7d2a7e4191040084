// Pods moved about on paper: what goes, what makes way, and that all of it can be taken back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Tallies } from '../../src/disruption/consolidationTallies.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { PodSpec } from '../../src/model/pod.ts';
import { aSnapshot, GIB, type PodFields } from '../builders.ts';
import { aPaper, apartFrom, nearTo, type Paper, type Place, type Places, spreadWith } from './paper.ts';

const goes = (...pods: readonly (number | PodFields)[]): Place => ({ pods, gainUsd: 1, wasteUsd: -1 });
const stays = (...pods: readonly (number | PodFields)[]): Place => ({ pods });
const web = (cpuMillis: number, spec: Partial<PodSpec> = {}): PodFields => ({
  ...{ cpuMillis, labels: { app: 'web' }, spec },
});

interface Case {
  readonly what: string;
  readonly places: Places;
  /** Nodes to be taken away, in this order. */
  readonly remove: readonly string[];
  /** Those that could not be. */
  readonly stay?: readonly string[];
  readonly homes: Readonly<Record<string, string>>;
}

const CASES: readonly Case[] = [
  {
    what: 'a pod goes where least is left beside it',
    places: { a: goes(300), b: stays(100), c: stays(1600), d: stays(1000) },
    remove: ['a'],
    homes: { 'a-0': 'c' },
  },
  {
    what: 'exactly as much room is enough',
    places: { a: goes(300), b: stays(1700), c: stays(1701) },
    remove: ['a'],
    homes: { 'a-0': 'b' },
  },
  {
    what: 'nodes that a cheapest cluster keeps take pods before tighter ones that it would not',
    places: { a: goes(300), b: { pods: [1600], gainUsd: 1, wasteUsd: 1 }, c: goes(500) },
    remove: ['a'],
    homes: { 'a-0': 'c' },
  },
  {
    what: 'the largest pod is placed first',
    places: { a: goes(200, 1000), b: stays(1000), c: stays(1800) },
    remove: ['a'],
    homes: { 'a-0': 'c', 'a-1': 'b' },
  },
  {
    what: 'memory counts, although its room is worth nothing',
    places: { a: goes({ cpuMillis: 100, memoryBytes: 4 * GIB }), b: stays({ memoryBytes: 5 * GIB }) },
    remove: ['a'],
    stay: ['a'],
    homes: {},
  },
  {
    what: 'nodes that take no pods take none',
    places: { a: goes(300), b: { pods: [100], isOpen: false } },
    remove: ['a'],
    stay: ['a'],
    homes: {},
  },
  {
    what: 'where not all pods fit, none moves',
    places: { a: goes(300, 900), b: stays(1000) },
    remove: ['a'],
    stay: ['a'],
    homes: {},
  },
  {
    what: 'pods that have come move on when their node goes, too',
    places: { a: goes(300), b: goes(1500), c: stays() },
    remove: ['a', 'b'],
    homes: { 'a-0': 'c', 'b-0': 'c' },
  },
  {
    what: 'nodes that have gone take nothing',
    places: { a: goes(1200), b: goes(200), c: stays(700) },
    remove: ['a', 'b'],
    stay: ['b'],
    homes: { 'a-0': 'c' },
  },
  {
    what: 'a smaller pod that has come makes way for one that fits nowhere else',
    places: {
      ...{ a: goes(300), b: { ...goes({ cpuMillis: 1000, memoryBytes: 4 * GIB }), cpuMillis: 4000 } },
      ...{ c: stays(1000), d: stays({ cpuMillis: 800, memoryBytes: 7 * GIB }) },
    },
    remove: ['a', 'b'],
    homes: { 'a-0': 'd', 'b-0': 'c' },
  },
  {
    what: 'a larger one does not',
    places: {
      ...{ a: goes(900), b: goes({ cpuMillis: 800, memoryBytes: 4 * GIB }) },
      ...{ c: stays(1000), d: stays({ cpuMillis: 800, memoryBytes: 7 * GIB }) },
    },
    remove: ['a', 'b'],
    stay: ['b'],
    homes: { 'a-0': 'c' },
  },
  {
    what: 'nor one that would find no other place',
    places: {
      ...{ a: goes(300), b: { ...goes({ cpuMillis: 1000, memoryBytes: 4 * GIB }), cpuMillis: 4000 } },
      ...{ c: stays(1000), d: stays(1800) },
    },
    remove: ['a', 'b'],
    stay: ['b'],
    homes: { 'a-0': 'c' },
  },
  {
    what: 'no pod comes to the node that goes, in the place of one that has come to it',
    places: {
      ...{ a: goes(200), b: goes({ cpuMillis: 1000, memoryBytes: 4 * GIB }) },
      c: stays({ cpuMillis: 800, memoryBytes: 7 * GIB }),
    },
    remove: ['a', 'b'],
    stay: ['b'],
    homes: { 'a-0': 'b' },
  },
  {
    what: 'what has come counts in what is left beside the next one',
    places: {
      ...{ a: goes({ cpuMillis: 500, memoryBytes: 4 * GIB }), b: goes(300, 1600) },
      ...{ c: stays(1000), d: stays({ cpuMillis: 1100, memoryBytes: 7 * GIB }), e: stays(400) },
    },
    remove: ['a', 'b'],
    homes: { 'a-0': 'c', 'b-0': 'c', 'b-1': 'e' },
  },
  {
    what: 'pods that keep off each other go apart',
    places: { a: goes(web(100, apartFrom('web'))), b: stays(web(1800)), c: stays(100) },
    remove: ['a'],
    homes: { 'a-0': 'c' },
  },
  {
    what: 'pods that have come count by their rules, too',
    places: {
      a: goes(web(100, apartFrom('web'))),
      b: goes(web(100, apartFrom('web'))),
      c: stays(100),
      d: stays(1000),
    },
    remove: ['a', 'b'],
    homes: { 'a-0': 'd', 'b-0': 'c' },
  },
  {
    what: 'its own pods are no reason to stay',
    places: { a: { ...goes(web(100, apartFrom('web', 'rack'))), rack: 'r' }, b: { pods: [], rack: 'r' } },
    remove: ['a'],
    homes: { 'a-0': 'b' },
  },
];
for (const { what, places, remove, stay = [], homes } of CASES) {
  test(what, () => {
    const paper = aPaper(places);
    const failed = remove.filter((name) => !paper.board.remove(paper.standing(name)));
    assert.deepEqual(failed, stay);
    assert.deepEqual(paper.homes(), homes);
    for (const name of remove)
      assert.equal(paper.board.isGone(paper.standing(name)), !stay.includes(name), `${name} has gone`);
    assert.deepEqual(paper.free(), paper.recounted());
  });
}

test('a node that comes back has its own pods, and the room of those goes to others', () => {
  const { board, standing, homes } = aPaper({ a: goes(800), b: goes(900), c: stays(1000) });
  const [a, b] = [standing('a'), standing('b')];
  assert.equal(board.remove(a), true);
  board.restore(a);
  assert.deepEqual([board.isGone(a), homes()], [false, {}]);
  assert.equal(board.remove(b), true);
  assert.deepEqual(homes(), { 'b-0': 'c' });
});

test('what is settled is not undone', () => {
  const { board, standing, homes } = aPaper({ a: goes(300), b: goes(300), c: stays(1000) });
  board.remove(standing('a'));
  board.settle();
  board.remove(standing('b'));
  board.undo();
  assert.deepEqual(homes(), { 'a-0': 'c' });
  board.undo();
  assert.deepEqual(homes(), { 'a-0': 'c' });
});

test('every seat looked at is counted, and every move', () => {
  const { board, standing } = aPaper({ a: goes(300), b: stays(), c: stays(1) });
  board.remove(standing('a'));
  assert.ok(board.looks >= 3 && board.looks <= 5, `${board.looks} looks`);
});

test('of many seats that will do the first is taken, without a look at all', () => {
  const many = Array.from({ length: 100 }, (_, at) => [`n${at}`, stays(1000)] as const);
  const { board, standing } = aPaper({ a: goes(300), ...Object.fromEntries(many) });
  assert.equal(board.remove(standing('a')), true);
  assert.ok(board.looks < 10, `${board.looks} looks`);
});

const RULES: readonly Partial<PodSpec>[] = [
  ...[{}, {}, {}],
  apartFrom('web'),
  apartFrom('db', 'rack'),
  spreadWith('web'),
  spreadWith('db', 2, LABEL.hostname),
  nearTo('web'),
];
const aPod = fc.record({
  cpuMillis: fc.constantFrom(100, 250, 500, 800),
  memoryBytes: fc.constantFrom(GIB / 8, GIB, 2 * GIB),
  labels: fc.constantFrom({ app: 'web' }, { app: 'db' }),
  spec: fc.constantFrom(...RULES),
});
const aPlace = fc
  .record({
    pods: fc.array(aPod, { maxLength: 3 }),
    cpuMillis: fc.constantFrom(2400, 4000),
    rack: fc.constantFrom('r1', 'r2', null),
    isOpen: fc.constantFrom(true, true, true, false),
    gainUsd: fc.constantFrom(1, 1, null),
    wasteUsd: fc.constantFrom(-1, 1),
  })
  .map(({ rack, gainUsd, ...rest }): Place => {
    if (gainUsd === null) return { ...rest, ...(rack === null ? {} : { rack }) };
    return { ...rest, isOpen: true, gainUsd, ...(rack === null ? {} : { rack }) };
  });
const someplaces = fc
  .array(aPlace, { minLength: 3, maxLength: 7 })
  .map((list): Places => Object.fromEntries(list.map((place, at) => [`n${at}`, place])));
const aStep = fc.record({
  does: fc.constantFrom('move', 'move', 'move', 'move', 'undo', 'settle'),
  at: fc.nat(6),
});

/** All that can be told of a board. */
function stateOf({ board, homes, free, tallies, seats }: Paper): unknown {
  const gone = board.standings.map((one) => board.isGone(one));
  const rules = seats.flatMap(({ pods }) => pods.map((pod) => countsOf(tallies, pod)));
  return { gone, homes: homes(), free: free(), rules };
}

/** How many pods are counted where, by each rule that looks at the pod or that it looks at. */
function countsOf(tallies: Tallies, pod: Parameters<Tallies['rulesOf']>[0]): readonly string[] {
  const { raised, spreads, apart, near } = tallies.rulesOf(pod);
  const all = [...raised, ...apart, ...spreads.map(({ tally }) => tally), ...near.map(({ tally }) => tally)];
  return all.map(({ counts, isByHost }) => `${isByHost} ${counts.join()}`).sort();
}

/** Carries out one step as the search does: what has gone may come back, what is there may go. */
function carryOut({ board }: Paper, { does, at }: { readonly does: string; readonly at: number }): string {
  const standing = board.standings[at % Math.max(1, board.standings.length)];
  if (does === 'settle') board.settle();
  else if (does === 'undo') board.undo();
  else if (standing !== undefined && board.isGone(standing)) board.restore(standing);
  else if (standing !== undefined) return board.remove(standing) ? 'removed' : 'refused';
  return does;
}

/** What must hold of every board. */
function assertSound(paper: Paper): void {
  const { board, seats, tallies, seated, free, recounted } = paper;
  assert.deepEqual(free(), recounted());
  assert.ok(free().every((room) => room >= 0));
  const counted = new Tallies(seated(), aSnapshot().namespaces);
  for (const { pods } of seats)
    for (const pod of pods) assert.deepEqual(countsOf(tallies, pod), countsOf(counted, pod));
  const closed = new Set(board.standings.filter((one) => board.isGone(one)).map(({ seat }) => seat));
  for (const [at, { pods, isOpen }] of seated().entries()) {
    const guests = pods.filter(({ nodeName }) => nodeName !== seats[at]?.node.name);
    assert.ok(guests.length === 0 || (isOpen && !closed.has(at)), 'no pod comes to a node that takes none');
    const own = new Set(board.standings.find(({ seat }) => seat === at)?.candidate.pods);
    if (closed.has(at))
      assert.ok(!pods.some((pod) => own.has(pod)), 'all pods of a node that goes have left');
  }
}

test('whatever is moved and taken back, room and counts are those of where the pods are', () => {
  fc.assert(
    fc.property(someplaces, fc.array(aStep, { maxLength: 25 }), (places, steps) => {
      const paper = aPaper(places);
      let settled = stateOf(paper);
      for (const step of steps) {
        const before = stateOf(paper);
        const done = carryOut(paper, step);
        assertSound(paper);
        if (done === 'refused') assert.deepEqual(stateOf(paper), before, 'nothing is done by halves');
        if (done === 'settle') settled = stateOf(paper);
        if (done === 'undo') assert.deepEqual(stateOf(paper), settled, 'all of it is undone');
      }
    }),
  );
});

test('a plain pod that has room somewhere finds it, whatever was moved before', () => {
  let withRoom = 0;
  fc.assert(
    fc.property(someplaces, fc.array(aStep, { maxLength: 25 }), (places, steps) => {
      const paper = aPaper({ ...places, last: goes(700) });
      const { board, seats, standing, free } = paper;
      const last = standing('last');
      for (const step of steps) carryOut(paper, step);
      if (board.isGone(last) || seatedBeside(paper, last.seat) > 0) return;
      const axes = free().length / seats.length;
      const hasRoom = seats.some(({ isOpen }, at) => {
        const isShut = board.standings.some((one) => one.seat === at && board.isGone(one));
        const [cpu = 0, memory = 0, slots = 0] = free().slice(at * axes, (at + 1) * axes);
        return at !== last.seat && isOpen && !isShut && cpu >= 700 && memory >= GIB / 8 && slots >= 1;
      });
      if (hasRoom) withRoom += 1;
      const found = board.remove(last);
      assert.ok(found || !hasRoom);
    }),
  );
  assert.ok(withRoom > 20, `only ${withRoom} had room`);
});

/** How many pods of others are there. */
function seatedBeside({ seats, seated }: Paper, at: number): number {
  return seated()[at]?.pods.filter(({ nodeName }) => nodeName !== seats[at]?.node.name).length ?? 0;
}
