// Empty nodes: since when, and when they may go (`ttlSecondsAfterEmpty`, or consolidation).
import { LABEL } from '../model/labels.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import type { Pod } from '../model/pod.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { nodeOptOut, occupiesNode } from './evictable.ts';
import { replacementsInWait } from './replacements.ts';

/** A change of the stamp that says since when a claim's node is empty. */
export interface EmptinessChange {
  readonly claim: NodeClaim;
  readonly emptySinceMs: number | null;
}

/** A claim whose time as an empty node is up, or will be at `dueAtMs`. */
export interface EmptinessDue {
  readonly claim: NodeClaim;
  readonly dueAtMs: number;
}

export interface EmptinessDecision {
  readonly changes: readonly EmptinessChange[];
  readonly due: readonly EmptinessDue[];
  /** Empty nodes that would be given back, and forbid it by that annotation. */
  readonly forbidding: readonly { readonly claim: NodeClaim; readonly annotation: string }[];
}

/**
 * Which nodes have become empty or stopped being so, and when the empty ones are due.
 * Only initialized nodes of Provisioners that give empty ones back count, and none that has pods on their way
 * (Karpenter v0.16). The time runs from the moment this first saw the node empty.
 * @param nominatedUntilMs by node or claim name: until when pods are on their way to it
 */
export function decideEmptiness(
  snapshot: ClusterSnapshot,
  nominatedUntilMs: (name: string) => number,
): EmptinessDecision {
  const ttlMs = new Map(snapshot.provisioners.map((one) => [one.name, emptyTtlMs(one)]));
  const occupied = occupiedNodes(snapshot.pods);
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  const inWait = replacementsInWait(snapshot);
  const changes: EmptinessChange[] = [];
  const due: EmptinessDue[] = [];
  const forbidding: { readonly claim: NodeClaim; readonly annotation: string }[] = [];
  for (const claim of snapshot.nodeClaims) {
    if (claim.deletionRequestedAtMs !== null) continue;
    const ttl = ttlMs.get(claim.spec.provisioner) ?? null;
    const node = nodes.get(claim.status.nodeName);
    const expected = Math.max(nominatedUntilMs(claim.name), nominatedUntilMs(claim.status.nodeName));
    const counts =
      ttl !== null &&
      !inWait.has(claim.name) &&
      hasCondition(claim, 'Initialized') &&
      node?.labels[LABEL.initialized] === 'true';
    const empty = counts && !occupied.has(claim.status.nodeName) && expected <= snapshot.takenAtMs;
    const annotation = node === undefined ? null : nodeOptOut(node, snapshot.takenAtMs);
    if (empty && annotation !== null) forbidding.push({ claim, annotation });
    if (!empty || annotation !== null) {
      if (claim.emptySinceMs !== null) changes.push({ claim, emptySinceMs: null });
      continue;
    }
    const sinceMs = claim.emptySinceMs ?? snapshot.takenAtMs;
    if (claim.emptySinceMs === null) changes.push({ claim, emptySinceMs: sinceMs });
    due.push({ claim, dueAtMs: sinceMs + ttl });
  }
  return { changes, due, forbidding };
}

/** How long an empty node is kept: by its own field, or as consolidation has it; null for ever. */
export function emptyTtlMs({ suspended, ttlAfterEmptyMs, disruption }: Provisioner): number | null {
  if (suspended) return null;
  return ttlAfterEmptyMs ?? (disruption.consolidation === 'Never' ? null : disruption.consolidateAfterMs);
}

/** One pass without lists in between: most of the work on a large cluster. */
function occupiedNodes(pods: readonly Pod[]): ReadonlySet<string> {
  const occupied = new Set<string>();
  for (const pod of pods) if (occupiesNode(pod)) occupied.add(pod.nodeName);
  return occupied;
}
