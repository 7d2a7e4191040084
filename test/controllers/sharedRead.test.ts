// How often the server is asked for the same thing, by however many at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedRead } from '../../src/controllers/sharedRead.ts';

/** A server that answers each read with its number, when told to. */
function aServer() {
  const waiting: { readonly answer: () => void; readonly fail: () => void }[] = [];
  const ask = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const number = waiting.length + 1;
      waiting.push({ answer: () => resolve(number), fail: () => reject(new Error(`read ${number} failed`)) });
    });
  return { waiting, ask };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('whoever asks while a read is under way gets the next one, and shares it', async () => {
  const { waiting, ask } = aServer();
  const shared = new SharedRead<number>();
  const first = [shared.read(ask), shared.read(ask)];
  await turn();
  assert.equal(waiting.length, 1);
  const later = Array.from({ length: 50 }, () => shared.read(ask));
  await turn();
  assert.equal(waiting.length, 1, 'one at a time');
  waiting[0]?.answer();
  assert.deepEqual(await Promise.all(first), [1, 1]);
  await turn();
  waiting[1]?.answer();
  assert.deepEqual(new Set(await Promise.all(later)), new Set([2]));
  assert.equal(waiting.length, 2);
});

test('a read that fails is told to those who share it, and stops no other', async () => {
  const { waiting, ask } = aServer();
  const shared = new SharedRead<number>();
  const first = shared.read(ask);
  await turn();
  const second = shared.read(ask);
  waiting[0]?.fail();
  await assert.rejects(first, /read 1 failed/);
  await turn();
  waiting[1]?.answer();
  assert.equal(await second, 2);
});
