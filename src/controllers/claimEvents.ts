// What is told of a claim: on the NodeClaim, and on its Node, where people look first.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { Ports } from '../ports/ports.ts';
import type { LiveState } from './liveState.ts';

export interface ClaimEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/**
 * Asks for the claim's deletion, and tells why once that has gone through: a deletion that fails is tried again, and
 * would be told each time.
 */
export async function deleteAndTell(
  ports: Ports,
  live: LiveState,
  claim: NodeClaim,
  why: ClaimEvent,
): Promise<'deleted' | 'gone'> {
  const outcome = await ports.kube.deleteNodeClaim(claim.name, claim.uid);
  if (outcome === 'deleted') await tellClaim(ports, live, claim, why);
  return outcome;
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
