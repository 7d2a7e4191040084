// Every setting of `cooper run`, in one table: flag, environment variable and config file key come from it.

export type SettingType =
  | 'string'
  | 'duration'
  | 'port'
  | 'integer'
  | 'fraction'
  | 'boolean'
  | 'url'
  | 'logLevel'
  | 'tags';

export interface SettingRow {
  /** Variable of v0.16 where it had one, so that its charts and manifests go on working. */
  readonly env: string;
  readonly type: SettingType;
  /** As a user would write it; undefined: no default. */
  readonly default?: string;
  readonly help: string;
}

export type SettingKey = keyof typeof SETTINGS;

/** Keys are those of the config file; the flag is the key in kebab case. */
export const SETTINGS = {
  clusterName: {
    env: 'CLUSTER_NAME',
    type: 'string',
    help: 'name of the EKS cluster; marks everything that is launched (required)',
  },
  clusterEndpoint: {
    env: 'CLUSTER_ENDPOINT',
    type: 'url',
    help: "URL of the API server that nodes join; default: the kubeconfig's server",
  },
  clusterCaBundle: {
    env: 'CLUSTER_CA_BUNDLE',
    type: 'string',
    help: "base64 certificate authority that nodes trust; default: the kubeconfig's",
  },
  serviceCidr: {
    env: 'SERVICE_CIDR',
    type: 'string',
    help: 'service CIDR of the cluster, for AL2023 nodes; default: read from the cluster',
  },
  kubeconfig: { env: 'KUBECONFIG', type: 'string', help: 'kubeconfig file; default: in-cluster credentials' },
  region: { env: 'AWS_REGION', type: 'string', help: 'AWS region (required)' },
  defaultInstanceProfile: {
    env: 'AWS_DEFAULT_INSTANCE_PROFILE',
    type: 'string',
    help: 'instance profile of nodes whose Provisioner names none',
  },
  batchIdleDuration: {
    env: 'BATCH_IDLE_DURATION',
    type: 'duration',
    default: '1s',
    help: 'longest pause in arrivals that is waited for before planning',
  },
  batchMaxDuration: {
    env: 'BATCH_MAX_DURATION',
    type: 'duration',
    default: '10s',
    help: 'longest time that arrivals are gathered before planning',
  },
  planBudget: {
    env: 'PLAN_BUDGET',
    type: 'duration',
    default: '200ms',
    help: 'time for improving a plan after the first complete one',
  },
  registrationTtl: {
    env: 'REGISTRATION_TTL',
    type: 'duration',
    default: '15m',
    help: 'an instance that is no Node by then is given back',
  },
  vmMemoryOverheadPercent: {
    env: 'VM_MEMORY_OVERHEAD',
    type: 'fraction',
    default: '0.075',
    help: 'share of memory that EC2 advertises and the machine never sees',
  },
  eniLimitedPodDensity: {
    env: 'AWS_ENI_LIMITED_POD_DENSITY',
    type: 'boolean',
    default: 'true',
    help: 'pods a node follow from its network interfaces; false: 110',
  },
  enablePodEni: {
    env: 'AWS_ENABLE_POD_ENI',
    type: 'boolean',
    default: 'false',
    help: 'offer vpc.amazonaws.com/pod-eni',
  },
  prefixDelegation: {
    env: 'AWS_PREFIX_DELEGATION',
    type: 'boolean',
    default: 'false',
    help: 'the VPC CNI hands out /28 prefixes: more pods a node',
  },
  reservedEnis: {
    env: 'AWS_RESERVED_ENIS',
    type: 'integer',
    default: '0',
    help: 'network interfaces a node that pods do not get',
  },
  tags: {
    env: 'AWS_TAGS',
    type: 'tags',
    default: '{}',
    help: 'JSON object of tags for everything that is launched',
  },
  pricesFile: {
    env: 'PRICES_FILE',
    type: 'string',
    help: 'JSON file {"onDemand": {"m5.large": 0.096}} that overrides shipped prices',
  },
  interruptionQueue: {
    env: 'INTERRUPTION_QUEUE',
    type: 'string',
    help: 'name or URL of the SQS queue with interruption notices; default: EC2 is asked for them',
  },
  surgeSingleReplicas: {
    env: 'SURGE_SINGLE_REPLICAS',
    type: 'boolean',
    default: 'false',
    help: 'roll a Deployment of one pod annotated cooper.sh/surge before that pod is evicted',
  },
  dumpFolder: {
    env: 'DUMP_FOLDER',
    type: 'string',
    default: '/tmp/cooper-dumps',
    help: 'folder for snapshots of plans that failed their check',
  },
  logLevel: { env: 'LOG_LEVEL', type: 'logLevel', default: 'info', help: 'debug, info, warn or error' },
  leaderElection: {
    env: 'LEADER_ELECTION',
    type: 'boolean',
    default: 'false',
    help: 'act only while holding a Lease, so that several replicas can run',
  },
  leaderElectionName: {
    env: 'LEADER_ELECTION_NAME',
    type: 'string',
    default: 'cooper',
    help: 'name of the Lease',
  },
  leaderElectionNamespace: {
    env: 'LEADER_ELECTION_NAMESPACE',
    type: 'string',
    default: 'kube-system',
    help: 'namespace of the Lease',
  },
  metricsPort: { env: 'METRICS_PORT', type: 'port', default: '8080', help: 'port of /metrics' },
  healthProbePort: {
    env: 'HEALTH_PROBE_PORT',
    type: 'port',
    default: '8081',
    help: 'port of /healthz and /readyz',
  },
} as const satisfies Readonly<Record<string, SettingRow>>;

export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];

/** `clusterName` is `--cluster-name`. */
export function flagOf(key: SettingKey): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
