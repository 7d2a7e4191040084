// A second look at what was decided: its pods are where the decision had them, if that still holds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stillPays } from '../../src/disruption/consolidation.ts';
import { decided } from '../../src/disruption/consolidationSearch.ts';
import type { OrderedConsolidation } from '../../src/model/consolidation.ts';
import type { Nomination } from '../../src/model/plan.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { QUIET } from './consolidated.ts';
import { aCluster, type Cluster, ONLY_LARGE } from './largeNodes.ts';

/** Pods that fit on two nodes in one way only, which a plan that begins with the largest does not find. */
const KNOTTED: Cluster = { nodes: { a: [500, 400, 400, 300, 200, 200], b: [1000], c: [1000] } };
const UNTIED = ['b', 'c', 'c', 'b', 'b', 'c'];

const sent = (pods: readonly string[], kind: 'node' | 'nodeClaim' = 'node'): readonly Nomination[] =>
  pods.map((name, index) => ({ pod: `default/a-${index}`, target: { kind, name } }));

function said(
  { nominations, replacements = [] }: Partial<OrderedConsolidation>,
  { cluster = KNOTTED, prices = {} }: { cluster?: Cluster; prices?: Readonly<Record<string, number>> } = {},
): string | null {
  const base = aCluster(cluster);
  const snapshot: ClusterSnapshot = {
    ...base,
    nodeClaims: base.nodeClaims.map((claim) => {
      const usdPerHour = prices[claim.name] ?? claim.status.usdPerHour;
      return { ...claim, status: { ...claim.status, usdPerHour } };
    }),
  };
  const ordered = { nodeClaims: ['c-a'], replacements };
  const consolidation = { snapshot, catalogue: ONLY_LARGE, view: QUIET };
  return decided(stillPays(consolidation, nominations === undefined ? ordered : { ...ordered, nominations }));
}

test('without what was decided, a plan made anew finds no way', () => {
  assert.match(said({}) ?? 'it pays', /cost as much elsewhere|another node/);
});

test('where pods go as was decided, it pays', () => {
  assert.equal(said({ nominations: sent(UNTIED) }), null);
});

test('pods sent to a node that was bought are on the node of that claim by now', () => {
  const targets = UNTIED.map((name) => `c-${name}`);
  assert.equal(said({ nominations: sent(targets, 'nodeClaim') }), null);
});

test('what was bought has to cost less than what goes', () => {
  const nominations = sent(UNTIED);
  const ordered = { nominations, replacements: ['c-b'] };
  assert.equal(said(ordered, { prices: { 'c-b': 0.09 } }), null);
  assert.equal(said(ordered, { prices: { 'c-b': 0.1 } }), 'the replacement costs as much as what goes');
});

test('the price of evictions is not asked for again', () => {
  // Each of two pods costs much afterwards: as a new decision, moving the one would not pay.
  const cluster: Cluster = { nodes: { a: [200], b: [1000] } };
  const prices = { 'c-a': 0.01, 'c-b': 5 };
  assert.equal(said({ nominations: sent(['b']) }, { cluster, prices }), null);
});

test('where one place has gone since, the others are kept and a new one is found', () => {
  const cluster: Cluster = { nodes: { a: [500, 400], b: [1700], c: [1000], d: [1000] } };
  assert.equal(said({ nominations: sent(['b', 'c']) }, { cluster }), null);
});

test('where no place is left, it does not pay any more', () => {
  const cluster: Cluster = { nodes: { a: [500], b: [1700] } };
  assert.match(said({ nominations: sent(['b']) }, { cluster }) ?? 'it pays', /nothing saved/);
});

test('nominations of others are no plan for its pods', () => {
  const strangers = sent(UNTIED).map((one) => ({ ...one, pod: one.pod.replace('/a-', '/other-') }));
  assert.notEqual(said({ nominations: strangers }), null);
});
