// Label, annotation, taint and finalizer names with a meaning here, and the rules on which labels users may set.

export const LABEL = {
  provisioner: 'karpenter.sh/provisioner-name',
  capacityType: 'karpenter.sh/capacity-type',
  registered: 'karpenter.sh/registered',
  initialized: 'karpenter.sh/initialized',
  zone: 'topology.kubernetes.io/zone',
  region: 'topology.kubernetes.io/region',
  instanceType: 'node.kubernetes.io/instance-type',
  arch: 'kubernetes.io/arch',
  os: 'kubernetes.io/os',
  hostname: 'kubernetes.io/hostname',
  windowsBuild: 'node.kubernetes.io/windows-build',
  instanceHypervisor: 'karpenter.k8s.aws/instance-hypervisor',
  instanceCategory: 'karpenter.k8s.aws/instance-category',
  instanceFamily: 'karpenter.k8s.aws/instance-family',
  instanceGeneration: 'karpenter.k8s.aws/instance-generation',
  instanceSize: 'karpenter.k8s.aws/instance-size',
  instanceLocalNvme: 'karpenter.k8s.aws/instance-local-nvme',
  instanceCpu: 'karpenter.k8s.aws/instance-cpu',
  instanceMemory: 'karpenter.k8s.aws/instance-memory',
  instancePods: 'karpenter.k8s.aws/instance-pods',
  instanceGpuName: 'karpenter.k8s.aws/instance-gpu-name',
  instanceGpuManufacturer: 'karpenter.k8s.aws/instance-gpu-manufacturer',
  instanceGpuCount: 'karpenter.k8s.aws/instance-gpu-count',
  instanceGpuMemory: 'karpenter.k8s.aws/instance-gpu-memory',
  excludeFromLoadBalancers: 'node.kubernetes.io/exclude-from-external-load-balancers',
} as const;

export const ANNOTATION = {
  doNotEvict: 'karpenter.sh/do-not-evict',
  doNotDisrupt: 'karpenter.sh/do-not-disrupt',
  doNotConsolidate: 'karpenter.sh/do-not-consolidate',
  safeToEvict: 'cluster-autoscaler.kubernetes.io/safe-to-evict',
  surge: 'cooper.sh/surge',
  scaleDownDisabled: 'cluster-autoscaler.kubernetes.io/scale-down-disabled',
  emptinessTimestamp: 'karpenter.sh/emptiness-timestamp',
} as const;

/** What Cooper notes on NodeClaims beside the emptiness timestamp, so that a restart finds it. */
export const CLAIM_ANNOTATION = {
  /** On a replacement: names of the claims that go once it is up, with commas in between. */
  replaces: 'cooper.sh/replaces',
  /** What the claim was made from: hashes of the Provisioner's template and of the node class, with their version. */
  madeFrom: 'cooper.sh/made-from',
  /** On the replacement of a drifted node: the rollout that it belongs to. */
  rollout: 'cooper.sh/rollout',
  /** On a drifted node's claim: the rollout that was halted and leaves it as it is. */
  rolloutHalted: 'cooper.sh/rollout-halted',
  /** On a replacement: the reason by which they go, a colon and a sentence. */
  replacesBecause: 'cooper.sh/replaces-because',
  /** When the drain of the claim's node ends at the latest, as RFC 3339 (Karpenter v1 has the same). */
  drainEnd: 'karpenter.sh/nodeclaim-termination-timestamp',
} as const;

/** On a Provisioner: any text; a new one begins the rollout of drift anew, a halted one too. */
export const ROLLOUT_ATTEMPT = 'cooper.sh/rollout-attempt';

export const TERMINATION_FINALIZER = 'karpenter.sh/termination';
export const DISRUPTED_TAINT_KEY = 'karpenter.sh/disrupted';
export const UNREGISTERED_TAINT_KEY = 'karpenter.sh/unregistered';

/** EC2 tags that say whose an instance is. */
export const TAG = {
  provisioner: 'karpenter.sh/provisioner-name',
  nodeClaim: 'karpenter.sh/nodeclaim',
  managedBy: 'karpenter.sh/managed-by',
} as const;

/** Deprecated and driver-specific label names, and the well-known name that each stands for. */
export const LABEL_ALIASES: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': LABEL.arch,
  'beta.kubernetes.io/os': LABEL.os,
  'beta.kubernetes.io/instance-type': LABEL.instanceType,
  'failure-domain.beta.kubernetes.io/zone': LABEL.zone,
  'failure-domain.beta.kubernetes.io/region': LABEL.region,
  'topology.ebs.csi.aws.com/zone': LABEL.zone,
};

/** The modern name of a label: deprecated and driver-specific names become the well-known one. */
export function normalizeLabel(key: string): string {
  return Object.hasOwn(LABEL_ALIASES, key) ? (LABEL_ALIASES[key] ?? key) : key;
}

export const WELL_KNOWN_LABELS: ReadonlySet<string> = new Set([
  LABEL.provisioner,
  LABEL.capacityType,
  LABEL.zone,
  LABEL.region,
  LABEL.instanceType,
  LABEL.arch,
  LABEL.os,
  LABEL.windowsBuild,
  ...Object.values(LABEL).filter((label) => label.startsWith('karpenter.k8s.aws/')),
]);

/** True for labels whose values come from the instance type or offering: a pod may ask for them undeclared. */
export function isWellKnownLabel(key: string): boolean {
  return WELL_KNOWN_LABELS.has(normalizeLabel(key));
}

export const RESTRICTED_DOMAINS = ['kubernetes.io', 'k8s.io', 'karpenter.sh', 'karpenter.k8s.aws'];
export const ALLOWED_DOMAINS = ['kops.k8s.io', 'node.kubernetes.io', 'node-restriction.kubernetes.io'];

/** True for labels that users may neither put on a Provisioner nor ask for, unless they are well known. */
export function isRestrictedLabel(key: string): boolean {
  if (key === LABEL.hostname) return true;
  if (isWellKnownLabel(key)) return false;
  const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
  const matches = (suffix: string): boolean => domain === suffix || domain.endsWith(`.${suffix}`);
  return RESTRICTED_DOMAINS.some(matches) && !ALLOWED_DOMAINS.some(matches);
}
