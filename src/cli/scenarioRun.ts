// Runs one scenario with one seed, its invariants watched, and says how it went.
import { unmetExpectations } from '../simulator/expectations.ts';
import { ALWAYS, watchInvariants } from '../simulator/invariants/all.ts';
import { type Scenario, setupOf } from '../simulator/scenario.ts';
import { Simulation } from '../simulator/simulation.ts';
import { type SimulationReport, Statistics } from '../simulator/statistics.ts';
import { instanceTypesFor } from './scenarioFiles.ts';

export interface ScenarioOutcome {
  readonly report: SimulationReport;
  /** Expectations not met, and invariants broken; one sentence each. */
  readonly problems: readonly string[];
}

const PROGRESS_STEPS = 50;

/**
 * Simulates the scenario from start to end.
 * @param onProgress told the share of the simulated time that has passed, 0 to 1
 */
export async function runScenario(
  scenario: Scenario,
  seed: string,
  onProgress: (share: number) => void = () => {},
): Promise<ScenarioOutcome> {
  const simulation = new Simulation(setupOf(scenario, seed, instanceTypesFor(scenario)));
  const statistics = new Statistics(simulation);
  const conclude = watchInvariants(simulation, ALWAYS);
  const stepMs = (scenario.endMs - scenario.startMs) / PROGRESS_STEPS;
  for (let step = 1; step <= PROGRESS_STEPS; step += 1) {
    const isLast = step === PROGRESS_STEPS;
    await simulation.run(isLast ? scenario.endMs : scenario.startMs + Math.floor(step * stepMs));
    onProgress(step / PROGRESS_STEPS);
  }
  const report = statistics.report();
  const broken = conclude().map(({ invariant, message }) => `${invariant}: ${message}`);
  return { report, problems: [...unmetExpectations(scenario.expect, report), ...broken] };
}
