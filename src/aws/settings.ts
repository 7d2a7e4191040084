// What the AWS adapter must be told about the cluster and the account.

export interface AwsSettings {
  readonly clusterName: string;
  /** `https://…`: what kubelets talk to. */
  readonly clusterEndpoint: string;
  /** Certificate authority of the API server, base64 of PEM; null where images bring their own. */
  readonly clusterCaBundle: string | null;
  /** Service CIDR of the cluster: nodeadm (AL2023) infers the DNS address from it. */
  readonly serviceCidr: string | null;
  /** `1.34`: chooses the machine images. */
  readonly kubernetesVersion: string;
  readonly region: string;
  /** For node classes that name none. */
  readonly defaultInstanceProfile: string | null;
  /** Share of the memory EC2 advertises that the machine never sees: 0.075 for 7.5 %. Karpenter's key of that name. */
  readonly vmMemoryOverheadPercent: number;
  /** False: every node takes 110 pods unless `maxPods` says otherwise. */
  readonly eniLimitedPodDensity: boolean;
  /** Interfaces kept from pods, for custom networking. */
  readonly reservedEnis: number;
  /** The VPC CNI hands out /28 prefixes (ENABLE_PREFIX_DELEGATION), so more pods fit on a Nitro node. */
  readonly prefixDelegation: boolean;
  /** Pods may have security groups of their own: offer `vpc.amazonaws.com/pod-eni`. */
  readonly podEni: boolean;
  /** On everything launched; a node class's own tags win, owner tags win over both. */
  readonly tags: Readonly<Record<string, string>>;
}

/** The settings a user may leave out, with Karpenter's defaults. */
export const DEFAULT_AWS_SETTINGS = {
  clusterCaBundle: null,
  serviceCidr: null,
  defaultInstanceProfile: null,
  vmMemoryOverheadPercent: 0.075,
  eniLimitedPodDensity: true,
  reservedEnis: 0,
  prefixDelegation: false,
  podEni: false,
  tags: {},
} as const satisfies Partial<AwsSettings>;

/** Minor version of `1.34` or `v1.34.2-eks-abc`: 34; 0 when it cannot be read. */
export function kubernetesMinor(version: string): number {
  return Number(/^v?1\.(\d+)/.exec(version)?.[1] ?? 0);
}
