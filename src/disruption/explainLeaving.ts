// Why a node goes or stays for its age, and what would be launched before it goes.
import type { SchedulingPlan } from '../model/plan.ts';
import { podKey } from '../model/pod.ts';
import type { Catalogue } from '../model/snapshot.ts';
import { checkedPlan } from '../scheduling/checkedPlan.ts';
import { FIRST_PLAN_ONLY } from '../scheduling/scheduler.ts';
import type { Displacement } from './displaced.ts';
import { decideExpiration } from './expiration.ts';
import { nextOpeningMs } from './explainBudgets.ts';
import { type ExplainedClaim, explained, seconds } from './explainEmptiness.ts';
import type { Proposal, ReasonExplanation } from './explanation.ts';
import { decideLeaving, expiredNodes, type Leaving, leavingNeeds, leavingTrial } from './leaving.ts';
import { proposedNode } from './proposedNode.ts';

/** Expiry: off, not old enough, kept by a budget or for want of a replacement, or due. */
export function explainExpiration(one: ExplainedClaim, catalogue: Catalogue): ReasonExplanation {
  const { claim, provisioner, snapshot } = one;
  const { name, ttlUntilExpiredMs } = provisioner;
  if (provisioner.suspended) return explained('Expired', 'off', `Provisioner ${name} is suspended`);
  if (ttlUntilExpiredMs === null)
    return explained('Expired', 'off', `Provisioner ${name} sets no ttlSecondsUntilExpired`);
  const due = decideExpiration(snapshot).find((each) => each.claim.name === claim.name);
  if (due === undefined) return explained('Expired', 'no', 'it is leaving already');
  if (due.dueAtMs <= snapshot.takenAtMs) return explainDue(one, expiredNodes(snapshot), catalogue);
  const jitter = provisioner.disruption.expireJitterMs > 0 ? ', somewhat earlier by expireJitter' : '';
  const message = `it goes at the age of ${seconds(ttlUntilExpiredMs)}${jitter}`;
  return explained('Expired', 'later', message, { changesAtMs: due.dueAtMs });
}

/** A node that is to go by now, among the others that are: budgets first, and then what it needs before it goes. */
export function explainDue(
  { claim, provisioner, snapshot }: ExplainedClaim,
  due: readonly Leaving[],
  catalogue: Catalogue,
): ReasonExplanation {
  const decision = decideLeaving(snapshot, due, () => 0);
  const own = due.find((one) => one.claim.name === claim.name);
  const reason = own?.reason ?? 'Expired';
  const because = own?.message ?? 'it is to go';
  const held = decision.held.find((one) => one.claim.name === claim.name);
  if (held !== undefined) {
    const changesAtMs = nextOpeningMs(provisioner, snapshot, reason);
    const more = { obstacles: [{ message: held.held }], changesAtMs };
    return explained(reason, 'blocked', `${because}, but kept: ${held.held}`, more);
  }
  if (!decision.leaving.some((one) => one.claim.name === claim.name))
    return explained(
      reason,
      'later',
      `${because}; it is being replaced, or waits to take the pods of another`,
    );
  const trial = leavingTrial(snapshot, [claim.name]);
  const others = leavingTrial(snapshot, []);
  const plan = planOf(trial, catalogue);
  const needs = leavingNeeds(snapshot, [claim.name], plan, planOf(others, catalogue));
  switch (needs.kind) {
    case 'unplaceable':
      return explained(reason, 'blocked', `${because}, but kept: ${needs.message}`, {
        obstacles: [{ message: needs.message }],
      });
    case 'later':
      return explained(reason, 'later', `${because}; its pods fit on nodes that come up`);
    case 'places': {
      const replacements = needs.replacements.map(proposedNode);
      const proposal = { ...movesOf(trial, plan), replacements };
      const how =
        replacements.length === 0 ? 'its pods fit on other nodes' : 'replacements are launched first';
      return explained(reason, 'due', `${because}; ${how}`, {
        proposal: { ...proposal, nodeClaims: [claim.name], savingUsdPerHour: null, message: how },
      });
    }
  }
}

/** Where existing nodes take its pods. */
function movesOf({ pods }: Displacement, plan: SchedulingPlan | null): Pick<Proposal, 'moves'> {
  const keys = new Set(pods.map(podKey));
  const nominations = (plan?.nominations ?? []).filter(({ pod }) => keys.has(pod));
  return { moves: nominations.map(({ pod, target }) => ({ pod, to: target.name })) };
}

function planOf({ snapshot, pods }: Displacement, catalogue: Catalogue): SchedulingPlan | null {
  const { plan, violations } = checkedPlan(snapshot, catalogue, pods, FIRST_PLAN_ONLY);
  return violations.length === 0 ? plan : null;
}
