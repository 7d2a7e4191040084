// When launches stop because nodes never come up, for how long, and what starts them again.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  afterFailure,
  configurationOf,
  hasOldImage,
  type Launched,
  launchLeave,
  othersCameUp,
  PAUSE_FIRST_MS,
  PAUSE_MOST_MS,
} from '../../src/controllers/launchBreaker.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { COUNTED_CLAIMS_MOST, FAILED_IMAGES_MOST, type LaunchFailures } from '../../src/model/provisioner.ts';
import { aNodeClaim, aNodeClass, aProvisioner } from '../builders.ts';

const MINUTE_MS = 60_000;
const START_MS = 1_800_000_000_000;
const SAME: Launched = { configuration: '1/AWSNodeTemplate/default/1', imageIds: ['ami-a', 'ami-b'] };
const NOT_TOLD: Launched = { ...SAME, imageIds: null };
const OLD: Launched = { ...SAME, configuration: 'old' };

function aClaimOf(imageId: string, fields: Partial<NodeClaim> = {}): NodeClaim {
  const base = aNodeClaim(fields);
  return { ...base, status: { ...base.status, imageId } };
}

type Failed = readonly [storedMinute: number, failedMinute: number, launched?: Launched, imageId?: string];

/** Nodes that fail, each told by when its claim was stored and when it was given up, in minutes. */
function after(...failures: readonly Failed[]) {
  return failures.reduce<LaunchFailures | null>(
    (before, [stored, failed, launched = SAME, imageId = 'ami-a'], index) => {
      const claim = aClaimOf(imageId, { uid: `uid-${index}`, createdAtMs: START_MS + stored * MINUTE_MS });
      return afterFailure(before, {
        launched,
        claim,
        atMs: START_MS + failed * MINUTE_MS,
        hint: `at ${failed}`,
      });
    },
    null,
  );
}

/** The same as written, with these images. */
function imagesNow(...imageIds: readonly string[]): Launched {
  return { ...SAME, imageIds };
}

describe('pauses', () => {
  const CASES: readonly {
    readonly when: string;
    readonly known: LaunchFailures | null;
    readonly pauses: number;
    /** Minutes from the last failure. */
    readonly pauseMinutes: number;
  }[] = [
    { when: 'one node', known: after([0, 15]), pauses: 0, pauseMinutes: 0 },
    { when: 'two nodes', known: after([0, 15], [16, 31]), pauses: 1, pauseMinutes: 5 },
    { when: 'two of one fleet', known: after([0, 15], [0, 15]), pauses: 1, pauseMinutes: 5 },
    {
      when: 'a hundred of one fleet',
      known: after(...Array.from({ length: 100 }, () => [0, 15] as const)),
      pauses: 1,
      pauseMinutes: 5,
    },
    {
      when: 'a node tried after the pause',
      known: after([0, 15], [0, 15], [20, 35]),
      pauses: 2,
      pauseMinutes: 10,
    },
    {
      when: 'a third try',
      known: after([0, 15], [0, 15], [20, 35], [45, 60]),
      pauses: 3,
      pauseMinutes: 20,
    },
    {
      when: 'nodes of two configurations',
      known: after([0, 15, OLD], [16, 31]),
      pauses: 0,
      pauseMinutes: 0,
    },
    {
      when: 'nodes of two images, the first of which is launched no more',
      known: after([0, 15], [16, 31, imagesNow('ami-c'), 'ami-c']),
      pauses: 0,
      pauseMinutes: 0,
    },
    {
      when: 'nodes of two images that are launched beside each other',
      known: after([0, 15], [0, 15, SAME, 'ami-b']),
      pauses: 1,
      pauseMinutes: 5,
    },
  ];
  for (const { when, known, pauses, pauseMinutes } of CASES) {
    test(`after ${when}: ${pauses} of them, the last of ${pauseMinutes} min`, () => {
      assert.ok(known);
      assert.equal(known.pauses, pauses);
      assert.equal(known.pauses === 0 ? 0 : (known.retryAtMs - known.pausedAtMs) / MINUTE_MS, pauseMinutes);
    });
  }

  test('grow up to an hour', () => {
    let known = after([0, 15], [0, 15]);
    for (let tries = 0; tries < 20; tries += 1) {
      const claim = aNodeClaim({ createdAtMs: known?.retryAtMs ?? 0 });
      const atMs = (known?.retryAtMs ?? 0) + 15 * MINUTE_MS;
      known = afterFailure(known, { launched: SAME, claim, atMs, hint: '' });
      const pauseMs = known.retryAtMs - known.pausedAtMs;
      assert.ok(pauseMs >= PAUSE_FIRST_MS && pauseMs <= PAUSE_MOST_MS);
    }
    assert.equal((known?.retryAtMs ?? 0) - (known?.pausedAtMs ?? 0), PAUSE_MOST_MS);
  });
});

describe('what may be launched', () => {
  const paused = after([0, 15], [0, 15]);
  const CASES = [
    { when: 'nothing is known', known: null, minute: 16, comingUp: 0, leave: 'free' },
    { when: 'one node has failed', known: after([0, 15]), minute: 16, comingUp: 0, leave: 'free' },
    { when: 'launches are paused', known: paused, minute: 16, comingUp: 0, leave: 'none' },
    { when: 'they are, and nodes come up', known: paused, minute: 16, comingUp: 7, leave: 'none' },
    { when: 'the pause is over', known: paused, minute: 20, comingUp: 0, leave: 'one' },
    { when: 'it is, and one node is tried', known: paused, minute: 25, comingUp: 1, leave: 'none' },
    {
      when: 'the configuration has changed',
      known: paused,
      minute: 16,
      launched: { ...SAME, configuration: 'new' },
      comingUp: 0,
      leave: 'free',
    },
    {
      when: 'another image is launched in place of the one that failed',
      known: paused,
      minute: 16,
      launched: imagesNow('ami-c', 'ami-b'),
      comingUp: 0,
      leave: 'free',
    },
    {
      when: 'only the image of other types is another',
      known: paused,
      minute: 16,
      launched: imagesNow('ami-a', 'ami-c'),
      comingUp: 0,
      leave: 'none',
    },
    {
      when: 'one of two images that failed is another',
      known: after([0, 15], [0, 15, SAME, 'ami-b']),
      minute: 16,
      launched: imagesNow('ami-c', 'ami-b'),
      comingUp: 0,
      leave: 'free',
    },
    {
      when: 'it cannot be told which image is launched',
      known: paused,
      minute: 16,
      launched: NOT_TOLD,
      comingUp: 0,
      leave: 'none',
    },
    {
      when: 'it is not known which image failed',
      known: after([0, 15, SAME, ''], [0, 15, SAME, '']),
      minute: 16,
      launched: imagesNow('ami-c'),
      comingUp: 0,
      leave: 'none',
    },
  ] as const;
  for (const { when, known, minute, comingUp, leave, ...rest } of CASES) {
    test(`${leave} when ${when}`, () => {
      const launched = 'launched' in rest ? rest.launched : SAME;
      const nowMs = START_MS + minute * MINUTE_MS;
      assert.equal(launchLeave(known, launched, { comingUp, nowMs }), leave);
    });
  }
});

describe('a node that never came up speaks for itself alone', () => {
  const up = (createdAtMs: number, provisioner = 'default'): NodeClaim => {
    const base = aNodeClaim({ createdAtMs });
    const condition = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;
    return {
      ...base,
      spec: { ...base.spec, provisioner },
      status: { ...base.status, conditions: [condition] },
    };
  };
  const failed = aNodeClaim({ createdAtMs: START_MS });
  const CASES: readonly (readonly [when: string, claims: readonly NodeClaim[], is: boolean])[] = [
    ['others of its fleet came up', [failed, up(START_MS)], true],
    ['a later one came up', [failed, up(START_MS + 10 * MINUTE_MS)], true],
    ['only an earlier one came up', [failed, up(START_MS - 10 * MINUTE_MS)], false],
    ['only another Provisioner has one that came up', [failed, up(START_MS, 'other')], false],
    ['none came up', [failed, aNodeClaim({ createdAtMs: START_MS })], false],
  ];
  for (const [when, claims, is] of CASES) {
    test(`${is ? 'yes' : 'no'}: ${when}`, () => assert.equal(othersCameUp(failed, claims), is));
  }
});

test('the configuration is another with each generation of the Provisioner or its template', () => {
  const base = configurationOf(aProvisioner({ generation: 1 }), aNodeClass({ generation: 1 }));
  assert.notEqual(configurationOf(aProvisioner({ generation: 2 }), aNodeClass({ generation: 1 })), base);
  assert.notEqual(configurationOf(aProvisioner({ generation: 1 }), aNodeClass({ generation: 2 })), base);
});

test('a claim is of an image that is launched no more where both are known', () => {
  assert.equal(hasOldImage(aClaimOf('ami-a'), imagesNow('ami-c')), true);
  assert.equal(hasOldImage(aClaimOf('ami-c'), imagesNow('ami-b', 'ami-c')), false);
  assert.equal(hasOldImage(aClaimOf(''), imagesNow('ami-c')), false);
  assert.equal(hasOldImage(aClaimOf('ami-a'), NOT_TOLD), false);
});

test('images and claims that are remembered are bounded, the latest kept', () => {
  const many = Array.from({ length: 200 }, (_, index): Failed => [0, 15, NOT_TOLD, `ami-${index}`]);
  const known = after(...many);
  assert.equal(known?.imageIds.length, FAILED_IMAGES_MOST);
  assert.equal(known?.claims.length, COUNTED_CLAIMS_MOST);
  assert.deepEqual([known?.imageIds.at(-1), known?.claims.at(-1)], ['ami-199', 'uid-199']);
});
