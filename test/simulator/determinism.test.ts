// One seed, one history: every shipped scenario tells the same to the byte in two processes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scenarioNames } from './digests.ts';

const DIGESTS = fileURLToPath(new URL('./digests.ts', import.meta.url));
/** Enough for most to buy nodes; docs/simulator.md has the command for whole scenarios, machines and Node versions. */
const HOURS = '0.25';

async function digests(seed: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [DIGESTS, '--seed', seed, '--hours', HOURS], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return text(child.stdout);
}

test('every scenario and seed gives the same history in two processes, and other seeds others', async () => {
  const [here, there, other] = await Promise.all([
    digests('1', { TZ: 'UTC', LANG: 'C' }),
    digests('1', { TZ: 'Asia/Kathmandu', LANG: 'de_DE.UTF-8', NODE_OPTIONS: '--max-semi-space-size=1' }),
    digests('2', {}),
  ]);
  assert.equal(there, here);
  const names = scenarioNames();
  const [ours, theirs] = [here, other].map((lines) => lines.trimEnd().split('\n'));
  assert.equal(ours?.length, names.length);
  names.forEach((name, index) => {
    const [, entries = '0'] = (ours?.[index] ?? '').split(' ');
    assert.match(ours?.[index] ?? '', new RegExp(`^${name} \\d+ [0-9a-f]{16}$`));
    assert.ok(Number(entries) > 20 || name === 'business-hours', `${name} has ${entries} entries`);
    assert.notEqual(theirs?.[index], ours?.[index], name);
  });
});
