// A Provisioner after parsing and defaulting: what may be launched, and how long it lives.
import type { DisruptionPolicy } from './disruptionPolicy.ts';
import type { Requirement } from './requirement.ts';
import type { Resources } from './resources.ts';
import type { Taint } from './taint.ts';
import type { TimeWindow } from './timeWindow.ts';

/** Kubelet settings that change what a node can hold, and are passed on to its boot configuration. */
export interface KubeletConfiguration {
  readonly clusterDns?: readonly string[];
  readonly containerRuntime?: string;
  readonly maxPods?: number;
  readonly podsPerCore?: number;
  readonly systemReserved?: Readonly<Record<string, string>>;
  readonly kubeReserved?: Readonly<Record<string, string>>;
  readonly evictionHard?: Readonly<Record<string, string>>;
  readonly evictionSoft?: Readonly<Record<string, string>>;
  readonly evictionSoftGracePeriod?: Readonly<Record<string, string>>;
  readonly evictionMaxPodGracePeriod?: number;
  readonly imageGcHighThresholdPercent?: number;
  readonly imageGcLowThresholdPercent?: number;
  readonly cpuCfsQuota?: boolean;
}

/** Where the AWS part of a Provisioner is written: inline in it, or in an AWSNodeTemplate. */
export interface NodeClassRef {
  readonly kind: 'Provisioner' | 'AWSNodeTemplate';
  readonly name: string;
}

/** Limits beside resources: how many nodes, and what they may cost together. */
export const NODES_LIMIT = 'nodes';
export const PRICE_LIMIT = 'usdPerHour';

/** Most images and claims that are remembered of nodes that never came up. */
export const FAILED_IMAGES_MOST = 50;
export const COUNTED_CLAIMS_MOST = 100;

/** Nodes in a row, of one configuration, that never came up; written into the Provisioner's status. */
export interface LaunchFailures {
  /** Which configuration: of another one nothing is known. */
  readonly configuration: string;
  /** Images that they booted: once one of them is launched no more, nothing is known of what is. Empty: not known. */
  readonly imageIds: readonly string[];
  readonly nodes: number;
  /** How often launches have been stopped since; 0: they go on. */
  readonly pauses: number;
  readonly pausedAtMs: number;
  /** When one node is launched again, to see; in milliseconds since the epoch. */
  readonly retryAtMs: number;
  /** What is known of why the last one did not come up. */
  readonly hint: string;
  /** Uids of claims that are counted and not yet deleted: a restart in between must not count them again. */
  readonly claims: readonly string[];
}

export interface Provisioner {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  /** Put on the node at boot, expected to be removed by a daemon; ignored in scheduling until then. */
  readonly startupTaints: readonly Taint[];
  /** Requirements with defaults applied; labels are not repeated here. */
  readonly requirements: readonly Requirement[];
  readonly kubelet: KubeletConfiguration;
  readonly nodeClassRef: NodeClassRef;
  readonly ttlAfterEmptyMs: number | null;
  readonly ttlUntilExpiredMs: number | null;
  readonly disruption: DisruptionPolicy;
  /** The annotation `cooper.sh/rollout-attempt`; absent when it has none. */
  readonly rolloutAttempt?: string;
  /** How long a drain may take: then all that is left ends; null for as long as pods and budgets demand. */
  readonly terminationGracePeriodMs: number | null;
  /** True while nothing new is launched and nothing is taken away of our own accord. */
  readonly suspended: boolean;
  /** While one of these is open nothing new is launched and its nodes are given back. Absent in older snapshots. */
  readonly offHours?: readonly TimeWindow[];
  /**
   * Total capacity that its nodes may have, claims in flight included; null for no limit. `NODES_LIMIT` and
   * `PRICE_LIMIT` stand beside the resources.
   */
  readonly limits: Resources | null;
  readonly weight: number;
  readonly deletionRequestedAtMs: number | null;
  /** From its status; absent while all is well. */
  readonly launchFailures?: LaunchFailures;
}
