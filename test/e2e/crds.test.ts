// The CRDs on a real API server: taken, enforced with our own words, and true to what is stored.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { nodeClaimManifest, nodeClaimStatusManifest, parseNodeClaim } from '../../src/api/nodeClaims.ts';
import { parseProvisioner } from '../../src/api/provisioners.ts';
import { RESOURCES } from '../../src/api/schemas/resources.ts';
import { apiVersionOf } from '../../src/api/schemas/schema.ts';
import type { NodeClaimSpec, NodeClaimStatus } from '../../src/model/nodeClaim.ts';
import { AWS_SPEC, claimManifest, inlineManifest, provisionerManifest } from '../api/manifests.ts';
import { RULE_EXAMPLES } from '../api/ruleExamples.ts';
import { type ControlPlane, startControlPlane } from './harness/controlPlane.ts';
import { KubeError, type KubeObject } from './harness/kube.ts';
import { reasonToSkip } from './harness/prerequisites.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const STORY = join(import.meta.dirname, 'stories', 'elastic-nginx-provisioner.yaml');

function collectionOf(manifest: Record<string, unknown>): string {
  const resource = RESOURCES.find(
    (candidate) => candidate.kind === manifest.kind && apiVersionOf(candidate) === manifest.apiVersion,
  );
  assert.ok(resource);
  return `/apis/${apiVersionOf(resource)}/${resource.plural}`;
}

const CLAIM_SPEC: NodeClaimSpec = {
  provisioner: 'owner',
  nodeClassRef: { kind: 'Provisioner', name: 'owner' },
  labels: { team: 'a', 'karpenter.sh/capacity-type': 'spot' },
  annotations: { note: 'any text' },
  taints: [{ key: 'gpu', value: 'true', effect: 'NoSchedule' }],
  startupTaints: [{ key: 'agent', value: '', effect: 'NoExecute' }],
  kubelet: {
    clusterDns: ['10.0.0.10'],
    maxPods: 29,
    evictionHard: { 'memory.available': '5%' },
    cpuCfsQuota: true,
  },
  requirements: [
    { key: 'kubernetes.io/arch', operator: 'In', values: ['amd64'] },
    { key: 'karpenter.k8s.aws/instance-generation', operator: 'Gt', values: ['2'] },
    { key: 'example.com/team', operator: 'Exists', values: [] },
  ],
  instanceTypes: ['m5.large', 'm5.xlarge'],
  requests: { cpu: 1350, memory: 1610612736, pods: 7 },
};

const CLAIM_STATUS: NodeClaimStatus = {
  providerId: 'aws:///us-east-1a/i-0123456789abcdef0',
  nodeName: 'ip-10-0-0-1.ec2.internal',
  instanceType: 'm5.large',
  zone: 'us-east-1a',
  capacityType: 'spot',
  imageId: 'ami-1',
  usdPerHour: 0.0416,
  capacity: { cpu: 2000, memory: 8589934592 },
  allocatable: { cpu: 1930, memory: 7000000001 },
  conditions: [
    { type: 'Launched', status: 'True', reason: 'Launched', message: 'm5.large', sinceMs: 1795257600123 },
  ],
};

describe('the CRDs', { skip: await reasonToSkip() }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'cooper-crds-'));
  let plane: ControlPlane;
  before(
    async () => {
      plane = await startControlPlane({ dir });
      await plane.kubectl(['apply', '--server-side', '-f', join(ROOT, 'charts/cooper-crd/templates')]);
      await plane.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
    },
    { timeout: 20 * 60_000 },
  );
  after(async () => {
    await plane?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const dryRun = (manifest: Record<string, unknown>): Promise<KubeObject> =>
    plane.kube.create(`${collectionOf(manifest)}?dryRun=All`, manifest);

  const refusal = async (attempt: Promise<unknown>): Promise<string> => {
    const error = await attempt.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof KubeError, 'the API server took it');
    assert.equal(error.status, 422);
    return error.message;
  };

  it('have structural schemas that the API server finds nothing wrong with', async () => {
    const crds = await plane.kube.list<
      KubeObject & { status: { conditions: { type: string; status: string }[] } }
    >('/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
    assert.equal(crds.length, RESOURCES.length);
    for (const { metadata, status } of crds) {
      const held = status.conditions
        .filter((condition) => condition.status === 'True')
        .map(({ type }) => type);
      assert.deepEqual(held.sort(), ['Established', 'NamesAccepted'], metadata.name);
    }
  });

  for (const { field, message, bad, good } of RULE_EXAMPLES) {
    it(`refuse ${String(bad.kind)} ${field}: ${message}`, async () => {
      assert.ok((await refusal(dryRun(bad))).includes(message));
      await dryRun(good);
    });
  }

  it('refuse a Provisioner name that could be no label value', async () => {
    const manifest = { ...provisionerManifest(), metadata: { name: 'a'.repeat(64) } };
    assert.match(await refusal(dryRun(manifest)), /metadata\.name is longer than 63 characters/);
  });

  it('store the manifest of the story as it was written', async () => {
    await plane.kubectl(['apply', '-f', STORY]);
    const written = parse(readFileSync(STORY, 'utf8')) as Record<string, unknown>;
    const stored = await plane.kube.get<KubeObject & { spec: unknown }>(`${collectionOf(written)}/default`);
    assert.deepEqual(stored?.spec, written.spec);
    assert.equal(parseProvisioner(stored).kind, 'valid');
    assert.match(
      await plane.kubectl(['get', 'prov']),
      /^NAME +TEMPLATE +ACTIVE +CPU +CPU LIMIT +AGE\ndefault /,
    );
    assert.match(await plane.kubectl(['get', 'karpenter']), /provisioner\.karpenter\.sh\/default/);
  });

  it('keep unknown keys of an inline provider, so that we can name them', async () => {
    const manifest = inlineManifest({ ...AWS_SPEC, instanceProfil: 'x' });
    const stored = await dryRun({ ...manifest, metadata: { name: 'strict' } });
    const parsed = parseProvisioner(stored);
    assert.equal(parsed.kind, 'invalid');
    assert.deepEqual(
      parsed.problems.map(({ field }) => field),
      ['spec.provider.instanceProfil'],
    );
  });

  it('give a NodeClaim back as it was written, and let nobody change its spec', async () => {
    const owner = { ...provisionerManifest(), metadata: { name: 'owner' } };
    const { metadata } = await plane.kube.create(collectionOf(owner), owner);
    const path = collectionOf(claimManifest());
    const draft = nodeClaimManifest({ name: 'owner-abcde', spec: CLAIM_SPEC, ownerUid: metadata.uid });
    await plane.kube.create(path, draft);
    await plane.kube.patch(`${path}/owner-abcde/status`, { status: nodeClaimStatusManifest(CLAIM_STATUS) });
    const parsed = parseNodeClaim(await plane.kube.get(`${path}/owner-abcde`));
    assert.equal(parsed.kind, 'valid', JSON.stringify(parsed));
    assert.deepEqual(parsed.value.spec, CLAIM_SPEC);
    assert.deepEqual(parsed.value.status, CLAIM_STATUS);
    assert.deepEqual(parsed.value.finalizers, ['karpenter.sh/termination']);

    const change = plane.kube.patch(`${path}/owner-abcde`, { spec: { instanceTypes: ['m5.metal'] } });
    const words = 'was changed after creation; leave it: delete the NodeClaim to get another node';
    assert.ok((await refusal(change)).includes(words));
    await plane.kube.patch(`${path}/owner-abcde`, { metadata: { annotations: { a: 'b' } } });
  });
});
