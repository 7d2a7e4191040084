// What a replay has found, for people and for programs: each run by itself, and runs side by side.
import { formatDuration } from '../simulator/durations.ts';
import type { Scenario } from '../simulator/scenario.ts';
import { percentile, type Sample, type SimulationReport } from '../simulator/statistics.ts';
import { terminalChart } from './nodeChart.ts';
import type { ScenarioOutcome } from './scenarioRun.ts';

/** One run that has ended. */
export interface ReplayedRun extends ScenarioOutcome {
  /** The scenario's name, or the file that its Provisioners came from. */
  readonly name: string;
  readonly scenario: Scenario;
}

/** Milliseconds from Unschedulable to bound; null when no pod had to wait. */
export interface PendingPercentiles {
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly longestMs: number | null;
}

/** `cooper replay -o json`: durations in milliseconds, times as ISO 8601. */
export interface ReplayDocument {
  readonly scenario: string;
  readonly seed: string;
  readonly start: string;
  readonly end: string;
  readonly runs: readonly {
    readonly name: string;
    readonly usd: number;
    readonly podsCreated: number;
    readonly podsStarted: number;
    readonly podsPending: number;
    readonly podsThatWaited: number;
    readonly pending: PendingPercentiles;
    readonly evictions: number;
    readonly evictionsBlocked: number;
    readonly instancesLaunched: number;
    readonly nodesMost: number;
    /** So many nodes from this time on. */
    readonly nodes: readonly { readonly at: string; readonly count: number }[];
    readonly digest: string;
    readonly problems: readonly string[];
  }[];
}

const CHART_COLUMNS = 72;

/** All that is known of the runs, as one JSON document. */
export function replayDocument(
  { name, startMs, endMs }: Scenario,
  seed: string,
  runs: readonly ReplayedRun[],
): ReplayDocument {
  return {
    scenario: name,
    seed,
    start: isoTime(startMs),
    end: isoTime(endMs),
    runs: runs.map(({ name: run, report, problems }) => ({
      name: run,
      usd: report.usd,
      podsCreated: report.podsCreated,
      podsStarted: report.podsStarted,
      podsPending: report.podsPending,
      podsThatWaited: report.pendingMs.length,
      pending: pendingPercentiles(report.pendingMs),
      evictions: report.evictions,
      evictionsBlocked: report.evictionsBlocked,
      instancesLaunched: report.instancesLaunched,
      nodesMost: report.nodesMost,
      nodes: report.nodes.map(({ atMs, count }: Sample) => ({ at: isoTime(atMs), count })),
      digest: report.digest,
      problems,
    })),
  };
}

/** One run for the terminal, its chart included. */
export function runLines(
  name: string,
  scenario: Scenario,
  { report, problems }: ScenarioOutcome,
): readonly string[] {
  const { evictions, evictionsBlocked, nodesMost, instancesLaunched } = report;
  return [
    `${name}: ${formatDuration(scenario.endMs - scenario.startMs)} simulated`,
    `  cost        ${usdText(report)}`,
    `  pods        ${report.podsCreated} created, ${report.podsStarted} started, ${report.podsPending} waiting`,
    `  waiting     ${waitText(report.pendingMs)}`,
    `  evictions   ${evictions}, ${evictionsBlocked} times a budget said not now`,
    `  nodes       ${instancesLaunched} launched, at most ${nodesMost} at once`,
    `  history     ${report.digest}`,
    ...terminalChart(report.nodes, scenario, CHART_COLUMNS).map((line) => `  ${line}`),
    ...problems.map((problem) => `✗ ${problem}`),
    problems.length === 0
      ? 'All expectations met, no invariant broken.'
      : `${problems.length === 1 ? '1 problem' : `${problems.length} problems`}.`,
  ];
}

/** Runs side by side, one column each; nothing for a single run. */
export function comparisonLines(runs: readonly ReplayedRun[]): readonly string[] {
  if (runs.length < 2) return [];
  const rows: readonly (readonly [string, (report: SimulationReport) => string])[] = [
    ['cost', usdText],
    ['against the first', (report) => costAgainst(runs[0]?.report, report)],
    ['pods started', ({ podsStarted }) => `${podsStarted}`],
    ['waiting p50', ({ pendingMs }) => shown(percentile(pendingMs, 0.5))],
    ['waiting p90', ({ pendingMs }) => shown(percentile(pendingMs, 0.9))],
    ['waiting p99', ({ pendingMs }) => shown(percentile(pendingMs, 0.99))],
    ['longest wait', ({ pendingMs }) => shown(pendingMs.at(-1) ?? null)],
    ['evictions', ({ evictions }) => `${evictions}`],
    ['nodes launched', ({ instancesLaunched }) => `${instancesLaunched}`],
    ['nodes at most', ({ nodesMost }) => `${nodesMost}`],
  ];
  const table = [
    ['', ...runs.map(({ name }) => name)],
    ...rows.map(([label, cell]) => [label, ...runs.map(({ report }) => cell(report))]),
  ];
  const widths = runs.map((_, index) => Math.max(...table.map((cells) => cells[index + 1]?.length ?? 0)));
  return table.map(([label = '', ...cells]) =>
    [label.padEnd(18), ...cells.map((cell, index) => cell.padStart(widths[index] ?? 0))].join('  '),
  );
}

/** Percentiles of waiting times in ascending order. */
export function pendingPercentiles(ascendingMs: readonly number[]): PendingPercentiles {
  return {
    p50Ms: percentile(ascendingMs, 0.5),
    p90Ms: percentile(ascendingMs, 0.9),
    p99Ms: percentile(ascendingMs, 0.99),
    longestMs: ascendingMs.at(-1) ?? null,
  };
}

function waitText(ascendingMs: readonly number[]): string {
  if (ascendingMs.length === 0) return 'no pod had to wait for a node';
  const { p50Ms, p90Ms, p99Ms, longestMs } = pendingPercentiles(ascendingMs);
  return (
    `p50 ${shown(p50Ms)}, p90 ${shown(p90Ms)}, p99 ${shown(p99Ms)}, ` +
    `longest ${shown(longestMs)} (${ascendingMs.length} pods)`
  );
}

function usdText({ usd }: SimulationReport): string {
  return `$${usd.toFixed(4)}`;
}

/** `-12.3 %`, or nothing where there is nothing to compare with. */
function costAgainst(first: SimulationReport | undefined, report: SimulationReport): string {
  if (first === undefined || first === report || first.usd === 0) return '';
  const percent = (report.usd / first.usd - 1) * 100;
  return `${percent > 0 ? '+' : ''}${percent.toFixed(1)} %`;
}

function shown(milliseconds: number | null): string {
  return milliseconds === null ? 'none' : formatDuration(milliseconds);
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
