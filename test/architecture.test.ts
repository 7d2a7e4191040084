// What the layout promises: imports go down only, the core is pure, files and functions stay small.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionsOf, importsOf, type SourceFile, sourceFiles } from './sourceFiles.ts';

/** What each folder of src may import, itself aside. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: [],
  state: ['model'],
  scheduling: ['model'],
  disruption: ['scheduling', 'model'],
  ports: ['model'],
  api: ['model'],
  telemetry: ['ports', 'model'],
  planner: ['telemetry', 'ports', 'disruption', 'scheduling', 'model'],
  kube: ['ports', 'api', 'model'],
  aws: ['ports', 'api', 'model'],
  controllers: ['state', 'ports', 'scheduling', 'disruption', 'model'],
  simulator: ['controllers', 'state', 'ports', 'scheduling', 'disruption', 'api', 'model'],
  dashboard: ['scheduling', 'state', 'ports', 'model'],
  cli: [
    ...['aws', 'kube', 'planner', 'telemetry', 'dashboard', 'simulator', 'controllers'],
    ...['state', 'ports', 'scheduling', 'disruption', 'api', 'model'],
  ],
  'main.ts': ['cli'],
};

const CORE = ['model', 'state', 'scheduling', 'disruption'];
/** The core has no clock, no chance, no I/O. Controllers and simulator get theirs through ports. */
const AMBIENT_TIME = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bsetTimeout\b|\bsetInterval\b/;
const AMBIENT_IO = /\bsetImmediate\b|\bprocess\.|\bconsole\.|\bperformance\.|\bfetch\(|\bcrypto\./;

const SOURCE = sourceFiles('src');
const TESTS = [...sourceFiles('test'), ...sourceFiles('bench'), ...sourceFiles('image')];

function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function broken(
  files: readonly SourceFile[],
  rule: (file: SourceFile) => readonly string[],
): readonly string[] {
  return files.flatMap((file) => rule(file).map((what) => `${file.path}: ${what}`));
}

function linesMatching({ lines }: SourceFile, pattern: RegExp): readonly string[] {
  return lines.flatMap((line, index) => {
    const code = line.replace(/^\s*(\*|\/\/|\/\*\*).*/, '').replace(/\/\/ .*/, '');
    return pattern.test(code) ? [`line ${index + 1}: ${line.trim()}`] : [];
  });
}

test('imports go down only', () => {
  const wrong = broken(SOURCE, (file) => {
    const folder = folderOf(file.path);
    const allowed = MAY_IMPORT[folder];
    if (allowed === undefined) return [`folder ${folder} is not in the layout`];
    return importsOf(file)
      .filter((target) => target.startsWith('src/'))
      .filter((target) => folderOf(target) !== folder && !allowed.includes(folderOf(target)));
  });
  assert.deepEqual(wrong, []);
});

test('nothing in src imports from outside src but packages', () => {
  const wrong = broken(SOURCE, (file) =>
    importsOf(file).filter((target) => /^(test|bench|\.\.)\b/.test(target)),
  );
  assert.deepEqual(wrong, []);
});

test('the core imports no packages and no node modules', () => {
  const core = SOURCE.filter((file) => CORE.includes(folderOf(file.path)));
  assert.ok(core.length > 20);
  const wrong = broken(core, (file) => importsOf(file).filter((target) => !target.startsWith('src/')));
  assert.deepEqual(wrong, []);
});

test('the core calls nothing ambient', () => {
  const core = SOURCE.filter((file) => CORE.includes(folderOf(file.path)));
  assert.deepEqual(
    broken(core, (file) => [...linesMatching(file, AMBIENT_TIME), ...linesMatching(file, AMBIENT_IO)]),
    [],
  );
});

test('controllers and simulator take time and chance as arguments', () => {
  const shell = SOURCE.filter((file) => ['controllers', 'simulator', 'ports'].includes(folderOf(file.path)));
  assert.deepEqual(
    broken(shell, (file) => linesMatching(file, AMBIENT_TIME)),
    [],
  );
});

test('files, functions, parameters and lines keep their limits', () => {
  const tooLong = (most: number) => (file: SourceFile) =>
    file.lines.length > most ? [`${file.lines.length} lines, at most ${most}`] : [];
  const wrong = [
    ...broken(SOURCE, tooLong(400)),
    ...broken(TESTS, tooLong(600)),
    ...broken([...SOURCE, ...TESTS], ({ lines }) =>
      lines.flatMap((line, index) =>
        line.length > 120 ? [`line ${index + 1} has ${line.length} characters`] : [],
      ),
    ),
    ...broken(SOURCE, (file) =>
      functionsOf(file).flatMap(({ name, line, length, parameters }) => [
        ...(length > 60 ? [`${name} (line ${line}) has ${length} lines, at most 60`] : []),
        ...(parameters > 4 ? [`${name} (line ${line}) has ${parameters} parameters, at most 4`] : []),
      ]),
    ),
  ];
  assert.deepEqual(wrong, []);
});

test('exports are named, nothing is re-exported, no enum', () => {
  const pattern = /^export default|^export \* from|^export (type )?\{[^}]*\} from|\benum \w+ \{/;
  assert.deepEqual(
    broken([...SOURCE, ...TESTS], (file) => linesMatching(file, pattern)),
    [],
  );
});

test('files say in their first line what lives there, and none is called utils or helpers', () => {
  const wrong = broken(SOURCE, ({ path, lines }) => [
    ...(/^(\/\/ |#!)\S/.test(lines[0] ?? '') ? [] : ['the first line is no comment']),
    ...(/\b(utils?|helpers?|common|misc)\b/i.test(path) ? ['is named after nothing'] : []),
  ]);
  assert.deepEqual(wrong, []);
});

test('every source file is used by another one, or is an entry', () => {
  const entries = new Set(['src/main.ts', 'src/planner/planThread.ts', 'src/api/generateCrds.ts']);
  const used = new Set(SOURCE.flatMap((file) => importsOf(file)));
  const scripts = JSON.stringify(TESTS.map(({ text }) => text.match(/src\/[\w/]+\.ts/g)));
  const unused = SOURCE.filter(
    ({ path }) => !used.has(path) && !entries.has(path) && !scripts.includes(path),
  );
  assert.deepEqual(
    unused.map(({ path }) => path),
    [],
  );
});

test('the tree speaks of the project alone: no paths of a machine, no download addresses', () => {
  const machine = /(^|[^A-Za-z0-9_.-])\/(work|root|farm|home)\//;
  assert.deepEqual(
    broken([...SOURCE, ...TESTS], (file) => linesMatching(file, machine)),
    [],
  );
});
