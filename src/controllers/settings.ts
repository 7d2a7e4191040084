// What an operator can set about the controllers, with defaults.

export interface ControllerSettings {
  readonly clusterName: string;
  /** Upper bounds of the batch window: v0.16's `batchIdleDuration` and `batchMaxDuration`. */
  readonly batchIdleMs: number;
  readonly batchMaxMs: number;
  /** How long improvement of a plan may take after the first complete one. */
  readonly planBudgetMs: number;
  /** A claim that has no instance by then is given up. */
  readonly launchTtlMs: number;
  /** A launched instance that has not become a Node by then is given back. */
  readonly registrationTtlMs: number;
  /** Pods that stay pending are planned again this often. */
  readonly retryMs: number;
  /** Instances without a NodeClaim are left alone for this long after their launch. */
  readonly garbageGraceMs: number;
  readonly garbageEveryMs: number;
  /** Pods of this scheduler are provisioned for. */
  readonly schedulerName: string;
  /** How many writes of one kind may be under way at once. */
  readonly writesAtOnce: number;
  /** Deployments of one pod that ask for it are rolled before that pod is evicted. */
  readonly surgeSingleReplicas: boolean;
}

export const DEFAULT_SETTINGS: ControllerSettings = {
  clusterName: '',
  batchIdleMs: 1000,
  batchMaxMs: 10_000,
  planBudgetMs: 200,
  launchTtlMs: 5 * 60_000,
  registrationTtlMs: 15 * 60_000,
  retryMs: 10_000,
  garbageGraceMs: 30_000,
  garbageEveryMs: 120_000,
  schedulerName: 'default-scheduler',
  writesAtOnce: 32,
  surgeSingleReplicas: false,
};
