// `cooper record` against an API server: what it asks for, what it keeps, and that both files can be used.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { parse } from 'yaml';
import type { Raw } from '../../src/api/objects/raw.ts';
import { recordCommand, recordFrom, SCENARIO_FILE, SNAPSHOT_FILE } from '../../src/cli/record.ts';
import { loadScenario } from '../../src/cli/scenarioFiles.ts';
import { runScenario } from '../../src/cli/scenarioRun.ts';
import { simulateCommand } from '../../src/cli/simulate.ts';
import { STANDARD_IO } from '../../src/cli/standardIo.ts';
import { REAL_TIMING, type Timing } from '../../src/kube/timing.ts';
import { FakeApiServer, type FakeObject } from '../kube/fakeApiServer.ts';
import { eventually, transportTo } from '../kube/kubeFixtures.ts';

/** In every field that may hold what nobody should see. */
const SECRET = 'hunter2-c4n4ry';
const START_MS = Date.UTC(2026, 2, 1, 12);
const WATCHED_MS = 600_000;
const PODS = '/api/v1/pods';

let server: FakeApiServer;
let folder: string;
let nowMs: number;
let endWatching: () => void;
let progress: string[];
let lines: string[];
let errors: string[];

beforeEach(() => {
  server = new FakeApiServer();
  folder = mkdtempSync(join(tmpdir(), 'cooper-record-'));
  nowMs = START_MS;
  progress = [];
  lines = [];
  errors = [];
});
afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** The clock stands where the test puts it; the time of watching ends when the test says so. */
function timing(): Timing {
  const watching = new Promise<void>((resolve) => {
    endWatching = resolve;
  });
  return {
    nowMs: () => nowMs,
    random: () => 0.5,
    pause: (durationMs, signal) =>
      durationMs === WATCHED_MS ? watching : REAL_TIMING.pause(durationMs, signal),
  };
}

/** Makes a change at that time, and waits until it is recorded. */
async function change(atMs: number, act: () => void): Promise<void> {
  nowMs = atMs;
  const before = progress.length;
  act();
  await eventually('the change is recorded', () => progress.length > before);
}

function record(origin: string, durationMs = 0): Promise<number> {
  const io = {
    showProgress: (text: string) => progress.push(text),
    writeLine: (line: string) => lines.push(line),
    writeError: (line: string) => errors.push(line),
  };
  return recordFrom(transportTo(origin, REAL_TIMING), { out: folder, durationMs }, io, timing());
}

function pod(name: string, node: string): FakeObject {
  const bound = node === '' ? {} : { nodeName: node };
  const unschedulable = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message: SECRET,
    lastTransitionTime: '2026-03-01T11:59:00Z',
  };
  return {
    metadata: {
      name,
      namespace: 'shop',
      labels: { app: 'web', 'pod-template-hash': 'abc12' },
      annotations: {
        note: SECRET,
        'karpenter.sh/do-not-evict': 'true',
        'cluster-autoscaler.kubernetes.io/safe-to-evict': SECRET,
        'kubectl.kubernetes.io/last-applied-configuration': `{"env":"${SECRET}"}`,
      },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-abc12', uid: 'rs', controller: true },
      ],
      managedFields: [{ manager: SECRET }],
    },
    spec: {
      ...bound,
      serviceAccountName: SECRET,
      imagePullSecrets: [{ name: SECRET }],
      tolerations: [{ key: 'team', operator: 'Exists' }],
      containers: [
        {
          name: 'main',
          image: `registry/${SECRET}`,
          command: [SECRET],
          args: [`--password=${SECRET}`],
          env: [{ name: 'PASSWORD', value: SECRET }],
          envFrom: [{ secretRef: { name: SECRET } }],
          livenessProbe: { httpGet: { httpHeaders: [{ name: 'token', value: SECRET }] } },
          volumeMounts: [{ name: SECRET, mountPath: '/' }],
          resources: { requests: { cpu: '1500m', memory: '1Gi' } },
        },
      ],
      initContainers: [{ name: 'init', env: [{ name: 'A', value: SECRET }], resources: {} }],
      volumes: [
        { name: SECRET, secret: { secretName: SECRET } },
        { name: SECRET, configMap: { name: SECRET } },
        { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
      ],
    },
    status: {
      phase: node === '' ? 'Pending' : 'Running',
      message: SECRET,
      conditions: node === '' ? [unschedulable] : [{ type: 'Ready', status: 'True', message: SECRET }],
      containerStatuses: [{ name: 'main', state: { waiting: { message: SECRET } } }],
    },
  };
}

/** A shop on one node of its own, with one pod that waits. */
function fill(): void {
  server.put('/apis/karpenter.sh/v1alpha5/provisioners', {
    metadata: { name: 'default', annotations: { note: SECRET } },
    spec: {
      requirements: [
        { key: 'node.kubernetes.io/instance-type', operator: 'In', values: ['m5.large'] },
        { key: 'karpenter.sh/capacity-type', operator: 'In', values: ['on-demand'] },
      ],
      annotations: { note: SECRET },
      providerRef: { name: 'default' },
    },
  });
  server.put('/apis/karpenter.k8s.aws/v1alpha1/awsnodetemplates', {
    metadata: { name: 'default' },
    spec: {
      subnetSelector: { a: 'b' },
      securityGroupSelector: { a: 'b' },
      userData: `#!/bin/sh\nexport TOKEN=${SECRET}`,
      tags: { note: SECRET },
    },
  });
  server.put('/api/v1/nodes', {
    metadata: {
      name: 'node-1',
      labels: {
        'node.kubernetes.io/instance-type': 'm5.large',
        'topology.kubernetes.io/zone': 'us-east-1a',
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/os': 'linux',
      },
      annotations: { note: SECRET },
    },
    spec: { providerID: 'aws:///us-east-1a/i-1' },
    status: {
      capacity: { cpu: '2', memory: '8Gi', pods: '29' },
      allocatable: { cpu: '1930m', memory: '7Gi', pods: '29' },
      images: [{ names: [SECRET] }],
      conditions: [{ type: 'Ready', status: 'True', message: SECRET }],
    },
  });
  server.put('/api/v1/namespaces', { metadata: { name: 'shop', annotations: { note: SECRET } } });
  server.put('/api/v1/persistentvolumeclaims', {
    metadata: { name: 'data', namespace: 'shop' },
    spec: { storageClassName: 'gp3' },
  });
  server.put('/apis/storage.k8s.io/v1/storageclasses', {
    metadata: { name: 'gp3' },
    provisioner: 'ebs.csi.aws.com',
    volumeBindingMode: 'WaitForFirstConsumer',
    parameters: { 'csi.storage.k8s.io/provisioner-secret-name': SECRET },
  });
  server.put('/api/v1/secrets', { metadata: { name: 'db', namespace: 'shop' }, data: { password: SECRET } });
  server.put('/api/v1/configmaps', { metadata: { name: 'db', namespace: 'shop' }, data: { a: SECRET } });
  server.put(PODS, pod('web-1', 'node-1'));
  server.put(PODS, pod('web-2', ''));
}

function written(file: string): string {
  return readFileSync(join(folder, file), 'utf8');
}

test('no Secret and no ConfigMap is asked for, and nothing that may hold one is kept', async () => {
  fill();
  assert.equal(await record(await server.start()), 0, errors.join('\n'));
  for (const { method, path } of server.requests) {
    assert.equal(method, 'GET');
    assert.doesNotMatch(path, /secret|configmap|serviceaccount/i);
  }
  assert.deepEqual(readdirSync(folder).sort(), [SCENARIO_FILE, SNAPSHOT_FILE].sort());
  for (const file of readdirSync(folder)) {
    assert.ok(!written(file).includes(SECRET), `${file} holds what was to be stripped`);
    assert.doesNotMatch(written(file), /\benv\b|command|args|image|userData|managedFields|message/);
  }
  assert.ok(!lines.join('\n').includes(SECRET));
});

test('what decides is kept: requests, tolerations, opt-outs, claims, owners', async () => {
  fill();
  await record(await server.start());
  const { items } = parse(written(SNAPSHOT_FILE)) as { readonly items: readonly Raw[] };
  const [web] = items.filter(({ kind }) => kind === 'Pod') as unknown as readonly FakeObject[];
  assert.deepEqual(web?.metadata.annotations, { 'karpenter.sh/do-not-evict': 'true' });
  assert.deepEqual(web?.spec, {
    nodeName: 'node-1',
    tolerations: [{ key: 'team', operator: 'Exists' }],
    containers: [{ name: 'main', resources: { requests: { cpu: '1500m', memory: '1Gi' } } }],
    initContainers: [{ name: 'init', resources: {} }],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
  });
  assert.equal(items.filter(({ kind }) => kind === 'Node').length, 1);
});

test('simulate reads the snapshot: the pod that runs takes its room, the one that waits gets a node', async () => {
  fill();
  await record(await server.start());
  const told: string[] = [];
  const io = {
    ...STANDARD_IO,
    writeLine: (line: string) => told.push(line),
    writeError: (line: string) => told.push(line),
    elapsedMs: () => 0,
    nowMs: () => 0,
  };
  const options = { catalogue: null, region: 'us-east-1', budgetMs: 0, atMs: null, output: 'json' } as const;
  const exitCode = await simulateCommand({ ...options, files: [join(folder, SNAPSHOT_FILE)] }, io);
  assert.equal(exitCode, 0, told.join('\n'));
  const report = JSON.parse(told.join('\n')) as {
    readonly nodes: readonly { readonly pods: readonly string[] }[];
  };
  assert.deepEqual(
    report.nodes.map(({ pods }) => pods),
    [['shop/web-2']],
  );
});

test('a history becomes a scenario with replicas as they changed, and it replays', async () => {
  fill();
  const recording = record(await server.start(), WATCHED_MS);
  await eventually('the snapshot is taken', () => progress.length > 0);
  await change(START_MS + 60_000, () => server.put(PODS, pod('web-3', '')));
  server.put(PODS, { ...pod('web-3', 'node-1'), status: { phase: 'Running' } });
  await change(START_MS + 300_000, () => server.remove(PODS, 'shop/web-1'));
  assert.match(progress.at(-1) ?? '', /^recording: 2 changes of pods so far/);
  nowMs = START_MS + WATCHED_MS;
  endWatching();
  assert.equal(await recording, 0, errors.join('\n'));
  const loaded = loadScenario(join(folder, SCENARIO_FILE));
  assert.ok(loaded.kind === 'loaded', JSON.stringify(loaded));
  const { scenario } = loaded;
  assert.equal(scenario.startMs, START_MS);
  assert.equal(scenario.endMs, START_MS + WATCHED_MS);
  assert.deepEqual(scenario.zones, ['us-east-1a']);
  assert.deepEqual(
    scenario.workloads.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
    ['Deployment shop/web'],
  );
  assert.deepEqual(scenario.workloads[0]?.steps, [
    { atMs: START_MS, replicas: 2 },
    { atMs: START_MS + 60_000, replicas: 3 },
    { atMs: START_MS + 300_000, replicas: 2 },
  ]);
  assert.deepEqual(
    scenario.staticNodes.map(({ name, instanceType }) => `${name} ${instanceType}`),
    ['node-1 m5.large'],
  );
  const { report } = await runScenario(scenario, '1');
  assert.equal(report.podsStarted, 3);
  assert.equal(report.nodesMost, 2, 'one pod fits the node that is there, each other gets its own');
});

test('a kind that may not be read is left out by name, the others are recorded', async () => {
  fill();
  server.intercept = ({ path }) =>
    path === '/apis/policy/v1/poddisruptionbudgets'
      ? { status: 403, body: { kind: 'Status', reason: 'Forbidden', message: 'no' } }
      : null;
  assert.equal(await record(await server.start()), 1);
  assert.match(errors.join('\n'), /^PodDisruptionBudget: left out of the recording, .*allow the verb "list"/);
  assert.match(written(SNAPSHOT_FILE), /kind: Pod$/m);
});

test('an API server that lets nobody in ends the recording with its reason, and no file', async () => {
  server.intercept = () => ({
    status: 401,
    body: { kind: 'Status', reason: 'Unauthorized', message: 'who?' },
  });
  assert.equal(await record(await server.start()), 1);
  assert.match(errors.join('\n'), /HTTP 401 who\?; renew the credentials/);
  assert.deepEqual(readdirSync(folder), []);
});

test('without a cluster the call is wrong, and says what to set', async () => {
  const io = { writeLine: () => assert.fail(), writeError: (line: string) => errors.push(line) };
  const kubeconfig = join(folder, 'nowhere');
  assert.equal(await recordCommand({ out: folder, durationMs: 0, kubeconfig }, io), 2);
  assert.match(errors.join('\n'), /nowhere" cannot be read: .*; name a valid kubeconfig/);
});
