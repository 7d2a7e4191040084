// Nodes past their age (`ttlSecondsUntilExpired`), each somewhat early by a share of its own.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

/** A claim that is too old from `dueAtMs` on. */
export interface ExpirationDue {
  readonly claim: NodeClaim;
  readonly dueAtMs: number;
}

/**
 * When each claim of a Provisioner with `ttlSecondsUntilExpired` is too old, counted from its Node's creation.
 * `expireJitter` brings that forward, by at most half of the age, so that nodes bought together do not go together.
 */
export function decideExpiration(snapshot: ClusterSnapshot): readonly ExpirationDue[] {
  const provisioners = new Map(snapshot.provisioners.map((one) => [one.name, one]));
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  return snapshot.nodeClaims.flatMap((claim) => {
    const provisioner = provisioners.get(claim.spec.provisioner);
    const ttlMs = provisioner?.ttlUntilExpiredMs ?? null;
    if (provisioner === undefined || provisioner.suspended || ttlMs === null) return [];
    if (claim.deletionRequestedAtMs !== null) return [];
    const bornAtMs = nodes.get(claim.status.nodeName)?.createdAtMs ?? claim.createdAtMs;
    const mostEarlyMs = Math.min(provisioner.disruption.expireJitterMs, ttlMs / 2);
    return [{ claim, dueAtMs: bornAtMs + ttlMs - Math.floor(mostEarlyMs * shareOf(claim.uid)) }];
  });
}

/** From 0 to less than 1, the same for the same text each time: FNV-1a (Fowler, Noll, Vo), 32 bits. */
function shareOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  // The last characters of like texts reach the high bits only after another round.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}
