// `cooper replay SCENARIO`: runs a scenario over its simulated time and says what it cost and how it went.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { describeProblem } from '../api/parsed.ts';
import { formatDuration } from '../simulator/durations.ts';
import { unmetExpectations } from '../simulator/expectations.ts';
import { ALWAYS, watchInvariants } from '../simulator/invariants/all.ts';
import { readManifests } from '../simulator/manifests.ts';
import { type Scenario, setupOf } from '../simulator/scenario.ts';
import { Simulation } from '../simulator/simulation.ts';
import { percentile, type SimulationReport, Statistics } from '../simulator/statistics.ts';
import { svgChart, terminalChart } from './nodeChart.ts';
import { instanceTypesFor, loadScenario } from './scenarioFiles.ts';

export interface ReplayOptions {
  readonly seed?: string;
  /** File to write the SVG chart to. */
  readonly chart?: string;
  /** Files with Provisioners and AWSNodeTemplates that replace the scenario's; each file is one run. */
  readonly compare?: readonly string[];
  readonly json?: boolean;
}

export interface ReplayIo {
  readonly writeLine: (line: string) => void;
  /** Overwrites one line with the progress; absent when output is no terminal. */
  readonly showProgress?: (text: string) => void;
}

interface Run {
  readonly name: string;
  readonly scenario: Scenario;
}

interface Outcome {
  readonly report: SimulationReport;
  /** Expectations not met, and invariants broken. */
  readonly problems: readonly string[];
}

const CHART_COLUMNS = 72;
const PROGRESS_STEPS = 50;

/** Returns 0 when all expectations were met and no invariant broken, 1 when not, 2 when a file cannot be used. */
export async function replayCommand(
  nameOrPath: string,
  options: ReplayOptions,
  io: ReplayIo,
): Promise<number> {
  const loaded = loadScenario(nameOrPath);
  if (loaded.kind === 'refused') {
    for (const problem of loaded.problems) io.writeLine(problem);
    return 2;
  }
  const runs: Run[] = [];
  const files = options.compare ?? [];
  if (files.length === 0) runs.push({ name: loaded.scenario.name, scenario: loaded.scenario });
  for (const file of files) {
    const replaced = withProvisioners(loaded.scenario, file);
    if (replaced.kind === 'refused') {
      for (const problem of replaced.problems) io.writeLine(problem);
      return 2;
    }
    runs.push({ name: file, scenario: replaced.scenario });
  }
  let exitCode = 0;
  for (const run of runs) {
    const outcome = await runScenario(run.scenario, options.seed ?? '1', io);
    if (outcome.problems.length > 0) exitCode = 1;
    tell(run, outcome, options, io);
  }
  return exitCode;
}

async function runScenario(scenario: Scenario, seed: string, { showProgress }: ReplayIo): Promise<Outcome> {
  const simulation = new Simulation(setupOf(scenario, seed, instanceTypesFor(scenario)));
  const statistics = new Statistics(simulation);
  const conclude = watchInvariants(simulation, ALWAYS);
  const stepMs = (scenario.endMs - scenario.startMs) / PROGRESS_STEPS;
  for (let step = 1; step <= PROGRESS_STEPS; step += 1) {
    await simulation.run(
      step === PROGRESS_STEPS ? scenario.endMs : scenario.startMs + Math.floor(step * stepMs),
    );
    showProgress?.(`${'━'.repeat(step)}${'·'.repeat(PROGRESS_STEPS - step)} ${step * 2} %`);
  }
  showProgress?.('');
  const report = statistics.report();
  const broken = conclude().map(({ invariant, message }) => `${invariant}: ${message}`);
  return { report, problems: [...unmetExpectations(scenario.expect, report), ...broken] };
}

function tell(
  { name, scenario }: Run,
  { report, problems }: Outcome,
  options: ReplayOptions,
  io: ReplayIo,
): void {
  if (options.json === true) {
    const { nodes: _nodes, pendingMs, ...figures } = report;
    io.writeLine(JSON.stringify({ scenario: name, ...figures, pending: percentilesOf(pendingMs), problems }));
  } else {
    for (const line of reportLines(name, scenario, report)) io.writeLine(line);
    for (const problem of problems) io.writeLine(`✗ ${problem}`);
    io.writeLine(
      problems.length === 0 ? 'All expectations met, no invariant broken.' : `${problems.length} problems.`,
    );
  }
  if (options.chart === undefined) return;
  writeFileSync(options.chart, svgChart(report.nodes, scenario, `${name}: nodes`));
  if (options.json !== true) io.writeLine(`Chart written to ${options.chart}`);
}

function reportLines(name: string, scenario: Scenario, report: SimulationReport): readonly string[] {
  const { pendingMs, evictions, evictionsBlocked, nodesMost, instancesLaunched } = report;
  const pending = percentilesOf(pendingMs);
  const waited =
    pendingMs.length === 0
      ? 'no pod had to wait for a node'
      : `p50 ${shown(pending.p50Ms)}, p90 ${shown(pending.p90Ms)}, p99 ${shown(pending.p99Ms)}, ` +
        `longest ${shown(pending.longestMs)} (${pendingMs.length} pods)`;
  return [
    `${name}: ${formatDuration(scenario.endMs - scenario.startMs)} simulated`,
    `  cost        $${report.usd.toFixed(4)}`,
    `  pods        ${report.podsCreated} created, ${report.podsStarted} started, ${report.podsPending} waiting`,
    `  waiting     ${waited}`,
    `  evictions   ${evictions}, ${evictionsBlocked} times a budget said not now`,
    `  nodes       ${instancesLaunched} launched, at most ${nodesMost} at once`,
    `  history     ${report.digest}`,
    ...terminalChart(report.nodes, scenario, CHART_COLUMNS).map((line) => `  ${line}`),
  ];
}

interface Percentiles {
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly longestMs: number | null;
}

function percentilesOf(ascending: readonly number[]): Percentiles {
  return {
    p50Ms: percentile(ascending, 0.5),
    p90Ms: percentile(ascending, 0.9),
    p99Ms: percentile(ascending, 0.99),
    longestMs: ascending.at(-1) ?? null,
  };
}

function shown(milliseconds: number | null): string {
  return milliseconds === null ? 'none' : formatDuration(milliseconds);
}

/** The scenario with other Provisioners and node templates. */
function withProvisioners(scenario: Scenario, file: string): ReturnType<typeof loadScenario> {
  let manifests: readonly unknown[];
  try {
    const documents = [...parseAllDocuments(readFileSync(file, 'utf8'))];
    manifests = documents.map((document) => document.toJS() as unknown).filter((object) => object !== null);
  } catch (failure) {
    const reason = failure instanceof Error ? (failure.message.split('\n')[0] ?? '') : String(failure);
    return { kind: 'refused', problems: [`${file}: cannot be read (${reason}); name a file of manifests`] };
  }
  const read = readManifests(manifests);
  if (read.kind === 'invalid') {
    return {
      kind: 'refused',
      problems: read.problems.map((problem) => `${file}: ${describeProblem(problem)}`),
    };
  }
  const { provisioners, nodeClasses } = read.value;
  if (provisioners.length === 0) {
    return { kind: 'refused', problems: [`${file}: holds no Provisioner; write one at least`] };
  }
  return {
    kind: 'loaded',
    scenario: { ...scenario, objects: { ...scenario.objects, provisioners, nodeClasses } },
  };
}
