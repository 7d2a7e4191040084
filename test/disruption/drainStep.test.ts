// The order of a drain, and its end: who is evicted, waited for, left or deleted at which moment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drainEndMs, isDrained, keptDaemons, nextDrainStep } from '../../src/disruption/drainStep.ts';
import type { Pod } from '../../src/model/pod.ts';
import { aBoundPod, aNodeClaim, type PodFields } from '../builders.ts';

const CRITICAL = { priority: 2_000_000_000 };
const DAEMON = { kind: 'DaemonSet', name: 'd', uid: 'd' };
const GROUPS: Readonly<Record<string, PodFields>> = {
  web: {},
  logs: { owner: DAEMON },
  dns: { spec: CRITICAL },
  proxy: { owner: DAEMON, spec: CRITICAL },
};

function podsOf(...names: readonly string[]): readonly Pod[] {
  return names.map((name) => aBoundPod('node', { ...GROUPS[name], name }));
}

function names(pods: readonly Pod[]): readonly string[] {
  return pods.map((pod) => pod.name);
}

const ORDER = [
  { left: ['proxy', 'dns', 'logs', 'web'], evicted: ['web'], later: ['proxy', 'dns', 'logs'] },
  { left: ['proxy', 'dns', 'logs'], evicted: ['logs'], later: ['proxy', 'dns'] },
  { left: ['proxy', 'dns'], evicted: ['dns'], later: ['proxy'] },
  { left: ['proxy'], evicted: ['proxy'], later: [] },
  { left: ['proxy', 'logs'], evicted: ['logs'], later: ['proxy'] },
  { left: [], evicted: [], later: [] },
];
for (const { left, evicted, later } of ORDER) {
  test(`of ${left.join(', ') || 'none'}, ${evicted.join(', ') || 'none'} is evicted next`, () => {
    const step = nextDrainStep(podsOf(...left), 0);
    assert.deepEqual([names(step.evict), names(step.later)], [evicted, later]);
    assert.equal(isDrained(step), left.length === 0);
  });
}

test('a group waits until the one before it has gone, not only until it was evicted', () => {
  for (const [first, second] of [
    ['web', 'logs'],
    ['logs', 'dns'],
    ['dns', 'proxy'],
  ] as const) {
    const [leaving] = podsOf(first);
    assert.ok(leaving);
    const step = nextDrainStep([{ ...leaving, deletionRequestedAtMs: 0 }, ...podsOf(second)], 0);
    assert.deepEqual([names(step.evict), names(step.leaving), names(step.later)], [[], [first], [second]]);
  }
});

test('what serves a pod that forbids its eviction stays with it', () => {
  const kept = aBoundPod('node', { name: 'kept', annotations: { 'karpenter.sh/do-not-disrupt': 'true' } });
  const step = nextDrainStep([kept, ...podsOf('web', 'logs', 'dns')], 0);
  assert.deepEqual(names(step.evict), ['web']);
  assert.deepEqual(names(nextDrainStep([kept, ...podsOf('logs', 'dns')], 0).evict), []);
});

for (const annotation of ['karpenter.sh/do-not-evict', 'karpenter.sh/do-not-disrupt']) {
  test(`a pod with ${annotation} is never evicted, and is named`, () => {
    const step = nextDrainStep([aBoundPod('node', { annotations: { [annotation]: 'true' } })], 0);
    assert.deepEqual(step.evict, []);
    assert.deepEqual(
      step.forbidding.map(({ annotation: named }) => named),
      [annotation],
    );
    assert.equal(isDrained(step), false);
  });
}

const STUCK: readonly { what: string; deletionGraceSeconds?: number; afterMs: number }[] = [
  { what: 'its own grace', afterMs: 90_000 },
  { what: 'the shorter one that its deletion gives', deletionGraceSeconds: 1, afterMs: 61_000 },
  { what: 'the longer one that its deletion gives', deletionGraceSeconds: 600, afterMs: 660_000 },
];
for (const { what, afterMs, ...deletion } of STUCK) {
  test(`a pod stuck terminating a minute past ${what} is waited for no longer`, () => {
    const spec = { terminationGraceSeconds: 30 };
    const pod = aBoundPod('node', { deletionRequestedAtMs: 0, spec, ...deletion });
    assert.equal(nextDrainStep([pod], afterMs).leaving.length, 1);
    assert.equal(nextDrainStep([pod], afterMs + 1).leaving.length, 0);
  });
}

const FORBIDS = { annotations: { 'karpenter.sh/do-not-disrupt': 'true' } };
/** The drain ends at 100 s. */
const ENDINGS: readonly {
  what: string;
  pod: PodFields;
  graceSeconds: number;
  atMs: number;
  removedWith: number | null;
}[] = [
  { what: 'an ordinary pod', pod: {}, graceSeconds: 30, atMs: 69_999, removedWith: null },
  { what: 'an ordinary pod', pod: {}, graceSeconds: 30, atMs: 70_000, removedWith: 30 },
  { what: 'an ordinary pod', pod: {}, graceSeconds: 30, atMs: 90_500, removedWith: 9 },
  { what: 'one that forbids it', pod: FORBIDS, graceSeconds: 30, atMs: 69_999, removedWith: null },
  { what: 'one that forbids it', pod: FORBIDS, graceSeconds: 30, atMs: 70_000, removedWith: 30 },
  { what: 'one slower than the drain', pod: {}, graceSeconds: 3600, atMs: 0, removedWith: 100 },
  { what: 'one that stops at once', pod: {}, graceSeconds: 0, atMs: 99_999, removedWith: null },
  { what: 'one that stops at once', pod: {}, graceSeconds: 0, atMs: 100_000, removedWith: 1 },
  { what: 'a critical one', pod: { spec: CRITICAL }, graceSeconds: 30, atMs: 70_000, removedWith: 30 },
  {
    what: 'a leaving one',
    pod: { deletionRequestedAtMs: 0 },
    graceSeconds: 30,
    atMs: 70_000,
    removedWith: null,
  },
];
for (const { what, pod, graceSeconds, atMs, removedWith } of ENDINGS) {
  const outcome = removedWith === null ? 'not deleted' : `deleted with ${removedWith} s`;
  test(`${what} of ${graceSeconds} s is ${outcome} at ${atMs} ms of a drain of 100 s`, () => {
    const spec = { ...pod.spec, terminationGraceSeconds: graceSeconds };
    const step = nextDrainStep([aBoundPod('node', { ...pod, spec })], atMs, 100_000);
    const removed = step.remove.map((one) => one.graceSeconds);
    assert.deepEqual(removed, removedWith === null ? [] : [removedWith]);
    assert.equal(isDrained(step), false);
  });
}

test('the next moment that matters is the earliest deletion, then the end', () => {
  const slow = aBoundPod('node', { name: 'slow', spec: { terminationGraceSeconds: 60 } });
  const quick = aBoundPod('node', { name: 'quick', spec: { terminationGraceSeconds: 5 } });
  assert.equal(nextDrainStep([slow, quick], 0, 100_000).nextEndMs, 40_000);
  assert.equal(nextDrainStep([slow, quick], 50_000, 100_000).nextEndMs, 95_000);
  assert.equal(nextDrainStep([], 50_000, 100_000).nextEndMs, 100_000);
  assert.equal(nextDrainStep([slow], 50_000).nextEndMs, Number.POSITIVE_INFINITY);
});

test('a drain ends after the grace period of its claim, counted from its start; without one never', () => {
  const claim = aNodeClaim();
  assert.equal(drainEndMs(claim, 5), null);
  const bounded = { ...claim, spec: { ...claim.spec, terminationGracePeriodMs: 60_000 } };
  assert.equal(drainEndMs(bounded, 5), 60_005);
  assert.equal(drainEndMs(bounded, null), null);
});

test('an end that was set before the drain began is of a deletion that never came, and counts for nothing', () => {
  const endMs = 300_000;
  const drainEnd = new Date(endMs).toISOString();
  const claim = {
    ...aNodeClaim(),
    annotations: { 'karpenter.sh/nodeclaim-termination-timestamp': drainEnd },
  };
  assert.equal(drainEndMs(claim, endMs - 299_000), endMs);
  assert.equal(drainEndMs(claim, endMs), null);
  const bounded = { ...claim, spec: { ...claim.spec, terminationGracePeriodMs: 60_000 } };
  assert.equal(drainEndMs(bounded, endMs + 5), endMs + 60_005);
});

test('a daemon that a budget has kept for a minute is left; other pods are waited for', () => {
  const pods = podsOf('logs', 'web');
  const refusals = new Map(pods.map(({ uid }) => [uid, 1000]));
  const keptAt = (nowMs: number): ReadonlySet<string> => keptDaemons(pods, refusals, nowMs);
  assert.equal(keptAt(60_999).size, 0);
  const logs = pods.filter(({ name }) => name === 'logs').map(({ uid }) => uid);
  assert.deepEqual([...keptAt(61_000)], logs);
  const step = nextDrainStep(podsOf('logs', 'proxy'), 61_000, null, keptAt(61_000));
  assert.deepEqual([names(step.evict), names(step.later)], [['proxy'], []]);
});
