// `cooper explain` over saved clusters and over an API server: what it reads, what it says, and how it ends.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse, stringify } from 'yaml';
import type { Raw } from '../../src/api/objects/raw.ts';
import { type ExplainOptions, explainCommand } from '../../src/cli/explain.ts';
import { nearNames } from '../../src/cli/nearNames.ts';
import { STANDARD_IO } from '../../src/cli/standardIo.ts';
import { FakeApiServer, type FakeObject } from '../kube/fakeApiServer.ts';

const SCHEMAS = new URL('../../docs/schemas/', import.meta.url);
const EXAMPLE = fileURLToPath(new URL('../../docs/examples/explain/cluster.yaml', import.meta.url));

const TAKEN = {
  apiVersion: 'v1',
  kind: 'List',
  metadata: { annotations: { 'cooper.sh/taken-at': '2026-03-02T10:00:00Z' } },
};
const FAILURES = {
  // Generations of the Provisioner and its template, which has none in the example.
  configuration: '1/AWSNodeTemplate/default/0',
  nodes: 3,
  pauses: 1,
  pausedAt: '2026-03-02T09:50:00Z',
  retryAt: '2026-03-02T10:30:00Z',
};

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly errors: string;
}

async function explain(
  kind: string,
  name: string,
  options: Partial<ExplainOptions> = { snapshot: [EXAMPLE] },
): Promise<Answer> {
  const lines: string[] = [];
  const errors: string[] = [];
  const io = {
    ...STANDARD_IO,
    writeLine: (line: string) => void lines.push(line),
    writeError: (line: string) => void errors.push(line),
  };
  const defaults = { kind, name, namespace: 'default', snapshot: [], output: 'text' as const };
  const code = await explainCommand({ ...defaults, ...options }, io);
  return { code, text: lines.join('\n'), errors: errors.join('\n') };
}

let folder: string;
let server: FakeApiServer;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cooper-explain-'));
  server = new FakeApiServer();
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await server.stop();
});

function saved(value: unknown, name = 'cluster.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, name.endsWith('.json') ? JSON.stringify(value) : stringify(value));
  return path;
}

function exampleObjects(): readonly (Raw & { readonly kind: string })[] {
  return (parse(readFileSync(EXAMPLE, 'utf8')) as { items: (Raw & { kind: string })[] }).items;
}

test('a node kept by a PodDisruptionBudget: the pods, the budget, and what it costs', async () => {
  const { code, text, errors } = await explain('node', 'node-a');
  assert.equal(code, 0);
  assert.match(text, /Underutilized +blocked +PodDisruptionBudget shop\/web lets pod shop\/web-1 not go now/);
  assert.match(text, /also: PodDisruptionBudget shop\/web lets pod shop\/web-2 not go now/);
  assert.match(text, /but for that: 2 pods.*saves \$0\.1920\/h/);
  assert.match(errors, /shipped with Cooper, for us-east-1/);
});

test('the budget that is closed, and when its window opens', async () => {
  const { text } = await explain('node', 'node-b');
  assert.match(text, /Expired +0 more may go now by spec\.disruption\.budgets\[1\].*2026-03-02 17:00:00 UTC/);
});

test('plural and short kinds, and a pod by namespace or by flag', async () => {
  const [plural, short, byFlag] = await Promise.all([
    explain('nodes', 'node-a'),
    explain('po', 'shop/web-1'),
    explain('pod', 'web-1', { snapshot: [EXAMPLE], namespace: 'shop' }),
  ]);
  assert.deepEqual([plural.code, short.code, byFlag.code], [0, 0, 0]);
  assert.equal(short.text, byFlag.text);
});

test('every answer as JSON is after the published schema', async () => {
  const schema: object = JSON.parse(readFileSync(new URL('explain.schema.json', SCHEMAS), 'utf8'));
  const ajv = new Ajv2020({ allowUnionTypes: true });
  formats.default(ajv);
  const validate = ajv.compile(schema);
  const leaving = exampleObjects().map((one) =>
    one.kind === 'NodeClaim'
      ? { ...one, metadata: { ...(one.metadata as object), deletionTimestamp: '2026-03-02T09:58:00Z' } }
      : one,
  );
  const options = { snapshot: [EXAMPLE], output: 'json' } as const;
  const drained = { snapshot: [saved({ ...TAKEN, items: leaving })], output: 'json' } as const;
  const answers = await Promise.all([
    ...['node-a', 'node-b', 'node-c'].map((name) => explain('node', name, options)),
    ...['web-1', 'cart-1', 'render-1'].map((name) => explain('pod', `shop/${name}`, options)),
    explain('nodeclaim', 'default-a', drained),
    explain('pod', 'shop/render-1', drained),
  ]);
  for (const { text } of answers) assert.ok(validate(JSON.parse(text)), JSON.stringify(validate.errors));
});

test('as JSON: the explanation as data, times as RFC 3339, resources as quantities', async () => {
  const { text } = await explain('nodeclaim', 'default-c', { snapshot: [EXAMPLE], output: 'json' });
  const value = JSON.parse(text);
  assert.partialDeepStrictEqual(value, {
    kind: 'NodeClaim',
    takenAt: '2026-03-02T10:00:00.000Z',
    node: 'node-c',
    requested: { cpu: '300m', memory: '512Mi', pods: '1' },
  });
  const consolidation = value.reasons.find(
    ({ reason }: { readonly reason: string }) => reason === 'Underutilized',
  );
  assert.deepEqual(consolidation.proposal.moves, [{ pod: 'shop/cart-1', to: 'node-b' }]);
});

const MISSING = [
  { kind: 'node', name: 'node-x', says: /there is no node node-x; near to it: node-a, node-b, node-c/ },
  { kind: 'node', name: 'default-a', says: /no node default-a, but a NodeClaim: cooper explain nodeclaim/ },
  { kind: 'nodeclaim', name: 'node-a', says: /no NodeClaim node-a, but a node: cooper explain node node-a/ },
  { kind: 'pod', name: 'web-1', says: /no pod default\/web-1; near to it: shop\/web-1/ },
  { kind: 'pod', name: 'shop/quite-another', says: /there is no pod shop\/quite-another among 6/ },
] as const;
for (const { kind, name, says } of MISSING) {
  test(`${kind} ${name} is not there: one error, with what is near`, async () => {
    const { code, text, errors } = await explain(kind, name);
    assert.equal(code, 1);
    assert.equal(text, '');
    assert.match(errors, says);
    assert.equal(errors.split('\n').length, 1);
  });
}

test('a kind that cannot be explained is a wrong call; a file that is not there fails', async () => {
  assert.equal((await explain('deployment', 'web')).code, 2);
  const { code, errors } = await explain('node', 'node-a', { snapshot: [join(folder, 'none.yaml')] });
  assert.equal(code, 1);
  assert.match(errors, /cannot be read/);
});

test('lists as kubectl prints them, several files, and no time of taking: the latest time stands in', async () => {
  const objects = exampleObjects();
  const list = (kinds: readonly string[]) => ({
    apiVersion: 'v1',
    kind: 'List',
    items: objects.filter(({ kind }) => kinds.includes(kind)),
  });
  const files = [
    saved(list(['Node', 'NodeClaim']), 'nodes.json'),
    saved(list(['Pod', 'Provisioner', 'AWSNodeTemplate']), 'pods.yaml'),
  ];
  const { code, text, errors } = await explain('pod', 'shop/render-1', { snapshot: files, output: 'json' });
  assert.equal(code, 0, errors);
  // The pod that was found unschedulable a minute before the cluster was saved.
  assert.equal(JSON.parse(text).takenAt, '2026-03-02T09:59:00.000Z');
  assert.match(JSON.parse(text).notes.join('\n'), /do not say when they were taken/);
});

test('a Provisioner that rests is not planned with', async () => {
  const items = exampleObjects().map((one) =>
    one.kind === 'Provisioner' ? { ...one, spec: { ...(one.spec as object), suspend: true } } : one,
  );
  const file = saved({ apiVersion: 'v1', kind: 'List', items });
  const { text } = await explain('pod', 'shop/render-1', { snapshot: [file] });
  assert.match(text, /default: NoCapacity: Provisioner "default" is suspended; set spec.suspend to false/);
});

test('a Provisioner whose nodes never come up launches nothing, and says until when', async () => {
  const items = exampleObjects().map((one) =>
    one.kind === 'Provisioner' ? { ...one, status: { launchFailures: FAILURES } } : one,
  );
  const file = saved({ ...TAKEN, items });
  const { text } = await explain('pod', 'shop/render-1', { snapshot: [file] });
  assert.match(
    text,
    /default: NoCapacity: .*its last 3 nodes never came up .*nothing is launched until 2026-03-02T10:30/,
  );
  const later = { ...FAILURES, configuration: 'another' };
  const changed = items.map((one) =>
    one.kind === 'Provisioner' ? { ...one, status: { launchFailures: later } } : one,
  );
  const after = await explain('pod', 'shop/render-1', { snapshot: [saved({ ...TAKEN, items: changed })] });
  assert.match(after.text, /default: InsufficientResources/);
});

const PATHS: Readonly<Record<string, string>> = {
  Provisioner: '/apis/karpenter.sh/v1alpha5/provisioners',
  AWSNodeTemplate: '/apis/karpenter.k8s.aws/v1alpha1/awsnodetemplates',
  NodeClaim: '/apis/karpenter.sh/v1/nodeclaims',
  Node: '/api/v1/nodes',
  Pod: '/api/v1/pods',
  PodDisruptionBudget: '/apis/policy/v1/poddisruptionbudgets',
};

/** A server with the example's objects, as lists give them: without kinds. */
async function live(): Promise<Partial<ExplainOptions>> {
  for (const { kind, apiVersion: _, ...object } of exampleObjects()) {
    server.put(PATHS[kind] ?? '', object as unknown as FakeObject);
  }
  const origin = await server.start();
  const kubeconfig = saved({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server: origin } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    users: [{ name: 'test', user: {} }],
  });
  return { kubeconfig };
}

test('a live cluster is read by lists alone, and says the same as the saved one', async () => {
  const options = await live();
  const { code, text } = await explain('node', 'node-c', options);
  assert.equal(code, 0);
  assert.match(text, /Underutilized +due +1 pod of the node fits on other nodes/);
  const writes = server.requests.filter(({ method, query }) => method !== 'GET' || query.has('watch'));
  assert.deepEqual(writes, []);
  assert.equal(
    server.requests.some(({ path }) => /secrets|configmaps/.test(path)),
    false,
  );
});

test('events of a live object are shown, the same of claim and Node once', async () => {
  const options = await live();
  const event = (name: string, message: string, component: string): FakeObject => ({
    metadata: { name, namespace: 'default', creationTimestamp: '2026-03-02T09:00:00Z' },
    reason: 'Unconsolidatable',
    message,
    count: 2,
    lastTimestamp: '2026-03-02T09:30:00Z',
    source: { component },
  });
  const kept = 'not consolidated: a pod forbids it';
  for (const one of [event('a', kept, 'cooper'), event('b', kept, 'cooper'), event('c', 'other', 'kubelet')])
    server.put('/api/v1/events', one);
  const { text } = await explain('node', 'node-c', options);
  assert.equal(text.split(kept).length, 2);
  assert.match(text, /\(2 times\) \[cooper\]/);
  assert.doesNotMatch(text, /kubelet\]/);
  const asked = server.requests.filter(({ path }) => path === '/api/v1/events');
  assert.deepEqual(
    asked.map(({ query }) => query.get('fieldSelector')),
    [
      'involvedObject.kind=Node,involvedObject.name=node-c',
      'involvedObject.kind=NodeClaim,involvedObject.name=default-c',
    ],
  );
});

test('kinds that may not be listed are named, and the rest is explained', async () => {
  const options = await live();
  server.intercept = ({ path }) =>
    path.includes('poddisruptionbudgets') ? { status: 403, body: { message: 'forbidden' } } : null;
  const { code, errors } = await explain('node', 'node-a', options);
  assert.equal(code, 0);
  assert.match(errors, /PodDisruptionBudget: not looked at, cannot list/);
});

test('names that somebody may have meant', () => {
  assert.deepEqual(nearNames('web', ['shop/web-1', 'shop/cart-1']), ['shop/web-1']);
  assert.deepEqual(nearNames('nod-a', ['node-a', 'node-abcdef', 'other']), ['node-a']);
  assert.deepEqual(nearNames('x', ['aaaaaaa']), []);
});
