// Waiting in end-to-end tests: it ends, and its failure says enough.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { holdsFor, until } from './harness/until.ts';

const WAIT = { what: 'rain', timeoutMs: 60, intervalMs: 5 } as const;

describe('until', () => {
  it('gives what it was shown', async () => {
    let looks = 0;
    assert.equal(await until(() => (looks++ < 3 ? null : 'wet'), WAIT), 'wet');
  });

  const cases: readonly {
    readonly when: string;
    readonly look: () => Promise<unknown> | unknown;
    readonly says: RegExp;
  }[] = [
    {
      when: 'it never comes',
      look: () => false,
      says: /^Error: timed out after 60 ms waiting for rain\nclouds$/,
    },
    {
      when: 'looking fails',
      look: () => Promise.reject(new Error('fog')),
      says: /rain\nlast error: Error: fog\nclouds/,
    },
    {
      when: 'looking never ends',
      look: () => new Promise(() => undefined),
      says: /last error: Error: no answer at all/,
    },
  ];
  for (const { when, look, says } of cases) {
    it(`throws when ${when}, with the diagnosis`, async () => {
      await assert.rejects(until(look, { ...WAIT, diagnose: () => 'clouds' }), says);
    });
  }
});

describe('holdsFor', () => {
  it('throws as soon as something no longer holds', async () => {
    let looks = 0;
    const dry = (): boolean => looks++ < 2;
    const span = { durationMs: 10_000, what: 'it was dry', intervalMs: 5 };
    await assert.rejects(holdsFor(dry, span), /no longer held that it was dry/);
  });

  it('returns when it held all the time', async () => {
    await holdsFor(() => true, { durationMs: 20, what: 'it was dry', intervalMs: 5 });
  });
});
