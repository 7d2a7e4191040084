// Which nodes leave now, for which reason, and when to look again: the one entry to disruption.
import type { DisruptionPlan } from '../model/plan.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { decideEmptiness, type EmptinessChange } from './emptiness.ts';
import { decideExpiration } from './expiration.ts';

export interface DisruptionDecision {
  readonly plans: readonly DisruptionPlan[];
  readonly emptinessChanges: readonly EmptinessChange[];
  /** When the next node is due if nothing changes, in milliseconds since the epoch; Infinity for never. */
  readonly nextAtMs: number;
}

/**
 * Decides what leaves. Pure: the shell writes the stamps and deletes the claims.
 * @param nominatedUntilMs by node or claim name: until when pods are on their way to it, 0 for not at all
 */
export function disrupt(
  snapshot: ClusterSnapshot,
  nominatedUntilMs: (name: string) => number,
): DisruptionDecision {
  const nowMs = snapshot.takenAtMs;
  const emptiness = decideEmptiness(snapshot, nominatedUntilMs);
  const expiration = decideExpiration(snapshot);
  const expired = expiration.filter(({ dueAtMs }) => dueAtMs <= nowMs);
  const gone = new Set(expired.map(({ claim }) => claim.name));
  const empty = emptiness.due.filter(({ claim, dueAtMs }) => dueAtMs <= nowMs && !gone.has(claim.name));
  const plans: DisruptionPlan[] = [];
  for (const { claim, dueAtMs } of empty) {
    const seconds = Math.round((nowMs - (claim.emptySinceMs ?? dueAtMs)) / 1000);
    const { provisioner } = claim.spec;
    const message = `node is empty since ${seconds} s, ttlSecondsAfterEmpty of Provisioner ${provisioner} is up`;
    plans.push({ reason: 'Empty', nodeClaims: [claim.name], replacements: [], message });
  }
  for (const { claim } of expired) {
    const message = `node is older than ttlSecondsUntilExpired of Provisioner ${claim.spec.provisioner} allows`;
    plans.push({ reason: 'Expired', nodeClaims: [claim.name], replacements: [], message });
  }
  const later = [...emptiness.due, ...expiration]
    .map(({ dueAtMs }) => dueAtMs)
    .filter((dueAtMs) => dueAtMs > nowMs);
  const nominated = snapshot.nodeClaims.flatMap(({ name, status }) => [
    nominatedUntilMs(name),
    nominatedUntilMs(status.nodeName),
  ]);
  const nominationEnds = nominated.filter((untilMs) => untilMs > nowMs);
  const nextAtMs = smallest([...later, ...nominationEnds]);
  return { plans, emptinessChanges: emptiness.changes, nextAtMs };
}

function smallest(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
}
