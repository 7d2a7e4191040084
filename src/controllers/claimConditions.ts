// Conditions of NodeClaims: setting one leaves the others, and its time moves only when its status does.
import type { NodeClaim, NodeClaimCondition, NodeClaimStatus } from '../model/nodeClaim.ts';
import type { Ports } from '../ports/ports.ts';
import type { LiveState } from './liveState.ts';

/** The status with this condition set; the same object when nothing would change. */
export function withCondition(status: NodeClaimStatus, condition: NodeClaimCondition): NodeClaimStatus {
  const held = status.conditions.find((one) => one.type === condition.type);
  if (
    held?.status === condition.status &&
    held.reason === condition.reason &&
    held.message === condition.message
  ) {
    return status;
  }
  const sinceMs = held?.status === condition.status ? held.sinceMs : condition.sinceMs;
  const others = status.conditions.filter((one) => one.type !== condition.type);
  return { ...status, conditions: [...others, { ...condition, sinceMs }] };
}

/** Sets a condition on the claim as it stands by now; one that is gone is left, and a conflict to the next step. */
export async function writeCondition(
  ports: Ports,
  live: LiveState,
  read: NodeClaim,
  fields: Omit<NodeClaimCondition, 'sinceMs'>,
): Promise<void> {
  const claim = live.get('nodeClaim', read.name);
  if (claim === undefined || claim.uid !== read.uid) return;
  const status = withCondition(claim.status, { ...fields, sinceMs: ports.clock.nowMs() });
  if (status === claim.status) return;
  live.recordNodeClaim(claim, await ports.kube.writeNodeClaimStatus(claim, status));
}
