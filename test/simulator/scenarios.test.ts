// Scenario files: those that ship are valid, the short ones hold, bad ones are refused with field and mend.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import { parse } from 'yaml';
import { replayCommand } from '../../src/cli/replay.ts';
import { loadScenario, readScenario } from '../../src/cli/scenarioFiles.ts';
import { runScenario } from '../../src/cli/scenarioRun.ts';
import { SCENARIO_SCHEMA_PATH, scenarioSchemaText } from '../../src/simulator/generateScenarioSchema.ts';
import { replayText } from './replayText.ts';

const FOLDER = new URL('../../scenarios/', import.meta.url);
const NAMES = readdirSync(FOLDER).map((file) => file.replace(/\.yaml$/, ''));
/** Those that take under a second or two. */
const SHORT = [
  'elastic-nginx',
  'hpa',
  'scale-to-zero',
  'knative',
  'limits',
  'zone-outage',
  'ami-roll-out',
  'off-hours',
];
/** The first hours of the others; `npm run bench -- --only simulator` runs the longest two to their end. */
const FIRST_HOURS = { 'business-hours': 12, 'ci-bursts': 2, 'spot-market-day': 5, 'cluster-5000': 0.1 };

test('the published schema is the one that files are checked with', () => {
  const published = readFileSync(new URL(`../../${SCENARIO_SCHEMA_PATH}`, import.meta.url), 'utf8');
  assert.equal(published, scenarioSchemaText(), 'run "npm run generate"');
});

test('all scenarios that ship are valid, under their own name', () => {
  assert.ok(NAMES.length >= 10);
  const ajv = new Ajv2020({ strict: false });
  ajvFormats.default(ajv);
  const validate = ajv.compile(JSON.parse(scenarioSchemaText()));
  for (const name of NAMES) {
    const loaded = loadScenario(name);
    assert.ok(loaded.kind === 'loaded', JSON.stringify(loaded));
    assert.equal(loaded.scenario.name, name);
    assert.notEqual(loaded.scenario.summary, '');
    const document: unknown = parse(readFileSync(new URL(`${name}.yaml`, FOLDER), 'utf8'));
    assert.ok(validate(document), JSON.stringify(validate.errors));
  }
});

for (const name of SHORT) {
  test(`${name} meets its expectations`, async () => {
    const lines: string[] = [];
    const exitCode = await replayCommand(name, {}, { writeLine: (line) => lines.push(line) });
    assert.equal(exitCode, 0, lines.join('\n'));
    assert.match(lines.at(-1) ?? '', /^All expectations met/);
  });
}

test('every scenario is tested, and expects something', () => {
  assert.deepEqual([...SHORT, ...Object.keys(FIRST_HOURS)].sort(), [...NAMES].sort());
  for (const name of NAMES) {
    const loaded = loadScenario(name);
    const expect = loaded.kind === 'loaded' ? loaded.scenario.expect : {};
    assert.ok(
      Object.values(expect).some((one) => one !== null && one !== false),
      name,
    );
  }
});

for (const [name, hours] of Object.entries(FIRST_HOURS)) {
  test(`${name} meets its expectations in its first hours`, async () => {
    const loaded = loadScenario(name);
    assert.ok(loaded.kind === 'loaded');
    const endMs = loaded.scenario.startMs + hours * 3_600_000;
    const { problems, report } = await runScenario({ ...loaded.scenario, endMs }, '1');
    assert.deepEqual(problems, []);
    assert.ok(report.podsStarted > 0 && report.nodesMost > 0);
  });
}

test('a roll-out that leaves old nodes is found', async () => {
  const text = readFileSync(new URL('ami-roll-out.yaml', FOLDER), 'utf8');
  const unrolled = await replayText({ scenario: text.replace('ttlSecondsUntilExpired: 3600', 'weight: 1') });
  assert.equal(unrolled.exitCode, 1);
  assert.match(unrolled.lines.join('\n'), /a node is 2 h 59 min old, expected at most 1 h 30 min/);
});

test('an expectation that is not met fails the replay and says what was', async () => {
  const strict = readFileSync(new URL('knative.yaml', FOLDER), 'utf8').replace(
    'pendingAtMost: 75s',
    'pendingAtMost: 5s',
  );
  const loaded = readScenario('strict', strict);
  assert.equal(loaded.kind, 'loaded');
  const { exitCode, lines } = await replayText({ scenario: strict });
  assert.equal(exitCode, 1);
  assert.match(lines.join('\n'), /a pod waited \d+(\.\d+)? s for its node, expected at most 5 s/);
});

const VALID =
  'name: small\nduration: 10m\nmanifests:\n  - { apiVersion: v1, kind: Namespace, metadata: { name: a } }\n';

const REFUSED = [
  { when: 'no duration', text: VALID.replace('duration: 10m\n', ''), says: /duration is missing; set it/ },
  {
    when: 'a duration without unit',
    text: VALID.replace('10m', '"10"'),
    says: /duration .*write a duration such as/,
  },
  { when: 'an unknown field', text: `${VALID}curvs: []\n`, says: /curvs is no known field; write curves/ },
  { when: 'an unknown kind', text: VALID.replace('Namespace', 'Pony'), says: /manifests\[0\]\.kind is Pony/ },
  {
    when: 'a curve of nothing',
    text: `${VALID}curves:\n  - { workload: a/b }\n`,
    says: /curves\[0\]\.workload names a\/b, which no manifest describes/,
  },
  {
    when: 'arrivals of a Deployment',
    text:
      VALID +
      '  - { apiVersion: apps/v1, kind: Deployment, metadata: { name: b, namespace: a }, spec: { template: ' +
      '{ spec: { containers: [{ name: c }] } } } }\n' +
      'curves:\n  - { workload: a/b, arrivals: [{ at: 1s }] }\n',
    says: /curves\[0\]\.arrivals is for Jobs, and a\/b is a Deployment; make it a Job/,
  },
  {
    when: 'a workload that is applied later',
    text: `${VALID}changes:\n  - { at: 1m, manifests: [{ kind: Deployment }] }\n`,
    says: /changes\[0\]\.manifests\[0\]\.kind is Deployment, which cannot be applied later; write/,
  },
  {
    when: 'an unknown field of a change',
    text: `${VALID}changes:\n  - { at: 1m, manifests: [{ kind: Provisioner }], until: 3m }\n`,
    says: /changes\[0\]\.until is no known field/,
  },
  {
    when: 'a bad Provisioner',
    text:
      'name: x\nduration: 1m\nmanifests:\n' +
      '  - { apiVersion: karpenter.sh/v1alpha5, kind: Provisioner, metadata: { name: p }, spec: { weight: 900 } }\n',
    says: /manifests\[0\]\.spec\.weight is 900; write 100 or less/,
  },
  { when: 'no YAML', text: 'name: [', says: /is no YAML/ },
];

for (const { when, text, says } of REFUSED) {
  test(`refused: ${when}`, () => {
    const loaded = readScenario('given', text);
    assert.ok(loaded.kind === 'refused');
    assert.match(loaded.problems.join('\n'), says);
  });
}
