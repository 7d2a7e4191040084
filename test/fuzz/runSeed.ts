// Runs the simulation of one seed and says what it broke.
import { shippedCatalogue } from '../../src/aws/shippedCatalogue.ts';
import { ALWAYS_AND_AT_REST, watchInvariants } from '../../src/simulator/invariants/all.ts';
import type { Violation } from '../../src/simulator/invariants/invariant.ts';
import { Simulation } from '../../src/simulator/simulation.ts';
import { drawSetup, END_MS } from './drawSetup.ts';

/** A few types of each kind: enough for the packer to choose from, few enough to be fast. */
export const FUZZ_CATALOGUE = shippedCatalogue('us-east-1', {
  zones: ['us-east-1a', 'us-east-1b', 'us-east-1c'],
  simulatedSpotFraction: 0.4,
}).filter(({ name }) => /^(c5|m5|r5|t3a|m6g)\.(large|xlarge|2xlarge|4xlarge)$/.test(name));

export interface SeedResult {
  readonly seed: number;
  readonly digest: string;
  readonly entries: number;
  readonly violations: readonly Violation[];
}

/** What went wrong with this seed; a simulation that cannot go on is a violation too. */
export async function runSeed(seed: number, prepare?: (simulation: Simulation) => void): Promise<SeedResult> {
  const simulation = new Simulation(drawSetup(seed, FUZZ_CATALOGUE));
  const conclude = watchInvariants(simulation, ALWAYS_AND_AT_REST);
  prepare?.(simulation);
  const entries = (): number => simulation.history.count;
  try {
    await simulation.run(END_MS);
  } catch (failure) {
    const message = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
    const violation = { atMs: simulation.clock.nowMs(), invariant: 'goesOn', message };
    return { seed, digest: simulation.history.digest(), entries: entries(), violations: [violation] };
  }
  return { seed, digest: simulation.history.digest(), entries: entries(), violations: conclude() };
}
