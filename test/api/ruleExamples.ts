// For every rule of our schemas: a manifest that breaks it and nothing else, and its mended twin.
import {
  AWS_SPEC,
  claimManifest,
  inlineManifest,
  provisionerManifest,
  templateManifest,
} from './manifests.ts';

export interface RuleExample {
  /** Field that we name; the API server names it too, or the map around it when the key is at fault. */
  readonly field: string;
  readonly message: string;
  readonly bad: Record<string, unknown>;
  readonly good: Record<string, unknown>;
}

const KEY =
  'write a name of at most 63 letters, digits, dots, dashes and underscores, with a DNS prefix if you like';
const INVALID_KEY = `has a key that is not valid; ${KEY}`;
const OWNER_WORDS = 'names the label karpenter.sh/provisioner-name, which Cooper sets itself; remove it';
const RESTRICTED_WORDS =
  'is in a domain that Kubernetes or Cooper sets labels in; ' +
  'use a well-known label or one of your own, such as example.com/team';
const TWICE = 'names the same key and effect twice; keep one taint for each pair of key and effect';
const WITH_TEMPLATE =
  'cannot be combined with launchTemplate; set it in the launch template, or remove launchTemplate';
const SIGNALS =
  'has a key that is no eviction signal; use memory.available, nodefs.available, nodefs.inodesFree, ' +
  'imagefs.available, imagefs.inodesFree, pid.available';

type Builder = (spec: object) => Record<string, unknown>;

function example(build: Builder, words: readonly [string, string], bad: object, good: object): RuleExample {
  const [field, message] = words;
  return { field, message, bad: build(bad), good: build(good) };
}

const ofProvisioner = example.bind(null, provisionerManifest);

const taint = { key: 'a', value: 'b', effect: 'NoSchedule' };
const otherTaint = { ...taint, effect: 'NoExecute' };

const LABEL_EXAMPLES: readonly RuleExample[] = [
  ofProvisioner(
    ["spec.labels['a b']", INVALID_KEY],
    { labels: { 'a b': 'x' } },
    { labels: { 'a-b': 'x', 'example.com/b': '' } },
  ),
  ofProvisioner(
    ["spec.labels['karpenter.sh/provisioner-name']", `has a key that ${OWNER_WORDS}`],
    { labels: { 'karpenter.sh/provisioner-name': 'x' } },
    { labels: { 'karpenter.sh/capacity-type': 'spot' } },
  ),
  ofProvisioner(
    ["spec.labels['sub.kubernetes.io/x']", `has a key that ${RESTRICTED_WORDS}`],
    { labels: { 'sub.kubernetes.io/x': 'x' } },
    {
      labels: { 'node.kubernetes.io/x': 'x', 'notkubernetes.io/x': 'x', 'topology.kubernetes.io/zone': 'z' },
    },
  ),
  ofProvisioner(
    ["spec.annotations['a b']", INVALID_KEY],
    { annotations: { 'a b': 'x' } },
    { annotations: { 'kubernetes.io/x': 'any text at all' } },
  ),
  ofProvisioner(
    ["spec.limits.resources['a b']", INVALID_KEY],
    { limits: { resources: { 'a b': 1 } } },
    { limits: { resources: { cpu: 1000, memory: '1000Gi', 'nvidia.com/gpu': '8' } } },
  ),
  ofProvisioner(['spec.taints', TWICE], { taints: [taint, taint] }, { taints: [taint, otherTaint] }),
  ofProvisioner(
    ['spec.startupTaints', TWICE],
    { startupTaints: [taint, { ...taint, value: 'c' }] },
    { startupTaints: [taint, { ...taint, key: 'c' }] },
  ),
  ofProvisioner(
    ['spec.startupTaints', 'repeats a key and effect of spec.taints; keep the taint in one of the two lists'],
    { taints: [taint], startupTaints: [taint] },
    { taints: [taint], startupTaints: [otherTaint] },
  ),
];

const REQUIREMENT_EXAMPLES: readonly RuleExample[] = [
  ofProvisioner(
    ['spec.requirements[0].values', 'is empty, but In needs a value; list at least one value'],
    { requirements: [{ key: 'a', operator: 'In', values: [] }] },
    { requirements: [{ key: 'a', operator: 'In', values: [''] }] },
  ),
  ofProvisioner(
    [
      'spec.requirements[0].values',
      'does not fit Gt or Lt, which compare with one number; list exactly one whole number of 0 or more, in quotes',
    ],
    { requirements: [{ key: 'a', operator: 'Lt', values: ['1', '2'] }] },
    { requirements: [{ key: 'a', operator: 'Lt', values: ['12'] }] },
  ),
  ofProvisioner(
    ['spec.requirements[0].minValues', 'asks for more values than In lists; list more values or lower it'],
    { requirements: [{ key: 'a', operator: 'In', values: ['x'], minValues: 2 }] },
    { requirements: [{ key: 'a', operator: 'In', values: ['x', 'y'], minValues: 2 }] },
  ),
  ofProvisioner(
    ['spec.requirements[0].key', OWNER_WORDS],
    { requirements: [{ key: 'karpenter.sh/provisioner-name', operator: 'Exists' }] },
    { requirements: [{ key: 'example.com/provisioner-name', operator: 'Exists' }] },
  ),
  ofProvisioner(
    ['spec.requirements[0].key', RESTRICTED_WORDS],
    { requirements: [{ key: 'kubernetes.io/hostname', operator: 'Exists' }] },
    { requirements: [{ key: 'beta.kubernetes.io/arch', operator: 'Exists' }] },
  ),
];

const WINDOW = { schedule: '0 9 * * 1-5', duration: '8h' };
const ofBudget = example.bind(null, (budget) => provisionerManifest({ disruption: { budgets: [budget] } }));
const AT_BUDGET = 'spec.disruption.budgets[0]';

const WINDOW_EXAMPLES: readonly RuleExample[] = [
  ofBudget(
    [`${AT_BUDGET}.schedule`, 'goes with duration, and only one of them is there; set both or neither'],
    { nodes: '0', schedule: '@daily' },
    { nodes: '0', schedule: '@daily', duration: '1h' },
  ),
  ofBudget(
    [`${AT_BUDGET}.timeZone`, 'says nothing without schedule; set schedule and duration too'],
    { nodes: '0', timeZone: 'Europe/Berlin' },
    { nodes: '0', ...WINDOW, timeZone: 'Europe/Berlin' },
  ),
  ofBudget(
    [`${AT_BUDGET}.nodes`, 'is missing; write how many may be going at once, or action Deny for none'],
    WINDOW,
    { ...WINDOW, action: 'Deny' },
  ),
  ofBudget(
    [`${AT_BUDGET}.nodes`, 'says nothing beside action Deny, which lets none go; remove it'],
    { ...WINDOW, action: 'Deny', nodes: '1' },
    { ...WINDOW, action: 'Allow', nodes: '100%' },
  ),
  ofBudget(
    [
      `${AT_BUDGET}.action`,
      'is Allow, which is about a window, and there is none; set schedule and duration',
    ],
    { action: 'Allow', reasons: ['OffHours'] },
    { action: 'Deny', reasons: ['OffHours'] },
  ),
  ofBudget(
    [`${AT_BUDGET}.duration`, 'is no time at all; write how long it lasts, such as 8h'],
    { nodes: '0', schedule: '@daily', duration: '0h0.0m' },
    { nodes: '0', schedule: '@daily', duration: '0h10m' },
  ),
  ofProvisioner(
    ['spec.schedule.offHours[0].duration', 'is no time at all; write how long it lasts, such as 8h'],
    { schedule: { offHours: [{ start: '@daily', duration: '0' }] } },
    { schedule: { timeZone: 'Europe/Berlin', offHours: [{ start: '0 19 * * 1-5', duration: '12h' }] } },
  ),
];

const SPEC_EXAMPLES: readonly RuleExample[] = [
  ofProvisioner(
    [
      'spec.ttlSecondsAfterEmpty',
      'cannot be combined with consolidation.enabled, which removes empty nodes already; keep one of the two',
    ],
    { ttlSecondsAfterEmpty: 30, consolidation: { enabled: true } },
    { ttlSecondsAfterEmpty: 30, consolidation: { enabled: false } },
  ),
  ofProvisioner(
    [
      'spec.ttlSecondsAfterEmpty',
      'cannot be combined with disruption.consolidationPolicy, which removes empty nodes too; ' +
        'keep one of the two: consolidationPolicy WhenEmpty with consolidateAfter does the same',
    ],
    { ttlSecondsAfterEmpty: 30, disruption: { consolidationPolicy: 'WhenEmpty' } },
    { ttlSecondsAfterEmpty: 30, disruption: { consolidationPolicy: 'Never' } },
  ),
  ofProvisioner(
    [
      'spec.consolidation',
      'is enabled, but disruption.consolidationPolicy says otherwise; ' +
        'remove one of the two, since enabled means WhenEmptyOrUnderutilized',
    ],
    { consolidation: { enabled: true }, disruption: { consolidationPolicy: 'WhenEmpty' } },
    { consolidation: { enabled: true }, disruption: { consolidationPolicy: 'WhenEmptyOrUnderutilized' } },
  ),
  ...WINDOW_EXAMPLES,
  ofProvisioner(
    ['spec.limits.resources.usdPerHour', 'has a key that is no resource; write limits.usdPerHour'],
    { limits: { resources: { usdPerHour: '2' } } },
    { limits: { resources: { nodes: 20 }, usdPerHour: 2.5 } },
  ),
  ...['1.5', '500m', '2Ki'].map((nodes) =>
    ofProvisioner(
      [
        'spec.limits.resources.nodes',
        'is no whole number of nodes; write how many there may be, in digits, such as 20',
      ],
      { limits: { resources: { nodes } } },
      { limits: { resources: { nodes: '20', cpu: '500m', memory: '1.5Gi' } } },
    ),
  ),
  ofProvisioner(
    [
      'spec.disruption.consolidateAfter',
      'says nothing, since nothing asks for consolidation; ' +
        'set disruption.consolidationPolicy, or ttlSecondsAfterEmpty in its place',
    ],
    { ttlSecondsAfterEmpty: 30, disruption: { consolidateAfter: '1m' } },
    { ttlSecondsAfterEmpty: 30, disruption: { consolidateAfter: 'Never' } },
  ),
  ofProvisioner(
    [
      'spec.disruption.minimumSavings',
      'says nothing with consolidationPolicy WhenEmpty, which replaces no node; ' +
        'remove it, or write WhenEmptyOrUnderutilized',
    ],
    { disruption: { consolidationPolicy: 'WhenEmpty', minimumSavings: { percent: 5 } } },
    { consolidation: { enabled: true }, disruption: { minimumSavings: { percent: 5 } } },
  ),
  ofProvisioner(
    [
      'spec.disruption.drift.canary',
      'says nothing without policy Replace, since nothing is replaced; set policy to Replace, or remove it',
    ],
    { disruption: { drift: { policy: 'Observe', canary: { nodes: 1 } } } },
    { disruption: { drift: { policy: 'Replace', canary: { nodes: 1 } } } },
  ),
  ofProvisioner(
    [
      'spec.disruption.expireJitter',
      'says nothing without ttlSecondsUntilExpired; set ttlSecondsUntilExpired too',
    ],
    { disruption: { expireJitter: '1h' } },
    { ttlSecondsUntilExpired: 86_400, disruption: { expireJitter: '1h' } },
  ),
  ofProvisioner(
    ['spec.provider', 'cannot be combined with providerRef; keep one of the two'],
    { provider: AWS_SPEC },
    {},
  ),
  {
    field: 'spec.providerRef',
    message: 'is missing, so nothing says where nodes are launched; name an AWSNodeTemplate in it',
    bad: { ...provisionerManifest(), spec: {} },
    good: inlineManifest(AWS_SPEC),
  },
];

const kubelet = (kubeletConfiguration: object): Record<string, unknown> =>
  provisionerManifest({ kubeletConfiguration });
const ofKubelet = example.bind(null, kubelet);
const soft = { evictionSoft: { 'memory.available': '5%' } };
const grace = { evictionSoftGracePeriod: { 'memory.available': '1m30s' } };

const KUBELET_EXAMPLES: readonly RuleExample[] = [
  ofKubelet(
    [
      'spec.kubeletConfiguration.evictionSoft',
      'has a signal that evictionSoftGracePeriod lacks; give each soft threshold a grace period',
    ],
    soft,
    { ...soft, ...grace },
  ),
  ofKubelet(
    [
      'spec.kubeletConfiguration.evictionSoftGracePeriod',
      'has a signal that evictionSoft lacks; give each grace period a soft threshold',
    ],
    grace,
    { ...grace, ...soft },
  ),
  ofKubelet(
    [
      'spec.kubeletConfiguration.imageGCHighThresholdPercent',
      'is not above imageGCLowThresholdPercent; raise it above the low threshold',
    ],
    { imageGCHighThresholdPercent: 80, imageGCLowThresholdPercent: 80 },
    { imageGCHighThresholdPercent: 81, imageGCLowThresholdPercent: 80 },
  ),
  ...['systemReserved', 'kubeReserved'].map((field) =>
    ofKubelet(
      [
        `spec.kubeletConfiguration.${field}.gpu`,
        'has a key that cannot be reserved; use cpu, memory, ephemeral-storage, pid',
      ],
      { [field]: { gpu: 1 } },
      { [field]: { cpu: 1, memory: '100Mi', 'ephemeral-storage': '1Gi', pid: '100' } },
    ),
  ),
  ofKubelet(
    ["spec.kubeletConfiguration.evictionHard['memory.free']", SIGNALS],
    { evictionHard: { 'memory.free': '5%' } },
    { evictionHard: { 'memory.available': '5%', 'nodefs.inodesFree': '100' } },
  ),
];

const withTemplate = { subnetSelector: { team: 'a' }, launchTemplate: 'mine' };
const device = (ebs: object): object => ({
  ...AWS_SPEC,
  blockDeviceMappings: [{ deviceName: '/dev/xvda', ebs }],
});

/** Examples that hold of an inline `provider` and of an AWSNodeTemplate alike. */
function awsExamples(build: Builder, at: string): readonly RuleExample[] {
  const of = example.bind(null, build);
  const apart: readonly (readonly [string, object])[] = [
    ['securityGroupSelector', { securityGroupSelector: { a: 'b' } }],
    ['metadataOptions', { metadataOptions: { httpTokens: 'required' } }],
    ['amiFamily', { amiFamily: 'AL2' }],
    ['instanceProfile', { instanceProfile: 'node' }],
    ['blockDeviceMappings', { blockDeviceMappings: [{ deviceName: 'x', ebs: { volumeSize: '1Gi' } }] }],
  ];
  const ids = (prefix: string): string =>
    `has aws-ids that are no list of ${prefix} ids; ` +
    `write ids such as ${prefix}-0123456789abcdef0, separated by commas`;
  return [
    of(
      [`${at}.securityGroupSelector`, "is missing; set it to the tags of the nodes' security groups"],
      { subnetSelector: { team: 'a' } },
      withTemplate,
    ),
    ...apart.map(([field, setting]) =>
      of([`${at}.${field}`, WITH_TEMPLATE], { ...withTemplate, ...setting }, { ...AWS_SPEC, ...setting }),
    ),
    of(
      [`${at}.subnetSelector['']`, 'has a key that is empty; name the tag'],
      { ...AWS_SPEC, subnetSelector: { '': 'x' } },
      { ...AWS_SPEC, subnetSelector: { 'kubernetes.io/cluster/x': '*' } },
    ),
    of(
      [`${at}.subnetSelector`, ids('subnet')],
      { ...AWS_SPEC, subnetSelector: { 'aws-ids': 'subnet-1,sg-2' } },
      { ...AWS_SPEC, subnetSelector: { 'aws-ids': 'subnet-1, subnet-2' } },
    ),
    of(
      [`${at}.securityGroupSelector`, ids('sg')],
      { ...AWS_SPEC, securityGroupSelector: { 'aws::ids': 'subnet-1' } },
      { ...AWS_SPEC, securityGroupSelector: { 'aws::ids': 'sg-1' } },
    ),
    of(
      [
        `${at}.tags['kubernetes.io/cluster/mine']`,
        'has a key that says whose an instance is, so Cooper sets it itself; remove the tag',
      ],
      { ...AWS_SPEC, tags: { 'kubernetes.io/cluster/mine': 'owned' } },
      { ...AWS_SPEC, tags: { Name: 'mine' } },
    ),
    of(
      [
        `${at}.blockDeviceMappings[0].ebs.volumeSize`,
        'is missing; set it, or snapshotID, which has a size of its own',
      ],
      device({ volumeType: 'gp3' }),
      device({ snapshotID: 'snap-1' }),
    ),
    of(
      [
        `${at}.blockDeviceMappings[0].ebs.volumeSize`,
        'is no size that EBS offers; write 1G to 64T, such as 100Gi',
      ],
      device({ volumeSize: '65T' }),
      device({ volumeSize: 1e9 }),
    ),
  ];
}

const TEMPLATE_EXAMPLES: readonly RuleExample[] = [
  ...awsExamples(templateManifest, 'spec'),
  ...['userData', 'amiSelector', 'capacityReservationSelector'].map((field) => {
    const setting = { [field]: field === 'userData' ? 'echo' : { a: 'b' } };
    return example(
      templateManifest,
      [`spec.${field}`, WITH_TEMPLATE],
      { ...withTemplate, ...setting },
      { ...AWS_SPEC, ...setting },
    );
  }),
  example(
    templateManifest,
    [
      'spec.amiSelector',
      'is missing, but amiFamily Custom has no image of its own; set it to the tags or ids of your images',
    ],
    { ...AWS_SPEC, amiFamily: 'Custom' },
    { ...AWS_SPEC, amiFamily: 'Custom', amiSelector: { 'aws::ids': 'ami-1' } },
  ),
  // Two bytes a letter: short enough in characters, too long for EC2.
  example(
    templateManifest,
    [
      'spec.userData',
      'has more than 16384 bytes, which is all that EC2 takes; shorten it, or fetch the rest at boot',
    ],
    { ...AWS_SPEC, userData: '\u00e9'.repeat(8193) },
    { ...AWS_SPEC, userData: '\u00e9'.repeat(8192) },
  ),
  example(
    templateManifest,
    [
      'spec.instanceStorePolicy',
      'is known to AL2023 and Bottlerocket only; choose one of them as amiFamily, or join the disks in userData',
    ],
    { ...AWS_SPEC, amiFamily: 'Ubuntu', instanceStorePolicy: 'RAID0' },
    { ...AWS_SPEC, amiFamily: 'Bottlerocket', instanceStorePolicy: 'RAID0' },
  ),
  example(
    templateManifest,
    [
      'spec.amiSelector',
      'has aws-ids that are no list of ami ids; write ids such as ami-0123456789abcdef0, separated by commas',
    ],
    { ...AWS_SPEC, amiSelector: { 'aws-ids': 'mine' } },
    { ...AWS_SPEC, amiSelector: { 'aws-ids': 'ami-1,ami-2' } },
  ),
  example(
    templateManifest,
    [
      'spec.capacityReservationSelector',
      'has aws-ids that are no list of cr ids; write ids such as cr-0123456789abcdef0, separated by commas',
    ],
    { ...AWS_SPEC, capacityReservationSelector: { 'aws-ids': 'mine' } },
    { ...AWS_SPEC, capacityReservationSelector: { 'aws-ids': 'cr-1,cr-2' } },
  ),
];

const PROVIDER_EXAMPLES: readonly RuleExample[] = [
  ...awsExamples(inlineManifest, 'spec.provider'),
  example(
    inlineManifest,
    [
      'spec.provider.amiFamily',
      'cannot be Custom in an inline provider; ' +
        'write an AWSNodeTemplate with an amiSelector and name it in providerRef',
    ],
    { ...AWS_SPEC, amiFamily: 'Custom' },
    { ...AWS_SPEC, amiFamily: 'AL2023' },
  ),
];

const CLAIM_EXAMPLES: readonly RuleExample[] = [
  example(
    claimManifest,
    ['spec.requirements[0].values', 'is empty, but In needs a value; list at least one value'],
    { requirements: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [] }] },
    { requirements: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['a'] }] },
  ),
];

export const RULE_EXAMPLES: readonly RuleExample[] = [
  ...LABEL_EXAMPLES,
  ...REQUIREMENT_EXAMPLES,
  ...SPEC_EXAMPLES,
  ...KUBELET_EXAMPLES,
  ...PROVIDER_EXAMPLES,
  ...TEMPLATE_EXAMPLES,
  ...CLAIM_EXAMPLES,
];
