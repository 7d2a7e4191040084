// All invariants by name, and how they are watched together.
import type { Simulation } from '../simulation.ts';
import { budgetsHold } from './budgetsHold.ts';
import { comesToRest } from './comesToRest.ts';
import { consolidationSaves } from './consolidationSaves.ts';
import { controllersDoNotFail } from './controllersDoNotFail.ts';
import { decisionsAreFresh } from './decisionsAreFresh.ts';
import { drainsComeFirst } from './drainsComeFirst.ts';
import { graceHolds } from './graceHolds.ts';
import { instancesHaveClaims } from './instancesHaveClaims.ts';
import type { Invariant, Violation } from './invariant.ts';
import { launchesStop } from './launchesStop.ts';
import { limitsHold } from './limitsHold.ts';
import { memoryStaysFlat } from './memoryStaysFlat.ts';
import { nodesHoldTheirPods } from './nodesHoldTheirPods.ts';
import { offHoursHold } from './offHoursHold.ts';
import { optOutsHold } from './optOutsHold.ts';
import { repairsAreDue } from './repairsAreDue.ts';
import { rolloutsHold } from './rolloutsHold.ts';
import { runawayBrakeHolds } from './runawayBrakeHolds.ts';

import { surgesKeepReady } from './surgesKeepReady.ts';
import { volumesDetachFirst } from './volumesDetachFirst.ts';

/** Those that must hold at every moment, whatever the scenario. */
export const ALWAYS: Readonly<Record<string, Invariant>> = {
  instancesHaveClaims,
  limitsHold,
  optOutsHold,
  offHoursHold,
  drainsComeFirst,
  budgetsHold,
  graceHolds,
  volumesDetachFirst,
  surgesKeepReady,
  nodesHoldTheirPods,
  controllersDoNotFail,
  consolidationSaves,
  decisionsAreFresh,
  memoryStaysFlat,
  runawayBrakeHolds,
  launchesStop,
  repairsAreDue,
  rolloutsHold,
};

/** Those, and what must hold once all is quiet at the end. */
export const ALWAYS_AND_AT_REST: Readonly<Record<string, Invariant>> = { ...ALWAYS, comesToRest };

/** Kept at most: a broken run repeats itself. */
const VIOLATIONS_MOST = 100;

/** Watches the simulation from now on; call the result at the end for what was found. */
export function watchInvariants(
  simulation: Simulation,
  invariants: Readonly<Record<string, Invariant>>,
): () => readonly Violation[] {
  const violations: Violation[] = [];
  const endings = Object.entries(invariants).map(([invariant, attach]) =>
    attach({
      simulation,
      report: (message) => {
        if (violations.length >= VIOLATIONS_MOST) return;
        violations.push({ atMs: simulation.clock.nowMs(), invariant, message });
      },
    }),
  );
  return () => {
    for (const end of endings) end?.();
    return violations;
  };
}
