// A brake on launches that do not help: pods whose new nodes never take them must not buy one after the other.
import type { PlannedNodeClaim } from '../model/plan.ts';

/** After a launch for a pod, it may cause another one only after this long; doubled with each that did not help. */
export const BRAKE_FIRST_MS = 30_000;
export const BRAKE_MOST_MS = 600_000;

export interface Braked {
  readonly launched: readonly PlannedNodeClaim[];
  /** Planned, but held back: their pods have had nodes launched for them a moment ago. */
  readonly held: readonly PlannedNodeClaim[];
}

/**
 * Which planned nodes may be launched now. Fresh pods pay for the nodes: as many pods as there are of them may go onto
 * new ones, whichever pods of a class the plan has put there. What is planned beyond that is for pods that keep coming.
 * @param freshCount how many of the pods planned for are not under the brake, wherever the plan has put them
 * @param isFresh by pod key
 */
export function brake(
  planned: readonly PlannedNodeClaim[],
  freshCount: number,
  isFresh: (pod: string) => boolean,
): Braked {
  const ranked = planned
    .map((claim) => ({ claim, fresh: claim.pods.filter(isFresh).length }))
    .sort((left, right) => right.fresh - left.fresh);
  const launched: PlannedNodeClaim[] = [];
  const held: PlannedNodeClaim[] = [];
  let paid = freshCount;
  for (const { claim, fresh } of ranked) {
    if (fresh === 0 && paid <= 0) {
      held.push(claim);
      continue;
    }
    launched.push(claim);
    paid -= claim.pods.length;
  }
  return { launched, held };
}
