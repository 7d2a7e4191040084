// Generated files are as fresh as what they are generated from.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { generatedFiles } from '../src/api/generateCrds.ts';

const FOLDER = 'charts/cooper-crd/templates';

for (const [path, text] of generatedFiles()) {
  test(`${path} is fresh: run "npm run generate" otherwise`, async () => {
    const written = await readFile(new URL(`../${path}`, import.meta.url), 'utf8');
    assert.equal(written, text);
  });

  test(`${path} holds nothing that Helm would take for a template`, () => {
    assert.doesNotMatch(text, /\{\{/);
  });
}

test('no CRD is left over from a kind that is gone', async () => {
  const names = await readdir(new URL(`../${FOLDER}`, import.meta.url));
  const paths = names.map((name) => `${FOLDER}/${name}`);
  assert.deepEqual(paths.sort(), [...generatedFiles().keys()].sort());
});
