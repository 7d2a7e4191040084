// As many seeds as CI runs, on all cores: `npm run fuzz` as a person calls it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

test('200 seeds of faults break no invariant', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, '--seeds', '200'], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  assert.match(stdout, /^fuzz: 200 seeds from 1, 0 failed, .*\n$/);
  assert.equal(status, 0);
});
