// The worked example of docs/explain.md: the page shows what the command says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const inRoot = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PAGE = readFileSync(inRoot('docs/explain.md'), 'utf8');

/** Each `$ cooper explain …` of the page, with the lines below it. */
const EXAMPLES = [...PAGE.matchAll(/```\n\$ cooper (explain .*)\n([\s\S]*?)```/g)].map(
  ([, command = '', shown = '']) => ({ command, shown }),
);

test('the page has its examples', () => {
  assert.equal(EXAMPLES.length, 3);
});

for (const { command, shown } of EXAMPLES) {
  test(`cooper ${command}`, () => {
    const args = command.split(' ').map((one) => (one.startsWith('docs/') ? inRoot(one) : one));
    const { stdout, status } = spawnSync(process.execPath, [inRoot('src/main.ts'), ...args], {
      encoding: 'utf8',
    });
    assert.equal(status, 0);
    assert.equal(stdout, shown);
  });
}
