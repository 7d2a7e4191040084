// Which nodes are being replaced by which, read off the annotations of the replacements: a restart loses none of it.
import { BUDGETED_REASONS, type BudgetedReason } from '../model/disruptionPolicy.ts';
import { CLAIM_ANNOTATION } from '../model/labels.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { Nomination, PlannedNodeClaim } from '../model/plan.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

/** Nodes that go once others are up. */
export interface OpenReplacement {
  readonly reason: BudgetedReason;
  /** Names of the claims that go. */
  readonly nodeClaims: readonly string[];
  /** Names of the claims stored in their place, those that are being deleted left out. */
  readonly replacements: readonly string[];
  readonly message: string;
  /** When the first of the replacements was stored. */
  readonly orderedAtMs: number;
}

/** What is written on a claim that replaces others. */
export function replacementAnnotations(
  reason: BudgetedReason,
  nodeClaims: readonly string[],
  message: string,
): Readonly<Record<string, string>> {
  return {
    [CLAIM_ANNOTATION.replaces]: nodeClaims.join(','),
    [CLAIM_ANNOTATION.replacesBecause]: `${reason}: ${message}`,
  };
}

/** Takes the mark of a replacement off. */
export const NO_REPLACEMENT: Readonly<Record<string, null>> = {
  [CLAIM_ANNOTATION.replaces]: null,
  [CLAIM_ANNOTATION.replacesBecause]: null,
};

/** Names of the claims that this one is to replace; none for most. */
export function replacedBy({ annotations }: NodeClaim): readonly string[] {
  const names = annotations?.[CLAIM_ANNOTATION.replaces];
  return names === undefined || names === '' ? [] : names.split(',');
}

/** Every replacement that has been ordered and is not over: some node that is to go still stands. */
export function openReplacements({ nodeClaims }: ClusterSnapshot): readonly OpenReplacement[] {
  const marked = nodeClaims.filter(
    (claim) => claim.deletionRequestedAtMs === null && replacedBy(claim).length > 0,
  );
  if (marked.length === 0) return [];
  const standing = standingNames(nodeClaims);
  const groups = Map.groupBy(marked, (claim) => replacedBy(claim).join(','));
  return [...groups.values()].flatMap((claims): OpenReplacement[] => {
    const [first] = claims;
    if (first === undefined || !replacedBy(first).some((name) => standing.has(name))) return [];
    const because = first.annotations?.[CLAIM_ANNOTATION.replacesBecause] ?? '';
    const colon = because.indexOf(':');
    const reason = because.slice(0, Math.max(0, colon));
    if (!isReason(reason)) return [];
    return [
      {
        reason,
        nodeClaims: replacedBy(first),
        replacements: claims.map(({ name }) => name),
        message: because.slice(colon + 1).trim(),
        orderedAtMs: Math.min(...claims.map(({ createdAtMs }) => createdAtMs)),
      },
    ];
  });
}

/**
 * Names of the claims whose mark nobody goes on with: its reason is none of those that nodes are replaced for, as when
 * a later version has written it. Left on, it would keep what it names from being replaced for ever.
 */
export function strayMarks({ nodeClaims }: ClusterSnapshot): readonly string[] {
  return nodeClaims
    .filter((claim) => claim.deletionRequestedAtMs === null && replacedBy(claim).length > 0)
    .filter(({ annotations }) => {
      const [reason = ''] = (annotations?.[CLAIM_ANNOTATION.replacesBecause] ?? '').split(':');
      return !REPLACED_FOR.has(reason);
    })
    .map(({ name }) => name);
}

/** Reasons that nodes are replaced for first; for others they go at once. */
const REPLACED_FOR: ReadonlySet<string> = new Set<BudgetedReason>(['Underutilized', 'Expired', 'Drifted']);

function isReason(text: string): text is BudgetedReason {
  return (BUDGETED_REASONS as readonly string[]).includes(text);
}

function standingNames(nodeClaims: readonly NodeClaim[]): ReadonlySet<string> {
  return new Set(
    nodeClaims.flatMap(({ name, deletionRequestedAtMs }) => (deletionRequestedAtMs === null ? [name] : [])),
  );
}

/** Names of the claims that stand and are to go once their replacements are up: they use budgets up already. */
export function claimsBeingReplaced({ nodeClaims }: ClusterSnapshot): ReadonlySet<string> {
  const names = new Set<string>();
  for (const claim of nodeClaims) {
    if (claim.deletionRequestedAtMs !== null) continue;
    for (const name of replacedBy(claim)) names.add(name);
  }
  if (names.size === 0) return names;
  const standing = standingNames(nodeClaims);
  return new Set([...names].filter((name) => standing.has(name)));
}

/** A drain that has taken longer keeps no empty replacement any more. */
const DRAINED_BY_MS = 600_000;

/** Names of the replacements that are kept although they are empty: the pods that they are for are still elsewhere. */
export function replacementsInWait({ nodeClaims, takenAtMs }: ClusterSnapshot): ReadonlySet<string> {
  const marked = nodeClaims.filter((claim) => replacedBy(claim).length > 0);
  if (marked.length === 0) return new Set();
  const occupied = new Set(
    nodeClaims
      .filter(
        ({ deletionRequestedAtMs }) =>
          deletionRequestedAtMs === null || takenAtMs - deletionRequestedAtMs < DRAINED_BY_MS,
      )
      .map(({ name }) => name),
  );
  return new Set(
    marked.filter((claim) => replacedBy(claim).some((name) => occupied.has(name))).map(({ name }) => name),
  );
}

/** The snapshot as if these claims replaced nothing: an order does not stand in its own way. */
export function withoutMarks(snapshot: ClusterSnapshot, replacements: readonly string[]): ClusterSnapshot {
  const names = new Set(replacements);
  const nodeClaims = snapshot.nodeClaims.map((claim) =>
    names.has(claim.name) && claim.annotations !== undefined
      ? { ...claim, annotations: { ...claim.annotations, [CLAIM_ANNOTATION.replaces]: '' } }
      : claim,
  );
  return { ...snapshot, nodeClaims };
}

/**
 * Where all pods of a decision go: to nodes that are there, and to what has been stored for them.
 * @param stored names of the NodeClaims, in the order of the replacements
 */
export function nominationsWith(
  nominations: readonly Nomination[],
  replacements: readonly PlannedNodeClaim[],
  stored: readonly string[],
): readonly Nomination[] {
  const toStored = replacements.flatMap(({ pods }, index) => {
    const name = stored[index];
    return name === undefined
      ? []
      : pods.map((pod) => ({ pod, target: { kind: 'nodeClaim' as const, name } }));
  });
  return [...nominations, ...toStored];
}
