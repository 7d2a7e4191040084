// Whether a node goes because its Provisioner is off, and when that is.
import { type ExplainedClaim, explained, whetherHeld } from './explainEmptiness.ts';
import type { ReasonExplanation } from './explanation.ts';
import { isOff, nextTurnMs, offUntil } from './offHours.ts';

/** Off-hours: none asked for, not now, kept, or due. */
export function explainOffHours(one: ExplainedClaim): ReasonExplanation {
  const { provisioner, snapshot } = one;
  const { name, suspended, offHours = [] } = provisioner;
  if (suspended) return explained('OffHours', 'off', `Provisioner ${name} is suspended`);
  if (offHours.length === 0)
    return explained('OffHours', 'off', `Provisioner ${name} sets no schedule.offHours`);
  const nowMs = snapshot.takenAtMs;
  const turnMs = nextTurnMs(provisioner, nowMs);
  const changesAtMs = Number.isFinite(turnMs) ? turnMs : null;
  if (!isOff(provisioner, nowMs))
    return explained('OffHours', 'later', `it goes when Provisioner ${name} is off`, { changesAtMs });
  return whetherHeld(one, 'OffHours', `Provisioner ${name} ${offUntil(provisioner, nowMs)}`);
}
