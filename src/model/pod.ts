// Pods, cut down to what scheduling and disruption look at.
import type { LabelSelector } from './labelSelector.ts';
import type { Requirement } from './requirement.ts';
import type { Resources } from './resources.ts';
import type { Toleration } from './taint.ts';

/** Conditions that must all hold. */
export interface NodeSelectorTerm {
  readonly requirements: readonly Requirement[];
  /** True when the term uses `matchFields`, which no planned node can satisfy (it names one existing node). */
  readonly matchFields: boolean;
}

export interface PreferredNodeTerm {
  readonly weight: number;
  readonly term: NodeSelectorTerm;
}

/** `matchLabelKeys` and `mismatchLabelKeys` are folded into the selector at the door, from the pod's own labels. */
export interface PodAffinityTerm {
  readonly selector: LabelSelector | null;
  readonly topologyKey: string;
  /** Namespaces by name; empty together with a null `namespaceSelector` means the pod's own. */
  readonly namespaces: readonly string[];
  readonly namespaceSelector: LabelSelector | null;
}

export interface PreferredPodAffinityTerm {
  readonly weight: number;
  readonly term: PodAffinityTerm;
}

/** `matchLabelKeys` is folded into the selector at the door. */
export interface TopologySpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway';
  readonly selector: LabelSelector | null;
  readonly nodeAffinityPolicy: 'Honor' | 'Ignore';
  readonly nodeTaintsPolicy: 'Honor' | 'Ignore';
}

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** A volume that needs a claim: by name, or an ephemeral template whose claim is `<pod>-<volume>`. */
export type PodVolume =
  | { readonly kind: 'claim'; readonly claimName: string }
  | { readonly kind: 'ephemeral'; readonly volumeName: string; readonly storageClassName: string | null };

/** What the pod asks of a node. Equal specs are one object (interned at the door), so they compare by identity. */
export interface PodSpec {
  /** Effective: init containers, sidecars, overhead, pod-level resources, limits as requests; `pods: 1` in it. */
  readonly requests: Resources;
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** Required node affinity: ORed terms; null when absent, [] (matches nothing) when present without terms. */
  readonly nodeAffinity: readonly NodeSelectorTerm[] | null;
  readonly preferredNodeAffinity: readonly PreferredNodeTerm[];
  readonly tolerations: readonly Toleration[];
  readonly podAffinity: readonly PodAffinityTerm[];
  readonly podAntiAffinity: readonly PodAffinityTerm[];
  readonly preferredPodAffinity: readonly PreferredPodAffinityTerm[];
  readonly preferredPodAntiAffinity: readonly PreferredPodAffinityTerm[];
  readonly topologySpread: readonly TopologySpreadConstraint[];
  readonly hostPorts: readonly HostPort[];
  readonly volumes: readonly PodVolume[];
  readonly schedulerName: string;
  readonly priority: number;
  readonly terminationGraceSeconds: number;
}

export interface OwnerReference {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Only the annotations with a meaning here (see `ANNOTATION`), and pod-deletion-cost. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
  /** The controlling owner, or null. */
  readonly owner: OwnerReference | null;
  readonly createdAtMs: number;
  readonly phase: PodPhase;
  readonly ready: boolean;
  /** Node the pod is bound to, '' while it is not. */
  readonly nodeName: string;
  readonly nominatedNodeName: string;
  /** When the scheduler marked it `PodScheduled=False, Unschedulable`; null while it has not. */
  readonly unschedulableSinceMs: number | null;
  readonly schedulingGated: boolean;
  /** When deletion was asked for; null while it was not. */
  readonly deletionRequestedAtMs: number | null;
  /** What whoever deleted it gives it to stop, which may not be what it asks for. Absent until it is deleted. */
  readonly deletionGraceSeconds?: number;
  /** True for static pods, which the kubelet runs from a file. */
  readonly mirror: boolean;
}

/** `namespace/name`: how pods are named in plans, refusals and logs. */
export function podKey(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}

/** Succeeded or Failed: holds no node resources any more. */
export function isTerminal(pod: Pod): boolean {
  return pod.phase === 'Succeeded' || pod.phase === 'Failed';
}

/** How long the pod is given to stop: by its deletion where that is known, else as it asks. */
export function graceSecondsOf({ deletionGraceSeconds, spec }: Pod): number {
  return deletionGraceSeconds ?? spec.terminationGraceSeconds;
}

export function isOwnedByDaemonSet(pod: Pod): boolean {
  return pod.owner?.kind === 'DaemonSet';
}
