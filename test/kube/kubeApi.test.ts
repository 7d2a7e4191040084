// Writes to Kubernetes against a server that checks preconditions.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { parseNode } from '../../src/api/objects/node.ts';
import { parseProvisioner } from '../../src/api/provisioners.ts';
import { KubeApiError } from '../../src/kube/apiError.ts';
import { ServerKubeApi } from '../../src/kube/kubeApi.ts';
import type { Node } from '../../src/model/node.ts';
import type { EventDraft, NodePatch } from '../../src/ports/kubeApi.ts';
import { aNodeClaim } from '../builders.ts';
import { FakeApiServer, type FakeObject } from './fakeApiServer.ts';
import { type InstantTiming, instantTiming, transportTo } from './kubeFixtures.ts';

const CLAIMS = '/apis/karpenter.sh/v1/nodeclaims';
const NODES = '/api/v1/nodes';
const PODS = '/api/v1/pods';
const ATTACHMENTS = '/apis/storage.k8s.io/v1/volumeattachments';
const EVENTS = '/api/v1/namespaces/default/events';

const server = new FakeApiServer();
let origin = '';
let timing: InstantTiming;
let api: ServerKubeApi;
let problems: string[];

before(async () => {
  origin = await server.start();
});
beforeEach(() => {
  timing = instantTiming();
  problems = [];
  server.intercept = () => null;
  server.requests.length = 0;
  for (const path of [CLAIMS, NODES, PODS, EVENTS, ATTACHMENTS]) server.collection(path).objects.clear();
  const onProblem = (error: Error): void => void problems.push(error.message);
  api = new ServerKubeApi(transportTo(origin, timing), { timing, onProblem });
});
after(() => server.stop());

const draft = { name: 'default-abc', spec: aNodeClaim().spec, ownerUid: 'uid-default' };

function stored(path: string, key: string): FakeObject {
  const object = server.collection(path).objects.get(key);
  assert.ok(object !== undefined, `${key} is stored`);
  return object;
}

test('a new claim carries its owner, its finalizer and its Provisioner label; a second one is found', async () => {
  const first = await api.createNodeClaim(draft);
  assert.equal(first.kind, 'written');
  assert.deepEqual(first.object.spec, draft.spec);
  const { metadata } = stored(CLAIMS, 'default-abc');
  assert.deepEqual(metadata.finalizers, ['karpenter.sh/termination']);
  const [owner] = metadata.ownerReferences as { uid: string; blockOwnerDeletion: boolean }[];
  assert.deepEqual([owner?.uid, owner?.blockOwnerDeletion], ['uid-default', true]);
  const second = await api.createNodeClaim(draft);
  assert.deepEqual(second, { kind: 'exists', object: first.object });
});

test('a claim whose creation was answered by silence is found by the repeat', async () => {
  let lost = 0;
  server.intercept = ({ method, body }) => {
    if (method !== 'POST' || lost > 0) return null;
    lost += 1;
    server.put(CLAIMS, body as FakeObject);
    return { status: 504, body: 'gateway timeout' };
  };
  assert.equal((await api.createNodeClaim(draft)).kind, 'exists');
});

test('status and emptiness are written to the version that was read, or not at all', async () => {
  const { object: claim } = await api.createNodeClaim(draft);
  const status = {
    ...claim.status,
    providerId: 'aws:///us-east-1a/i-1',
    usdPerHour: 0.1,
    capacity: { cpu: 2000 },
  };
  const written = await api.writeNodeClaimStatus(claim, status);
  assert.ok(written.kind === 'written');
  assert.deepEqual(written.object.status, status);
  assert.deepEqual(await api.writeNodeClaimStatus(claim, status), { kind: 'conflict' });
  assert.deepEqual(await api.writeEmptySince(claim, 5_000), { kind: 'conflict' });
  const stamped = await api.writeEmptySince(written.object, 5_000);
  assert.ok(stamped.kind === 'written');
  assert.equal(stamped.object.emptySinceMs, 5_000);
  const cleared = await api.writeEmptySince(stamped.object, null);
  assert.ok(cleared.kind === 'written');
  assert.equal(cleared.object.emptySinceMs, null);
  server.remove(CLAIMS, claim.name);
  assert.deepEqual(await api.writeNodeClaimStatus(cleared.object, status), { kind: 'gone' });
});

test('a deleted claim stays until it is released; a namesake is left alone', async () => {
  const { object: claim } = await api.createNodeClaim(draft);
  assert.equal(await api.deleteNodeClaim(claim.name, 'another-uid'), 'gone');
  assert.equal(await api.deleteNodeClaim(claim.name, claim.uid), 'deleted');
  assert.ok(stored(CLAIMS, claim.name).metadata.deletionTimestamp !== undefined);
  assert.equal(await api.releaseNodeClaim(claim.name), 'released');
  assert.equal(server.collection(CLAIMS).objects.size, 0);
  assert.equal(await api.releaseNodeClaim(claim.name), 'gone');
});

test("releasing keeps others' finalizers, and reads again when they change in between", async () => {
  await api.createNodeClaim(draft);
  let raced = 0;
  server.intercept = ({ method }) => {
    if (method !== 'PATCH' || raced > 0) return null;
    raced += 1;
    const held = stored(CLAIMS, draft.name);
    const finalizers = [...(held.metadata.finalizers ?? []), 'example.com/theirs'];
    server.put(CLAIMS, { ...held, metadata: { ...held.metadata, finalizers } });
    return null;
  };
  assert.equal(await api.releaseNodeClaim(draft.name), 'released');
  assert.deepEqual(stored(CLAIMS, draft.name).metadata.finalizers, ['example.com/theirs']);
});

function putNode(spec: object = {}): Node {
  const metadata = { name: 'ip-1', labels: { app: 'old', keep: 'me' }, finalizers: ['theirs'] };
  const parsed = parseNode(server.put(NODES, { metadata, spec }));
  assert.ok(parsed.kind === 'valid');
  return parsed.value;
}

const THEIRS = {
  key: 'node.kubernetes.io/unreachable',
  effect: 'NoExecute',
  timeAdded: '2026-01-01T00:00:00Z',
};
const OURS = { key: 'karpenter.sh/unregistered', effect: 'NoExecute' };

const PATCHES: readonly { when: string; patch: NodePatch; metadata?: object; spec: object }[] = [
  {
    when: 'labels merge, null removes',
    patch: { labels: { app: 'new', keep: null } },
    metadata: { labels: { app: 'new' }, finalizers: ['theirs'] },
    spec: { taints: [THEIRS, OURS] },
  },
  {
    when: 'a taint is added beside what others put there',
    patch: {
      addTaints: [{ key: 'karpenter.sh/disrupted', value: '', effect: 'NoSchedule' }],
      unschedulable: true,
    },
    spec: {
      taints: [THEIRS, OURS, { key: 'karpenter.sh/disrupted', effect: 'NoSchedule' }],
      unschedulable: true,
    },
  },
  {
    when: 'a taint is removed by key and effect',
    patch: { removeTaints: [OURS, { key: THEIRS.key, effect: 'NoSchedule' }] },
    spec: { taints: [THEIRS] },
  },
  {
    when: 'a taint is replaced, not doubled',
    patch: { addTaints: [{ key: OURS.key, value: 'x', effect: 'NoExecute' }] },
    spec: { taints: [THEIRS, { ...OURS, value: 'x' }] },
  },
  {
    when: 'our finalizer joins theirs',
    patch: { addFinalizer: 'karpenter.sh/termination' },
    metadata: { labels: { app: 'old', keep: 'me' }, finalizers: ['theirs', 'karpenter.sh/termination'] },
    spec: { taints: [THEIRS, OURS] },
  },
];
for (const { when, patch, metadata, spec } of PATCHES) {
  test(`node patch: ${when}`, async () => {
    const node = putNode({ taints: [THEIRS, OURS] });
    const outcome = await api.patchNode(node, patch);
    assert.equal(outcome.kind, 'written');
    const { labels, finalizers } = stored(NODES, 'ip-1').metadata;
    if (metadata !== undefined) assert.deepEqual({ labels, finalizers }, metadata);
    assert.deepEqual(stored(NODES, 'ip-1').spec, spec);
  });
}

test('a taint that someone adds between our read and our write is kept', async () => {
  const node = putNode({ taints: [OURS] });
  let raced = 0;
  server.intercept = ({ method }) => {
    if (method !== 'PATCH' || raced > 0) return null;
    raced += 1;
    const held = stored(NODES, 'ip-1');
    server.put(NODES, { ...held, spec: { taints: [OURS, THEIRS] } });
    return null;
  };
  const outcome = await api.patchNode(node, { removeTaints: [OURS] });
  assert.equal(outcome.kind, 'written');
  assert.deepEqual(stored(NODES, 'ip-1').spec, { taints: [THEIRS] });
});

test('a node under the same name is another node', async () => {
  const node = putNode();
  server.remove(NODES, 'ip-1');
  assert.deepEqual(await api.patchNode(node, { labels: { a: 'b' } }), { kind: 'gone' });
  const reborn = server.put(NODES, { metadata: { name: 'ip-1' } });
  assert.deepEqual(await api.patchNode(node, { labels: { a: 'b' } }), { kind: 'gone' });
  assert.deepEqual(await api.patchNode(node, { removeTaints: [OURS] }), { kind: 'gone' });
  assert.equal(await api.deleteNode('ip-1', node.uid), 'gone');
  assert.equal(stored(NODES, 'ip-1').metadata.resourceVersion, reborn.metadata.resourceVersion, 'left alone');
});

const status = (code: number, message: string, more: object = {}) => ({
  status: code,
  body: { kind: 'Status', message, ...more },
});
const EVICTIONS = [
  { when: 'nothing is in the way', answer: null, outcome: 'evicted' },
  { when: 'a budget forbids it', answer: status(429, 'Cannot evict pod'), outcome: 'blocked' },
  { when: 'the pod is gone', answer: status(404, 'not found'), outcome: 'gone' },
  {
    when: 'two budgets cover it',
    answer: status(500, 'This pod has more than one PodDisruptionBudget, which is not supported'),
    outcome: 'blocked',
  },
  {
    when: 'the budget changes all the time',
    answer: status(409, 'the object has been modified'),
    outcome: 'blocked',
  },
  {
    when: 'its namespace is going',
    answer: status(403, 'forbidden', { details: { causes: [{ reason: 'NamespaceTerminating' }] } }),
    outcome: 'blocked',
  },
] as const;
for (const { when, answer, outcome } of EVICTIONS) {
  test(`eviction when ${when}: ${outcome}, asked once`, async () => {
    const { metadata } = server.put(PODS, { metadata: { namespace: 'default', name: 'web' } });
    server.intercept = () => answer;
    const pod = { namespace: 'default', name: 'web', uid: metadata.uid ?? '' };
    assert.equal(await api.evictPod(pod), outcome);
    assert.equal(server.requests.length, 1);
  });
}

const WEBHOOK = 'admission webhook "guard.example.com" denied the request';
const DENIALS = [
  { when: 'a webhook denies it', answer: status(403, `${WEBHOOK}: not today`) },
  { when: 'a webhook denies it as if there were no pod', answer: status(404, `${WEBHOOK}: no`) },
  { when: 'a webhook denies it as a budget would', answer: status(429, `${WEBHOOK}: later`) },
  { when: 'a webhook chooses a status of its own', answer: status(418, `${WEBHOOK}: a teapot`) },
  {
    when: 'a policy denies it',
    answer: status(422, "ValidatingAdmissionPolicy 'keep' with binding 'keep' denied request: no"),
  },
  {
    when: 'a webhook is not there',
    answer: status(500, 'Internal error occurred: failed calling webhook "guard.example.com": no endpoints'),
  },
] as const;
for (const { when, answer } of DENIALS) {
  test(`eviction when ${when}: denied in the server's words, asked once`, async () => {
    server.put(PODS, { metadata: { namespace: 'default', name: 'web' } });
    server.intercept = () => answer;
    const outcome = await api.evictPod({ namespace: 'default', name: 'web', uid: 'uid' });
    assert.ok(typeof outcome === 'object');
    assert.ok(outcome.reason.includes((answer.body as { message: string }).message), outcome.reason);
    assert.doesNotMatch(outcome.reason, /allow the verb/, 'no right would mend it');
    assert.equal(server.requests.length, 1);
  });
}

test('an eviction without the right to it is denied, with the right that is missing', async () => {
  server.intercept = () => status(403, 'User "cooper" cannot create resource "pods/eviction"');
  const outcome = await api.evictPod({ namespace: 'default', name: 'web', uid: 'uid' });
  assert.match(
    typeof outcome === 'object' ? outcome.reason : '',
    /allow the verb "create" on "pods\/eviction"/,
  );
});

test('an eviction that the server did not look at is no denial', async () => {
  server.intercept = () => status(503, 'the server is starting');
  await assert.rejects(api.evictPod({ namespace: 'default', name: 'web', uid: 'uid' }), /starting/);
});

test('the pods of one node are asked of the server as they are now, not of its cache', async () => {
  const node = 'ip-10-0-0-1.ec2.internal';
  const put = (name: string, spec: object): void =>
    void server.put(PODS, { metadata: { namespace: 'default', name }, spec });
  put('on-it', { nodeName: node });
  put('elsewhere', { nodeName: 'ip-10-0-0-2.ec2.internal' });
  put('waiting', {});
  put('odd', { nodeName: node, containers: 'none' });
  const pods = await api.readNodePods(node);
  assert.deepEqual(
    pods.map(({ name, nodeName }) => ({ name, nodeName })),
    [
      { name: 'on-it', nodeName: node },
      { name: 'odd', nodeName: node },
    ],
  );
  assert.equal(server.requests.length, 1);
  assert.deepEqual([...(server.requests[0]?.query ?? [])], [['fieldSelector', `spec.nodeName=${node}`]]);
});

test('nodes and claims are asked of the server as they are now, page by page', async () => {
  const providerID = 'aws:///us-east-1a/i-1';
  server.put(NODES, { metadata: { name: 'ip-1' }, spec: { providerID } });
  server.put(NODES, { metadata: { name: 'ip-2' }, spec: {} });
  assert.deepEqual(await api.readNodeProviderIds(), new Set([providerID]));
  assert.equal((await api.readNode('ip-1'))?.providerId, providerID);
  assert.equal(await api.readNode('ip-3'), null);
  const { object } = await api.createNodeClaim({ name: 'default-1', spec: aNodeClaim().spec, ownerUid: 'u' });
  server.put('/apis/karpenter.sh/v1/nodeclaims', { metadata: { name: 'odd', uid: 'uid-odd' }, spec: 7 });
  const { claims, unreadable } = await api.readNodeClaims();
  assert.deepEqual([claims.map(({ uid }) => uid), unreadable], [[object.uid], ['uid-odd']]);
  const lists = server.requests.filter(({ method, path }) => method === 'GET' && !path.includes('/ip-'));
  assert.ok(lists.length > 1 && lists.every(({ query }) => [...query.keys()].join() === 'limit'));
});

test('another pod under the same name is not evicted', async () => {
  server.put(PODS, { metadata: { namespace: 'default', name: 'web' } });
  assert.equal(await api.evictPod({ namespace: 'default', name: 'web', uid: 'old' }), 'gone');
  assert.equal(server.collection(PODS).objects.size, 1);
});

test('a pod is deleted with the seconds given, and another under its name is not', async () => {
  const put = server.put(PODS, { metadata: { namespace: 'default', name: 'web' } });
  const pod = { namespace: 'default', name: 'web', uid: put.metadata.uid ?? '' };
  assert.equal(await api.deletePod({ ...pod, uid: 'old' }, 5), 'gone');
  assert.equal(server.collection(PODS).objects.size, 1);
  assert.equal(await api.deletePod(pod, 5), 'deleted');
  assert.deepEqual(server.requests.at(-1)?.body, { gracePeriodSeconds: 5, preconditions: { uid: pod.uid } });
  assert.equal(await api.deletePod(pod, 5), 'gone');
});

test('all volume attachments are read, page by page, as they are now', async () => {
  for (let index = 0; index < 1_100; index += 1) {
    const source = index === 0 ? { inlineVolumeSpec: {} } : { persistentVolumeName: `pv-${index}` };
    const spec = { attacher: 'ebs.csi.aws.com', nodeName: `ip-${index % 7}`, source };
    server.put(ATTACHMENTS, { metadata: { name: `csi-${index}` }, spec });
  }
  const attachments = await api.readVolumeAttachments();
  assert.equal(attachments.length, 1_100);
  assert.deepEqual(attachments.slice(0, 2), [
    { nodeName: 'ip-0', volumeName: '' },
    { nodeName: 'ip-1', volumeName: 'pv-1' },
  ]);
  assert.equal(server.requests.length, 3);
  assert.ok(server.requests.every(({ query }) => !query.has('resourceVersion')));
});

test('a list of attachments without the right to it is an answer, not an error', async () => {
  server.intercept = () => status(403, 'User "cooper" cannot list resource "volumeattachments"');
  assert.equal(await api.readVolumeAttachments(), 'forbidden');
});

test('whether a node reports volumes is asked of the server as it is now', async () => {
  const volumesAttached = [{ name: 'kubernetes.io/csi/ebs.csi.aws.com^vol-1', devicePath: '' }];
  server.put(NODES, { metadata: { name: 'ip-1' }, status: { volumesAttached } });
  server.put(NODES, { metadata: { name: 'ip-2' }, status: { volumesInUse: ['vol-2'], volumesAttached: [] } });
  server.put(NODES, { metadata: { name: 'ip-3' }, status: {} });
  const names = ['ip-1', 'ip-2', 'ip-3', 'ip-4'];
  const reported = await Promise.all(names.map((name) => api.reportsVolumes(name)));
  assert.deepEqual(reported, [true, true, false, false]);
  assert.ok(server.requests.every(({ query }) => [...query.keys()].length === 0));
});

test('a nomination goes into the status of that pod, and nothing else changes', async () => {
  const put = server.put(PODS, {
    metadata: { namespace: 'default', name: 'web' },
    spec: { priority: 1 },
    status: { phase: 'Pending' },
  });
  const pod = { namespace: 'default', name: 'web', uid: put.metadata.uid ?? '' };
  assert.equal(await api.nominatePod(pod, 'ip-1'), 'written');
  const [request] = server.requests;
  assert.equal(request?.method, 'PATCH');
  assert.equal(request?.path, '/api/v1/namespaces/default/pods/web/status');
  assert.deepEqual(request?.body, { metadata: { uid: pod.uid }, status: { nominatedNodeName: 'ip-1' } });
  const { spec, status: after } = stored(PODS, 'default/web');
  assert.deepEqual(spec, { priority: 1 });
  assert.deepEqual((after as { nominatedNodeName?: string }).nominatedNodeName, 'ip-1');
  assert.equal(await api.nominatePod(pod, ''), 'written');
  assert.deepEqual(server.requests[1]?.body, {
    metadata: { uid: pod.uid },
    status: { nominatedNodeName: null },
  });
});

const otherUid = { causes: [{ reason: 'FieldValueInvalid', field: 'metadata.uid' }] };
const NOT_NOMINATED = [
  { when: 'it is gone', answer: status(404, 'not found') },
  { when: 'it keeps changing', answer: status(409, 'the object has been modified') },
  { when: 'another has its name', answer: status(422, 'field is immutable', { details: otherUid }) },
];
for (const { when, answer } of NOT_NOMINATED) {
  test(`a pod is left alone by its nomination when ${when}`, async () => {
    server.intercept = () => answer;
    assert.equal(await api.nominatePod({ namespace: 'default', name: 'web', uid: 'u' }, 'ip-1'), 'gone');
    assert.equal(server.requests.length, 1);
  });
}

test('a nomination that the server forbids names the right to grant', async () => {
  server.intercept = () => status(403, 'pods "web" is forbidden', { reason: 'Forbidden' });
  const nominated = api.nominatePod({ namespace: 'default', name: 'web', uid: 'u' }, 'ip-1');
  await assert.rejects(nominated, /allow the verb "patch" on "pods\/status"/);
});

test('a refused write names verb, resource and the right to grant', async () => {
  server.intercept = () => status(403, 'nodes "ip-1" is forbidden', { reason: 'Forbidden' });
  await assert.rejects(api.deleteNode('ip-1', 'uid'), (error) => {
    assert.ok(error instanceof KubeApiError);
    assert.deepEqual([error.verb, error.target.resource, error.status], ['delete', 'nodes', 403]);
    assert.match(error.message, /cannot delete nodes "ip-1": HTTP 403 .*allow the verb "delete" on "nodes"/);
    return true;
  });
});

test('passing trouble is waited out, other trouble is not', async () => {
  const node = putNode();
  let answers = [503, 429, 200];
  server.intercept = () => ((answers.shift() ?? 200) === 200 ? null : status(503, 'not now'));
  assert.equal(await api.deleteNode('ip-1', node.uid), 'deleted');
  assert.deepEqual(timing.pauses, [100, 400]);
  answers = [400];
  server.intercept = () => status(400, 'nonsense');
  await assert.rejects(api.deleteNode('ip-1', node.uid), /HTTP 400 nonsense/);
  assert.equal(timing.pauses.length, 2);
  server.requests.length = 0;
  server.intercept = () => status(503, 'still not');
  await assert.rejects(api.deleteNode('ip-1', node.uid), /HTTP 503 still not/);
  assert.equal(server.requests.length, 4, 'and not for ever');
});

test('calls share connections', async () => {
  const node = putNode();
  for (let calls = 0; calls < 5; calls += 1) await api.patchNode(node, { labels: { app: String(calls) } });
  assert.equal(new Set(server.requests.map((one) => one.port)).size, 1);
});

test('Provisioner status: what it held before goes', async () => {
  const path = '/apis/karpenter.sh/v1alpha5/provisioners';
  server.put(path, {
    metadata: { name: 'default' },
    status: { resources: { cpu: '4', 'nvidia.com/gpu': '1' } },
  });
  const condition = { type: 'Active', status: 'True', reason: 'Ready', message: '', sinceMs: 0 } as const;
  await api.writeProvisionerStatus('default', {
    resources: { cpu: 2500, memory: 2 ** 30 },
    conditions: [condition],
  });
  assert.deepEqual(stored(path, 'default').status, {
    resources: { cpu: '2500m', memory: '1Gi' },
    conditions: [
      {
        type: 'Active',
        status: 'True',
        reason: 'Ready',
        message: '',
        lastTransitionTime: '1970-01-01T00:00:00Z',
      },
    ],
  });
  assert.equal(await api.writeProvisionerStatus('other', { resources: {}, conditions: [] }), 'gone');
});

test('nodes that never came up are noted beside the rest of the status, with or without one', async () => {
  const path = '/apis/karpenter.sh/v1alpha5/provisioners';
  const spec = { providerRef: { name: 'default' } };
  const apiVersion = 'karpenter.sh/v1alpha5';
  server.put(path, { apiVersion, kind: 'Provisioner', metadata: { name: 'default' }, spec });
  const failures = {
    ...{ configuration: '1/AWSNodeTemplate/default/1', nodes: 3, pauses: 1, hint: 'no Node joined' },
    ...{ pausedAtMs: 1_800_000_000_123, retryAtMs: 1_800_000_300_123 },
    ...{ imageIds: ['ami-0123'], claims: ['uid-1', 'uid-2'] },
  };
  const readBack = () => {
    const parsed = parseProvisioner(stored(path, 'default'));
    return parsed.kind === 'valid' ? (parsed.value.provisioner.launchFailures ?? null) : assert.fail();
  };
  assert.equal(await api.writeLaunchFailures('default', failures), 'written');
  assert.deepEqual(readBack(), failures);
  await api.writeProvisionerStatus('default', { resources: { cpu: 1000 }, conditions: [] });
  assert.deepEqual(readBack(), failures, 'the rest of the status is written beside it');
  await api.writeLaunchFailures('default', null);
  assert.equal(readBack(), null);
  assert.deepEqual(stored(path, 'default').status, { resources: { cpu: '1' }, conditions: [] });
  assert.equal(await api.writeLaunchFailures('other', null), 'gone');
});

test('a new Provisioner without a status gets one', async () => {
  const path = '/apis/karpenter.sh/v1alpha5/provisioners';
  server.put(path, { metadata: { name: 'default' } });
  assert.equal(await api.writeProvisionerStatus('default', { resources: {}, conditions: [] }), 'written');
  assert.deepEqual(stored(path, 'default').status, { resources: {}, conditions: [] });
});

const event: EventDraft = {
  about: { kind: 'Node', namespace: '', name: 'ip-1', uid: 'uid-1' },
  type: 'Normal',
  reason: 'Empty',
  message: 'no pods left',
};

test('an event that repeats is one event with a count', async () => {
  await api.publishEvent(event);
  timing.advance(5_000);
  await api.publishEvent(event); // too soon after the last write: counted here only
  timing.advance(20_000);
  await api.publishEvent(event);
  const events = [...server.collection(EVENTS).objects.values()];
  assert.equal(events.length, 1);
  assert.equal(events[0]?.count, 3);
  assert.equal(server.requests.filter((one) => one.method === 'PATCH').length, 1);
  assert.deepEqual(events[0]?.involvedObject, { apiVersion: 'v1', kind: 'Node', name: 'ip-1', uid: 'uid-1' });
  timing.advance(121_000);
  await api.publishEvent(event);
  assert.equal(server.collection(EVENTS).objects.size, 2, 'much later it is news again');
});

test('a flood of events about one object is cut, others are not', async () => {
  for (let index = 0; index < 100; index += 1)
    await api.publishEvent({ ...event, message: `message ${index}` });
  assert.equal(server.collection(EVENTS).objects.size, 20);
  await api.publishEvent({ ...event, about: { ...event.about, name: 'ip-2', uid: 'uid-2' } });
  assert.equal(server.collection(EVENTS).objects.size, 21);
});

test('an event that cannot be published is a problem of nobody but the log', async () => {
  server.intercept = () => status(403, 'events is forbidden');
  await api.publishEvent(event);
  assert.match(problems[0] ?? '', /allow the verb "create" on "events"/);
});
