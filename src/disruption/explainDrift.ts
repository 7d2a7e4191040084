// Whether a node is what its Provisioner and node class would launch now, and what comes of it when it is not.
import { CLAIM_ANNOTATION } from '../model/labels.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { DRIFT_FACTS_NONE, decideDrift } from './drift.ts';
import { type ExplainedClaim, explained } from './explainEmptiness.ts';
import { explainDue } from './explainLeaving.ts';
import type { ReasonExplanation } from './explanation.ts';
import { driftKeptBy } from './rollout.ts';

/**
 * Drift: off, none, only told, halted, kept, or due. Images, subnets and security groups are the account's to say: of
 * these the condition counts that the controller has written.
 */
export function explainDrift(one: ExplainedClaim, catalogue: Catalogue): ReasonExplanation {
  const { claim, provisioner, snapshot } = one;
  const { name, disruption, suspended } = provisioner;
  const { policy, canary } = disruption.drift;
  if (suspended) return explained('Drifted', 'off', `Provisioner ${name} is suspended`);
  if (policy === 'Never')
    return explained('Drifted', 'off', `spec.disruption.drift.policy of Provisioner ${name} is Never`);
  const drift = driftOf(claim, snapshot);
  if (drift === null) return explained('Drifted', 'no', 'it is what would be launched now');
  const kept = keptBy(one);
  if (kept !== null)
    return explained('Drifted', 'blocked', `${drift}, but kept: ${kept}`, { obstacles: [{ message: kept }] });
  const first = `${drift} (${canary.nodes} of its Provisioner go first, to see how their replacements do)`;
  return explainDue(one, [{ claim, reason: 'Drifted', message: first }], catalogue);
}

function driftOf(claim: NodeClaim, snapshot: ClusterSnapshot): string | null {
  const told = claim.status.conditions.find(({ type, status }) => type === 'Drifted' && status === 'True');
  if (told !== undefined) return told.message === '' ? told.reason : `${told.reason}: ${told.message}`;
  const drift = decideDrift(snapshot, DRIFT_FACTS_NONE).drifted.get(claim.name);
  return drift === undefined ? null : `${drift.reason}: ${drift.message}`;
}

function keptBy({ claim, provisioner: { name, disruption }, snapshot }: ExplainedClaim): string | null {
  const { policy } = disruption.drift;
  if (policy !== 'Replace')
    return `spec.disruption.drift.policy of Provisioner ${name} is ${policy}; with Replace it would be replaced`;
  if (claim.annotations?.[CLAIM_ANNOTATION.rolloutHalted] !== undefined)
    return 'its rollout was halted: a replacement was no good';
  return driftKeptBy(snapshot, claim);
}
