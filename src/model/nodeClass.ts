// The AWS part of a Provisioner: how its instances are found, booted and tagged.

/** Tag filters, ANDed. `aws-ids` (or `aws::ids`) holds a comma-separated list of ids instead of a tag value. */
export type TagSelector = Readonly<Record<string, string>>;

export type AmiFamily =
  | 'AL2'
  | 'AL2023'
  | 'Bottlerocket'
  | 'Ubuntu'
  | 'Windows2019'
  | 'Windows2022'
  | 'Windows2025'
  | 'Custom';

export interface MetadataOptions {
  readonly httpEndpoint: 'enabled' | 'disabled';
  readonly httpProtocolIpv6: 'enabled' | 'disabled';
  readonly httpPutResponseHopLimit: number;
  readonly httpTokens: 'required' | 'optional';
}

export interface BlockDevice {
  readonly deviceName: string;
  readonly volumeSizeGib: number | null;
  readonly volumeType: string | null;
  readonly iops: number | null;
  readonly throughput: number | null;
  readonly encrypted: boolean | null;
  readonly kmsKeyId: string | null;
  readonly deleteOnTermination: boolean | null;
  readonly snapshotId: string | null;
}

/** `key` is `Provisioner/<name>` for an inline `provider`, `AWSNodeTemplate/<name>` for a template. */
export interface NodeClass {
  readonly key: string;
  readonly generation: number;
  readonly subnetSelector: TagSelector;
  readonly securityGroupSelector: TagSelector;
  /** On-demand capacity reservations to use before anything is bought; none when absent or empty. */
  readonly capacityReservationSelector?: TagSelector;
  readonly instanceProfile: string | null;
  /** As written; null when the manifest names none. The adapter chooses a living default. */
  readonly amiFamily: AmiFamily | null;
  readonly amiSelector: TagSelector;
  readonly userData: string | null;
  readonly launchTemplate: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadataOptions: MetadataOptions | null;
  readonly blockDevices: readonly BlockDevice[];
  readonly detailedMonitoring: boolean;
  /** RAID0: local NVMe disks become one, which holds what pods write; absent: they are left alone. */
  readonly instanceStorePolicy?: 'RAID0';
  readonly context: string | null;
}

/** What a node class stands for just now: what a launch would use. Ids; null where a launch template says it. */
export interface NodeClassTargets {
  /** Images that a launch would boot, for one type or another; older ones that match are not among them. */
  readonly imageIds: readonly string[] | null;
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[] | null;
}

/** The key of the node class that a reference names. */
export function nodeClassKey(ref: { readonly kind: string; readonly name: string }): string {
  return `${ref.kind}/${ref.name}`;
}
