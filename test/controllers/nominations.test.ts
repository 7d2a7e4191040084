import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Nominations, nominationMs } from '../../src/controllers/nominations.ts';
import type { Nomination } from '../../src/model/plan.ts';

function sent(pod: string, name: string): Nomination {
  return { pod, target: { kind: 'node', name } };
}

test('a nomination holds for 10 s or one and a half batch windows, whichever is longer', () => {
  assert.equal(nominationMs(1000), 10_000);
  assert.equal(nominationMs(10_000), 15_000);
});

test('a node is expected to be used until the last of its pods is bound or gone', () => {
  const nominations = new Nominations();
  nominations.nominate([sent('a', 'node'), sent('b', 'node')], 0, 10_000);
  assert.equal(nominations.endsAtMs('node'), 10_000);
  nominations.forgetPod('a');
  assert.equal(nominations.endsAtMs('node'), 10_000);
  nominations.forgetPod('b');
  assert.equal(nominations.endsAtMs('node'), 0);
});

test('a pod sent elsewhere frees the node it was sent to before', () => {
  const nominations = new Nominations();
  nominations.nominate([sent('a', 'node')], 0, 10_000);
  nominations.nominate([sent('a', 'other')], 5000, 10_000);
  assert.equal(nominations.endsAtMs('node'), 0);
  assert.equal(nominations.endsAtMs('other'), 15_000);
});

test('what has run out is dropped, what has not is kept', () => {
  const nominations = new Nominations();
  nominations.nominate([sent('a', 'node')], 0, 10_000);
  nominations.nominate([sent('b', 'other')], 5000, 10_000);
  nominations.prune(10_000);
  assert.equal(nominations.endsAtMs('node'), 0);
  assert.equal(nominations.endsAtMs('other'), 15_000);
});
