// Where the pods of a decision go, once what was bought for them has names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nominationsWith } from '../../src/disruption/replacements.ts';
import type { Nomination, PlannedNodeClaim } from '../../src/model/plan.ts';
import { aNodeClaim } from '../builders.ts';

const TO_NODE: Nomination = { pod: 'default/a', target: { kind: 'node', name: 'node' } };
const toClaim = (pod: string, name: string): Nomination => ({ pod, target: { kind: 'nodeClaim', name } });

function planned(...pods: readonly string[]): PlannedNodeClaim {
  return {
    ...{ spec: aNodeClaim().spec, instanceType: 'm5.large', zone: 'us-east-1a' },
    ...{ capacityType: 'on-demand', usdPerHour: 0.096, allocatable: {}, pods },
  };
}

const CASES: readonly {
  readonly what: string;
  readonly given: Parameters<typeof nominationsWith>;
  readonly all: readonly Nomination[];
}[] = [
  { what: 'nothing decided, nothing nominated', given: [[], [], []], all: [] },
  { what: 'nodes that are there keep their pods', given: [[TO_NODE], [], []], all: [TO_NODE] },
  {
    what: 'pods of what was bought go to the claim stored for it, in order',
    given: [[TO_NODE], [planned('p/1', 'p/2'), planned('p/3')], ['first', 'second']],
    all: [TO_NODE, toClaim('p/1', 'first'), toClaim('p/2', 'first'), toClaim('p/3', 'second')],
  },
  {
    what: 'pods of what was not stored go nowhere',
    given: [[], [planned('p/1'), planned('p/2')], ['first']],
    all: [toClaim('p/1', 'first')],
  },
];
for (const { what, given, all } of CASES) {
  test(what, () => assert.deepEqual(nominationsWith(...given), all));
}
