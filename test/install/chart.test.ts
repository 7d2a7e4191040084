// The chart rendered by Helm: keys of v0.16 and later ones, what it refuses, what it promises.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { parsePriceOverrides } from '../../src/aws/prices.ts';
import { SETTINGS } from '../../src/cli/settingsTable.ts';
import { METRICS } from '../../src/telemetry/metrics.ts';
import {
  ALL_OPTIONS,
  CHART,
  environmentOf,
  helmProgram,
  only,
  renderChart,
  seedValues,
} from './harness/helm.ts';
import { reasonToSkipInstall } from './harness/prerequisites.ts';

const PRICES_MOUNT = '/etc/cooper';
const MOUNTED = /"name":"prices","mountPath":"\/etc\/cooper","readOnly":true/;
const NAMED = ['--set', 'clusterName=chris'];

/** What people write, and the one variable that must come of it. */
const KEYS: readonly {
  readonly flags: readonly string[];
  readonly variable: string;
  readonly value: string;
}[] = [
  { flags: ['clusterName=chris'], variable: 'CLUSTER_NAME', value: 'chris' },
  { flags: ['settings.clusterName=chris'], variable: 'CLUSTER_NAME', value: 'chris' },
  { flags: ['settings.aws.clusterName=chris'], variable: 'CLUSTER_NAME', value: 'chris' },
  { flags: ['clusterName=a', 'settings.clusterName=b'], variable: 'CLUSTER_NAME', value: 'a' },
  ...[
    ['clusterEndpoint=https://x', 'CLUSTER_ENDPOINT', 'https://x'],
    ['settings.clusterEndpoint=https://x', 'CLUSTER_ENDPOINT', 'https://x'],
    ['settings.aws.clusterEndpoint=https://x', 'CLUSTER_ENDPOINT', 'https://x'],
    ['aws.defaultInstanceProfile=p', 'AWS_DEFAULT_INSTANCE_PROFILE', 'p'],
    ['settings.aws.defaultInstanceProfile=p', 'AWS_DEFAULT_INSTANCE_PROFILE', 'p'],
    ['aws.region=eu-west-1', 'AWS_REGION', 'eu-west-1'],
    ['controller.batchMaxDuration=20s', 'BATCH_MAX_DURATION', '20s'],
    ['controller.batchIdleDuration=500ms', 'BATCH_IDLE_DURATION', '500ms'],
    ['settings.batchIdleDuration=2s', 'BATCH_IDLE_DURATION', '2s'],
    ['logLevel=warn', 'LOG_LEVEL', 'warn'],
    ['controller.logLevel=error', 'LOG_LEVEL', 'error'],
    ['logLevel=panic', 'LOG_LEVEL', 'error'],
    ['settings.aws.vmMemoryOverheadPercent=0.05', 'VM_MEMORY_OVERHEAD', '0.05'],
    ['settings.aws.enableENILimitedPodDensity=false', 'AWS_ENI_LIMITED_POD_DENSITY', 'false'],
    ['settings.aws.enablePodENI=true', 'AWS_ENABLE_POD_ENI', 'true'],
    ['settings.reservedENIs=1', 'AWS_RESERVED_ENIS', '1'],
    ['settings.aws.tags.team=web', 'AWS_TAGS', '{"team":"web"}'],
    ['settings.interruptionQueue=q', 'INTERRUPTION_QUEUE', 'q'],
    ['settings.aws.interruptionQueueName=q', 'INTERRUPTION_QUEUE', 'q'],
    ['controller.leaderElection=false', 'LEADER_ELECTION', 'false'],
    ['controller.surgeSingleReplicas=true', 'SURGE_SINGLE_REPLICAS', 'true'],
    ['replicas=1', 'LEADER_ELECTION_NAMESPACE', 'karpenter'],
  ].map(([flag = '', variable = '', value = '']) => ({
    flags: ['settings.clusterName=chris', flag],
    variable,
    value,
  })),
];

const REFUSED: readonly { readonly flags: readonly string[]; readonly because: RegExp }[] = [
  { flags: [], because: /clusterName is missing/ },
  { flags: [...NAMED, '--set', 'clusterNmae=x'], because: /clusterNmae/ },
  { flags: [...NAMED, '--set', 'controller.batchMaxDuration=10'], because: /batchMaxDuration/ },
  { flags: [...NAMED, '--set', 'logLevel=loud'], because: /logLevel/ },
  { flags: [...NAMED, '--set', 'clusterEndpoint=x'], because: /clusterEndpoint/ },
  { flags: [...NAMED, '--set', 'replicas=-1'], because: /replicas/ },
  { flags: [...NAMED, '--set', 'prices.onDemand.c5=-1'], because: /prices.onDemand.c5|prices\/onDemand\/c5/ },
  { flags: [...NAMED, '--set', 'prices.ondemand.c5=1'], because: /ondemand/ },
  {
    flags: [...NAMED, '--set', 'prices.onDemand.c5=1', '--set', 'pricesConfigMap=mine'],
    because: /prices and pricesConfigMap are both set/,
  },
];

function flagsOf(settings: readonly string[]): readonly string[] {
  return settings.flatMap((one) => ['--set', one]);
}

describe('the chart', { skip: await reasonToSkipInstall([]) }, () => {
  before(() => helmProgram(), { timeout: 20 * 60_000 });

  for (const { flags, variable, value } of KEYS) {
    test(`${flags.join(' ')}: ${variable} is ${value}`, async () => {
      const { objects } = await renderChart(flagsOf(flags));
      assert.equal(environmentOf(only(objects, 'Deployment'), 'karpenter')[variable], value);
    });
  }

  for (const { flags, because } of REFUSED) {
    test(`refused: ${flags.join(' ')}`, () => assert.rejects(renderChart(flags), because));
  }

  test('every variable that it sets is a setting', async () => {
    const { objects } = await renderChart(seedValues('https://x'));
    const known = new Set<string>(Object.values(SETTINGS).map(({ env }) => env));
    const unknown = Object.keys(environmentOf(only(objects, 'Deployment'), 'karpenter')).filter(
      (name) => !known.has(name),
    );
    assert.deepEqual(unknown, []);
  });

  test('a release called karpenter has the ServiceAccount that roles made for Karpenter trust', async () => {
    const { objects } = await renderChart(seedValues('https://x'));
    const account = only(objects, 'ServiceAccount');
    assert.equal(account.metadata.name, 'karpenter');
    assert.match(
      account.metadata.annotations?.['eks.amazonaws.com/role-arn'] ?? '',
      /karpenter-controller-chris$/,
    );
  });

  const OWN_PRICES = {
    onDemand: { 'm5.large': 0.08 },
    discounts: [{ instanceTypes: 'c5.*', percent: 30 }],
    surcharges: [{ instanceTypes: '*', usdPerHour: 0.01, capacityType: 'spot' }],
  };

  test('prices become a file that Cooper can read, and other prices other pods', async () => {
    const pricedAt = async (prices: object) =>
      renderChart([...NAMED, '--set-json', `prices=${JSON.stringify(prices)}`]);
    const { objects, text } = await pricedAt(OWN_PRICES);
    const { data } = only(objects, 'ConfigMap', 'karpenter-prices') as unknown as {
      readonly data: Readonly<Record<string, string>>;
    };
    const parsed = parsePriceOverrides(data['prices.json'] ?? '');
    assert.ok(parsed.kind === 'valid', JSON.stringify(parsed));
    assert.equal(parsed.value.onDemand.get('m5.large'), 0.08);
    assert.equal(parsed.value.surcharges[0]?.capacityType, 'spot');
    const deployment = only(objects, 'Deployment');
    assert.equal(environmentOf(deployment, 'karpenter').PRICES_FILE, `${PRICES_MOUNT}/prices.json`);
    assert.match(JSON.stringify(deployment), MOUNTED);
    const checksum = /checksum\/prices: (\w{64})/;
    const dearer = await pricedAt({ ...OWN_PRICES, onDemand: { 'm5.large': 0.09 } });
    assert.notEqual(checksum.exec(text)?.[1], checksum.exec(dearer.text)?.[1]);
  });

  test('prices may come from a ConfigMap that is there already; without any there is no file', async () => {
    const named = await renderChart([...NAMED, '--set', 'pricesConfigMap=mine']);
    assert.ok(!named.objects.some(({ kind }) => kind === 'ConfigMap'));
    assert.match(JSON.stringify(only(named.objects, 'Deployment')), /"configMap":\{"name":"mine"/);
    assert.match(JSON.stringify(only(named.objects, 'Deployment')), MOUNTED);
    const without = await renderChart(NAMED);
    assert.doesNotMatch(without.text, /PRICES_FILE|prices/);
  });

  test("an image of Karpenter's chart, as one string, is taken as it is", async () => {
    const { text } = await renderChart([...NAMED, '--set', 'controller.image=example.com/controller:v1']);
    assert.match(text, /image: "example.com\/controller:v1"/);
  });

  test('without leader election there is no Lease to hold', async () => {
    const { text } = await renderChart([...NAMED, '--set', 'controller.leaderElection=false']);
    assert.doesNotMatch(text, /leases/);
  });

  test('Deployments may be patched only where their rollouts are asked for', async () => {
    const rightsWith = async (...flags: readonly string[]): Promise<string> =>
      JSON.stringify(only((await renderChart([...NAMED, ...flags])).objects, 'ClusterRole').rules);
    assert.doesNotMatch(await rightsWith(), /deployments|replicasets/);
    const surging = await rightsWith('--set', 'controller.surgeSingleReplicas=true');
    assert.match(surging, /"replicasets"\],"verbs":\["get"\]/);
    assert.match(surging, /"deployments"\],"verbs":\["get","patch"\]/);
  });

  test('no rule has a wildcard, and none is about Secrets or ConfigMaps', async () => {
    const { objects } = await renderChart(NAMED);
    const rules = JSON.stringify(
      objects.filter(({ kind }) => kind.endsWith('Role')).map(({ rules }) => rules),
    );
    assert.doesNotMatch(rules, /"\*"|secrets|configmaps/);
  });

  test('alerts and dashboards ask for metrics that exist', async () => {
    const { text } = await renderChart([...NAMED, ...ALL_OPTIONS]);
    const named = new Set(text.match(/\b(cooper|karpenter)_[a-z_]+\b/g));
    const known = Object.keys(METRICS).flatMap((name) => [name, `${name}_bucket`]);
    assert.deepEqual(
      [...named].filter((name) => !known.includes(name)),
      [],
    );
    assert.ok(named.size >= 12);
  });

  test('its README explains every value', () => {
    const readme = readFileSync(join(CHART, 'README.md'), 'utf8');
    const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<string, unknown>;
    const missing = leaves(values).filter(
      (key) => !prefixes(key).some((one) => readme.includes(`| \`${one}\` |`)),
    );
    assert.deepEqual(missing, []);
  });

  test('it brings the CRDs of the chart that has them alone', () => {
    assert.deepEqual(
      readdirSync(join(CHART, 'crds')).sort(),
      readdirSync(join(CHART, '../cooper-crd/templates')).sort(),
    );
  });
});

function leaves(value: unknown, path = ''): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path];
  const entries = Object.entries(value);
  if (entries.length === 0) return [path];
  return entries.flatMap(([key, held]) => leaves(held, path === '' ? key : `${path}.${key}`));
}

/** `a`, `a.b` and `a.b.c`: a table may explain a whole block. */
function prefixes(key: string): readonly string[] {
  const parts = key.split('.');
  return parts.map((_part, index) => parts.slice(0, index + 1).join('.'));
}
