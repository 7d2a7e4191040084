// Whether pods can be bound one after the other: orders the checker must find, and plans that no order serves.
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import type { Pod, PodSpec } from '../../src/model/pod.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import {
  aBoundPod,
  aNodeClaim,
  anInstanceType,
  anOwnedNode,
  aPod,
  aProvisioner,
  aSnapshot,
  GIB,
} from '../builders.ts';
import { aCase, apart, type Case, check, inA, inB, labels, onDemand, spread, term } from './checkerCases.ts';

const db = { expressions: [{ key: 'app', operator: 'In' as const, values: ['db'] }] };
const web = (name: string, spec: Partial<PodSpec> = {}): Pod => aPod({ name, labels, spec });
/** Drawn to web pods on its own node: it starts its group only while no web pod is anywhere. */
const starter = (name: string): Pod => web(name, { podAffinity: [term(LABEL.hostname)] });
const drawnByZone = (name: string): Pod => web(name, { podAffinity: [term(LABEL.zone)] });
const evenly = (name: string, fields: Parameters<typeof spread>[1] = {}): Pod =>
  web(name, { topologySpread: [spread(LABEL.zone, fields), spread(LABEL.hostname, { maxSkew: 2 })] });

/** The pods on nodes of their own in the zones given, in this order. */
const onNodes = (...placed: readonly (readonly [Pod, typeof inA])[]): Case => {
  const pods = placed.map(([pod]) => pod);
  const zones = placed.map(([, zone]) => zone);
  return aCase({ pods, plan: apart(pods, zones) });
};

/** The same beside a running pod of that app, in the first zone. */
const besideRunning = (app: string, one: Case): Case => {
  const node = anOwnedNode({ name: 'old' });
  const running = aBoundPod('old', { name: 'running', labels: { app } });
  return { ...one, snapshot: aSnapshot({ nodes: [node], pods: [running] }) };
};
const guest = web('guest', { podAffinity: [term(LABEL.zone, { selector: db })] });

const bindable: readonly { readonly when: string; readonly plan: Case }[] = [
  {
    when: 'the first of a group must go before a guest of others that it would count',
    plan: besideRunning('db', onNodes([guest, inA], [starter('starter'), inB], [web('free'), inB])),
  },
  {
    when: 'a group over host names must start before one over zones does',
    plan: onNodes(
      [drawnByZone('wide'), inA],
      [drawnByZone('wider'), inA],
      [starter('narrow'), inA],
      [web('a'), inB],
    ),
  },
  {
    when: 'a free pod must raise one zone, and the others come after all',
    plan: onNodes(
      [evenly('b-1'), inB],
      [evenly('b-2'), inB],
      [web('free-1'), inB],
      [web('free-2'), inB],
      [web('level'), inA],
    ),
  },
];

describe('the checker finds an order when', () => {
  for (const { when, plan } of bindable) it(when, () => assert.deepEqual(check(plan), []));
});

const unbindable: readonly { readonly when: string; readonly plan: Case; readonly stuck: RegExp }[] = [
  {
    when: 'two pods on different nodes would both have to be the first',
    plan: onNodes([starter('one'), inA], [starter('two'), inB], [web('free'), inA]),
    stuck: /1 pods like default\/(one|two) cannot be bound/,
  },
  {
    when: 'the first of a group comes too late: a web pod runs',
    plan: besideRunning('web', onNodes([starter('one'), inB])),
    stuck: /1 pods like default\/one cannot be bound/,
  },
  {
    when: 'nothing raises the zone that holds the others back',
    plan: onNodes(
      [evenly('b-1', { minDomains: 2 }), inB],
      [evenly('b-2', { minDomains: 2 }), inB],
      [web('free'), inB],
    ),
    stuck: /1 pods like default\/b-[12] cannot be bound/,
  },
];

describe('the checker finds no order when', () => {
  for (const { when, plan, stuck } of unbindable) {
    it(when, () => assert.match(check(plan).join('\n'), stuck));
  }
});

test('rule: a plan with pods that cannot be bound is never handed out, however often it is made anew', () => {
  // One of the eight is planned at a time, the limit has room for no more; none can start beside the other group.
  const drawn = (topologyKey: string, zone: string): Partial<PodSpec> => ({
    nodeSelector: { [LABEL.zone]: zone },
    podAffinity: [term(topologyKey)],
  });
  const pods = [
    aPod({ name: 'narrow', labels, cpuMillis: 1500, spec: drawn(LABEL.hostname, 'us-east-1b') }),
    ...Array.from({ length: 8 }, (_, index) =>
      aPod({ name: `wide-${index}`, labels, cpuMillis: 1500, spec: drawn(LABEL.zone, 'us-east-1a') }),
    ),
  ];
  const small = aProvisioner({ name: 'small', requirements: [inA], limits: { cpu: 2000 } });
  const snapshot = aSnapshot({ provisioners: [small, aProvisioner({ name: 'other', requirements: [inB] })] });
  const types = [anInstanceType({ name: 'm5.large' })];
  const catalogue = new Map([
    ['small', types],
    ['other', types],
  ]);
  const plan = schedule(snapshot, catalogue, pods);
  assert.deepEqual(checkPlan(snapshot, catalogue, pods, plan), []);
  assert.ok(plan.nodeClaims.length > 0, 'one of the groups is planned');
  assert.ok(plan.refusals.some(({ reason }) => reason.endsWith('planned again later')));
});

/** A ready node of the first zone with two web pods, and a claim in flight that may come up there or elsewhere. */
const inFlight = (zones: readonly string[]) => ({
  nodes: [anOwnedNode({ name: 'old' })],
  pods: ['w-1', 'w-2'].map((name) => aBoundPod('old', { name, labels })),
  nodeClaims: [
    aNodeClaim({
      name: 'flying',
      spec: {
        ...aNodeClaim().spec,
        requirements: [{ key: LABEL.zone, operator: 'In' as const, values: zones }],
      },
    }),
  ],
});

const open: readonly { readonly zones: readonly string[]; readonly placed: number }[] = [
  { zones: ['us-east-1a'], placed: 1 },
  { zones: ['us-east-1a', 'us-east-1b'], placed: 0 },
];

/** On sale in the first zone alone; in the second it was when the claim went out. */
const soldOut = anInstanceType({
  name: 'm5.large',
  offerings: ['us-east-1a', 'us-east-1b'].map((zone) => ({
    zone,
    capacityType: 'on-demand' as const,
    usdPerHour: 0.096,
    available: zone === 'us-east-1a',
  })),
});

for (const { zones, placed } of open) {
  test(`rule: spread over zones counts on the worst of a claim in flight that may be in ${zones}`, () => {
    // It looks at pods that it does not match, and nothing is sold in the other zone now.
    const pods = [aPod({ name: 'looks', spec: { topologySpread: [spread(LABEL.zone)] } })];
    const provisioners = [aProvisioner({ limits: { cpu: 0 } })];
    const snapshot = aSnapshot({ provisioners, ...inFlight(zones) });
    const catalogue = new Map([['default', [soldOut]]]);
    const plan = schedule(snapshot, catalogue, pods);
    assert.deepEqual(checkPlan(snapshot, catalogue, pods, plan), []);
    assert.equal(plan.nominations.length, placed);
  });
}

test('rule: pods without rules of their own are not given up for those that are drawn to them', () => {
  const counted = Array.from({ length: 4 }, (_, index) =>
    aPod({ name: `web-${index}`, labels, cpuMillis: 500 }),
  );
  const drawn = { podAffinity: [term(LABEL.hostname)], priority: 100 };
  const guests = Array.from({ length: 6 }, (_, index) =>
    aPod({ name: `guest-${index}`, cpuMillis: 1500, spec: drawn }),
  );
  const huge = aPod({
    name: 'huge',
    labels,
    cpuMillis: 90_000,
    spec: { topologySpread: [spread(LABEL.zone)] },
  });
  const pods = [...counted, ...guests, huge];
  const snapshot = aSnapshot({
    nodes: [anOwnedNode({ name: 'far', labels: { ...anOwnedNode().labels, [LABEL.zone]: 'us-east-1c' } })],
  });
  const types = [anInstanceType({ name: 'm5.xlarge', cpuMillis: 4000, zones: ['us-east-1a', 'us-east-1b'] })];
  const catalogue = new Map([['default', types]]);
  const plan = schedule(snapshot, catalogue, pods);
  assert.deepEqual(checkPlan(snapshot, catalogue, pods, plan), []);
  assert.deepEqual(
    plan.refusals.filter(({ pod }) => pod.startsWith('default/web')),
    [],
  );
});

test('rule: improvement refuses no pod that the first plan has, and none less', () => {
  // The spread does not see the cheaper type: pods that improvement takes off it count, and the skew no longer holds.
  const many = (count: number, name: string, fields: Parameters<typeof aPod>[0]): Pod[] =>
    Array.from({ length: count }, (_, index) => aPod({ name: `${name}-${index}`, labels, ...fields }));
  const other = { expressions: [{ key: 'app', operator: 'In' as const, values: ['other'] }] };
  const pods = [
    ...many(5, 'small', {
      cpuMillis: 50,
      spec: { topologySpread: [spread(LABEL.zone, { selector: other })] },
    }),
    ...many(6, 'evenly', {
      cpuMillis: 1500,
      spec: {
        nodeSelector: { [LABEL.instanceType]: 'm5.large' },
        topologySpread: [spread(LABEL.zone, { maxSkew: 2 })],
      },
    }),
    ...many(1, 'lone', {
      cpuMillis: 1500,
      memoryBytes: 3 * GIB,
      spec: { podAntiAffinity: [term(LABEL.hostname)] },
    }),
    ...many(3, 'first', {
      cpuMillis: 100,
      spec: {
        nodeSelector: { [LABEL.zone]: 'us-east-1a' },
        hostPorts: [{ ip: '', protocol: 'TCP', port: 80 }],
      },
    }),
  ];
  const provisioners = [aProvisioner({ requirements: [onDemand] })];
  const snapshot = aSnapshot({ provisioners });
  const cheap = anInstanceType({
    name: 'c5.large',
    memoryBytes: 4 * GIB,
    usdPerHour: 0.085,
    zones: ['us-east-1c'],
  });
  const catalogue = new Map([['default', [cheap, anInstanceType({ name: 'm5.large' })]]]);
  const first = schedule(snapshot, catalogue, pods);
  const better = schedule(snapshot, catalogue, pods, { budgetMs: 100, elapsedMs: () => 0 });
  assert.deepEqual(checkPlan(snapshot, catalogue, pods, better), []);
  assert.deepEqual(better.refusals, first.refusals);
  assert.ok(better.usdPerHour <= first.usdPerHour);
});
