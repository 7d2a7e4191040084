// No claim is stored for a Provisioner that is off.
import { isOff } from '../../disruption/offHours.ts';
import type { Invariant } from './invariant.ts';

/** A claim may be on its way to the API server when the window opens. */
const ALLOWANCE_MS = 30_000;

export const offHoursHold: Invariant = ({ simulation, report }) => {
  const { clock, store, setup } = simulation;
  // Where the time of day jumps, nobody can tell a window by it.
  if (Number.isFinite(setup.faults.mishaps.clockJumpMs)) return undefined;
  store.subscribe((event, before) => {
    if (event.kind !== 'nodeClaim' || event.type !== 'upsert' || before !== undefined) return;
    const owner = store.get('provisioner', event.object.spec.provisioner);
    if (owner === undefined) return;
    const nowMs = clock.nowMs();
    if (isOff(owner, nowMs) && isOff(owner, nowMs - ALLOWANCE_MS))
      report(`NodeClaim ${event.key} was stored while Provisioner ${owner.name} is off`);
  });
  return undefined;
};
