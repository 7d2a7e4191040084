// The Kubernetes adapter against a real API server: watch, writes, evictions under a budget, finalizers, events.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ClusterWatch, type InvalidManifest, watchCluster } from '../../src/kube/clusterWatch.ts';
import { connectKube } from '../../src/kube/connect.ts';
import { ServerKubeApi } from '../../src/kube/kubeApi.ts';
import { readServerInfo } from '../../src/kube/serverInfo.ts';
import { REAL_TIMING } from '../../src/kube/timing.ts';
import { KubeTransport } from '../../src/kube/transport.ts';
import type { ClusterEvent } from '../../src/model/clusterEvent.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNodeClaim } from '../builders.ts';
import { type ControlPlane, startControlPlane } from './harness/controlPlane.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import { until } from './harness/until.ts';

const CRD_FOLDER = join(import.meta.dirname, '..', '..', 'charts', 'cooper-crd', 'templates');

function nodeManifest(name: string): object {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { 'kubernetes.io/hostname': name } } };
}

function podManifest(name: string, more: object = {}): object {
  const containers = [
    { name: 'main', image: 'nginx', resources: { limits: { cpu: '100m', memory: '64Mi' } } },
  ];
  const metadata = { name, namespace: 'default', labels: { app: 'web' } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers, ...more } };
}

const PROVISIONER = {
  apiVersion: 'karpenter.sh/v1alpha5',
  kind: 'Provisioner',
  metadata: { name: 'default' },
  spec: { provider: { subnetSelector: { a: 'b' }, securityGroupSelector: { a: 'b' } } },
};

describe('the Kubernetes adapter', { skip: await reasonToSkip() }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'cooper-kube-'));
  const state = new ClusterState();
  const events: ClusterEvent[] = [];
  const invalid: InvalidManifest[] = [];
  const problems: string[] = [];
  let plane: ControlPlane;
  let transport: KubeTransport;
  let api: ServerKubeApi;
  let watch: ClusterWatch;

  before(
    async () => {
      plane = await startControlPlane({ dir });
      await plane.kubectl(['apply', '--server-side', '-f', CRD_FOLDER]);
      await plane.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
      const connection = await connectKube({ kubeconfig: plane.kubeconfigPath, env: {} });
      transport = new KubeTransport(connection, {
        timeoutMs: 10_000,
        timing: REAL_TIMING,
        userAgent: 'cooper',
      });
      const onProblem = (error: Error): void => void problems.push(error.message);
      api = new ServerKubeApi(transport, { timing: REAL_TIMING, onProblem });
      const onEvent = (event: ClusterEvent): void => {
        events.push(event);
        state.apply(event);
      };
      watch = watchCluster(
        transport,
        { onEvent, onInvalid: (object) => void invalid.push(object), onProblem },
        REAL_TIMING,
      );
      await watch.synced;
    },
    { timeout: 20 * 60_000 },
  );
  after(async () => {
    await watch?.stop();
    await plane?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const seen = (what: string, look: () => unknown): Promise<unknown> =>
    until(() => Boolean(look()), { what, timeoutMs: 10_000, intervalMs: 10 });
  const apply = (object: object): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], JSON.stringify(object));

  it('knows the server', async () => {
    const connection = await connectKube({ kubeconfig: plane.kubeconfigPath, env: {} });
    const info = await readServerInfo(transport, connection);
    assert.match(info.kubernetesVersion, /^1\.\d+$/);
    assert.equal(info.serviceCidr, '10.96.0.0/16');
    assert.equal(info.endpoint, plane.url);
    assert.match(Buffer.from(info.clusterCa ?? '', 'base64').toString(), /BEGIN CERTIFICATE/);
  });

  it('sees a pod turn Unschedulable, requests defaulted by the server', async () => {
    await apply(podManifest('lonely', { nodeSelector: { nowhere: 'x' } }));
    await seen('the mark', () => state.get('pod', 'default/lonely')?.unschedulableSinceMs);
    assert.deepEqual(state.get('pod', 'default/lonely')?.spec.requests, {
      cpu: 100,
      memory: 64 * 2 ** 20,
      pods: 1,
    });
    await plane.kubectl(['delete', 'pod', 'lonely', '--grace-period=0', '--force']);
    await seen('the deletion', () => state.get('pod', 'default/lonely') === undefined);
  });

  it('keeps a NodeClaim through creation, status, emptiness, deletion and release', async () => {
    await apply(PROVISIONER);
    await seen('the Provisioner', () => state.get('provisioner', 'default'));
    assert.ok(state.get('nodeClass', 'Provisioner/default') !== undefined);
    const ownerUid = state.get('provisioner', 'default')?.uid ?? '';
    const draft = { name: 'default-1', spec: { ...aNodeClaim().spec, provisioner: 'default' }, ownerUid };
    const created = await api.createNodeClaim(draft);
    assert.equal(created.kind, 'written');
    assert.deepEqual(created.object.spec, draft.spec, 'the CRD drops nothing that we store');
    assert.equal((await api.createNodeClaim(draft)).kind, 'exists');
    const condition = {
      type: 'Launched',
      status: 'True',
      reason: 'Launched',
      message: '',
      sinceMs: 1_000,
    } as const;
    const status = {
      ...created.object.status,
      providerId: 'aws:///us-east-1a/i-1',
      capacityType: 'spot' as const,
      usdPerHour: 0.0123,
      capacity: { cpu: 2000 },
      conditions: [condition],
    };
    const written = await api.writeNodeClaimStatus(created.object, status);
    assert.ok(written.kind === 'written');
    assert.deepEqual(written.object.status, status);
    assert.deepEqual(await api.writeNodeClaimStatus(created.object, status), { kind: 'conflict' });
    const stamped = await api.writeEmptySince(written.object, 60_000);
    assert.ok(stamped.kind === 'written');
    await seen('the stamp', () => state.get('nodeClaim', 'default-1')?.emptySinceMs === 60_000);
    assert.equal(await api.deleteNodeClaim('default-1', 'not-its-uid'), 'gone');
    assert.equal(await api.deleteNodeClaim('default-1', created.object.uid), 'deleted');
    await seen('the mark', () => state.get('nodeClaim', 'default-1')?.deletionRequestedAtMs);
    assert.equal(await api.releaseNodeClaim('default-1'), 'released');
    await seen('it gone', () => state.get('nodeClaim', 'default-1') === undefined);
    assert.equal(await api.releaseNodeClaim('default-1'), 'gone');
  });

  it('writes status of Provisioners, and what it no longer names goes', async () => {
    const condition = { type: 'Active', status: 'True', reason: 'Ready', message: '', sinceMs: 0 } as const;
    const conditions = [condition];
    await api.writeProvisionerStatus('default', {
      resources: { cpu: 4000, 'nvidia.com/gpu': 1 },
      conditions,
    });
    assert.equal(
      await api.writeProvisionerStatus('default', { resources: { cpu: 1500 }, conditions }),
      'written',
    );
    const text = await plane.kubectl(['get', 'provisioner', 'default', '-o', 'jsonpath={.status.resources}']);
    assert.deepEqual(JSON.parse(text), { cpu: '1500m' });
    assert.equal(await api.writeProvisionerStatus('absent', { resources: {}, conditions }), 'gone');
    assert.equal(await api.writeNodeTemplateStatus('absent', conditions), 'gone');
  });

  it('patches a node beside others: labels, taints, finalizer; another node of that name is left alone', async () => {
    await apply(nodeManifest('ip-1'));
    await seen('the node', () => state.get('node', 'ip-1'));
    const node = state.get('node', 'ip-1');
    assert.ok(node !== undefined);
    const taint = { key: 'karpenter.sh/disrupted', value: '', effect: 'NoSchedule' } as const;
    const patch = {
      labels: { a: 'b' },
      addTaints: [taint],
      addFinalizer: 'karpenter.sh/termination',
      unschedulable: true,
    };
    const outcome = await api.patchNode(node, patch);
    assert.ok(outcome.kind === 'written');
    assert.equal(outcome.object.labels.a, 'b');
    assert.ok(outcome.object.taints.some((one) => one.key === taint.key));
    const released = await api.patchNode(node, {
      removeFinalizer: 'karpenter.sh/termination',
      removeTaints: [taint],
    });
    assert.ok(released.kind === 'written');
    assert.ok(!released.object.taints.some((one) => one.key === taint.key));
    assert.equal(await api.deleteNode('ip-1', node.uid), 'deleted');
    await apply(nodeManifest('ip-1'));
    await seen('the new node', () => (state.get('node', 'ip-1')?.uid ?? node.uid) !== node.uid);
    assert.deepEqual(await api.patchNode(node, { labels: { a: 'b' } }), { kind: 'gone' });
    assert.deepEqual(await api.patchNode(node, { addTaints: [taint] }), { kind: 'gone' });
    assert.equal(await api.deleteNode('ip-1', node.uid), 'gone');
    assert.ok(state.get('node', 'ip-1') !== undefined);
  });

  it('evicts, unless a budget forbids it or the pod is another', async () => {
    for (const name of ['web-0', 'web-1']) {
      await apply(podManifest(name, { nodeName: 'ip-1', terminationGracePeriodSeconds: 0 }));
      await plane.kube.patch(`/api/v1/namespaces/default/pods/${name}/status`, {
        status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
      });
    }
    await seen('both pods', () => state.get('pod', 'default/web-1')?.ready);
    const pod = state.get('pod', 'default/web-0');
    assert.ok(pod !== undefined);
    assert.equal(await api.evictPod({ ...pod, uid: 'b3c8e6a0-0000-4000-8000-000000000000' }), 'gone');
    const budget = { selector: { matchLabels: { app: 'web' } }, minAvailable: 2 };
    await apply({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web' },
      spec: budget,
    });
    assert.equal(await api.evictPod(pod), 'blocked');
    await apply({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'too' },
      spec: budget,
    });
    assert.equal(await api.evictPod(pod), 'blocked', 'two budgets');
    await plane.kubectl(['delete', 'pdb', 'web', 'too']);
    await seen('the budgets gone', () => state.snapshot(0).disruptionBudgets.length === 0);
    assert.equal(await api.evictPod(pod), 'evicted');
    await seen('the mark', () => state.get('pod', 'default/web-0')?.deletionRequestedAtMs !== null);
    const other = state.get('pod', 'default/web-1');
    assert.ok(other !== undefined);
    assert.equal(await api.deletePod({ ...other, uid: pod.uid }, 7), 'gone', 'another pod of that name');
    assert.equal(await api.deletePod(other, 7), 'deleted');
    await seen('the other mark', () => state.get('pod', 'default/web-1')?.deletionRequestedAtMs !== null);
    assert.equal(await api.deletePod({ ...other, name: 'web-9' }, 7), 'gone');
  });

  it('publishes events that kubectl shows, counted up', async () => {
    const uid = state.get('provisioner', 'default')?.uid ?? '';
    const about = { kind: 'Provisioner', namespace: '', name: 'default', uid } as const;
    await api.publishEvent({
      about,
      type: 'Warning',
      reason: 'LimitExceeded',
      message: 'cpu limit 4 is reached',
    });
    const text = await plane.kubectl(['describe', 'provisioner', 'default']);
    assert.match(text, /Warning\s+LimitExceeded\s+\S+\s+cooper\s+cpu limit 4 is reached/);
  });

  it('reports an invalid Provisioner that the CRD let through, and takes it out of use', async () => {
    const requirements = [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['x'] }];
    await apply({
      ...PROVISIONER,
      metadata: { name: 'odd' },
      spec: { ...PROVISIONER.spec, requirements },
    }).catch(() => '');
    const stored = await plane.kube.get('/apis/karpenter.sh/v1alpha5/provisioners/odd');
    if (stored !== null) await seen('the report', () => invalid.some((one) => one.name === 'odd'));
    assert.equal(state.get('provisioner', 'odd'), undefined);
  });

  it('names the permission that is missing', async () => {
    await plane.kubectl(['create', 'serviceaccount', 'nobody', '--namespace=default']);
    const kubeconfig = await plane.serviceAccountKubeconfig('default', 'nobody');
    const connection = await connectKube({ kubeconfig, env: {} });
    const options = { timeoutMs: 10_000, timing: REAL_TIMING, userAgent: 'cooper' };
    const powerless = new ServerKubeApi(new KubeTransport(connection, options), {
      timing: REAL_TIMING,
      onProblem: () => {},
    });
    await assert.rejects(
      powerless.deleteNode('ip-1', 'x'),
      /HTTP 403 .*allow the verb "delete" on "nodes" in the ClusterRole/,
    );
  });

  it('told of nothing else that went wrong', () => {
    // The server says so for a moment after a CRD is established; the watch is tried again.
    const starting = /HTTP 429 storage is \(re\)initializing/;
    assert.deepEqual(
      problems.filter((problem) => !starting.test(problem)),
      [],
    );
    assert.ok(watch.stalenessMs(Date.now()) < 120_000);
  });
});
