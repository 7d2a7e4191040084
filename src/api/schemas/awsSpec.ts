// Schema of the AWS part of a node's configuration: inline in a Provisioner, or the spec of an AWSNodeTemplate.
import { TAG } from '../../model/labels.ts';
import { parseQuantity } from '../../model/quantity.ts';
import { quantity } from './quantities.ts';
import type { ListSchema, MapSchema, ObjectSchema, Rule, Schema, TextSchema } from './schema.ts';
import { celList, celText, keyRule, rule } from './schema.ts';

const text = (description: string, maxLength = 255): TextSchema => ({
  type: 'text',
  description,
  minLength: 1,
  maxLength,
});

const NON_EMPTY_KEYS: Rule = keyRule(
  { problem: 'is empty', mend: 'name the tag' },
  "k != ''",
  (key) => key !== '',
);

const ID_KEYS = ['aws-ids', 'aws::ids'];

/** Values under the two id keys are comma-separated ids of one kind. */
function idRule(prefix: string): Rule {
  const pattern = `^ *${prefix}-[0-9a-z]+ *(, *${prefix}-[0-9a-z]+ *)*$`;
  const regexp = new RegExp(pattern, 'u');
  return rule<Readonly<Record<string, string>>>(
    {
      field: '',
      problem: `has aws-ids that are no list of ${prefix} ids`,
      mend: `write ids such as ${prefix}-0123456789abcdef0, separated by commas`,
    },
    ID_KEYS.map(
      (key) => `(!(${celText(key)} in self) || self[${celText(key)}].matches(${celText(pattern)}))`,
    ).join(' && '),
    (selector) => ID_KEYS.every((key) => !Object.hasOwn(selector, key) || regexp.test(selector[key] ?? '')),
  );
}

const selector = (description: string, idPrefix: string): MapSchema => ({
  type: 'map',
  description:
    `${description} All entries must match. The value "*" asks for the tag with any value, other values may ` +
    'hold wildcards, and aws-ids (or aws::ids) takes a comma-separated list of ids.',
  values: { type: 'text', description: 'Value of the tag, or ids.', minLength: 1, maxLength: 1024 },
  minProperties: 1,
  maxProperties: 50,
  rules: [NON_EMPTY_KEYS, idRule(idPrefix)],
});

const OWNER_TAG_KEYS = Object.values(TAG);
const CLUSTER_TAG_PREFIX = 'kubernetes.io/cluster/';

const tags: MapSchema = {
  type: 'map',
  description:
    'Tags of the instances, volumes and network interfaces, on top of those that say who owns them.',
  values: { type: 'text', description: 'Value of the tag.', maxLength: 256 },
  maxProperties: 50,
  rules: [
    NON_EMPTY_KEYS,
    keyRule(
      { problem: 'says whose an instance is, so Cooper sets it itself', mend: 'remove the tag' },
      `!(k in ${celList(OWNER_TAG_KEYS)}) && !k.startsWith(${celText(CLUSTER_TAG_PREFIX)})`,
      (key) => !OWNER_TAG_KEYS.some((tag) => tag === key) && !key.startsWith(CLUSTER_TAG_PREFIX),
    ),
  ],
};

const oneOf = (description: string, values: readonly string[]): TextSchema => ({
  type: 'text',
  description,
  enum: values,
  maxLength: 32,
});

const metadataOptions: ObjectSchema = {
  type: 'object',
  description: 'Instance metadata service; see the EC2 API, InstanceMetadataOptionsRequest.',
  properties: {
    httpEndpoint: oneOf('Whether the service can be reached over IPv4; enabled when absent.', [
      'enabled',
      'disabled',
    ]),
    httpProtocolIPv6: oneOf('Whether it can be reached over IPv6; disabled when absent.', [
      'enabled',
      'disabled',
    ]),
    httpPutResponseHopLimit: {
      type: 'int64',
      description:
        'Network hops that a session token may travel; 2, when absent, lets pods reach the service.',
      minimum: 1,
      maximum: 64,
    },
    httpTokens: oneOf('Whether sessions need a token (IMDSv2); required when absent.', [
      'required',
      'optional',
    ]),
  },
};

interface WrittenEbs {
  readonly volumeSize?: string | number;
  readonly snapshotID?: string;
}

const MIN_VOLUME_BYTES = 1e9;
const MAX_VOLUME_BYTES = 64e12;
const VOLUME_SIZE_CEL =
  "isQuantity(string(self.volumeSize)) && quantity(string(self.volumeSize)).compareTo(quantity('1G')) >= 0 && " +
  "quantity(string(self.volumeSize)).compareTo(quantity('64T')) <= 0";

function isVolumeSize(written: string | number): boolean {
  const bytes = parseQuantity(written, 0);
  return bytes !== null && bytes >= MIN_VOLUME_BYTES && bytes <= MAX_VOLUME_BYTES;
}

const ebs: ObjectSchema = {
  type: 'object',
  description: 'The EBS volume.',
  rules: [
    rule<WrittenEbs>(
      {
        field: 'volumeSize',
        problem: 'is missing',
        mend: 'set it, or snapshotID, which has a size of its own',
      },
      'has(self.volumeSize) || has(self.snapshotID)',
      (volume) => volume.volumeSize !== undefined || volume.snapshotID !== undefined,
    ),
    rule<WrittenEbs>(
      { field: 'volumeSize', problem: 'is no size that EBS offers', mend: 'write 1G to 64T, such as 100Gi' },
      `!has(self.volumeSize) || (${VOLUME_SIZE_CEL})`,
      (volume) => volume.volumeSize === undefined || isVolumeSize(volume.volumeSize),
    ),
  ],
  properties: {
    volumeSize: quantity('Size of the volume, rounded up to whole GiB.'),
    volumeType: oneOf('Type of the volume.', ['standard', 'io1', 'io2', 'gp2', 'gp3', 'sc1', 'st1']),
    iops: { type: 'int64', description: 'I/O operations per second, for io1, io2 and gp3.', minimum: 1 },
    throughput: { type: 'int64', description: 'MiB per second, for gp3.', minimum: 1 },
    encrypted: { type: 'flag', description: 'Whether the volume is encrypted.' },
    kmsKeyID: text('Key to encrypt with: id, alias or ARN.', 2048),
    deleteOnTermination: { type: 'flag', description: 'Whether the volume goes with its instance.' },
    snapshotID: text('Snapshot that the volume starts from.'),
  },
};

const blockDeviceMappings: ListSchema = {
  type: 'list',
  description: 'Volumes of the node; those that its image family asks for when absent.',
  maxItems: 50,
  items: {
    type: 'object',
    description: 'One volume.',
    required: ['deviceName', 'ebs'],
    properties: { deviceName: text('Device, such as /dev/xvda.'), ebs },
  },
};

/** Families as the manifests name them; see `AmiFamily` of the model. */
const AMI_FAMILIES = [
  'AL2',
  'AL2023',
  'Bottlerocket',
  'Ubuntu',
  'Windows2019',
  'Windows2022',
  'Windows2025',
  'Custom',
];

const COMMON_PROPERTIES: Readonly<Record<string, Schema>> = {
  subnetSelector: selector('Tags of the subnets to launch into.', 'subnet'),
  securityGroupSelector: selector('Tags of the security groups of the nodes.', 'sg'),
  instanceProfile: text('Name of the IAM instance profile of the nodes; the configured default when absent.'),
  amiFamily: oneOf('Which image the nodes boot, and how they are told to join.', AMI_FAMILIES),
  launchTemplate: text('Name of a launch template of your own, in place of one made from the other fields.'),
  tags,
  metadataOptions,
  blockDeviceMappings,
  context: text('Reserved by EC2; passed on in CreateFleet.', 1024),
};

const TEMPLATE_PROPERTIES: Readonly<Record<string, Schema>> = {
  amiSelector: {
    ...selector('Tags of the images to boot, in place of the latest one of the family.', 'ami'),
    description:
      'Tags of the images to boot, in place of the latest one of the family. aws-ids (or aws::ids) takes a ' +
      'comma-separated list of ids, aws::name a name, aws::owners the accounts (self,amazon when absent). ' +
      'aws::alias alone pins a version of the family, as al2023@v20260801 or bottlerocket@1.44.0.',
  },
  capacityReservationSelector: selector(
    'Tags of on-demand capacity reservations, used up before anything else is bought.',
    'cr',
  ),
  userData: {
    type: 'text',
    description: 'Merged into the boot configuration as its family allows: MIME parts, TOML, or as it is.',
    maxLength: 16_384,
  },
  detailedMonitoring: { type: 'flag', description: 'Whether CloudWatch gets metrics every minute.' },
  instanceStorePolicy: oneOf(
    'RAID0 joins the local NVMe disks to one, which holds what pods write; left alone when absent.',
    ['RAID0'],
  ),
};

/** What EC2 takes, in bytes. Source: EC2 User Guide, "Run commands when you launch an EC2 instance". */
const USER_DATA_BYTES = 16_384;

const userDataFits: Rule = rule<WrittenAwsSpec>(
  {
    field: 'userData',
    problem: `has more than ${USER_DATA_BYTES} bytes, which is all that EC2 takes`,
    mend: 'shorten it, or fetch the rest at boot',
  },
  `!has(self.userData) || size(bytes(self.userData)) <= ${USER_DATA_BYTES}`,
  (spec) => utf8Bytes(spec.userData ?? '') <= USER_DATA_BYTES,
);

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Families whose images can join local disks by themselves; another one needs a script in userData. */
const RAID_FAMILIES = ['AL2023', 'Bottlerocket'];

const raidIsKnown: Rule = rule<WrittenAwsSpec>(
  {
    field: 'instanceStorePolicy',
    problem: 'is known to AL2023 and Bottlerocket only',
    mend: 'choose one of them as amiFamily, or join the disks in userData',
  },
  `!has(self.instanceStorePolicy) || !has(self.amiFamily) || self.amiFamily in ${celList(RAID_FAMILIES)}`,
  (spec) =>
    spec.instanceStorePolicy === undefined ||
    spec.amiFamily === undefined ||
    RAID_FAMILIES.includes(spec.amiFamily),
);

interface WrittenAwsSpec {
  readonly securityGroupSelector?: object;
  readonly launchTemplate?: string;
  readonly amiFamily?: string;
  readonly instanceProfile?: string;
  readonly metadataOptions?: object;
  readonly blockDeviceMappings?: readonly object[];
  readonly userData?: string;
  readonly amiSelector?: object;
  readonly capacityReservationSelector?: object;
  readonly instanceStorePolicy?: string;
}

const REPLACED_BY_LAUNCH_TEMPLATE = [
  'securityGroupSelector',
  'metadataOptions',
  'amiFamily',
  'instanceProfile',
  'blockDeviceMappings',
] as const;

function apartFromLaunchTemplate(field: keyof WrittenAwsSpec): Rule {
  return rule<WrittenAwsSpec>(
    {
      field,
      problem: 'cannot be combined with launchTemplate',
      mend: 'set it in the launch template, or remove launchTemplate',
    },
    `!has(self.launchTemplate) || !has(self.${field})`,
    (spec) => spec.launchTemplate === undefined || spec[field] === undefined,
  );
}

const COMMON_RULES: readonly Rule[] = [
  rule<WrittenAwsSpec>(
    {
      field: 'securityGroupSelector',
      problem: 'is missing',
      mend: "set it to the tags of the nodes' security groups",
    },
    'has(self.securityGroupSelector) || has(self.launchTemplate)',
    (spec) => spec.securityGroupSelector !== undefined || spec.launchTemplate !== undefined,
  ),
  ...REPLACED_BY_LAUNCH_TEMPLATE.map(apartFromLaunchTemplate),
];

/** `provider` of a Provisioner. Its unknown keys are refused in code, as Karpenter's strict decoding did. */
export const inlineProvider: ObjectSchema = {
  type: 'object',
  description: 'How instances are found and booted, written inline. New manifests use providerRef instead.',
  preserveUnknownFields: true,
  required: ['subnetSelector'],
  properties: {
    apiVersion: text('Part of the old Kubernetes type; ignored here.'),
    kind: text('Part of the old Kubernetes type; ignored here.'),
    ...COMMON_PROPERTIES,
  },
  rules: [
    ...COMMON_RULES,
    rule<WrittenAwsSpec>(
      {
        field: 'amiFamily',
        problem: 'cannot be Custom in an inline provider',
        mend: 'write an AWSNodeTemplate with an amiSelector and name it in providerRef',
      },
      "!has(self.amiFamily) || self.amiFamily != 'Custom'",
      (spec) => spec.amiFamily !== 'Custom',
    ),
  ],
};

/** The spec of an AWSNodeTemplate. */
export const templateSpec: ObjectSchema = {
  type: 'object',
  description: 'How instances are found and booted.',
  required: ['subnetSelector'],
  properties: { ...COMMON_PROPERTIES, ...TEMPLATE_PROPERTIES },
  rules: [
    ...COMMON_RULES,
    apartFromLaunchTemplate('userData'),
    apartFromLaunchTemplate('amiSelector'),
    apartFromLaunchTemplate('capacityReservationSelector'),
    userDataFits,
    raidIsKnown,
    rule<WrittenAwsSpec>(
      {
        field: 'amiSelector',
        problem: 'is missing, but amiFamily Custom has no image of its own',
        mend: 'set it to the tags or ids of your images',
      },
      "!has(self.amiFamily) || self.amiFamily != 'Custom' || has(self.amiSelector)",
      (spec) => spec.amiFamily !== 'Custom' || spec.amiSelector !== undefined,
    ),
  ],
};
