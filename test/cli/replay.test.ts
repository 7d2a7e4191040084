// `cooper replay`: the report, runs side by side, JSON, progress, and charts that are well-formed XML.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readManifestFile } from '../../src/cli/manifestFiles.ts';
import { peaks, svgChart, terminalChart } from '../../src/cli/nodeChart.ts';
import { replayCommand } from '../../src/cli/replay.ts';
import type { ReplayDocument } from '../../src/cli/replayReport.ts';
import { readManifests } from '../../src/simulator/manifests.ts';
import { replayText } from '../simulator/replayText.ts';
import { wellFormed } from './wellFormed.ts';

/** Six pods for ten minutes, on the cheapest of the types allowed. */
function provisioner(types: readonly string[]): string {
  return [
    'apiVersion: karpenter.sh/v1alpha5',
    'kind: Provisioner',
    'metadata: { name: default }',
    'spec:',
    '  requirements:',
    `    - { key: node.kubernetes.io/instance-type, operator: In, values: [${types.join(', ')}] }`,
    '    - { key: karpenter.sh/capacity-type, operator: In, values: [on-demand] }',
    '  providerRef: { name: default }',
    '  ttlSecondsAfterEmpty: 30',
    '---',
    'apiVersion: karpenter.k8s.aws/v1alpha1',
    'kind: AWSNodeTemplate',
    'metadata: { name: default }',
    'spec: { subnetSelector: { a: b }, securityGroupSelector: { a: b } }',
  ].join('\n');
}

const SMALL = provisioner(['m5.large']);
const LARGE = provisioner(['m5.4xlarge']);

function indented(documents: string): string {
  return documents
    .split('\n---\n')
    .map((document) => `  - ${document.split('\n').join('\n    ')}`)
    .join('\n');
}

const SCENARIO = [
  'name: pair',
  'duration: 20m',
  'manifests:',
  indented(SMALL),
  '  - apiVersion: apps/v1',
  '    kind: Deployment',
  '    metadata: { name: web, namespace: default }',
  '    spec:',
  '      replicas: 0',
  '      selector: { matchLabels: { app: web } }',
  '      template:',
  '        metadata: { labels: { app: web } }',
  '        spec: { containers: [{ name: web, resources: { requests: { cpu: 1500m, memory: 1Gi } } }] }',
  'curves:',
  '  - { workload: default/web, steps: [{ at: 1m, replicas: 6 }, { at: 11m, replicas: 0 }] }',
  'expect: { noNodesLeft: true }',
].join('\n');

test('one run is reported with cost, waits, evictions, nodes and its chart', async () => {
  const { exitCode, lines, progress } = await replayText({ scenario: SCENARIO });
  const text = lines.join('\n');
  assert.equal(exitCode, 0, text);
  assert.match(text, /^pair: 20 min simulated/);
  assert.match(text, /cost {8}\$0\.\d{4}/);
  assert.match(text, /waiting {5}p50 \d.* s, p90 .* s, p99 .* s, longest .* s \(6 pods\)/);
  assert.match(text, /evictions {3}0, 0 times/);
  assert.match(text, /nodes {7}6 launched, at most 6 at once/);
  assert.match(text, /▁|▂|▃|▄|▅|▆|▇|█/);
  assert.match(progress.at(-2) ?? '', /^━{40} 100 % of pair$/);
  assert.match(progress[0] ?? '', /^━+·+ 2 % of pair$/);
  assert.equal(progress.at(-1), '', 'the bar is wiped away at the end');
});

test('two sets of Provisioners stand side by side, in a table and in one chart', async () => {
  const { exitCode, lines, chart } = await replayText({
    scenario: SCENARIO,
    compare: [SMALL, LARGE],
    chart: true,
  });
  assert.equal(exitCode, 0, lines.join('\n'));
  const table = lines.slice(
    lines.findIndex((line) => /^ +\S+provisioners-0\.yaml +\S+provisioners-1/.test(line)),
  );
  assert.match(table[1] ?? '', /^cost +\$0\.\d+ +\$0\.\d+$/);
  assert.match(table[2] ?? '', /^against the first +[-+]\d+\.\d %$/);
  assert.match(table.join('\n'), /\nnodes launched +6 +1\n/);
  assert.deepEqual(wellFormed(chart), []);
  assert.equal(chart.match(/stroke-width="1.5"/g)?.length, 2, 'one line each');
  assert.match(chart, /provisioners-0\.yaml.*\n.*provisioners-1\.yaml/);
});

test('JSON holds both runs, and nothing else is written', async () => {
  const { exitCode, lines } = await replayText(
    { scenario: SCENARIO, compare: [SMALL, LARGE], chart: true },
    { output: 'json', seed: '7' },
  );
  assert.equal(exitCode, 0);
  const document = JSON.parse(lines.join('\n')) as ReplayDocument;
  assert.equal(document.scenario, 'pair');
  assert.equal(document.seed, '7');
  assert.equal(document.end, '2026-01-05T00:20:00.000Z');
  const [small, large] = document.runs;
  assert.ok(small !== undefined && large !== undefined);
  assert.deepEqual([small.nodesMost, large.nodesMost], [6, 1]);
  assert.deepEqual([small.podsThatWaited, large.podsThatWaited], [6, 6]);
  assert.ok((small.pending.p50Ms ?? 0) > 10_000);
  assert.equal(small.nodes.at(-1)?.count, 0);
  // Six m5.large at $0.096, one m5.4xlarge at $0.768: the ratio of the hours they were there for.
  assert.ok(small.usd < large.usd, `${small.usd} ${large.usd}`);
  assert.notEqual(small.digest, large.digest);
});

test('one seed tells one story, another seed another', async () => {
  const digest = async (seed: string): Promise<string> => {
    const { lines } = await replayText({ scenario: SCENARIO }, { seed });
    return lines.find((line) => line.includes('history')) ?? '';
  };
  const [first, again, other] = [await digest('a'), await digest('a'), await digest('b')];
  assert.equal(first, again);
  assert.notEqual(first, other);
});

const REFUSED = [
  { when: 'no Provisioner', text: 'kind: Namespace\nmetadata: { name: a }', says: /holds no Provisioner/ },
  { when: 'no YAML', text: 'kind: [', says: /cannot be read/ },
  { when: 'a wrong field', text: SMALL.replace('30', '-30'), says: /spec\.ttlSecondsAfterEmpty/ },
];

for (const { when, text, says } of REFUSED) {
  test(`a file to compare is refused: ${when}`, async () => {
    const { exitCode, lines, errors } = await replayText({ scenario: SCENARIO, compare: [SMALL, text] });
    assert.equal(exitCode, 2);
    assert.deepEqual(lines, []);
    assert.match(errors.join('\n'), says);
  });
}

test('a scenario that is not there is an error that names what there is', async () => {
  const errors: string[] = [];
  const exitCode = await replayCommand(
    'nowhere',
    {},
    {
      writeLine: (line) => assert.fail(line),
      writeError: (line) => errors.push(line),
    },
  );
  assert.equal(exitCode, 2);
  assert.match(errors.join('\n'), /scenario nowhere: cannot be read .*name a file, or one of/);
});

test('the worked example of docs/simulator.md has its files: Provisioners that can be used, and its chart', () => {
  const folder = new URL('../../docs/replay/', import.meta.url);
  for (const file of ['on-demand.yaml', 'spot.yaml']) {
    const { manifests, faults } = readManifestFile(readFileSync(new URL(file, folder), 'utf8'));
    assert.deepEqual(faults, []);
    const read = readManifests(manifests.map(({ manifest }) => manifest));
    assert.ok(read.kind === 'valid' && read.value.provisioners.length === 1, file);
  }
  const chart = readFileSync(new URL('spot-market-day.svg', folder), 'utf8');
  assert.deepEqual(wellFormed(chart), []);
  assert.match(chart, /spot-market-day: nodes/);
});

const SPAN = { startMs: 0, endMs: 100 };
const SAMPLES = [
  { atMs: 10, count: 2 },
  { atMs: 50, count: 4 },
  { atMs: 90, count: 0 },
];

test('a chart escapes what XML would misread, and steps where the samples do', () => {
  const svg = svgChart([{ name: 'a', samples: SAMPLES }], SPAN, 'a < b & "c"');
  assert.deepEqual(wellFormed(svg), []);
  assert.match(svg, /<title>a &lt; b &amp; &quot;c&quot;<\/title>/);
  assert.match(svg, /M56\.0 280\.0H144\.8V156\.0H500\.0V32\.0H855\.2V280\.0H944\.0V280\.0Z/);
});

test('the check for well-formed XML finds what is not', () => {
  assert.notDeepEqual(wellFormed('<svg><g></svg>'), []);
  assert.notDeepEqual(wellFormed('<svg a=1/>'), []);
  assert.notDeepEqual(wellFormed('<svg>a & b</svg>'), []);
  assert.notDeepEqual(wellFormed('<svg/><svg/>'), []);
});

test('the terminal chart shows the most of each part', () => {
  assert.deepEqual(peaks(SAMPLES, SPAN, 4), [2, 2, 4, 4]);
  const rows = terminalChart(SAMPLES, SPAN, 4);
  assert.equal(rows[0], '4   ██');
  assert.equal(rows.at(-1), '0 ████');
});
