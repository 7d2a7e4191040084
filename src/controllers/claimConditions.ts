// Conditions of NodeClaims: setting one leaves the others, and its time moves only when its status does.
import type { NodeClaimCondition, NodeClaimStatus } from '../model/nodeClaim.ts';

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
