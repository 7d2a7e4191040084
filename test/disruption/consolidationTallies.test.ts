// Rules between pods on paper: who may go where, as pods come and leave.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from '../../src/model/pod.ts';
import { aBoundPod, type PodFields } from '../builders.ts';
import { aPaper, apartFrom, nearTo, type Places, spreadWith } from './paper.ts';

const web = (spec: Partial<PodSpec> = {}): PodFields => ({ labels: { app: 'web' }, spec });
const db = (spec: Partial<PodSpec> = {}): PodFields => ({ labels: { app: 'db' }, spec });
const elsewhere = (fields: PodFields): PodFields => ({ ...fields, namespace: 'other' });

/** The names of the nodes that a pod may go to which is nowhere now. */
function open(places: Places, fields: PodFields, leaves: readonly string[] = []): string {
  const { seats, tallies } = aPaper({ ...places, '': { pods: [fields] } });
  const pods = new Map(seats.flatMap(({ pods: own }, seat) => own.map((pod) => [pod.name, { pod, seat }])));
  for (const name of ['-0', ...leaves]) {
    const found = pods.get(name);
    if (found !== undefined) tallies.count(tallies.rulesOf(found.pod), found.seat, -1);
  }
  const rules = tallies.rulesOf(pods.get('-0')?.pod ?? aBoundPod(''));
  const names = seats.map(({ node }) => node.name);
  return names.filter((name, seat) => name !== '' && tallies.allows(rules, seat)).join(' ');
}

const onPort = (port: number): PodFields => ({ spec: { hostPorts: [{ ip: '', protocol: 'TCP', port }] } });

interface Case {
  readonly what: string;
  readonly places: Places;
  readonly pod: PodFields;
  readonly goes: string;
  readonly leaves?: readonly string[];
}

const TWO: Places = { a: { pods: [web()], rack: 'r1' }, b: { pods: [], rack: 'r2' } };
const SPREAD: Places = {
  a: { pods: [web(), web()], rack: 'r1' },
  b: { pods: [web()], rack: 'r2' },
  c: { pods: [], rack: 'r2' },
};

const CASES: readonly Case[] = [
  { what: 'a pod without rules goes anywhere', places: TWO, pod: web(), goes: 'a b' },
  { what: 'it keeps off pods of its term', places: TWO, pod: db(apartFrom('web')), goes: 'b' },
  {
    what: 'pods keep others off by rules of their own',
    places: { ...TWO, a: { pods: [db(apartFrom('web'))] } },
    pod: web(),
    goes: 'b',
  },
  {
    what: 'a port of the host is held by one pod',
    places: { a: { pods: [onPort(80)] }, b: { pods: [onPort(81)] } },
    pod: onPort(80),
    goes: 'b',
  },
  {
    what: 'by rack, the other nodes of the rack are closed too',
    places: { ...TWO, c: { pods: [], rack: 'r1' } },
    pod: db(apartFrom('web', 'rack')),
    goes: 'b',
  },
  {
    what: 'a node without the label is no domain to keep off',
    places: { ...TWO, c: { pods: [web()] } },
    pod: db(apartFrom('web', 'rack')),
    goes: 'b c',
  },
  {
    what: 'pods of other namespaces do not count',
    places: TWO,
    pod: elsewhere(db(apartFrom('web'))),
    goes: 'a b',
  },
  {
    what: 'a pod that has left does not count',
    places: TWO,
    pod: db(apartFrom('web')),
    leaves: ['a-0'],
    goes: 'a b',
  },
  { what: 'a spread goes where fewest are', places: SPREAD, pod: web(spreadWith('web')), goes: 'b c' },
  { what: 'with more skew also elsewhere', places: SPREAD, pod: web(spreadWith('web', 2)), goes: 'a b c' },
  {
    what: 'who is not counted by its own spread adds nothing',
    places: SPREAD,
    pod: db(spreadWith('web')),
    goes: 'a b c',
  },
  {
    what: 'a spread needs the label',
    places: { ...SPREAD, d: { pods: [] } },
    pod: web(spreadWith('web', 9)),
    goes: 'a b c',
  },
  {
    what: 'of spreads over hosts the least is none',
    places: { a: { pods: [web(), web()] }, b: { pods: [web()] } },
    pod: web(spreadWith('web', 2, 'kubernetes.io/hostname')),
    goes: 'b',
  },
  { what: 'affinity goes where its pods are', places: TWO, pod: db(nearTo('web')), goes: 'a' },
  {
    what: 'affinity needs the label',
    places: { ...TWO, c: { pods: [web()] } },
    pod: db(nearTo('web')),
    goes: 'a',
  },
  {
    what: 'affinity to pods that are nowhere goes nowhere',
    places: TWO,
    pod: db(nearTo('cache')),
    goes: '',
  },
  {
    what: 'unless it would be the first of its own kind',
    places: TWO,
    pod: db(nearTo('db')),
    goes: 'a b',
  },
  {
    what: 'the second of its kind follows the first',
    places: { ...TWO, b: { pods: [db()], rack: 'r2' } },
    pod: db(nearTo('db')),
    goes: 'b',
  },
];
for (const { what, places, pod, leaves = [], goes } of CASES) {
  test(what, () => assert.equal(open(places, pod, leaves), goes));
}

test('pods of one spec with other labels have rules of their own', () => {
  const places: Places = { a: { pods: [web(apartFrom('web')), db(apartFrom('web'))] }, b: { pods: [] } };
  const { seats, tallies } = aPaper(places);
  const [first, second] = (seats[0]?.pods ?? []).map((pod) => tallies.rulesOf(pod));
  assert.equal(seats[0]?.pods[0]?.spec, seats[0]?.pods[1]?.spec);
  assert.notEqual(first, second);
  // `web` is counted as what others keep off, and both as those that keep it off.
  assert.deepEqual([first?.raised.length, second?.raised.length], [2, 1]);
});

test('without any rules none are kept', () => {
  const { seats, tallies } = aPaper({ a: { pods: [web(), db()] } });
  const [first, second] = (seats[0]?.pods ?? []).map((pod) => tallies.rulesOf(pod));
  assert.equal(first, second);
  assert.equal(first?.raised.length, 0);
});
