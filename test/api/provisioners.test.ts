// Provisioner manifests: what they become, and what is said of those that are wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeObjectProblem, describeProblem } from '../../src/api/parsed.ts';
import { type ParsedProvisioner, parseProvisioner } from '../../src/api/provisioners.ts';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import type { Requirement } from '../../src/model/requirement.ts';
import { AWS_SPEC, inlineManifest, provisionerManifest } from './manifests.ts';

function parsedOf(manifest: unknown): ParsedProvisioner {
  const parsed = parseProvisioner(manifest);
  assert.equal(parsed.kind, 'valid', JSON.stringify(parsed));
  return parsed.value;
}

function problemsOf(manifest: unknown): readonly string[] {
  const parsed = parseProvisioner(manifest);
  assert.equal(parsed.kind, 'invalid');
  return parsed.problems.map((problem) => describeObjectProblem('Provisioner', parsed.name, problem));
}

test('a full manifest becomes the model, with units in its names', () => {
  const { provisioner, nodeClass } = parsedOf({
    ...provisionerManifest({
      labels: { team: 'a' },
      annotations: { note: 'any text' },
      taints: [{ key: 'gpu', effect: 'NoSchedule' }],
      startupTaints: [{ key: 'agent', value: 'x', effect: 'NoExecute' }],
      requirements: [{ key: 'beta.kubernetes.io/arch', operator: 'In', values: ['arm64'], minValues: 1 }],
      kubeletConfiguration: {
        clusterDNS: ['10.0.0.10'],
        cpuCFSQuota: false,
        kubeReserved: { cpu: 1 },
        maxPods: 20,
      },
      ttlSecondsAfterEmpty: 30,
      ttlSecondsUntilExpired: 2_592_000,
      limits: { resources: { cpu: 1000, memory: '1000Gi' } },
      weight: 7,
    }),
    metadata: {
      name: 'default',
      uid: 'u1',
      generation: 3,
      deletionTimestamp: '2026-11-21T10:00:00Z',
    },
  });
  assert.equal(nodeClass, null);
  const { requirements, ...rest } = provisioner;
  const arch: Requirement = { key: 'kubernetes.io/arch', operator: 'In', values: ['arm64'], minValues: 1 };
  assert.deepEqual(requirements[0], arch);
  assert.deepEqual(rest, {
    name: 'default',
    uid: 'u1',
    generation: 3,
    labels: { team: 'a' },
    annotations: { note: 'any text' },
    taints: [{ key: 'gpu', value: '', effect: 'NoSchedule' }],
    startupTaints: [{ key: 'agent', value: 'x', effect: 'NoExecute' }],
    kubelet: { clusterDns: ['10.0.0.10'], cpuCfsQuota: false, kubeReserved: { cpu: '1' }, maxPods: 20 },
    nodeClassRef: { kind: 'AWSNodeTemplate', name: 'default' },
    ttlAfterEmptyMs: 30_000,
    ttlUntilExpiredMs: 2_592_000_000,
    disruption: NO_CONSOLIDATION,
    terminationGracePeriodMs: null,
    suspended: false,
    offHours: [],
    limits: { cpu: 1_000_000, memory: 1000 * 2 ** 30 },
    weight: 7,
    deletionRequestedAtMs: Date.parse('2026-11-21T10:00:00Z'),
  });
});

test('disruption and suspension are read, durations in milliseconds', () => {
  const window = { schedule: '0 9 * * mon-fri', duration: '8h', timeZone: 'Europe/Berlin' };
  const { provisioner } = parsedOf(
    provisionerManifest({
      suspend: true,
      ttlSecondsUntilExpired: 864_000,
      schedule: { timeZone: 'Asia/Tokyo', offHours: [{ start: '0 19 * * *', duration: '12h' }] },
      terminationGracePeriod: '1h30m',
      disruption: {
        consolidationPolicy: 'WhenEmptyOrUnderutilized',
        consolidateAfter: '1m30s',
        budgets: [
          { nodes: '20%', reasons: ['Empty'], ...window },
          { nodes: '3' },
          { action: 'Deny', ...window },
          { action: 'Allow', ...window },
          { action: 'Allow', nodes: '2', ...window },
        ],
        minimumSavings: { percent: 15 },
        minimumNodeAge: '1h',
        expireJitter: '1d',
        drift: { policy: 'Replace', canary: { nodes: 2, soak: '2m' } },
      },
    }),
  );
  assert.equal(provisioner.suspended, true);
  assert.equal(provisioner.terminationGracePeriodMs, 5_400_000);
  const { budgets, ...rest } = provisioner.disruption;
  assert.deepEqual(rest, {
    consolidation: 'WhenEmptyOrUnderutilized',
    consolidateAfterMs: 90_000,
    minimumSavings: { percent: 15, usdPerHour: 0, usdPerHourPerEvictedPod: 0 },
    minimumNodeAgeMs: 3_600_000,
    expireJitterMs: 86_400_000,
    drift: { policy: 'Replace', canary: { nodes: 2, soakMs: 120_000 } },
  });
  assert.deepEqual(budgets[0]?.nodes, { kind: 'percent', amount: 20 });
  assert.deepEqual(budgets[0]?.reasons, ['Empty']);
  assert.deepEqual(budgets[0]?.window?.schedule.hours, [9]);
  assert.equal(budgets[0]?.window?.timeZone, 'Europe/Berlin');
  assert.equal(budgets[0]?.window?.durationMs, 8 * 3_600_000);
  assert.deepEqual(budgets[1], { nodes: { kind: 'count', amount: 3 }, reasons: null, window: null });
  assert.deepEqual(
    budgets.slice(2).map(({ nodes, onlyWithin = false }) => [nodes.amount, nodes.kind, onlyWithin]),
    [
      [0, 'count', false],
      [100, 'percent', true],
      [2, 'count', true],
    ],
  );
  const [off, ...more] = provisioner.offHours ?? [];
  assert.deepEqual(more, []);
  assert.deepEqual(
    [off?.schedule.hours, off?.durationMs, off?.timeZone],
    [[19], 12 * 3_600_000, 'Asia/Tokyo'],
  );
});

const policies = [
  { spec: {}, policy: 'Never' },
  { spec: { consolidation: { enabled: true } }, policy: 'WhenEmptyOrUnderutilized' },
  { spec: { consolidation: { enabled: false } }, policy: 'Never' },
  { spec: { disruption: { consolidationPolicy: 'WhenEmpty' } }, policy: 'WhenEmpty' },
  { spec: { consolidation: { enabled: true }, disruption: { consolidateAfter: 'Never' } }, policy: 'Never' },
];
for (const { spec, policy } of policies) {
  test(`${JSON.stringify(spec)} consolidates ${policy}`, () => {
    assert.equal(parsedOf(provisionerManifest(spec)).provisioner.disruption.consolidation, policy);
  });
}

const faultyBudgets = [
  { budget: { schedule: '61 * * * *' }, says: /budgets\[0\]\.schedule is no cron schedule/ },
  { budget: { schedule: '@daily', timeZone: 'Mars/Phobos' }, says: /budgets\[0\]\.timeZone is no time zone/ },
];
for (const { budget, says } of faultyBudgets) {
  test(`a budget with ${JSON.stringify(budget)} is refused`, () => {
    const budgets = [{ nodes: '1', duration: '1h', ...budget }];
    const parsed = parseProvisioner(provisionerManifest({ disruption: { budgets } }));
    assert.equal(parsed.kind, 'invalid');
    assert.match(parsed.problems.map(describeProblem).join(), says);
  });
}

test('what is absent is null, empty or off', () => {
  const { provisioner } = parsedOf(provisionerManifest());
  assert.equal(provisioner.ttlAfterEmptyMs, null);
  assert.equal(provisioner.ttlUntilExpiredMs, null);
  assert.equal(provisioner.limits, null);
  assert.equal(provisioner.weight, 0);
  assert.deepEqual(provisioner.kubelet, {});
});

test('an inline provider becomes a node class of the Provisioner', () => {
  const { provisioner, nodeClass } = parsedOf({
    ...inlineManifest({
      ...AWS_SPEC,
      metadataOptions: { httpPutResponseHopLimit: 1 },
      blockDeviceMappings: [{ deviceName: '/dev/xvda', ebs: { volumeSize: '20G', encrypted: true } }],
    }),
    metadata: { name: 'default', generation: 4 },
  });
  assert.deepEqual(provisioner.nodeClassRef, { kind: 'Provisioner', name: 'default' });
  assert.deepEqual(nodeClass, {
    key: 'Provisioner/default',
    generation: 4,
    subnetSelector: { team: 'a' },
    securityGroupSelector: { team: 'a' },
    instanceProfile: 'node',
    amiFamily: null,
    amiSelector: {},
    userData: null,
    launchTemplate: null,
    tags: {},
    metadataOptions: {
      httpEndpoint: 'enabled',
      httpProtocolIpv6: 'disabled',
      httpPutResponseHopLimit: 1,
      httpTokens: 'required',
    },
    blockDevices: [
      {
        deviceName: '/dev/xvda',
        volumeSizeGib: 19,
        volumeType: null,
        iops: null,
        throughput: null,
        encrypted: true,
        kmsKeyId: null,
        deleteOnTermination: null,
        snapshotId: null,
      },
    ],
    detailedMonitoring: false,
    context: null,
  });
});

const FAMILIES = ['karpenter.k8s.aws/instance-category', 'karpenter.k8s.aws/instance-generation'];
const SINGLE = ['kubernetes.io/os', 'kubernetes.io/arch', 'karpenter.sh/capacity-type'];

const DEFAULTS: readonly {
  readonly when: string;
  readonly spec: object;
  readonly added: readonly string[];
}[] = [
  { when: 'nothing is said', spec: {}, added: [...SINGLE, ...FAMILIES] },
  ...['node.kubernetes.io/instance-type', 'karpenter.k8s.aws/instance-family', ...FAMILIES].map((key) => ({
    when: `${key} is named, with whatever operator`,
    spec: { requirements: [{ key, operator: 'NotIn', values: ['x'] }] },
    added: SINGLE,
  })),
  {
    when: 'a label names the family',
    spec: { labels: { 'karpenter.k8s.aws/instance-family': 'm5' } },
    added: SINGLE,
  },
  {
    when: 'an old name of the instance type is used',
    spec: { requirements: [{ key: 'beta.kubernetes.io/instance-type', operator: 'Exists' }] },
    added: SINGLE,
  },
  {
    when: 'the size is named',
    spec: { requirements: [{ key: 'karpenter.k8s.aws/instance-size', operator: 'In', values: ['large'] }] },
    added: [...SINGLE, ...FAMILIES],
  },
  {
    when: 'the capacity type is a label',
    spec: { labels: { 'karpenter.sh/capacity-type': 'spot' } },
    added: ['kubernetes.io/os', 'kubernetes.io/arch', ...FAMILIES],
  },
];

for (const { when, spec, added } of DEFAULTS) {
  test(`defaults when ${when}`, () => {
    const written = (spec as { requirements?: readonly unknown[] }).requirements?.length ?? 0;
    const { requirements } = parsedOf(provisionerManifest(spec)).provisioner;
    assert.deepEqual(
      requirements.slice(written).map(({ key }) => key),
      added,
    );
  });
}

const FAULTS: readonly { readonly spec: object; readonly said: RegExp }[] = [
  { spec: { weight: 0 }, said: /spec\.weight is 0; write 1 or more/ },
  { spec: { weight: '5' }, said: /spec\.weight is "5"; write a whole number/ },
  { spec: { ttlSecondsAfterEmpty: -1 }, said: /spec\.ttlSecondsAfterEmpty is -1; write 0 or more/ },
  { spec: { ttlSecondsAfterEmpty: 1.5 }, said: /is 1\.5; write a whole number/ },
  { spec: { ttlSecondsUntilExpired: 1e300 }, said: /write 315360000 or less/ },
  { spec: { labels: null }, said: /spec\.labels is null; write a map/ },
  { spec: { labels: { team: 3 } }, said: /spec\.labels\.team is 3; write a text/ },
  { spec: { labels: { team: 'a b' } }, said: /spec\.labels\.team is "a b"; write a label value/ },
  { spec: { taints: {} }, said: /spec\.taints is a map; write a list/ },
  { spec: { taints: [{ key: 'a' }] }, said: /spec\.taints\[0\]\.effect is missing; set it/ },
  { spec: { taints: [{ key: 'a', effect: '' }] }, said: /effect is ""; write one of NoSchedule, Prefer/ },
  {
    spec: { requirements: [{ key: 'a', operator: 'in', values: [] }] },
    said: /spec\.requirements\[0\]\.operator is "in"; write one of In, NotIn/,
  },
  {
    spec: { requirements: [{ key: 'example.com/', operator: 'Exists' }] },
    said: /spec\.requirements\[0\]\.key is "example\.com\/"; write a label key/,
  },
  { spec: { limits: { resources: { cpu: 'many' } } }, said: /resources\.cpu is "many"; write an amount/ },
  { spec: { limits: { resources: { cpu: -1 } } }, said: /resources\.cpu is -1; write 0 or more/ },
  { spec: { limits: { resources: { cpu: 1.5 } } }, said: /resources\.cpu is 1\.5; write an amount/ },
  { spec: { kubeletConfiguration: { evictionHard: { 'memory.available': '101%' } } }, said: /0% to 100%/ },
  { spec: { providerRef: {} }, said: /spec\.providerRef\.name is missing/ },
  {
    spec: { providerRef: { name: 'a', kind: 'Secret' } },
    said: /kind is "Secret"; write one of AWSNodeTemplate/,
  },
];

for (const { spec, said } of FAULTS) {
  test(`refused: ${JSON.stringify(spec)}`, () => {
    const problems = problemsOf(provisionerManifest(spec));
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', /^Provisioner "default": spec\./);
    assert.match(problems[0] ?? '', said);
  });
}

test('unknown keys of an inline provider are refused, with the name that was meant', () => {
  const manifest = inlineManifest({ ...AWS_SPEC, instanceProfil: 'x', metadataOptions: { tokens: 'no' } });
  assert.deepEqual(problemsOf(manifest), [
    'Provisioner "default": spec.provider.instanceProfil is no known field; write instanceProfile, or remove it',
    'Provisioner "default": spec.provider.metadataOptions.tokens is no known field; remove it',
  ]);
});

test('unknown keys elsewhere do not matter: the API server drops them', () => {
  assert.deepEqual(
    parseProvisioner(provisionerManifest({ fromTheFuture: 1 })),
    parseProvisioner(provisionerManifest()),
  );
});

test('all problems come at once, those of rules too where the fields they look at are sound', () => {
  const spec = {
    weight: 0,
    taints: 3,
    labels: { 'kubernetes.io/x': 'x' },
    requirements: [
      { key: 'a', operator: 'In' },
      { key: 'a b', operator: 'In' },
    ],
  };
  const found = problemsOf({ ...provisionerManifest(spec), apiVersion: 'karpenter.sh/v1' });
  assert.deepEqual(
    found.map((text) => text.split(' ')[2]),
    [
      'apiVersion',
      'spec.taints',
      'spec.requirements[1].key',
      'spec.weight',
      "spec.labels['kubernetes.io/x']",
      'spec.requirements[0].values',
    ],
  );
});

test('a name that could be no label value is refused', () => {
  const named = (name: string): unknown => ({ ...provisionerManifest(), metadata: { name } });
  const tooLong = 'a'.repeat(64);
  assert.deepEqual(problemsOf(named(tooLong)), [
    `Provisioner "${tooLong}": metadata.name is longer than 63 characters; ` +
      'shorten it, since it becomes the value of a label',
  ]);
  assert.equal(parseProvisioner(named('a'.repeat(63))).kind, 'valid');
});
