// What is told of a claim: on the NodeClaim, and on its Node, where people look first.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { Ports } from '../ports/ports.ts';
import type { LiveState } from './liveState.ts';

export interface ClaimEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
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
