// Scenario files: found, read, and joined with the shipped catalogue into simulations.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { describeProblem, type Parsed } from '../api/parsed.ts';
import { shippedCatalogue } from '../aws/shippedCatalogue.ts';
import type { InstanceType } from '../model/instanceType.ts';
import { parseScenario, type Scenario } from '../simulator/scenario.ts';

/** Where the scenarios that ship with Cooper lie. */
const SHIPPED = new URL('../../scenarios/', import.meta.url);

/** Either a scenario or one sentence for each thing wrong with its file. */
export type LoadedScenario =
  | { readonly kind: 'loaded'; readonly scenario: Scenario }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** Loads a scenario by the path of its file, or by the name of one that ships with Cooper. */
export function loadScenario(nameOrPath: string): LoadedScenario {
  const isPath = /[/\\]|\.ya?ml$|\.json$/.test(nameOrPath);
  const file = isPath ? nameOrPath : new URL(`${nameOrPath}.yaml`, SHIPPED);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    return refused(nameOrPath, [
      `cannot be read (${reason}); name a file, or one of the scenarios that ship`,
    ]);
  }
  return readScenario(nameOrPath, text);
}

/** Reads the text of a scenario file. */
export function readScenario(name: string, text: string): LoadedScenario {
  let document: unknown;
  try {
    document = parse(text);
  } catch (failure) {
    const reason = failure instanceof Error ? (failure.message.split('\n')[0] ?? '') : String(failure);
    return refused(name, [`is no YAML: ${reason}; mend the file`]);
  }
  const parsed: Parsed<Scenario> = parseScenario(document);
  if (parsed.kind === 'valid') return { kind: 'loaded', scenario: parsed.value };
  return refused(name, parsed.problems.map(describeProblem));
}

/** What the simulated account sells: the shipped catalogue in the scenario's zones. */
export function instanceTypesFor(scenario: Scenario): readonly InstanceType[] {
  const { zones, spotFraction } = scenario;
  const region = zones[0]?.slice(0, -1);
  const spot = spotFraction === null ? {} : { simulatedSpotFraction: spotFraction };
  return shippedCatalogue(region, { zones, ...spot });
}

function refused(name: string, problems: readonly string[]): LoadedScenario {
  return { kind: 'refused', problems: problems.map((problem) => `scenario ${name}: ${problem}`) };
}
