// Our custom resources as the API server sends them: the types of JSON that fits the schemas.
import type {
  BudgetedReason,
  ConsolidationPolicy,
  DriftPolicy,
  MinimumSavings,
} from '../model/disruptionPolicy.ts';
import type { NodeSelectorOperator } from '../model/requirement.ts';
import type { TaintEffect } from '../model/taint.ts';

export type Texts = Readonly<Record<string, string>>;
/** Amounts by resource name, as quantities. */
export type Quantities = Readonly<Record<string, string | number>>;

export interface WireTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: TaintEffect;
}

export interface WireRequirement {
  readonly key: string;
  readonly operator: NodeSelectorOperator;
  readonly values?: readonly string[];
  readonly minValues?: number;
}

export interface WireKubelet {
  readonly clusterDNS?: readonly string[];
  readonly containerRuntime?: string;
  readonly maxPods?: number;
  readonly podsPerCore?: number;
  readonly systemReserved?: Quantities;
  readonly kubeReserved?: Quantities;
  readonly evictionHard?: Texts;
  readonly evictionSoft?: Texts;
  readonly evictionSoftGracePeriod?: Texts;
  readonly evictionMaxPodGracePeriod?: number;
  readonly imageGCHighThresholdPercent?: number;
  readonly imageGCLowThresholdPercent?: number;
  readonly cpuCFSQuota?: boolean;
}

export interface WireBlockDevice {
  readonly deviceName: string;
  readonly ebs: {
    readonly volumeSize?: string | number;
    readonly volumeType?: string;
    readonly iops?: number;
    readonly throughput?: number;
    readonly encrypted?: boolean;
    readonly kmsKeyID?: string;
    readonly deleteOnTermination?: boolean;
    readonly snapshotID?: string;
  };
}

/** `provider` of a Provisioner, or the spec of an AWSNodeTemplate. */
export interface WireAwsSpec {
  readonly subnetSelector: Texts;
  readonly securityGroupSelector?: Texts;
  readonly capacityReservationSelector?: Texts;
  readonly instanceProfile?: string;
  readonly amiFamily?: string;
  readonly amiSelector?: Texts;
  readonly userData?: string;
  readonly instanceStorePolicy?: string;
  readonly launchTemplate?: string;
  readonly tags?: Texts;
  readonly metadataOptions?: {
    readonly httpEndpoint?: 'enabled' | 'disabled';
    readonly httpProtocolIPv6?: 'enabled' | 'disabled';
    readonly httpPutResponseHopLimit?: number;
    readonly httpTokens?: 'required' | 'optional';
  };
  readonly blockDeviceMappings?: readonly WireBlockDevice[];
  readonly detailedMonitoring?: boolean;
  readonly context?: string;
}

export interface WireProvisionerSpec {
  readonly labels?: Texts;
  readonly annotations?: Texts;
  readonly taints?: readonly WireTaint[];
  readonly startupTaints?: readonly WireTaint[];
  readonly requirements?: readonly WireRequirement[];
  readonly kubeletConfiguration?: WireKubelet;
  readonly provider?: WireAwsSpec;
  readonly providerRef?: { readonly name: string };
  readonly ttlSecondsAfterEmpty?: number;
  readonly ttlSecondsUntilExpired?: number;
  readonly limits?: { readonly resources?: Quantities; readonly usdPerHour?: number };
  readonly weight?: number;
  readonly consolidation?: { readonly enabled?: boolean };
  readonly disruption?: {
    readonly consolidationPolicy?: ConsolidationPolicy;
    readonly consolidateAfter?: string;
    readonly budgets?: readonly WireBudget[];
    readonly minimumSavings?: Partial<MinimumSavings>;
    readonly minimumNodeAge?: string;
    readonly expireJitter?: string;
    readonly repair?: WireRepair;
    readonly drift?: {
      readonly policy?: DriftPolicy;
      readonly canary?: { readonly nodes?: number; readonly soak?: string };
    };
  };
  readonly schedule?: {
    readonly timeZone?: string;
    readonly offHours: readonly { readonly start: string; readonly duration: string }[];
  };
  readonly terminationGracePeriod?: string;
  readonly suspend?: boolean;
}

export interface WireRepair {
  readonly policy?: 'Observe' | 'Replace';
  readonly after?: string;
}

export interface WireBudget {
  readonly nodes?: string;
  readonly action?: 'Allow' | 'Deny';
  readonly reasons?: readonly BudgetedReason[];
  readonly schedule?: string;
  readonly duration?: string;
  readonly timeZone?: string;
}

export interface WireNodeClaimSpec {
  readonly provisioner: string;
  readonly nodeClassRef: {
    readonly group: string;
    readonly kind: 'Provisioner' | 'AWSNodeTemplate';
    readonly name: string;
  };
  readonly labels?: Texts;
  readonly annotations?: Texts;
  readonly taints?: readonly WireTaint[];
  readonly startupTaints?: readonly WireTaint[];
  readonly kubelet?: WireKubelet;
  readonly requirements: readonly WireRequirement[];
  readonly instanceTypes: readonly string[];
  readonly resources?: { readonly requests?: Quantities };
  readonly terminationGracePeriod?: string;
  readonly launchGroup?: { readonly id: string; readonly size: number };
}

export interface WireCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface WireNodeClaimStatus {
  readonly providerID?: string;
  readonly nodeName?: string;
  readonly instanceType?: string;
  readonly zone?: string;
  readonly capacityType?: 'spot' | 'on-demand';
  readonly imageID?: string;
  readonly usdPerHour?: number;
  readonly capacity?: Quantities;
  readonly allocatable?: Quantities;
  readonly conditions?: readonly WireCondition[];
}
