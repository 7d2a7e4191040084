// A planned node, cut down to what an explanation says of it.
import type { PlannedNodeClaim } from '../model/plan.ts';
import type { ProposedNode } from './explanation.ts';

export function proposedNode(planned: PlannedNodeClaim): ProposedNode {
  const { spec, instanceType, zone, capacityType, usdPerHour, pods } = planned;
  return { provisioner: spec.provisioner, instanceType, zone, capacityType, usdPerHour, pods };
}
