// One seed, one history: every shipped scenario tells the same to the byte in two processes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scenarioNames } from './digests.ts';

const DIGESTS = fileURLToPath(new URL('./digests.ts', import.meta.url));
/** Enough for most to buy nodes; docs/simulator.md has the command for whole scenarios, machines and Node versions. */
const PARTS = [
  { hours: '0.26', names: scenarioNames().filter((name) => name !== 'cluster-5000') },
  { hours: '0.03', names: ['cluster-5000'] },
];

/** Chance has its say in every scenario; a few of them show it. */
const OTHER_SEED = ['hpa', 'limits', 'zone-outage'];

type Environment = Readonly<Record<string, string>>;

async function digests(seed: string, environment: Environment, parts = PARTS): Promise<string> {
  let lines = '';
  for (const { hours, names } of parts) {
    const child = spawn(process.execPath, [DIGESTS, '--seed', seed, '--hours', hours, ...names], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    lines += await text(child.stdout);
  }
  return lines;
}

test('every scenario and seed gives the same history in two processes, and other seeds others', async () => {
  const [here, there, other] = await Promise.all([
    digests('1', { TZ: 'UTC', LANG: 'C' }),
    digests('1', { TZ: 'Asia/Kathmandu', LANG: 'de_DE.UTF-8', NODE_OPTIONS: '--max-semi-space-size=1' }),
    digests('2', {}, [{ hours: '0.26', names: OTHER_SEED }]),
  ]);
  assert.equal(there, here);
  const names = PARTS.flatMap((part) => part.names);
  const ours = here.trimEnd().split('\n');
  assert.equal(ours.length, names.length);
  names.forEach((name, index) => {
    const line = ours[index] ?? '';
    const [, entries = '0'] = line.split(' ');
    assert.match(line, new RegExp(`^${name} \\d+ [0-9a-f]{16}$`));
    assert.ok(Number(entries) > 20, line);
    assert.ok(!other.includes(line), line);
  });
  assert.equal(other.trimEnd().split('\n').length, OTHER_SEED.length);
});
