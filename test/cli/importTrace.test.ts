// `cooper import-trace`: what it writes is a scenario that replays, with each pod as the trace had it.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type ImportTraceOptions, importTraceCommand } from '../../src/cli/importTrace.ts';
import { loadScenario } from '../../src/cli/scenarioFiles.ts';
import { runScenario } from '../../src/cli/scenarioRun.ts';
import { replayText } from '../simulator/replayText.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'cooper-trace-'));
after(() => rmSync(FOLDER, { recursive: true }));

const TRACE = [
  'name,cpu_milli,memory_mib,num_gpu,creation_time,deletion_time',
  'a,1500,1024,0,1000,1600',
  'b,1500,1024,0,1010,1310',
  'c,4000,8192,1,1020,1620',
  'd,500,512,0,1900,',
].join('\n');

interface Imported {
  readonly exitCode: number;
  readonly lines: readonly string[];
  readonly errors: readonly string[];
}

function imported(text: string, options: ImportTraceOptions = {}): Imported {
  const path = join(FOLDER, 'days.csv');
  writeFileSync(path, text);
  const [lines, errors]: [string[], string[]] = [[], []];
  const io = {
    writeLine: (line: string) => lines.push(line),
    writeError: (line: string) => errors.push(line),
  };
  return { exitCode: importTraceCommand(path, options, io), lines, errors };
}

test('a trace becomes a scenario whose pods come, run as long as they did, and find nodes', async () => {
  const output = join(FOLDER, 'days.yaml');
  const { exitCode, lines, errors } = imported(TRACE, { output });
  assert.equal(exitCode, 0, errors.join('\n'));
  assert.deepEqual(lines, []);
  assert.deepEqual(errors, ['4 pods of a trace, in 3 shapes']);
  const loaded = loadScenario(output);
  assert.ok(loaded.kind === 'loaded', JSON.stringify(loaded));
  const { scenario } = loaded;
  const arrivals = scenario.workloads.flatMap((workload) => workload.arrivals ?? []);
  assert.deepEqual(
    arrivals.map(({ atMs, runTimeMs }) => [atMs - scenario.startMs, runTimeMs]),
    [
      [0, 600_000],
      [10_000, 300_000],
      [20_000, 600_000],
      [900_000, null],
    ],
  );
  const { report, problems } = await runScenario(scenario, '1');
  assert.deepEqual(problems, []);
  assert.deepEqual([report.podsCreated, report.podsStarted], [4, 4]);
  assert.equal(report.nodes.at(-1)?.count, 1, 'only the node of the pod that never ends is left');
});

test('the Provisioners that serve a trace can be chosen', async () => {
  const provisioners = join(FOLDER, 'provisioners.yaml');
  writeFileSync(
    provisioners,
    [
      'apiVersion: karpenter.sh/v1alpha5',
      'kind: Provisioner',
      'metadata: { name: few }',
      'spec:',
      '  requirements:',
      '    - { key: node.kubernetes.io/instance-type, operator: In, values: [m5.large] }',
      '  provider: { subnetSelector: { a: b }, securityGroupSelector: { a: b } }',
    ].join('\n'),
  );
  const { exitCode, lines } = imported(TRACE, { provisioners });
  assert.equal(exitCode, 0);
  const { lines: told } = await replayText({ scenario: lines.join('\n') });
  assert.match(told.join('\n'), /pods {8}4 created, 3 started, 1 waiting/, 'no m5.large holds the GPU pod');
});

test('bad rows are left out with one error each, line and column in it, and the rest is written', () => {
  const { exitCode, lines, errors } = imported(`${TRACE}\ne,much,512,0,1900,\n`);
  assert.equal(exitCode, 1);
  assert.match(errors[0] ?? '', /days\.csv:6:3: cpu_milli is "much"; write .*; the row is left out$/);
  assert.equal(errors[1], '4 pods of a trace, in 3 shapes, 1 row left out');
  assert.match(lines.join('\n'), /^name: days$/m);
});

for (const { when, text, says } of [
  { when: 'no columns', text: 'what,ever\n1,2', says: /:1:1: the column cpu_milli is missing/ },
  { when: 'no rows', text: TRACE.split('\n')[0] ?? '', says: /no pod can be read; nothing is written/ },
]) {
  test(`nothing is written when there is nothing to write: ${when}`, () => {
    const { exitCode, lines, errors } = imported(text);
    assert.equal(exitCode, 2);
    assert.deepEqual(lines, []);
    assert.match(errors.join('\n'), says);
  });
}

test('a file that is not there is an error with its mend', () => {
  const errors: string[] = [];
  const io = {
    writeLine: (line: string) => assert.fail(line),
    writeError: (line: string) => errors.push(line),
  };
  assert.equal(importTraceCommand(join(FOLDER, 'nowhere.csv'), {}, io), 2);
  assert.match(errors.join('\n'), /nowhere\.csv: cannot be read .*; name a file that exists/);
});

test('the same trace gives the same file', () => {
  const read = (): string => {
    const output = join(FOLDER, 'again.yaml');
    imported(TRACE, { output });
    return readFileSync(output, 'utf8');
  };
  assert.equal(read(), read());
});
