// `cooper replay SCENARIO`: runs a scenario over its simulated time and says what it cost and how it went.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { describeProblem } from '../api/parsed.ts';
import { readManifests } from '../simulator/manifests.ts';
import type { Scenario } from '../simulator/scenario.ts';
import { EXIT } from './exitCodes.ts';
import { svgChart } from './nodeChart.ts';
import { comparisonLines, type ReplayedRun, replayDocument, runLines } from './replayReport.ts';
import { loadScenario } from './scenarioFiles.ts';
import { runScenario } from './scenarioRun.ts';

export interface ReplayOptions {
  readonly seed?: string;
  /** File to write the SVG chart to. */
  readonly chart?: string;
  /** Files with Provisioners and AWSNodeTemplates that replace the scenario's; each file is one run. */
  readonly compare?: readonly string[];
  readonly output?: 'text' | 'json';
}

export interface ReplayIo {
  readonly writeLine: (line: string) => void;
  /** For what cannot be used; where it would spoil JSON if it stood among it. */
  readonly writeError?: (line: string) => void;
  /** Overwrites one line with the progress; absent when nobody looks. */
  readonly showProgress?: (text: string) => void;
}

interface Planned {
  readonly name: string;
  readonly scenario: Scenario;
}

type PlannedRuns =
  | { readonly kind: 'planned'; readonly scenario: Scenario; readonly runs: readonly Planned[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

const BAR_COLUMNS = 40;

/** Returns 0 when all expectations were met and no invariant broken, 1 when not, 2 when a file cannot be used. */
export async function replayCommand(
  nameOrPath: string,
  options: ReplayOptions,
  io: ReplayIo,
): Promise<number> {
  const planned = planRuns(nameOrPath, options.compare ?? []);
  if (planned.kind === 'refused') {
    for (const problem of planned.problems) (io.writeError ?? io.writeLine)(problem);
    return EXIT.wrongCall;
  }
  const seed = options.seed ?? '1';
  const runs: ReplayedRun[] = [];
  for (const { name, scenario } of planned.runs) {
    const outcome = await runScenario(scenario, seed, (share) =>
      io.showProgress?.(progressText(name, share)),
    );
    io.showProgress?.('');
    runs.push({ name, scenario, ...outcome });
    if (options.output !== 'json') for (const line of runLines(name, scenario, outcome)) io.writeLine(line);
  }
  if (options.output === 'json') {
    io.writeLine(JSON.stringify(replayDocument(planned.scenario, seed, runs), null, 2));
  } else {
    for (const line of comparisonLines(runs)) io.writeLine(line);
  }
  writeChart(planned.scenario, runs, options, io);
  return runs.every(({ problems }) => problems.length === 0) ? EXIT.done : EXIT.failed;
}

function progressText(name: string, share: number): string {
  const done = Math.round(share * BAR_COLUMNS);
  return `${'━'.repeat(done)}${'·'.repeat(BAR_COLUMNS - done)} ${Math.round(share * 100)} % of ${name}`;
}

function writeChart(
  scenario: Scenario,
  runs: readonly ReplayedRun[],
  { chart, output }: ReplayOptions,
  io: ReplayIo,
): void {
  if (chart === undefined) return;
  const series = runs.map(({ name, report }) => ({ name, samples: report.nodes }));
  writeFileSync(chart, svgChart(series, scenario, `${scenario.name}: nodes`));
  if (output !== 'json') io.writeLine(`Chart written to ${chart}`);
}

function planRuns(nameOrPath: string, files: readonly string[]): PlannedRuns {
  const loaded = loadScenario(nameOrPath);
  if (loaded.kind === 'refused') return loaded;
  const { scenario } = loaded;
  if (files.length === 0) return { kind: 'planned', scenario, runs: [{ name: scenario.name, scenario }] };
  const replaced = files.map((file) => withProvisioners(scenario, file));
  const problems = replaced.flatMap((one) => (one.kind === 'refused' ? one.problems : []));
  if (problems.length > 0) return { kind: 'refused', problems };
  const runs = replaced.flatMap((one, index) =>
    one.kind === 'loaded' ? [{ name: files[index] ?? '', scenario: one.scenario }] : [],
  );
  return { kind: 'planned', scenario, runs };
}

/** The scenario with other Provisioners and node templates. */
function withProvisioners(scenario: Scenario, file: string): ReturnType<typeof loadScenario> {
  let manifests: readonly unknown[];
  try {
    const documents = [...parseAllDocuments(readFileSync(file, 'utf8'))];
    const [fault] = documents.flatMap(({ errors }) => errors);
    if (fault !== undefined) throw fault;
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
