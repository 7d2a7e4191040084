// Replays one shipped scenario in a process of its own, invariants watched, and says what it took.
import { loadScenario } from '../src/cli/scenarioFiles.ts';
import { runScenario } from '../src/cli/scenarioRun.ts';

export interface SimulatorAnswer {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakRssMib: number;
  readonly podsCreated: number;
  readonly nodesMost: number;
  readonly digest: string;
  readonly entries: number;
  readonly problems: readonly string[];
}

async function replay(name: string): Promise<SimulatorAnswer> {
  const loaded = loadScenario(name);
  if (loaded.kind === 'refused') throw new Error(loaded.problems.join('; '));
  const startedMs = performance.now();
  const { report, problems } = await runScenario(loaded.scenario, '1');
  const { user, system } = process.cpuUsage();
  return {
    seconds: (performance.now() - startedMs) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakRssMib: process.resourceUsage().maxRSS / 1024,
    podsCreated: report.podsCreated,
    nodesMost: report.nodesMost,
    digest: report.digest,
    entries: report.entries,
    problems,
  };
}

process.stdout.write(JSON.stringify(await replay(process.argv[2] ?? '')));
