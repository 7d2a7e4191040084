// What a watch tells the state: one object came, changed or went.
import type { Node } from './node.ts';
import type { NodeClaim } from './nodeClaim.ts';
import type { NodeClass } from './nodeClass.ts';
import type { Pod } from './pod.ts';
import type { Provisioner } from './provisioner.ts';
import type { CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass } from './volumes.ts';
import type { DaemonSet, Namespace, PodDisruptionBudget } from './workloads.ts';

export interface ModelByKind {
  readonly pod: Pod;
  readonly node: Node;
  readonly nodeClaim: NodeClaim;
  readonly provisioner: Provisioner;
  readonly nodeClass: NodeClass;
  readonly daemonSet: DaemonSet;
  readonly namespace: Namespace;
  readonly disruptionBudget: PodDisruptionBudget;
  readonly persistentVolume: PersistentVolume;
  readonly persistentVolumeClaim: PersistentVolumeClaim;
  readonly storageClass: StorageClass;
  readonly csiNode: CsiNode;
}

export type ObjectKind = keyof ModelByKind;

/** `key` is `namespace/name`, `name` for cluster-scoped kinds, `NodeClass.key` for node classes. */
export type ClusterEvent =
  | {
      readonly [K in ObjectKind]: {
        readonly type: 'upsert';
        readonly kind: K;
        readonly key: string;
        readonly object: ModelByKind[K];
      };
    }[ObjectKind]
  | { readonly type: 'delete'; readonly kind: ObjectKind; readonly key: string };
