// When a controller wants to run again.

/** Milliseconds until the next run is due, counted from the end of this one; Infinity: only when something changes. */
export interface NextRun {
  readonly afterMs: number;
}

export const WHEN_CHANGED: NextRun = { afterMs: Number.POSITIVE_INFINITY };

/** The earlier of both. */
export function sooner(left: NextRun, right: NextRun): NextRun {
  return left.afterMs <= right.afterMs ? left : right;
}
