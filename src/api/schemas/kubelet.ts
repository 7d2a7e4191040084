// Schema of the kubelet settings that a Provisioner may set, as of Karpenter v0.32's v1alpha5.
import { duration, QUANTITY_BODY, quantity } from './quantities.ts';
import type { MapSchema, ObjectSchema, Rule, TextSchema } from './schema.ts';
import { celList, keyRule, rule } from './schema.ts';

const RESERVABLE = ['cpu', 'memory', 'ephemeral-storage', 'pid'];
/** Source: Kubernetes, "Node-pressure Eviction", eviction signals of Linux. */
const SIGNALS = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
];
const PERCENTAGE = '(100(\\.0{1,2})?|[0-9]{1,2}(\\.[0-9]{1,2})?)%';

const threshold: TextSchema = {
  type: 'text',
  description: 'Amount or share that must stay free.',
  pattern: `^(${PERCENTAGE}|${QUANTITY_BODY})$`,
  meaning: 'an amount such as 100Mi or a percentage from 0% to 100%',
  maxLength: 64,
};

const KNOWN_SIGNALS: Rule = keyRule(
  { problem: 'is no eviction signal', mend: `use ${SIGNALS.join(', ')}` },
  `k in ${celList(SIGNALS)}`,
  (key) => SIGNALS.includes(key),
);

const reserved = (description: string): MapSchema => ({
  type: 'map',
  description,
  values: quantity('Amount kept back.'),
  maxProperties: 10,
  rules: [
    keyRule(
      { problem: 'cannot be reserved', mend: `use ${RESERVABLE.join(', ')}` },
      `k in ${celList(RESERVABLE)}`,
      (key) => RESERVABLE.includes(key),
    ),
  ],
});

const bySignal = (description: string, values: TextSchema): MapSchema => ({
  type: 'map',
  description,
  values,
  maxProperties: 10,
  rules: [KNOWN_SIGNALS],
});

interface WrittenKubelet {
  readonly evictionSoft?: Readonly<Record<string, string>>;
  readonly evictionSoftGracePeriod?: Readonly<Record<string, string>>;
  readonly imageGCHighThresholdPercent?: number;
  readonly imageGCLowThresholdPercent?: number;
}

type PairedField = 'evictionSoft' | 'evictionSoftGracePeriod';

/** Each key of one map stands in the other one too. */
function pairedKeys(from: PairedField, to: PairedField, mend: string): Rule {
  return rule<WrittenKubelet>(
    { field: from, problem: `has a signal that ${to} lacks`, mend },
    `!has(self.${from}) || self.${from}.all(k, has(self.${to}) && k in self.${to})`,
    (kubelet) => Object.keys(kubelet[from] ?? {}).every((key) => Object.hasOwn(kubelet[to] ?? {}, key)),
  );
}

const KUBELET_RULES: readonly Rule[] = [
  pairedKeys('evictionSoft', 'evictionSoftGracePeriod', 'give each soft threshold a grace period'),
  pairedKeys('evictionSoftGracePeriod', 'evictionSoft', 'give each grace period a soft threshold'),
  rule<WrittenKubelet>(
    {
      field: 'imageGCHighThresholdPercent',
      problem: 'is not above imageGCLowThresholdPercent',
      mend: 'raise it above the low threshold',
    },
    '!has(self.imageGCHighThresholdPercent) || !has(self.imageGCLowThresholdPercent) || ' +
      'self.imageGCHighThresholdPercent > self.imageGCLowThresholdPercent',
    ({ imageGCHighThresholdPercent: high, imageGCLowThresholdPercent: low }) =>
      high === undefined || low === undefined || high > low,
  ),
];

const RUNTIMES = ['containerd', 'dockerd'];

export const kubelet: ObjectSchema = {
  type: 'object',
  description: 'Kubelet settings of the nodes. Those that change what a node holds are taken into account.',
  rules: KUBELET_RULES,
  properties: {
    clusterDNS: {
      type: 'list',
      description: 'Addresses of the cluster DNS service; the first one is passed to the kubelet.',
      maxItems: 10,
      items: {
        type: 'text',
        description: 'An IPv4 or IPv6 address.',
        pattern: '^[0-9a-fA-F.:]{2,45}$',
        meaning: 'an IP address such as 10.100.0.10',
        maxLength: 45,
      },
    },
    containerRuntime: {
      type: 'text',
      description: 'Container runtime; only containerd is left on images in support.',
      enum: RUNTIMES,
      maxLength: 16,
    },
    maxPods: { type: 'int32', description: 'Most pods on one node.', minimum: 0 },
    podsPerCore: { type: 'int32', description: 'Most pods per vCPU; maxPods still holds.', minimum: 0 },
    systemReserved: reserved('Kept back for system daemons.'),
    kubeReserved: reserved('Kept back for Kubernetes daemons, in place of the amount worked out by type.'),
    evictionHard: bySignal('Free amounts below which pods are evicted at once.', threshold),
    evictionSoft: bySignal('Free amounts below which pods are evicted after a grace period.', threshold),
    evictionSoftGracePeriod: bySignal('Grace period of each soft threshold.', duration('Time to wait.')),
    evictionMaxPodGracePeriod: {
      type: 'int32',
      description: 'Longest termination grace period, in seconds, of pods evicted for a soft threshold.',
      minimum: 0,
    },
    imageGCHighThresholdPercent: {
      type: 'int32',
      description: 'Disk usage in percent above which unused images are removed.',
      minimum: 0,
      maximum: 100,
    },
    imageGCLowThresholdPercent: {
      type: 'int32',
      description: 'Disk usage in percent down to which unused images are removed.',
      minimum: 0,
      maximum: 100,
    },
    cpuCFSQuota: { type: 'flag', description: 'Whether CPU limits are enforced by CFS quota.' },
  },
};
