// The claim that a node belongs to.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

/** By the node's name, or its provider id while the claim does not know the name yet. */
export function nodeClaimOf(
  nodeName: string,
  { nodeClaims, nodes }: Pick<ClusterSnapshot, 'nodeClaims' | 'nodes'>,
): NodeClaim | undefined {
  if (nodeName === '') return undefined;
  const named = nodeClaims.find(({ status }) => status.nodeName === nodeName);
  if (named !== undefined) return named;
  const providerId = nodes.find(({ name }) => name === nodeName)?.providerId ?? '';
  return providerId === '' ? undefined : nodeClaims.find(({ status }) => status.providerId === providerId);
}
