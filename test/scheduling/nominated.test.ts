// Plans made anew: pods that earlier plans have sent somewhere go there again, like ones not swapped.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podKey } from '../../src/model/pod.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { FIRST_PLAN_ONLY, schedule } from '../../src/scheduling/scheduler.ts';
import { anInstanceType, anOwnedNode, aProvisioner, aSnapshot, GIB, somePods } from '../builders.ts';

const ROOM = { cpu: 2000, memory: 8 * GIB, pods: 29 };
const NODES = ['a', 'b', 'c'].map((name) => anOwnedNode({ name, capacity: ROOM, allocatable: ROOM }));
const PODS = somePods(5, { name: 'web', cpuMillis: 900 });

/** Targets by pod, of the pods that are sent to nodes. */
function sent(nominated: Readonly<Record<string, string>>): Record<string, string> {
  const snapshot = aSnapshot({ nodes: NODES, pods: PODS, provisioners: [aProvisioner()] });
  const catalogue = new Map([['default', [anInstanceType()]]]);
  const before = new Map(Object.entries(nominated).map(([name, target]) => [`default/${name}`, target]));
  const plan = schedule(snapshot, catalogue, PODS, { ...FIRST_PLAN_ONLY, nominated: before });
  assert.deepEqual(checkPlan(snapshot, catalogue, PODS, plan), []);
  assert.equal(plan.nominations.length, PODS.map(podKey).length);
  return Object.fromEntries(plan.nominations.map(({ pod, target }) => [pod.slice(8), target.name]));
}

test('like pods go where each was sent before', () => {
  const before = { 'web-0': 'c', 'web-1': 'b', 'web-2': 'a', 'web-3': 'c', 'web-4': 'a' };
  assert.deepEqual(sent(before), before);
});

test('a pod without a nomination leaves the others where they are', () => {
  const before = { 'web-1': 'b', 'web-2': 'a', 'web-3': 'c', 'web-4': 'a' };
  const { 'web-0': free, ...rest } = sent(before);
  assert.deepEqual(rest, before);
  assert.ok(free === 'b' || free === 'c');
});

test('of too many pods nominated to one node, and of those whose node is gone, the others find another', () => {
  const {
    'web-0': first,
    'web-1': second,
    ...rest
  } = sent({ 'web-0': 'a', 'web-1': 'a', 'web-2': 'a', 'web-3': 'x' });
  assert.deepEqual([first, second], ['a', 'a']);
  assert.equal(Object.values(rest).includes('a'), false);
});
