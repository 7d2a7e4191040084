// Consolidation that saves nothing is tried ever less often; what others buy in the meantime is not held against it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConsolidationBrake } from '../../src/controllers/consolidationBrake.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { Pod } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aBoundPod, aNodeClaim, aSnapshot, GIB } from '../builders.ts';

const MINUTE_MS = 60_000;

function aClaim(name: string, usdPerHour: number, fields: Partial<NodeClaim> = {}): NodeClaim {
  const base = aNodeClaim({ name, ...fields });
  const allocatable = { cpu: 4000, memory: 16 * GIB, pods: 29 };
  return { ...base, status: { ...base.status, nodeName: name, usdPerHour, allocatable } };
}

/** Pods of one workload on that node, one CPU each unless told otherwise. */
function pods(workload: string, nodeName: string, count = 1, cpuMillis = 1000): readonly Pod[] {
  const owner = { kind: 'ReplicaSet', name: workload, uid: `uid-${workload}` };
  return Array.from({ length: count }, (_, index) =>
    aBoundPod(nodeName, { name: `${workload}-${nodeName}-${index}`, owner, cpuMillis }),
  );
}

/** The cluster when an action is due the n-th time, at that price: a node of 1 USD/h that holds `web` alone goes. */
function priced(usdPerHour: number, step: number): ClusterSnapshot {
  const node = `single-${step}`;
  const nodeClaims = [aClaim('rest', usdPerHour - 1), aClaim(node, 1)];
  return aSnapshot({ nodeClaims, pods: pods('web', node) });
}

/** Prices at which an action was due, and the minutes of pause that were told instead; 0 for none. */
function minutesAt(prices: readonly number[]): readonly number[] {
  const brake = new ConsolidationBrake();
  return prices.map((usdPerHour, step) => {
    const snapshot = priced(usdPerHour, step);
    const pauseMs = brake.pauseMs(snapshot);
    const node = `single-${step}`;
    const evicted = [`default/web-${node}-0`];
    if (pauseMs === 0) brake.acting(snapshot, { nodeClaims: [node], replacements: [], evicted });
    return pauseMs / MINUTE_MS;
  });
}

const CASES: Readonly<Record<string, readonly [prices: readonly number[], minutes: readonly number[]]>> = {
  'each action pays': [
    [5, 4, 3],
    [0, 0, 0],
  ],
  'the first one is never held back': [[5], [0]],
  'an action that saves nothing is followed by a pause, then by another try': [
    [5, 5, 5],
    [0, 10, 0],
  ],
  'pauses double while nothing is saved': [
    [5, 5, 5, 5, 5, 6],
    [0, 10, 0, 20, 0, 40],
  ],
  'one that pays starts them anew': [
    [5, 5, 5, 4, 4],
    [0, 10, 0, 0, 10],
  ],
};

for (const [name, [prices, minutes]] of Object.entries(CASES)) {
  test(name, () => assert.deepEqual(minutesAt(prices), minutes));
}

test('no pause is longer than a day', () => {
  assert.equal(Math.max(...minutesAt(Array.from({ length: 40 }, () => 5))), 24 * 60);
});

describe('after two nodes of 1 USD/h have gone, and three pods of web moved', () => {
  const BEFORE = aSnapshot({
    nodeClaims: [aClaim('base', 3), aClaim('gone-1', 1), aClaim('gone-2', 1)],
    pods: [...pods('web', 'base', 2), ...pods('web', 'gone-1', 2), ...pods('web', 'gone-2')],
  });
  const ACTION = {
    nodeClaims: ['gone-1', 'gone-2'],
    replacements: ['replacement'],
    evicted: ['default/web-gone-1-0', 'default/web-gone-1-1', 'default/web-gone-2-0'],
  };
  /** What stands when the next action is due, beside `base`. */
  const LATER: readonly {
    readonly when: string;
    readonly nodeClaims: readonly NodeClaim[];
    readonly pods: readonly Pod[];
    readonly pauses: boolean;
  }[] = [
    {
      when: 'the moved pods were bought for again',
      nodeClaims: [aClaim('bought', 2)],
      pods: [...pods('web', 'base', 2), ...pods('web', 'bought', 3)],
      pauses: true,
    },
    {
      when: 'new workloads have bought much',
      nodeClaims: [aClaim('bought', 40)],
      pods: [...pods('web', 'base', 5), ...pods('batch', 'bought', 3)],
      pauses: false,
    },
    {
      when: 'the same workload has grown, and those that were there have their places',
      nodeClaims: [aClaim('bought', 40)],
      pods: [...pods('web', 'base', 5), ...pods('web', 'bought', 9)],
      pauses: false,
    },
    {
      when: 'the same workload has grown, and bought little for those that were there',
      nodeClaims: [aClaim('bought', 3)],
      pods: [...pods('web', 'base', 4), ...pods('web', 'bought', 3)],
      pauses: false,
    },
    {
      when: 'the same workload has grown, and bought much for those that were there',
      nodeClaims: [aClaim('bought', 3)],
      pods: [...pods('web', 'base', 2), ...pods('web', 'bought', 4)],
      pauses: true,
    },
    {
      when: 'moved pods take a small part of what new workloads have bought',
      nodeClaims: [aClaim('bought', 4)],
      pods: [...pods('web', 'base', 4), ...pods('web', 'bought'), ...pods('batch', 'bought', 1, 3000)],
      pauses: false,
    },
    {
      when: 'moved pods take most of what was bought',
      nodeClaims: [aClaim('bought', 4)],
      pods: [...pods('web', 'base', 2), ...pods('web', 'bought', 3), ...pods('batch', 'bought')],
      pauses: true,
    },
    {
      when: 'those that have bought are over already',
      nodeClaims: [aClaim('bought', 4)],
      pods: pods('web', 'base', 5),
      pauses: false,
    },
    {
      when: 'its replacement costs as much',
      nodeClaims: [aClaim('replacement', 2), aClaim('bought', 4)],
      pods: [...pods('web', 'base', 5), ...pods('batch', 'bought')],
      pauses: true,
    },
    {
      when: 'its replacement costs less',
      nodeClaims: [aClaim('replacement', 1), aClaim('bought', 4)],
      pods: [...pods('web', 'base', 5), ...pods('batch', 'bought')],
      pauses: false,
    },
    {
      when: 'it was given up, and the nodes are still there',
      nodeClaims: [aClaim('gone-1', 1), aClaim('gone-2', 1), aClaim('replacement', 1)],
      pods: [...pods('web', 'base', 2), ...pods('web', 'gone-1', 2), ...pods('web', 'gone-2')],
      pauses: true,
    },
    {
      when: 'moved pods are on what was ordered in place of a node that expires',
      nodeClaims: [aClaim('ordered', 4, { annotations: { 'cooper.sh/replaces': 'base' } })],
      pods: [...pods('web', 'base', 2), ...pods('web', 'ordered', 3)],
      pauses: false,
    },
    {
      when: 'pods that were not moved have bought, since their node was lost',
      nodeClaims: [aClaim('bought', 4)],
      pods: [...pods('web', 'base', 5), ...pods('other', 'bought', 3)],
      pauses: false,
    },
  ];
  for (const { when, nodeClaims, pods: later, pauses } of LATER) {
    test(`${pauses ? 'it pauses' : 'it goes on'} when ${when}`, () => {
      const brake = new ConsolidationBrake();
      brake.acting(BEFORE, ACTION);
      const snapshot = aSnapshot({ nodeClaims: [aClaim('base', 3), ...nodeClaims], pods: later });
      assert.equal(brake.pauseMs(snapshot) > 0, pauses);
    });
  }
});
