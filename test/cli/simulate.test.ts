// `cooper simulate`: manifests in, plan out, as table, JSON after the published schema, and YAML.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse, stringify } from 'yaml';
import {
  DEFAULT_REGION,
  type SimulateIo,
  type SimulateOptions,
  simulateCommand,
} from '../../src/cli/simulate.ts';
import type { SimulateReport } from '../../src/cli/simulateReport.ts';

const schema: object = JSON.parse(
  readFileSync(new URL('../../docs/schemas/simulate.schema.json', import.meta.url), 'utf8'),
);
const validate = new Ajv2020().compile(schema);

/** In Berlin, on 23 November 2026. */
const MONDAY_22_00_MS = Date.parse('2026-11-23T21:00:00Z');

interface Answer {
  readonly code: number;
  readonly lines: readonly string[];
  readonly errors: readonly string[];
}

/** Runs the command over files in memory; names that end in `/` are folders. */
async function run(
  files: Readonly<Record<string, string>>,
  options: Partial<SimulateOptions> = {},
): Promise<Answer> {
  const lines: string[] = [];
  const errors: string[] = [];
  let elapsed = 0;
  const io: SimulateIo = {
    readText: (path) => {
      const text = files[path];
      return text === undefined ? Promise.reject(new Error('no such file')) : Promise.resolve(text);
    },
    listFolder: (path) =>
      Promise.resolve(
        path.endsWith('/')
          ? Object.keys(files)
              .filter((name) => name.startsWith(path))
              .sort()
          : null,
      ),
    writeLine: (line) => lines.push(line),
    writeError: (line) => errors.push(line),
    elapsedMs: () => {
      elapsed += 1;
      return elapsed;
    },
    nowMs: () => MONDAY_22_00_MS,
  };
  const defaults: SimulateOptions = {
    files: Object.keys(files),
    catalogue: null,
    region: DEFAULT_REGION,
    budgetMs: 0,
    atMs: null,
    output: 'json',
  };
  const code = await simulateCommand({ ...defaults, ...options }, io);
  return { code, lines, errors };
}

/** The report, held to the schema. */
function reportOf({ lines }: Answer): SimulateReport {
  const report: SimulateReport = JSON.parse(lines.join('\n'));
  assert.ok(validate(report), JSON.stringify(validate.errors));
  return report;
}

const manifests = (...objects: readonly object[]): string =>
  objects.map((one) => stringify(one)).join('---\n');
const container = (requests: object, more: object = {}) => ({
  name: 'main',
  image: 'nginx',
  resources: { requests },
  ...more,
});
const pod = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { containers: [container({ cpu: '500m', memory: '1Gi' })], ...spec },
});
const workload = (kind: string, name: string, spec: object, template: object = {}) => ({
  apiVersion: kind === 'Job' ? 'batch/v1' : 'apps/v1',
  kind,
  metadata: { name, namespace: 'shop' },
  spec: {
    ...spec,
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [container({ cpu: '500m', memory: '1Gi' })], ...template },
    },
  },
});
const node = (name: string, cpu: string) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': 'us-east-1a' } },
  status: {
    capacity: { cpu, memory: '16Gi', pods: '58' },
    allocatable: { cpu, memory: '16Gi', pods: '58' },
    conditions: [{ type: 'Ready', status: 'True' }],
  },
});
const podsOf = ({ nodes, existing }: SimulateReport): string[] =>
  [...nodes, ...existing].flatMap(({ pods }) => pods).sort();

const offAtNight = (name: string, spec: object = {}) => ({
  apiVersion: 'karpenter.sh/v1alpha5',
  kind: 'Provisioner',
  metadata: { name },
  spec: {
    providerRef: { name: 'default' },
    schedule: { timeZone: 'Europe/Berlin', offHours: [{ start: '0 19 * * *', duration: '12h' }] },
    ...spec,
  },
});

describe('cooper simulate and Provisioners that launch nothing', () => {
  const text = manifests(offAtNight('dev'), pod('web'));
  const OFF =
    'Provisioner dev is off until 2026-11-24T06:00:00Z by its spec.schedule, so nothing is launched';

  it('refuses what only a Provisioner in its off-hours could take, and says when it is back', async () => {
    const answer = await run({ 'all.yaml': text });
    const report = reportOf(answer);
    assert.deepEqual(report.nodes, []);
    assert.deepEqual(
      report.refused.map(({ pod: name, code, reason }) => [name, code, reason]),
      [['default/web', 'OffHours', OFF]],
    );
    assert.deepEqual(answer.errors, [
      `${OFF}; this is as of 2026-11-23T21:00:00Z, --at TIME asks for another`,
    ]);
    assert.equal(answer.code, 0);
  });

  const times = [
    { when: 'by day', at: '2026-11-23T12:00:00+01:00', nodes: 1 },
    { when: 'as the window begins', at: '2026-11-23T18:00:00Z', nodes: 0 },
    { when: 'as it ends', at: '2026-11-24T06:00:00Z', nodes: 1 },
  ];
  for (const { when, at, nodes } of times) {
    it(`plans for the time that is asked for: ${when}`, async () => {
      const answer = await run({ 'all.yaml': text }, { atMs: Date.parse(at) });
      assert.equal(reportOf(answer).nodes.length, nodes);
      assert.equal(answer.errors.length, 1 - nodes);
    });
  }

  it('goes by the time of a recording', async () => {
    const metadata = { annotations: { 'cooper.sh/taken-at': '2026-11-23T11:00:00Z' } };
    const items = [offAtNight('dev'), pod('web')];
    const recording = JSON.stringify({ apiVersion: 'v1', kind: 'List', metadata, items });
    assert.equal(reportOf(await run({ 'cluster.json': recording })).nodes.length, 1);
  });

  it('lets another Provisioner take what it can', async () => {
    const day = { ...offAtNight('day', { schedule: undefined }) };
    const picky = pod('picky', { nodeSelector: { 'karpenter.sh/provisioner-name': 'dev' } });
    const report = reportOf(await run({ 'all.yaml': manifests(offAtNight('dev'), day, pod('web'), picky) }));
    assert.deepEqual(
      report.nodes.map(({ provisioner, pods }) => [provisioner, pods]),
      [['day', ['default/web']]],
    );
    assert.deepEqual(
      report.refused.map(({ pod: name, code }) => [name, code]),
      [['default/picky', 'OffHours']],
    );
  });

  it('refuses what only a suspended Provisioner could take', async () => {
    const suspended = offAtNight('dev', { suspend: true, schedule: undefined });
    const report = reportOf(await run({ 'all.yaml': manifests(suspended, pod('web')) }));
    assert.match(
      report.refused[0]?.reason ?? '',
      /Provisioner dev: spec\.suspend: true, so nothing is launched/,
    );
  });
});

describe('cooper simulate', () => {
  it('plans a Deployment with the shipped types and a default Provisioner, and says so', async () => {
    const answer = await run({ 'web.yaml': manifests(workload('Deployment', 'web', { replicas: 8 })) });
    const report = reportOf(answer);
    assert.equal(answer.code, 0);
    assert.deepEqual(
      podsOf(report),
      Array.from({ length: 8 }, (_, i) => `shop/web-${i}`),
    );
    assert.match(answer.errors.join('\n'), /no Provisioner is given, so a default one stands in/);
    assert.ok(report.usdPerHour > 0 && report.lowerBoundUsdPerHour <= report.usdPerHour);
    assert.ok(
      report.nodes.every(
        ({ provisioner, capacityType }) => provisioner === 'default' && capacityType === 'on-demand',
      ),
    );
    assert.equal(report.scheduleMs > 0, true);
  });

  it('expands each kind of workload, less the pods that are there', async () => {
    const owned = {
      namespace: 'shop',
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'u', controller: true },
      ],
    };
    const text = manifests(
      workload('ReplicaSet', 'rs', { replicas: 2 }),
      pod('rs-abc', {}, owned),
      workload('StatefulSet', 'db', { replicas: 2, ordinals: { start: 3 } }),
      workload('Job', 'sum', { parallelism: 3, completions: 2 }),
      workload('Job', 'later', { suspend: true }),
      workload('Deployment', 'one', {}),
    );
    const report = reportOf(await run({ 'all.yaml': text }));
    assert.deepEqual(podsOf(report), [
      'shop/db-3',
      'shop/db-4',
      'shop/one-0',
      'shop/rs-0',
      'shop/rs-abc',
      'shop/sum-0',
      'shop/sum-1',
    ]);
  });

  it('fills nodes that are there first, around their bound pods', async () => {
    const bound = pod('old', { nodeName: 'a', containers: [container({ cpu: '3' })] });
    const text = manifests(node('a', '4'), bound, pod('p1'), pod('p2'), pod('p3'));
    const report = reportOf(await run({ 'cluster.yaml': text }));
    assert.deepEqual(
      report.existing.map(({ node: name, pods }) => [name, pods.length]),
      [['a', 2]],
    );
    assert.equal(report.nodes.flatMap(({ pods }) => pods).length, 1);
  });

  it('leaves out pods that the kube-scheduler would not be asked about', async () => {
    const text = manifests(
      pod('gated', { schedulingGates: [{ name: 'wait' }] }),
      pod('other', { schedulerName: 'mine' }),
      pod('going', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      { ...pod('done'), status: { phase: 'Succeeded' } },
    );
    const report = reportOf(await run({ 'pods.yaml': text }));
    assert.deepEqual([podsOf(report), report.refused], [[], []]);
  });

  it('names invalid objects and plans the rest', async () => {
    const bad = pod('bad', { containers: [container({ cpu: 'lots' })] });
    const provisioner = {
      apiVersion: 'karpenter.sh/v1alpha5',
      kind: 'Provisioner',
      metadata: { name: 'p' },
      spec: { weight: 900, providerRef: { name: 'x' } },
    };
    const answer = await run({
      'mixed.yaml': `${manifests(bad, pod('good'), pod('good'), provisioner)}---\n{`,
    });
    const report = reportOf(answer);
    assert.equal(answer.code, 1);
    const objects = report.invalid.map(({ object }) => object);
    assert.ok(
      ['Pod default/bad', 'Pod default/good', 'Provisioner p'].every((one) => objects.includes(one)),
      objects.join(),
    );
    assert.ok(objects.some((object) => object.startsWith('mixed.yaml:')));
    assert.match(report.invalid.find(({ object }) => object === 'Pod default/bad')?.field ?? '', /cpu/);
    assert.match(answer.errors.join('\n'), /Pod default\/bad: .*cpu/);
    assert.deepEqual(
      report.refused.map(({ pod: name, code }) => [name, code]),
      [['default/good', 'NoProvisioner']],
    );
  });

  it('refuses with a code, a reason and what is nearest', async () => {
    const huge = pod('huge', { containers: [container({ cpu: '5000' })] });
    const answer = await run({ 'huge.yaml': manifests(huge) });
    const [refusal] = reportOf(answer).refused;
    assert.equal(answer.code, 0);
    assert.equal(refusal?.code, 'InsufficientResources');
    assert.match(refusal?.reason ?? '', /5000/);
  });

  it('applies what admission would', async () => {
    const meta = (name: string, namespace?: string) => ({
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    });
    const text = manifests(
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        ...meta('defaults', 'shop'),
        spec: { limits: [{ type: 'Container', defaultRequest: { cpu: '3' }, default: { memory: '5Gi' } }] },
      },
      {
        apiVersion: 'node.k8s.io/v1',
        kind: 'RuntimeClass',
        ...meta('kata'),
        handler: 'kata',
        overhead: { podFixed: { cpu: '250m' } },
        scheduling: { nodeSelector: { 'topology.kubernetes.io/zone': 'us-east-1b' } },
      },
      { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', ...meta('high'), value: 1000 },
      pod(
        'bare',
        { containers: [container({})], runtimeClassName: 'kata', priorityClassName: 'high' },
        { namespace: 'shop' },
      ),
      pod(
        'limited',
        { containers: [{ name: 'main', resources: { limits: { cpu: '1' } } }] },
        { namespace: 'shop' },
      ),
      pod('lost', { priorityClassName: 'missing' }),
    );
    const report = reportOf(await run({ 'in.yaml': text }));
    const nodeOf = (name: string) => report.nodes.find(({ pods }) => pods.includes(name));
    assert.equal(nodeOf('shop/bare')?.zone, 'us-east-1b');
    const cpu = report.nodes.reduce(
      (sum, { requests }) => sum + Number.parseFloat(requests.cpu?.replace(/m$/, 'e-3') ?? '0'),
      0,
    );
    assert.ok(Math.abs(cpu - 4.25) < 1e-9, `3 + 0.25 + 1 vCPU are asked for, not ${cpu}`);
    const memory = report.nodes.map(({ requests }) => Number.parseInt(requests.memory ?? '0', 10));
    assert.equal(
      memory.reduce((sum, gib) => sum + gib, 0),
      10,
    );
    assert.deepEqual(
      report.invalid.map(({ object, field }) => [object, field]),
      [['Pod default/lost', 'spec.priorityClassName']],
    );
  });

  it('ties a StatefulSet with claim templates to the zones of its storage class', async () => {
    const storageClass = {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'zonal' },
      provisioner: 'ebs.csi.aws.com',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowedTopologies: [
        { matchLabelExpressions: [{ key: 'topology.ebs.csi.aws.com/zone', values: ['us-east-1c'] }] },
      ],
    };
    const claim = { metadata: { name: 'data' }, spec: { storageClassName: 'zonal' } };
    const text = manifests(
      storageClass,
      workload('StatefulSet', 'db', { replicas: 2, volumeClaimTemplates: [claim] }),
    );
    const report = reportOf(await run({ 'db.yaml': text }));
    assert.deepEqual([...new Set(report.nodes.map(({ zone }) => zone))], ['us-east-1c']);
    assert.equal(podsOf(report).length, 2);
  });

  it('counts daemons as part of each node', async () => {
    const daemon = workload('DaemonSet', 'agent', {}, { containers: [container({ cpu: '1' })] });
    const report = reportOf(await run({ 'in.yaml': manifests(daemon, pod('p')) }));
    assert.deepEqual(
      report.nodes.map(({ requests }) => requests.cpu),
      ['1500m'],
    );
  });

  it('buys from a catalogue file', async () => {
    const type = {
      name: 'only.one',
      capacity: { cpu: '4', memory: '8Gi', pods: '40' },
      overhead: { cpu: '100m' },
      requirements: [
        { key: 'kubernetes.io/arch', operator: 'In', values: ['amd64'] },
        { key: 'kubernetes.io/os', operator: 'In', values: ['linux'] },
        { key: 'karpenter.k8s.aws/instance-category', operator: 'In', values: ['m'] },
        { key: 'karpenter.k8s.aws/instance-generation', operator: 'In', values: ['5'] },
      ],
      offerings: [
        { zone: 'z1', capacityType: 'on-demand', price: 0.5, available: true },
        { zone: 'z2', capacityType: 'on-demand', price: 0.25, available: false },
      ],
    };
    const files = { 'pods.yaml': manifests(pod('p')), 'types.json': JSON.stringify([type]) };
    const report = reportOf(await run(files, { files: ['pods.yaml'], catalogue: 'types.json' }));
    assert.deepEqual(
      report.nodes.map(({ instanceType, zone, usdPerHour, allocatable }) => [
        instanceType,
        zone,
        usdPerHour,
        allocatable.cpu,
      ]),
      [['only.one', 'z1', 0.5, '3900m']],
    );
    const broken = { ...files, 'types.json': JSON.stringify([{ ...type, capacity: { cpu: 'four' } }]) };
    const refused = await run(broken, { files: ['pods.yaml'], catalogue: 'types.json' });
    assert.equal(refused.code, 2);
    assert.match(refused.errors.join('\n'), /types.json: \[0\].capacity\['cpu'\] is no quantity/);
  });

  it('buys anything that a catalogue file sells when no Provisioner is given', async () => {
    const type = { name: 'fake-1', capacity: { cpu: '4', memory: '8Gi', pods: '40' } };
    const spot = { zone: 'z1', capacityType: 'spot', price: 0.1 };
    const files = {
      'pods.yaml': manifests(pod('p')),
      'types.json': JSON.stringify([{ ...type, offerings: [spot] }]),
    };
    const answer = await run(files, { files: ['pods.yaml'], catalogue: 'types.json' });
    assert.deepEqual(
      reportOf(answer).nodes.map(({ instanceType, capacityType }) => [instanceType, capacityType]),
      [['fake-1', 'spot']],
    );
    assert.match(answer.errors.join(), /all that the catalogue sells/);
  });

  it('takes no family for granted of types in a file that have none', async () => {
    const provisioner = {
      apiVersion: 'karpenter.sh/v1alpha5',
      kind: 'Provisioner',
      metadata: { name: 'plain' },
      spec: { providerRef: { name: 'x' } },
    };
    const type = { name: 'fake-1', capacity: { cpu: '4', memory: '8Gi', pods: '40' } };
    const offerings = [{ zone: 'z1', capacityType: 'on-demand', price: 0.1 }];
    const files = {
      'in.yaml': manifests(provisioner, pod('p')),
      'types.json': JSON.stringify({ instanceTypes: [{ ...type, offerings }] }),
    };
    const answer = await run(files, { files: ['in.yaml'], catalogue: 'types.json' });
    assert.deepEqual(reportOf(answer).refused, []);
  });

  it('reads folders, lists, JSON and standard input', async () => {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [pod('a'), pod('b')] });
    const files = { 'dir/one.json': list, 'dir/two.yaml': manifests(pod('c')), '-': manifests(pod('d')) };
    const report = reportOf(await run(files, { files: ['dir/', '-'] }));
    assert.deepEqual(podsOf(report), ['default/a', 'default/b', 'default/c', 'default/d']);
  });

  it('prints a table with bars of use, refusals and totals', async () => {
    const text = manifests(pod('p'), pod('huge', { containers: [container({ cpu: '5000' })] }));
    const { lines } = await run({ 'in.yaml': text }, { output: 'table' });
    const table = lines.join('\n');
    assert.match(table, /NEW NODE +ZONE +CAPACITY/);
    assert.match(table, /[█░]{10} +\d+%/);
    assert.match(table, /default\/huge +InsufficientResources/);
    assert.match(table, /1 pod on 1 new node, 0 pods on existing nodes, 1 pod refused/);
    assert.match(table, /per hour, \$\d+\.\d\d per month/);
  });

  it('prints the same as YAML', async () => {
    const files = { 'in.yaml': manifests(pod('p')) };
    const asYaml = await run(files, { output: 'yaml' });
    assert.deepEqual(parse(asYaml.lines.join('\n')), reportOf(await run(files)));
  });

  it('calls spot prices made up when it makes them up', async () => {
    const provisioner = {
      apiVersion: 'karpenter.sh/v1alpha5',
      kind: 'Provisioner',
      metadata: { name: 'spot' },
      spec: {
        providerRef: { name: 'x' },
        requirements: [{ key: 'karpenter.sh/capacity-type', operator: 'In', values: ['spot'] }],
      },
    };
    const answer = await run({ 'in.yaml': manifests(provisioner, pod('p')) });
    assert.match(answer.errors.join('\n'), /spot prices .* made up/);
    assert.deepEqual(
      reportOf(answer).nodes.map(({ capacityType }) => capacityType),
      ['spot'],
    );
  });

  for (const { when, options } of [
    { when: 'no file is named', options: { files: [] } },
    { when: 'a file cannot be read', options: { files: ['missing.yaml'] } },
    { when: 'the catalogue cannot be read', options: { catalogue: 'missing.json' } },
  ]) {
    it(`answers 2 when ${when}`, async () => {
      const { code, lines, errors } = await run({ 'in.yaml': manifests(pod('p')) }, options);
      assert.deepEqual([code, lines, errors.length], [2, [], 1]);
    });
  }
});
