import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DrainStarts } from '../../src/controllers/drainStarts.ts';
import { aNodeClaim } from '../builders.ts';

const claim = aNodeClaim();
const leaving = { ...claim, deletionRequestedAtMs: 1_000_000 };

test('a drain starts when its deletion is seen, whatever the clock of the API server says', () => {
  const starts = new DrainStarts();
  starts.note([claim], 5_000_000);
  assert.equal(starts.of(claim), null);
  starts.note([leaving], 5_001_000);
  starts.note([leaving], 5_009_000);
  assert.equal(starts.of(leaving), 5_001_000);
});

test('a claim that is found leaving has been so since its deletion was asked for', () => {
  const starts = new DrainStarts();
  starts.note([leaving], 5_001_000);
  assert.equal(starts.of(leaving), 1_000_000);
});

test('claims that are gone are forgotten', () => {
  const starts = new DrainStarts();
  starts.note([claim, { ...leaving, uid: 'other' }], 0);
  assert.equal(starts.size, 2);
  starts.note([], 0);
  assert.equal(starts.size, 0);
});
