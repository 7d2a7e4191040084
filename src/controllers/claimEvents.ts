// What is told of a claim: on the NodeClaim, on its Node, where people look first, and in the journal.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { DecisionRecord } from '../ports/journal.ts';
import type { Ports } from '../ports/ports.ts';
import type { LiveState } from './liveState.ts';

export interface ClaimEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** An event that says why a node goes or stays, and what the journal keeps beside its text. */
export interface ClaimDecision
  extends ClaimEvent,
    Pick<DecisionRecord, 'savingUsdPerHour' | 'podsMoved' | 'blockedBy'> {
  /** What the node would go for; the event's reason when absent. */
  readonly disruption?: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

/**
 * Asks for the claim's deletion, and tells why once that has gone through: a deletion that fails is tried again, and
 * would be told each time.
 */
export async function deleteAndTell(
  ports: Ports,
  live: LiveState,
  claim: NodeClaim,
  why: ClaimDecision,
): Promise<'deleted' | 'gone'> {
  const outcome = await ports.kube.deleteNodeClaim(claim.name, claim.uid);
  if (outcome === 'deleted') await tellDecision(ports, live, claim, { kind: 'Disrupted', ...why });
  return outcome;
}

/** A decision to leave the node where it is, to be told once for each reason: the caller remembers. */
export async function tellKept(
  ports: Ports,
  live: LiveState,
  claim: NodeClaim,
  why: ClaimDecision,
): Promise<void> {
  await tellDecision(ports, live, claim, { kind: 'Kept', ...why });
}

/** Appends the record and publishes the events: whatever is decided about a node goes through here. */
export async function tellDecision(
  ports: Ports,
  live: LiveState,
  claim: NodeClaim,
  {
    kind,
    type,
    reason,
    message,
    disruption = reason,
    facts,
    ...gain
  }: ClaimDecision & Pick<DecisionRecord, 'kind'>,
): Promise<void> {
  ports.journal.append({
    atMs: ports.clock.nowMs(),
    kind,
    subject: claim.name,
    reason: message,
    code: reason,
    facts: { node: claim.status.nodeName, disruption, ...facts },
    ...gain,
  });
  await tellClaim(ports, live, claim, { type, reason, message });
}

/** One event on the claim, and the same on its Node once it has one. */
export async function tellClaim(
  ports: Ports,
  live: LiveState,
  claim: NodeClaim,
  event: ClaimEvent,
): Promise<void> {
  const about = { kind: 'NodeClaim' as const, namespace: '', name: claim.name, uid: claim.uid };
  await ports.kube.publishEvent({ about, ...event });
  const node = live.get('node', claim.status.nodeName);
  if (node === undefined) return;
  const aboutNode = { kind: 'Node' as const, namespace: '', name: node.name, uid: node.uid };
  await ports.kube.publishEvent({ about: aboutNode, ...event });
}
