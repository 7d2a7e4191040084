// What is freed, what is left alone, and in which order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Leftovers, uninstallSteps } from '../../src/cli/uninstallPlan.ts';
import { TERMINATION_FINALIZER } from '../../src/model/labels.ts';

const provider = (id: string): string => `aws:///us-east-1a/${id}`;
const claim = (name: string, id: string, isBeingDeleted = false) => ({
  name,
  uid: `uid-${name}`,
  providerId: id === '' ? '' : provider(id),
  isBeingDeleted,
});
const node = (name: string, id: string, isBeingDeleted = false, isOurs = true) => ({
  name,
  providerId: provider(id),
  isOurs,
  isBeingDeleted,
  finalizers: isOurs ? [TERMINATION_FINALIZER] : [],
});
const instance = (id: string, claimName: string) => ({
  id,
  providerId: provider(id),
  nodeClaimUid: claimName === '' ? '' : `uid-${claimName}`,
});
const NOTHING: Leftovers = { claims: [], nodes: [], instances: [], launchTemplates: [] };
const HEALTHY: Leftovers = {
  claims: [claim('a', 'i-a')],
  nodes: [node('node-a', 'i-a'), node('static', 'i-static', false, false)],
  instances: [instance('i-a', 'a')],
  launchTemplates: ['t'],
};

const CASES: readonly {
  readonly when: string;
  readonly left: Leftovers;
  readonly everything?: boolean;
  readonly steps: readonly string[];
}[] = [
  { when: 'nothing is left', left: NOTHING, steps: [] },
  { when: 'all is in good order', left: HEALTHY, steps: [] },
  {
    when: 'all is in good order, and everything is to go',
    left: HEALTHY,
    everything: true,
    steps: ['terminateInstance i-a', 'freeNode node-a', 'releaseClaim a', 'deleteLaunchTemplate t'],
  },
  {
    when: 'a claim is stuck in deletion',
    left: { ...HEALTHY, claims: [claim('a', 'i-a', true)] },
    steps: ['terminateInstance i-a', 'freeNode node-a', 'releaseClaim a', 'deleteLaunchTemplate t'],
  },
  {
    when: 'one of two claims is stuck: the other and the templates stay',
    left: {
      ...HEALTHY,
      claims: [claim('a', 'i-a', true), claim('b', 'i-b')],
      nodes: [node('node-a', 'i-a'), node('node-b', 'i-b')],
      instances: [instance('i-a', 'a'), instance('i-b', 'b')],
    },
    steps: ['terminateInstance i-a', 'freeNode node-a', 'releaseClaim a'],
  },
  {
    when: 'a claim is stuck that never got its instance noted',
    left: { ...NOTHING, claims: [claim('a', '', true)], instances: [instance('i-a', 'a')] },
    steps: ['terminateInstance i-a', 'releaseClaim a'],
  },
  {
    when: 'an instance has no claim any more',
    left: { ...NOTHING, instances: [instance('i-x', 'gone')], launchTemplates: ['t'] },
    steps: ['terminateInstance i-x', 'deleteLaunchTemplate t'],
  },
  {
    when: 'an instance is known by its claim alone, not by its tags',
    left: { ...HEALTHY, instances: [instance('i-a', '')] },
    steps: [],
  },
  {
    when: 'a Node is stuck that no claim keeps: its instance goes too',
    left: { ...NOTHING, nodes: [node('node-x', 'i-x', true)], instances: [instance('i-x', 'gone')] },
    steps: ['terminateInstance i-x', 'freeNode node-x'],
  },
  {
    when: 'a Node is being deleted whose claim is in good order: that is for a controller',
    left: { ...HEALTHY, nodes: [node('node-a', 'i-a', true)] },
    steps: [],
  },
  {
    when: "somebody else's Node is stuck",
    left: { ...NOTHING, nodes: [node('other', 'i-o', true, false)] },
    everything: true,
    steps: [],
  },
];

for (const { when, left, everything = false, steps } of CASES) {
  test(`${when}: ${steps.length === 0 ? 'nothing is done' : steps.join(', ')}`, () => {
    const made = uninstallSteps(left, everything);
    assert.deepEqual(
      made.map((step) => `${step.kind} ${'id' in step ? step.id : step.name}`),
      steps,
    );
  });
}
