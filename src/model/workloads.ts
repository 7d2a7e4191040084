// DaemonSets, disruption budgets and namespaces, cut down to what decisions look at.
import type { LabelSelector } from './labelSelector.ts';
import type { PodSpec } from './pod.ts';

export interface DaemonSet {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Its pod template, with overhead and LimitRange defaults applied where they are known. */
  readonly spec: PodSpec;
}

export interface PodDisruptionBudget {
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector | null;
  readonly disruptionsAllowed: number;
  /** Healthy pods, and how many of them there must be; absent when the status does not say. */
  readonly currentHealthy?: number;
  readonly desiredHealthy?: number;
}

export interface Namespace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A Deployment, as far as it can be rolled. */
export interface Rollout {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly replicas: number;
  /** True when it makes a new pod before it deletes an old one. */
  readonly surges: boolean;
  /** When it was last asked for a new rollout of the same template; null for never. */
  readonly restartedAtMs: number | null;
}
