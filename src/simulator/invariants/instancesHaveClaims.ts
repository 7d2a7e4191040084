// Every instance has its NodeClaim within the grace time, every NodeClaim at most one instance.
import type { Invariant } from './invariant.ts';

/** Garbage collection comes every two minutes, waits for its grace time, and may fail or be down for a while. */
const GRACE_MS = 15 * 60_000;
const LOOK_EVERY_MS = 10_000;

export const instancesHaveClaims: Invariant = ({ simulation, report }) => {
  const { clock, cloud, store } = simulation;
  const orphanedSinceMs = new Map<string, number>();
  const reported = new Set<string>();
  let nextLookMs = clock.nowMs();
  simulation.onStep(() => {
    if (clock.nowMs() < nextLookMs) return;
    nextLookMs = clock.nowMs() + LOOK_EVERY_MS;
    const instanceOfClaim = new Map<string, string>();
    for (const { instance } of cloud.living()) {
      if (instance.state === 'shutting-down') continue;
      const { providerId, nodeClaim, nodeClaimUid } = instance;
      const other = instanceOfClaim.get(nodeClaimUid);
      if (other !== undefined && !reported.has(nodeClaimUid)) {
        reported.add(nodeClaimUid);
        report(`NodeClaim ${nodeClaim} has two instances, ${other} and ${providerId}`);
      }
      instanceOfClaim.set(nodeClaimUid, providerId);
      if (store.get('nodeClaim', nodeClaim)?.uid === nodeClaimUid) {
        orphanedSinceMs.delete(providerId);
        continue;
      }
      const sinceMs = orphanedSinceMs.get(providerId) ?? clock.nowMs();
      orphanedSinceMs.set(providerId, sinceMs);
      if (clock.nowMs() - sinceMs <= GRACE_MS || reported.has(providerId)) continue;
      reported.add(providerId);
      report(
        `instance ${providerId} of NodeClaim ${nodeClaim} is without it for over ${GRACE_MS / 60_000} min`,
      );
    }
  });
  return undefined;
};
