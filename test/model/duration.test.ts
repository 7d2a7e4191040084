import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDurationMs } from '../../src/model/duration.ts';

const TEXTS = [
  { text: '0', ms: 0 },
  { text: '90s', ms: 90_000 },
  { text: '1h30m', ms: 5_400_000 },
  { text: '1.5s', ms: 1500 },
  { text: '7d', ms: 604_800_000 },
  { text: '', ms: null },
  { text: '5', ms: null },
  { text: '-5s', ms: null },
];
for (const { text, ms } of TEXTS) {
  test(`"${text}" is ${ms === null ? 'no duration' : `${ms} ms`}`, () =>
    assert.equal(parseDurationMs(text), ms));
}

test('what is written is read back', () => {
  assert.deepEqual([5_400_000, 7_200_000, 90_000, 1500].map(formatDuration), ['90m', '2h', '90s', '1500ms']);
  fc.assert(fc.property(fc.nat({ max: 10 ** 12 }), (ms) => parseDurationMs(formatDuration(ms)) === ms));
});
