// Whole simulations: one seed one history, the story holds, crashes and faults leave nothing behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatEntry } from '../../src/simulator/history.ts';
import { Simulation } from '../../src/simulator/simulation.ts';
import { drawSetup, END_MS } from '../fuzz/drawSetup.ts';
import { FUZZ_CATALOGUE, runSeed } from '../fuzz/runSeed.ts';

async function linesOf(seed: number): Promise<readonly string[]> {
  const simulation = new Simulation(drawSetup(seed, FUZZ_CATALOGUE));
  const lines: string[] = [];
  simulation.history.listen((entry) => lines.push(formatEntry(entry)));
  await simulation.run(END_MS);
  return lines;
}

test('one seed has one history, to the byte', async () => {
  const first = await linesOf(3);
  const second = await linesOf(3);
  assert.ok(first.length > 100, `${first.length} lines`);
  assert.deepEqual(second, first);
});

test('other seeds have other histories', async () => {
  assert.notEqual((await runSeed(3)).digest, (await runSeed(4)).digest);
});

test('running on in small steps changes nothing', async () => {
  const whole = new Simulation(drawSetup(5, FUZZ_CATALOGUE));
  await whole.run(END_MS);
  const stepped = new Simulation(drawSetup(5, FUZZ_CATALOGUE));
  for (let atMs = stepped.clock.nowMs(); atMs < END_MS; atMs += 7_777)
    await stepped.run(Math.min(atMs, END_MS));
  await stepped.run(END_MS);
  assert.equal(stepped.history.digest(), whole.history.digest());
});

test('twenty seeds of faults break no invariant', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { violations } = await runSeed(seed);
    assert.deepEqual(violations, [], `seed ${seed}`);
  }
});
