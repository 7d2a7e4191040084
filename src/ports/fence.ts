// The right to act, where several replicas run and only one may.

export interface Fence {
  /** Resolves when this replica may change something now; rejects otherwise. Ask right before each change. */
  check(): Promise<void>;
}

/** For a single replica: always allowed. */
export const NO_FENCE: Fence = { check: async () => {} };
