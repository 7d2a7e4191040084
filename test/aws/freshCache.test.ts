// Answers kept: served while usable, renewed behind once stale, asked for once at a time, dropped when unused.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FreshCache } from '../../src/aws/freshCache.ts';
import { StillClock } from './account.ts';

function aCache() {
  const clock = new StillClock();
  const cache = new FreshCache<number>(clock, { staleAfterMs: 10, uselessAfterMs: 100 });
  let loads = 0;
  const load = async (): Promise<number> => {
    loads += 1;
    return loads;
  };
  return { clock, cache, load, loads: () => loads };
}

describe('FreshCache', () => {
  it('asks once for many callers', async () => {
    const { cache, load, loads } = aCache();
    assert.deepEqual(await Promise.all([cache.get('a', load), cache.get('a', load)]), [1, 1]);
    assert.equal(loads(), 1);
  });

  it('serves a stale answer and renews it behind', async () => {
    const { clock, cache, load } = aCache();
    await cache.get('a', load);
    clock.pass(10);
    assert.equal(await cache.get('a', load), 1);
    assert.equal(await cache.get('a', load), 2);
  });

  it('waits for a new answer once the old one is useless', async () => {
    const { clock, cache, load } = aCache();
    await cache.get('a', load);
    clock.pass(100);
    assert.equal(await cache.get('a', load), 2);
  });

  it('keeps the old answer when renewing fails, and shows the failure once it is useless', async () => {
    const { clock, cache, load } = aCache();
    const failing = (): Promise<number> => Promise.reject(new Error('down'));
    await cache.get('a', load);
    clock.pass(50);
    assert.equal(await cache.get('a', failing), 1);
    await cache.refresh();
    assert.equal(await cache.get('a', failing), 1);
    clock.pass(50);
    await assert.rejects(cache.get('a', failing), /down/);
    assert.equal(await cache.get('a', load), 2);
  });

  it('renews what is stale when told, and drops what nobody uses', async () => {
    const { clock, cache, load, loads } = aCache();
    await cache.get('a', load);
    await cache.refresh();
    assert.equal(loads(), 1);
    clock.pass(10);
    await cache.refresh();
    assert.equal(loads(), 2);
    clock.pass(3_600_000);
    await cache.refresh();
    assert.equal(loads(), 2);
    assert.equal(await cache.get('a', load), 3);
  });

  it('forgets when told', async () => {
    const { cache, load } = aCache();
    await cache.get('a', load);
    cache.invalidate('a');
    assert.equal(await cache.get('a', load), 2);
    cache.clear();
    assert.equal(await cache.get('a', load), 3);
  });
});
