// Who may take a Lease, and when.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  atLeastSinceMs,
  atMostSinceMs,
  type Instant,
  type LeaseRecord,
  leaseManifest,
  nextLeaseStep,
  type Observation,
  observe,
  readLease,
  releasedRecord,
} from '../../src/kube/leaseRecord.ts';

const START_MS = Date.UTC(2026, 0, 1);
const ME = { identity: 'me', durationSeconds: 15 };

function at(wallMs: number, monotonicMs = wallMs): Instant {
  return { wallMs: START_MS + wallMs, monotonicMs };
}

function record(changes: Partial<LeaseRecord> = {}): LeaseRecord {
  const time = '2025-12-31T23:59:00.000000Z';
  return {
    holder: 'other',
    durationSeconds: 15,
    acquireTime: time,
    renewTime: time,
    transitions: 4,
    ...changes,
  };
}

function seen(changes: Partial<LeaseRecord> = {}, since: Instant = at(0)): Observation {
  return { record: record(changes), resourceVersion: '7', since };
}

const STEPS: readonly {
  readonly when: string;
  readonly observed: Observation | null;
  readonly now: Instant;
  /** null: waits. */
  readonly writes: Partial<LeaseRecord> | null;
}[] = [
  {
    when: 'there is no Lease',
    observed: null,
    now: at(0),
    writes: { holder: 'me', transitions: 0, acquireTime: '2026-01-01T00:00:00.000000Z' },
  },
  { when: 'another has just renewed it', observed: seen(), now: at(0), writes: null },
  { when: 'another holds it a moment before the end', observed: seen(), now: at(14_999), writes: null },
  {
    when: 'another has not renewed it for its whole duration',
    observed: seen(),
    now: at(15_000),
    writes: { holder: 'me', transitions: 5, acquireTime: '2026-01-01T00:00:15.000000Z' },
  },
  {
    when: "the holder's own duration is longer than ours",
    observed: seen({ durationSeconds: 60 }),
    now: at(30_000),
    writes: null,
  },
  {
    when: 'our wall clock has jumped ahead, and no time has passed',
    observed: seen(),
    now: at(3_600_000, 10),
    writes: null,
  },
  {
    when: 'our machine has slept, and only the wall clock has gone on',
    observed: seen(),
    now: at(60_000, 1_000),
    writes: null,
  },
  { when: 'it has been given up', observed: seen({ holder: '' }), now: at(1), writes: { transitions: 5 } },
  {
    when: 'it is ours: acquisition and count stay',
    observed: seen({ holder: 'me' }),
    now: at(2_000),
    writes: { holder: 'me', transitions: 4, acquireTime: record().acquireTime },
  },
  {
    when: 'its times lie in the future of our clock: they are not looked at',
    observed: seen({ renewTime: '2027-01-01T00:00:00.000000Z' }),
    now: at(15_000),
    writes: { holder: 'me' },
  },
];

for (const { when, observed, now, writes } of STEPS) {
  test(`${when}: ${writes === null ? 'waits' : 'writes'}`, () => {
    const step = nextLeaseStep(observed, ME, now);
    if (writes === null) return assert.deepEqual(step, { kind: 'wait' });
    assert.equal(step.kind, 'write');
    assert.equal(step.resourceVersion, observed === null ? null : '7');
    assert.deepEqual({ ...step.record, ...writes }, step.record);
    assert.equal(step.record.renewTime, new Date(now.wallMs).toISOString().replace('Z', '000Z'));
  });
}

test('a record that has not changed has been there since it was first seen', () => {
  const first = observe(null, { record: record(), resourceVersion: '7' }, at(0));
  const again = observe(first, { record: record(), resourceVersion: '8' }, at(5_000));
  assert.deepEqual([again.since, again.resourceVersion], [at(0), '8']);
});

for (const changed of ['holder', 'acquireTime', 'renewTime'] as const) {
  test(`a record with another ${changed} starts anew`, () => {
    const first = observe(null, { record: record(), resourceVersion: '7' }, at(0));
    const found = { record: record({ [changed]: 'changed' }), resourceVersion: '8' };
    assert.deepEqual(observe(first, found, at(5_000)).since, at(5_000));
  });
}

test('what is given up can be taken at once, and tells how many have held it', () => {
  const released = releasedRecord(record({ holder: 'me' }), at(0));
  assert.deepEqual([released.holder, released.durationSeconds, released.transitions], ['', 1, 4]);
  assert.equal(nextLeaseStep({ ...seen(), record: released }, ME, at(1)).kind, 'write');
});

test('ages: the longer clock judges our own Lease, the shorter that of others', () => {
  assert.equal(atMostSinceMs(at(0, 0), at(60_000, 10)), 60_000);
  assert.equal(atLeastSinceMs(at(0, 0), at(60_000, 10)), 10);
  assert.equal(atMostSinceMs(at(0, 0), at(-5_000, 10)), 10);
});

test('a Lease is read as it was written', () => {
  const written = leaseManifest({ namespace: 'ns', name: 'l' }, { record: record(), resourceVersion: '7' });
  assert.deepEqual(readLease(written), { record: record(), resourceVersion: '7' });
});

test('a Lease without a spec counts as given up', () => {
  const { record: empty } = readLease({ metadata: { resourceVersion: '1' } });
  assert.deepEqual([empty.holder, empty.durationSeconds, empty.transitions], ['', 0, 0]);
});
