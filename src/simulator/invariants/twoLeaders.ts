// Which NodeClaims were stored while two controllers acted, neither knowing yet what the other had done.
import type { Simulation } from '../simulation.ts';

/** True for the uid of a claim that was stored when its controller may not have known all claims of another leader. */
export function claimsOfTwoLeaders(simulation: Simulation): (claimUid: string) => boolean {
  const doubtful = new Set<string>();
  let twoLedUntilMs = Number.NEGATIVE_INFINITY;
  const note = (): void => {
    if (simulation.processes.length > 1) twoLedUntilMs = simulation.clock.nowMs();
  };
  simulation.onStep(note);
  simulation.store.subscribe((event, before) => {
    if (event.kind !== 'nodeClaim' || event.type !== 'upsert' || before !== undefined) return;
    note();
    const isBehind = simulation.processes.some((process) => process.knownUpToMs() <= twoLedUntilMs);
    if (isBehind) doubtful.add(event.object.uid);
  });
  return (claimUid) => doubtful.has(claimUid);
}
