// Why a node goes or stays for being empty, and when.
import type { ConsolidationView } from '../model/consolidation.ts';
import { LABEL } from '../model/labels.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import { podKey } from '../model/pod.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { disrupt } from './disruptor.ts';
import { decideEmptiness, emptyTtlMs } from './emptiness.ts';
import { nodeOptOut, occupiesNode, optOutEndsAtMs } from './evictable.ts';
import { nextOpeningMs } from './explainBudgets.ts';
import type { ExplainedReason, ReasonExplanation, Standing } from './explanation.ts';

/** A claim that stays for now, the Provisioner it belongs to, and the cluster around it. */
export interface ExplainedClaim {
  readonly claim: NodeClaim;
  readonly provisioner: Provisioner;
  readonly snapshot: ClusterSnapshot;
  readonly view: ConsolidationView;
}

/** Emptiness: off, in use, not empty for long enough, kept, or due. */
export function explainEmptiness({ claim, provisioner, snapshot, view }: ExplainedClaim): ReasonExplanation {
  const tell = (standing: Standing, message: string, more: Partial<ReasonExplanation> = {}) =>
    explained('Empty', standing, message, more);
  const { name } = provisioner;
  if (provisioner.suspended) return tell('off', `Provisioner ${name} is suspended`);
  const ttlMs = emptyTtlMs(provisioner);
  if (ttlMs === null)
    return tell('off', `Provisioner ${name} sets neither ttlSecondsAfterEmpty nor consolidation`);
  const node = snapshot.nodes.find((one) => one.name === claim.status.nodeName);
  if (!hasCondition(claim, 'Initialized') || node?.labels[LABEL.initialized] !== 'true')
    return tell('no', 'the node is still coming up');
  const users = snapshot.pods.filter((pod) => pod.nodeName === node.name && occupiesNode(pod));
  const [user] = users;
  if (user !== undefined) {
    const are = users.length > 1 ? ` and ${users.length - 1} more are` : ' is';
    return tell('no', `pod ${podKey(user)}${are} on it`);
  }
  const nominatedUntilMs = (name: string): number => view.nominatedUntilMs.get(name) ?? 0;
  const nominatedMs = Math.max(nominatedUntilMs(claim.name), nominatedUntilMs(node.name));
  if (nominatedMs > snapshot.takenAtMs) return tell('no', 'it is empty, but pods are on their way to it');
  const annotation = nodeOptOut(node, snapshot.takenAtMs);
  if (annotation !== null) {
    const message = `the node forbids it by ${annotation}`;
    const more = { obstacles: [{ message }], changesAtMs: optOutEndsAtMs(node) };
    return tell('blocked', `it is empty, but kept: ${message}`, more);
  }
  const due = decideEmptiness(snapshot, nominatedUntilMs).due.find((one) => one.claim.name === claim.name);
  if (due === undefined) return tell('no', 'it is kept for pods that are to come');
  const isStamped = claim.emptySinceMs !== null;
  const since = isStamped ? '' : '; the time runs from when the controller notes it';
  if (due.dueAtMs > snapshot.takenAtMs)
    return tell('later', `it is empty, and kept for ${seconds(ttlMs)}${since}`, { changesAtMs: due.dueAtMs });
  return whetherHeld({ claim, provisioner, snapshot, view }, 'Empty', 'it is empty, and its time is up');
}

/** Due by its time: the decision itself says whether it goes now. */
export function whetherHeld(
  { claim, provisioner, snapshot, view }: ExplainedClaim,
  reason: 'Empty' | 'OffHours',
  because: string,
): ReasonExplanation {
  const { held } = disrupt(snapshot, (name) => view.nominatedUntilMs.get(name) ?? 0);
  const own = held.find((one) => one.claim.name === claim.name && one.reason === reason);
  if (own === undefined) return explained(reason, 'due', because);
  const { message } = own;
  const changesAtMs = nextOpeningMs(provisioner, snapshot, reason);
  const more = { obstacles: [{ message }], changesAtMs };
  return explained(reason, 'blocked', `${because}, but kept: ${message}`, more);
}

/** An explanation without obstacles, proposal or known change, unless told. */
export function explained(
  reason: ExplainedReason,
  standing: Standing,
  message: string,
  more: Partial<ReasonExplanation> = {},
): ReasonExplanation {
  return { reason, standing, message, changesAtMs: null, obstacles: [], proposal: null, ...more };
}

/** `90 s`, `15 min`, `36 h`, `30 days`: the largest unit that says it in whole numbers. */
export function seconds(durationMs: number): string {
  const units = [
    ['days', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
  ] as const;
  for (const [unit, unitMs] of units)
    if (durationMs >= 2 * unitMs && durationMs % unitMs === 0) return `${durationMs / unitMs} ${unit}`;
  return `${Math.round(durationMs / 1000)} s`;
}
