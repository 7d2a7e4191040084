// The pure bucket: waiting, spending, halving on a throttle, recovering, feeling upwards.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requestLimit } from '../../src/aws/requestLimits.ts';
import {
  answered,
  fullBucket,
  spent,
  type TokenBucket,
  throttled,
  waitMs,
} from '../../src/aws/tokenBucket.ts';

const LIMIT = { capacity: 10, refillPerSecond: 2 };
const full = fullBucket(LIMIT, 0);

function emptied(atMs = 0): TokenBucket {
  return spent(fullBucket(LIMIT, atMs), 10, atMs);
}

function times<T>(count: number, change: (value: T) => T, value: T): T {
  return count === 0 ? value : times(count - 1, change, change(value));
}

describe('how long a call waits', () => {
  const CASES = [
    { when: 'the bucket is full', bucket: full, tokens: 10, atMs: 0, expected: 0 },
    { when: 'more is asked than it can hold and it is full', bucket: full, tokens: 50, atMs: 0, expected: 0 },
    { when: 'it is empty', bucket: emptied(), tokens: 1, atMs: 0, expected: 500 },
    { when: 'it is empty and many are asked', bucket: emptied(), tokens: 4, atMs: 0, expected: 2_000 },
    { when: 'half a token has come', bucket: emptied(), tokens: 1, atMs: 250, expected: 250 },
    { when: 'the token has just come', bucket: emptied(), tokens: 1, atMs: 500, expected: 0 },
    {
      when: 'more is asked than it can hold and it is empty',
      bucket: emptied(),
      tokens: 50,
      atMs: 0,
      expected: 5_000,
    },
    { when: 'it owes tokens', bucket: spent(full, 12, 0), tokens: 1, atMs: 0, expected: 1_500 },
    { when: 'it never holds more than its capacity', bucket: full, tokens: 10, atMs: 60_000, expected: 0 },
    { when: 'the clock has gone back', bucket: emptied(5_000), tokens: 1, atMs: 0, expected: 500 },
  ];
  for (const { when, bucket, tokens, atMs, expected } of CASES) {
    it(`is ${expected} ms for ${tokens} when ${when}`, () =>
      assert.equal(waitMs(bucket, tokens, atMs), expected));
  }
});

describe('what a bucket learns', () => {
  const CASES = [
    { when: 'it is throttled once', bucket: throttled(full, 0), rate: 1 },
    {
      when: 'it is throttled again and again: a sixteenth',
      bucket: times(20, (one) => throttled(one, 0), full),
      rate: 0.125,
    },
    {
      when: 'one call went through after a throttle',
      bucket: answered(throttled(full, 0), 0, true),
      rate: 1.2,
    },
    {
      when: 'many went through: what is published',
      bucket: times(30, (one) => answered(one, 0, false), throttled(full, 0)),
      rate: 2,
    },
    {
      when: 'calls go through unasked for: nothing new',
      bucket: times(30, (one) => answered(one, 0, false), full),
      rate: 2,
    },
    { when: 'a call that waited went through: a little more', bucket: answered(full, 0, true), rate: 2.02 },
    {
      when: 'calls that wait go through for ever: 20 times',
      bucket: times(400, (one) => answered(one, 0, true), full),
      rate: 40,
    },
  ];
  for (const { when, bucket, rate } of CASES) {
    it(`${rate} tokens a second when ${when}`, () =>
      assert.equal(Math.round(bucket.refillPerSecond * 1e6) / 1e6, rate));
  }

  it('is empty after a throttle, whatever it thought', () => {
    assert.equal(waitMs(throttled(full, 0), 1, 0), 1_000);
  });
});

describe('published limits', () => {
  const CASES = [
    ['ec2:CreateFleet', 50, 5, 1000, 2],
    ['ec2:TerminateInstances', 100, 5, 1000, 20],
    ['ec2:DescribeInstances', 100, 20, null, null],
    ['ec2:CreateLaunchTemplate', 50, 5, null, null],
    ['ec2:CreateTags', 100, 10, null, null],
  ] as const;
  for (const [action, capacity, rate, instances, instanceRate] of CASES) {
    it(`of ${action}`, () => {
      const { requests, resources } = requestLimit(action);
      assert.deepEqual(
        [
          requests.capacity,
          requests.refillPerSecond,
          resources?.capacity ?? null,
          resources?.refillPerSecond ?? null,
        ],
        [capacity, rate, instances, instanceRate],
      );
    });
  }
});
