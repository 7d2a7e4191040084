// `cooper simulate`: what would be launched for these manifests, and what would that cost?
import { stringify } from 'yaml';
import { SHIPPED_REGION } from '../aws/shippedCatalogue.ts';
import { explained, intendedRest, type NotReady } from '../controllers/catalogue.ts';
import { instant } from '../disruption/offHours.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { checkPlan } from '../scheduling/checker/checkPlan.ts';
import { schedule } from '../scheduling/scheduler.ts';
import { type ReadingIo, readManifests } from './manifestInput.ts';
import { catalogueOf, readTypes, withUsableDefaults } from './offlineCatalogue.ts';
import { readSimulateInput } from './simulateInput.ts';
import { type SimulateReport, simulateReport, simulateTable } from './simulateReport.ts';
import type { ExitCode } from './validate.ts';

/** How the command reads, writes, and tells time. */
export interface SimulateIo extends ReadingIo {
  /** Milliseconds of a clock that never goes back. */
  elapsedMs(): number;
  /** Milliseconds since the epoch. */
  nowMs(): number;
}

export const SIMULATE_OUTPUTS = ['table', 'json', 'yaml'] as const;

export interface SimulateOptions {
  /** Files, folders, or `-` for standard input. */
  readonly files: readonly string[];
  /** File of instance types; null for the shipped ones. */
  readonly catalogue: string | null;
  /** Names the zones of the shipped types. */
  readonly region: string;
  readonly budgetMs: number;
  /** The time that is planned for; null for that of the recording, or now when the files are none. */
  readonly atMs: number | null;
  readonly output: (typeof SIMULATE_OUTPUTS)[number];
}

export const DEFAULT_BUDGET_MS = 200;
export const DEFAULT_REGION = SHIPPED_REGION;

/**
 * Plans and prints; launches nothing, asks no cluster and no AWS.
 * @returns 0 when all was read and planned, refusals being an answer too; 1 when an object is invalid, and left out,
 *   or the plan does not pass the check; 2 when the call is wrong: no file, or one that cannot be read
 */
export async function simulateCommand(options: SimulateOptions, io: SimulateIo): Promise<ExitCode> {
  if (options.files.length === 0) {
    io.writeError('cooper simulate needs a file: name files or folders with -f, or - for standard input');
    return 2;
  }
  const read = await readManifests(options.files, io);
  if (read === null) return 2;
  const types = options.catalogue === null ? null : await readTypes(options.catalogue, io);
  if (options.catalogue !== null && types === null) return 2;
  const source = types === null ? 'shippedTypes' : 'typesFile';
  const input = readSimulateInput(read.manifests, source);
  const { pods, invalid, provisionerMissing } = input;
  const takenAtMs = options.atMs ?? read.takenAtMs ?? io.nowMs();
  const snapshot = withUsableDefaults({ ...input.snapshot, takenAtMs }, types);
  const allInvalid = [...read.faults, ...invalid];
  for (const { object, field, problem } of allInvalid) io.writeError(`${object}: ${field} ${problem}`);
  if (provisionerMissing) {
    const what =
      types === null ? 'on-demand, linux, amd64, families c, m and r' : 'all that the catalogue sells';
    io.writeError(`no Provisioner is given, so a default one stands in: ${what}`);
  }
  const resting = restingAt(snapshot);
  for (const { message } of resting.values()) {
    const asOf = `this is as of ${instant(snapshot.takenAtMs)}, --at TIME asks for another`;
    io.writeError(`${message}; ${asOf}`);
  }
  const provisioners = snapshot.provisioners.filter(({ name }) => !resting.has(name));
  const catalogue = catalogueOf({ ...snapshot, provisioners }, { types, region: options.region }, io);
  const start = io.elapsedMs();
  const elapsedMs = (): number => io.elapsedMs() - start;
  const plan = schedule(snapshot, catalogue, pods, { budgetMs: options.budgetMs, elapsedMs });
  const scheduleMs = elapsedMs();
  const violations = checkPlan(snapshot, catalogue, pods, plan);
  for (const violation of violations) io.writeError(`the plan would not be carried out: ${violation}`);
  const refusals = plan.refusals.map((refusal) => explained(refusal, resting));
  writeReport(simulateReport({ ...plan, refusals }, scheduleMs, allInvalid), options, io);
  return allInvalid.length > 0 || violations.length > 0 ? 1 : 0;
}

/** Provisioners that would launch nothing at the snapshot's time, by their own fields, and why. */
function restingAt({ provisioners, takenAtMs }: ClusterSnapshot): ReadonlyMap<string, NotReady> {
  const rests = provisioners.flatMap((one): [string, NotReady][] => {
    const rest = intendedRest(one, takenAtMs);
    return rest === null ? [] : [[one.name, rest]];
  });
  return new Map(rests);
}

function writeReport(report: SimulateReport, { output }: SimulateOptions, io: SimulateIo): void {
  if (output === 'json') io.writeLine(JSON.stringify(report, null, 2));
  else if (output === 'yaml') io.writeLine(stringify(report).trimEnd());
  else for (const line of simulateTable(report)) io.writeLine(line);
}
