// Storage, cut down to what ties a pod to a zone or limits volumes on a node.
import type { NodeSelectorTerm } from './pod.ts';

export interface PersistentVolume {
  readonly name: string;
  /** Required node affinity: ORed terms; empty for a volume that is reachable from anywhere. */
  readonly nodeAffinity: readonly NodeSelectorTerm[];
  readonly csiDriver: string | null;
}

export interface PersistentVolumeClaim {
  readonly namespace: string;
  readonly name: string;
  /** Bound volume, '' while unbound. */
  readonly volumeName: string;
  /** null means the cluster's default class; '' means none. */
  readonly storageClassName: string | null;
}

export interface StorageClass {
  readonly name: string;
  readonly isDefault: boolean;
  readonly provisioner: string;
  readonly waitForFirstConsumer: boolean;
  /** ORed terms. */
  readonly allowedTopologies: readonly NodeSelectorTerm[];
}

/** How many volumes each CSI driver can attach to the node; absent means unlimited. */
export interface CsiNode {
  readonly name: string;
  readonly volumeLimits: Readonly<Record<string, number>>;
}

/** A volume that is attached to a node, or on its way to or from it. */
export interface VolumeAttachment {
  readonly nodeName: string;
  /** '' for volumes that no PersistentVolume stands for. */
  readonly volumeName: string;
}
