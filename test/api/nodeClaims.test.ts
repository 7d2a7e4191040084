// NodeClaims: what is written is what is read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeClaimManifest, nodeClaimStatusManifest, parseNodeClaim } from '../../src/api/nodeClaims.ts';
import type {
  NodeClaim,
  NodeClaimCondition,
  NodeClaimSpec,
  NodeClaimStatus,
} from '../../src/model/nodeClaim.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import type { KubeletConfiguration } from '../../src/model/provisioner.ts';
import type { Requirement } from '../../src/model/requirement.ts';
import { claimManifest } from './manifests.ts';

const name = fc.stringMatching(/^[a-z]([-a-z0-9]{0,8}[a-z0-9])?$/);
const key = fc.oneof(name, fc.constantFrom('kubernetes.io/hostname', 'topology.kubernetes.io/zone', 'a.b/c'));
const texts = fc.dictionary(name, name, { maxKeys: 4 });
const amounts = fc.record(
  {
    cpu: fc.nat(),
    memory: fc.maxSafeNat(),
    pods: fc.nat({ max: 500 }),
    'nvidia.com/gpu': fc.nat({ max: 16 }),
  },
  { requiredKeys: [] },
);

const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.uniqueArray(name, { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    key,
    operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
    values: fc.constant([]),
    minValues: fc.integer({ min: 1, max: 50 }),
  }),
  fc.record({
    key,
    operator: fc.constantFrom('Gt' as const, 'Lt' as const),
    values: fc.nat().map((number) => [String(number)]),
  }),
);

const effect = fc.constantFrom('NoSchedule' as const, 'PreferNoSchedule' as const, 'NoExecute' as const);
/** Prefixes keep the two lists of a claim apart, as its rules ask. */
const taints = (prefix: string): fc.Arbitrary<NodeClaimSpec['taints']> =>
  fc.uniqueArray(
    fc.record({ key: name.map((text) => prefix + text), value: fc.oneof(name, fc.constant('')), effect }),
    {
      selector: (taint) => `${taint.key}:${taint.effect}`,
      maxLength: 3,
    },
  );

const kubelet: fc.Arbitrary<KubeletConfiguration> = fc.oneof(
  fc.constant({}),
  fc.constant({
    clusterDns: ['10.0.0.10', 'fd00::a'],
    containerRuntime: 'containerd',
    maxPods: 29,
    podsPerCore: 4,
    systemReserved: { cpu: '100m' },
    kubeReserved: { memory: '1Gi' },
    evictionHard: { 'memory.available': '5%' },
    evictionSoft: { 'memory.available': '10%' },
    evictionSoftGracePeriod: { 'memory.available': '1m' },
    evictionMaxPodGracePeriod: 60,
    imageGcHighThresholdPercent: 85,
    imageGcLowThresholdPercent: 80,
    cpuCfsQuota: false,
  }),
);

const alone: fc.Arbitrary<NodeClaimSpec> = fc.record({
  provisioner: name,
  nodeClassRef: fc.record({
    kind: fc.constantFrom('Provisioner' as const, 'AWSNodeTemplate' as const),
    name,
  }),
  labels: texts,
  annotations: texts,
  taints: taints('t-'),
  startupTaints: taints('s-'),
  kubelet,
  requirements: fc.array(requirement, { maxLength: 5 }),
  instanceTypes: fc.array(name, { maxLength: 60 }),
  requests: amounts,
});
const launchGroup = fc.record({ id: name, size: fc.integer({ min: 2, max: 100 }) });
const grace = fc.nat({ max: 10 ** 10 });
const spec = fc.oneof(
  alone,
  fc
    .tuple(alone, grace)
    .map(([one, terminationGracePeriodMs]): NodeClaimSpec => ({ ...one, terminationGracePeriodMs })),
  fc.tuple(alone, launchGroup).map(([one, group]): NodeClaimSpec => ({ ...one, launchGroup: group })),
);

const condition: fc.Arbitrary<NodeClaimCondition> = fc.record({
  type: fc.constantFrom(
    'Launched',
    'Registered',
    'Initialized',
    'Drained',
    'VolumesDetached',
    'InstanceTerminating',
  ),
  status: fc.constantFrom('True', 'False', 'Unknown'),
  reason: name,
  message: fc.string({ maxLength: 50 }),
  sinceMs: fc.nat({ max: 4_000_000_000_000 }),
});

const text = fc.oneof(fc.constant(''), name);
const status: fc.Arbitrary<NodeClaimStatus> = fc.record({
  providerId: text,
  nodeName: text,
  instanceType: text,
  zone: text,
  capacityType: fc.constantFrom(null, 'spot' as const, 'on-demand' as const),
  imageId: text,
  usdPerHour: fc.oneof(fc.constant(null), fc.double({ min: 0, max: 500, noNaN: true }).map(Math.abs)),
  capacity: amounts,
  allocatable: amounts,
  conditions: fc.array(condition, { maxLength: 5 }),
});

/** The manifest after a trip through JSON, as the API server stores it. */
function readBack(manifest: object): NodeClaim {
  const parsed = parseNodeClaim(JSON.parse(JSON.stringify(manifest)));
  assert.equal(parsed.kind, 'valid', JSON.stringify(parsed));
  return parsed.value;
}

test('spec and status read back as they were written', () => {
  fc.assert(
    fc.property(spec, status, (writtenSpec, writtenStatus) => {
      const manifest = nodeClaimManifest({ name: 'default-abcde', spec: writtenSpec, ownerUid: 'u1' });
      const claim = readBack({ ...manifest, status: nodeClaimStatusManifest(writtenStatus) });
      assert.equal(claim.name, 'default-abcde');
      assert.deepEqual(claim.spec, structuredClone(writtenSpec));
      assert.deepEqual(claim.status, structuredClone(writtenStatus));
    }),
    { numRuns: 300 },
  );
});

test('a new claim names its Provisioner, its owner and its finalizer, and has no status yet', () => {
  const [example] = fc.sample(spec, { numRuns: 1, seed: 1 });
  assert.ok(example);
  const manifest = nodeClaimManifest({
    name: 'a',
    spec: { ...example, provisioner: 'blue' },
    ownerUid: 'u1',
  });
  const { metadata } = manifest as { readonly metadata: unknown };
  assert.deepEqual(metadata, {
    name: 'a',
    labels: { 'karpenter.sh/provisioner-name': 'blue' },
    finalizers: ['karpenter.sh/termination'],
    ownerReferences: [
      {
        apiVersion: 'karpenter.sh/v1alpha5',
        kind: 'Provisioner',
        name: 'blue',
        uid: 'u1',
        blockOwnerDeletion: true,
      },
    ],
  });
  assert.deepEqual(readBack(manifest).status, NO_STATUS);
});

test('what the API server adds is read too', () => {
  const claim = readBack({
    ...claimManifest(),
    metadata: {
      name: 'a',
      uid: 'u2',
      resourceVersion: '17',
      creationTimestamp: '2026-11-21T10:00:00Z',
      deletionTimestamp: '2026-11-21T11:00:00Z',
      finalizers: ['karpenter.sh/termination'],
      annotations: { 'karpenter.sh/emptiness-timestamp': '2026-11-21T10:30:00.500Z' },
    },
  });
  assert.equal(claim.uid, 'u2');
  assert.equal(claim.resourceVersion, '17');
  assert.equal(claim.createdAtMs, Date.parse('2026-11-21T10:00:00Z'));
  assert.equal(claim.deletionRequestedAtMs, Date.parse('2026-11-21T11:00:00Z'));
  assert.equal(claim.emptySinceMs, Date.parse('2026-11-21T10:30:00.500Z'));
  assert.deepEqual(claim.finalizers, ['karpenter.sh/termination']);
});

test('conditions of others are left aside, a broken status is refused', () => {
  const foreign = { ...claimManifest(), status: { conditions: [{ type: 'Theirs', status: 'True' }] } };
  assert.deepEqual(readBack(foreign).status.conditions, []);
  const broken = parseNodeClaim({ ...claimManifest(), status: { usdPerHour: 'cheap' } });
  assert.equal(broken.kind, 'invalid');
  assert.equal(broken.problems[0]?.field, 'status.usdPerHour');
});
