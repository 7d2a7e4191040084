import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings, type SettingSources } from '../../src/cli/settings.ts';
import { parseDurationMs } from '../../src/model/duration.ts';

const NEEDED = { CLUSTER_NAME: 'chris', AWS_REGION: 'us-east-1' };

function read(sources: Partial<SettingSources>) {
  return readSettings({ flags: {}, env: NEEDED, file: null, ...sources });
}

function file(text: string) {
  return { name: 'cooper.yaml', text };
}

test('defaults hold when nothing else is said', () => {
  const outcome = read({});
  assert.ok(outcome.kind === 'valid');
  assert.equal(outcome.settings.batchIdleDurationMs, 1000);
  assert.equal(outcome.settings.batchMaxDurationMs, 10_000);
  assert.equal(outcome.settings.vmMemoryOverheadPercent, 0.075);
  assert.equal(outcome.settings.kubeconfig, null);
});

test('flags win over the environment, that over the file, that over defaults', () => {
  const all = read({
    flags: { logLevel: 'error' },
    env: { ...NEEDED, LOG_LEVEL: 'warn', METRICS_PORT: '1' },
    file: file('logLevel: debug\nmetricsPort: 2\nhealthProbePort: 3\n'),
  });
  assert.ok(all.kind === 'valid');
  assert.equal(all.settings.logLevel, 'error');
  assert.equal(all.settings.metricsPort, 1);
  assert.equal(all.settings.healthProbePort, 3);
});

const bad: readonly { when: string; sources: Partial<SettingSources>; says: RegExp }[] = [
  {
    when: 'the cluster has no name',
    sources: { env: { AWS_REGION: 'r' } },
    says: /clusterName is missing.*--cluster-name.*CLUSTER_NAME/,
  },
  {
    when: 'a key of the file is unknown',
    sources: { file: file('clusterNmae: x') },
    says: /cooper\.yaml: clusterNmae is no setting/,
  },
  {
    when: 'the file is no YAML',
    sources: { file: file('a: [') },
    says: /cooper\.yaml is neither YAML nor JSON/,
  },
  {
    when: 'a key of the file is a list',
    sources: { file: file('region: [a]') },
    says: /cooper\.yaml: region is of the wrong type/,
  },
  {
    when: 'a duration is none',
    sources: { flags: { batchIdleDuration: 'soon' } },
    says: /--batch-idle-duration is "soon"; write a duration/,
  },
  {
    when: 'a port is too high',
    sources: { env: { ...NEEDED, METRICS_PORT: '70000' } },
    says: /METRICS_PORT is "70000"; write a port/,
  },
  {
    when: 'a level is unknown',
    sources: { flags: { logLevel: 'loud' } },
    says: /--log-level is "loud"; write debug, info, warn, error/,
  },
  {
    when: 'tags are no object',
    sources: { env: { ...NEEDED, AWS_TAGS: '[1]' } },
    says: /AWS_TAGS.*JSON object/,
  },
  {
    when: 'a URL is relative',
    sources: { flags: { clusterEndpoint: 'api' } },
    says: /--cluster-endpoint is "api"; write an absolute URL/,
  },
];
for (const { when, sources, says } of bad) {
  test(`refused with one sentence when ${when}`, () => {
    const outcome = read(sources);
    assert.ok(outcome.kind === 'invalid');
    assert.equal(outcome.problems.length, 1);
    assert.match(outcome.problems[0] ?? '', says);
  });
}

test('every problem is named, not only the first', () => {
  const outcome = read({ flags: { logLevel: 'loud', batchMaxDuration: 'x' } });
  assert.ok(outcome.kind === 'invalid');
  assert.equal(outcome.problems.length, 2);
});

const durations: readonly (readonly [string, number | null])[] = [
  ['500ms', 500],
  ['1.5s', 1500],
  ['1h30m', 5_400_000],
  ['7d', 604_800_000],
  ['0', 0],
  ['10', null],
  ['-1s', null],
  ['', null],
];
for (const [text, ms] of durations) {
  test(`duration ${JSON.stringify(text)} is ${ms}`, () => assert.equal(parseDurationMs(text), ms));
}
