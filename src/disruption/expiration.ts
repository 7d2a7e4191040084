// Nodes past their age (`ttlSecondsUntilExpired`).
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

/** A claim that is too old from `dueAtMs` on. */
export interface ExpirationDue {
  readonly claim: NodeClaim;
  readonly dueAtMs: number;
}

/** When each claim of a Provisioner with `ttlSecondsUntilExpired` is too old, counted from its Node's creation. */
export function decideExpiration(snapshot: ClusterSnapshot): readonly ExpirationDue[] {
  const ttlMs = new Map(snapshot.provisioners.map((one) => [one.name, one.ttlUntilExpiredMs]));
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  return snapshot.nodeClaims.flatMap((claim) => {
    const ttl = ttlMs.get(claim.spec.provisioner) ?? null;
    if (ttl === null || claim.deletionRequestedAtMs !== null) return [];
    const bornAtMs = nodes.get(claim.status.nodeName)?.createdAtMs ?? claim.createdAtMs;
    return [{ claim, dueAtMs: bornAtMs + ttl }];
  });
}
