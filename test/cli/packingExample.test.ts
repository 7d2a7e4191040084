// The worked example of docs/packing.md gives what the page says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const inRoot = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test('the worked example: two nodes for 0.42 $/h, at least 0.393 $/h', () => {
  const files = [
    '-f',
    'docs/examples/packing/pods.yaml',
    '--catalogue',
    'docs/examples/packing/catalogue.json',
  ];
  const args = [
    'simulate',
    ...files.map((one) => (one.startsWith('docs/') ? inRoot(one) : one)),
    '-o',
    'json',
  ];
  const { stdout, status } = spawnSync(process.execPath, [inRoot('src/main.ts'), ...args], {
    encoding: 'utf8',
  });
  assert.equal(status, 0);
  const { nodes, usdPerHour, lowerBoundUsdPerHour } = JSON.parse(stdout) as {
    readonly nodes: readonly { readonly instanceType: string; readonly pods: readonly string[] }[];
    readonly usdPerHour: number;
    readonly lowerBoundUsdPerHour: number;
  };
  assert.deepEqual(
    nodes.map(({ instanceType, pods }) => [instanceType, pods.length]),
    [
      ['r.xlarge', 7],
      ['c.xlarge', 1],
    ],
  );
  assert.equal(usdPerHour.toFixed(2), '0.42');
  assert.equal(lowerBoundUsdPerHour.toFixed(3), '0.393');
});
