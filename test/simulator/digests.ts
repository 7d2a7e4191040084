// `node test/simulator/digests.ts [--seed S] [--hours H] [NAME...]`: the history of each shipped scenario in a line, to
// hold against those of another process, machine or Node version.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadScenario } from '../../src/cli/scenarioFiles.ts';
import { runScenario } from '../../src/cli/scenarioRun.ts';

const FOLDER = new URL('../../scenarios/', import.meta.url);
const HOUR_MS = 3_600_000;

/** Names of all scenarios that ship. */
export function scenarioNames(): readonly string[] {
  return readdirSync(FOLDER)
    .map((file) => file.replace(/\.yaml$/, ''))
    .sort();
}

/** The first hours of a scenario: entries and digest of its history. */
async function digestOf(name: string, seed: string, hours: number): Promise<string> {
  const loaded = loadScenario(name);
  if (loaded.kind === 'refused') throw new Error(loaded.problems.join('; '));
  const { scenario } = loaded;
  const endMs = Math.min(scenario.endMs, scenario.startMs + hours * HOUR_MS);
  const { report } = await runScenario({ ...scenario, endMs }, seed);
  return `${name} ${report.entries} ${report.digest}`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string', default: '1' }, hours: { type: 'string', default: '1000000' } },
  });
  for (const name of positionals.length > 0 ? positionals : scenarioNames()) {
    process.stdout.write(`${await digestOf(name, values.seed, Number(values.hours))}\n`);
  }
}

if (import.meta.main) await main();
