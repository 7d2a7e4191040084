// `cooper simulate`: what would be launched for these manifests, and what would that cost?
import { stringify } from 'yaml';
import { asRaw, textIn } from '../api/objects/raw.ts';
import { describeProblem } from '../api/parsed.ts';
import { PLAIN_NODE_CLASS, SHIPPED_REGION, shippedCatalogue } from '../aws/shippedCatalogue.ts';
import type { InstanceType } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { checkPlan } from '../scheduling/checker/checkPlan.ts';
import { schedule } from '../scheduling/scheduler.ts';
import { readCatalogue } from './catalogueFile.ts';
import { readManifestFile } from './manifestFiles.ts';
import { type InvalidObject, readSimulateInput } from './simulateInput.ts';
import { type SimulateReport, simulateReport, simulateTable } from './simulateReport.ts';
import type { ExitCode, ValidateIo } from './validate.ts';

/** How the command reads, writes, and tells time. */
export interface SimulateIo extends ValidateIo {
  writeError(line: string): void;
  /** Milliseconds of a clock that never goes back. */
  elapsedMs(): number;
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
  readonly output: (typeof SIMULATE_OUTPUTS)[number];
}

export const DEFAULT_BUDGET_MS = 200;
export const DEFAULT_REGION = SHIPPED_REGION;

/** There are no published spot prices: on a Provisioner that allows spot this stands in, and is named as such. */
const MADE_UP_SPOT_FRACTION = 0.4;

/**
 * Plans and prints; launches nothing, asks no cluster and no AWS.
 * @returns 0 when all was read and planned, refusals being an answer too; 1 when an object is invalid, and left out,
 *   or the plan does not pass the check; 2 when the call is wrong: no file, or one that cannot be read
 */
export async function simulateCommand(options: SimulateOptions, io: SimulateIo): Promise<ExitCode> {
  const read = await readFiles(options, io);
  if (read === null) return 2;
  const source = read.types === null ? 'shippedTypes' : 'typesFile';
  const input = readSimulateInput(read.manifests, source);
  const { pods, invalid, provisionerMissing } = input;
  const snapshot = withUsableDefaults(input.snapshot, read.types);
  const allInvalid = [...read.faults, ...invalid];
  for (const { object, field, problem } of allInvalid) io.writeError(`${object}: ${field} ${problem}`);
  if (provisionerMissing) {
    const what =
      read.types === null ? 'on-demand, linux, amd64, families c, m and r' : 'all that the catalogue sells';
    io.writeError(`no Provisioner is given, so a default one stands in: ${what}`);
  }
  const catalogue = catalogueOf(snapshot, options, { types: read.types, io });
  const start = io.elapsedMs();
  const elapsedMs = (): number => io.elapsedMs() - start;
  const plan = schedule(snapshot, catalogue, pods, { budgetMs: options.budgetMs, elapsedMs });
  const scheduleMs = elapsedMs();
  const violations = checkPlan(snapshot, catalogue, pods, plan);
  for (const violation of violations) io.writeError(`the plan would not be carried out: ${violation}`);
  writeReport(simulateReport(plan, scheduleMs, allInvalid), options, io);
  return allInvalid.length > 0 || violations.length > 0 ? 1 : 0;
}

interface ReadFiles {
  readonly manifests: readonly unknown[];
  readonly faults: readonly InvalidObject[];
  /** From the catalogue file; null to take the shipped ones. */
  readonly types: readonly InstanceType[] | null;
}

/** All manifests and the catalogue; null, with the reason written, when a file cannot be read. */
async function readFiles({ files, catalogue }: SimulateOptions, io: SimulateIo): Promise<ReadFiles | null> {
  if (files.length === 0) {
    io.writeError('cooper simulate needs a file: name files or folders with -f, or - for standard input');
    return null;
  }
  const manifests: unknown[] = [];
  const faults: InvalidObject[] = [];
  for (const path of files) {
    const texts = await readPath(path, io);
    if (texts === null) return null;
    for (const { file, text } of texts) {
      const json = jsonManifests(text);
      if (json !== null) {
        manifests.push(...json);
        continue;
      }
      const read = readManifestFile(text);
      manifests.push(...read.manifests.map(({ manifest }) => manifest));
      for (const { line, message } of read.faults) {
        faults.push({
          object: `${file}:${line}`,
          field: '',
          problem: `is no YAML (${message}); mend the syntax`,
        });
      }
    }
  }
  if (catalogue === null) return { manifests, faults, types: null };
  const types = await readTypes(catalogue, io);
  return types === null ? null : { manifests, faults, types };
}

/** Objects of a JSON text, lists taken apart; null when it is none. Ten times as fast as reading it as YAML. */
function jsonManifests(text: string): readonly unknown[] | null {
  if (!/^\s*[{[]/.test(text)) return null;
  try {
    const value: unknown = JSON.parse(text);
    const raw = asRaw(value);
    const items = textIn(raw, 'kind') === 'List' ? raw?.items : value;
    return Array.isArray(items) ? items : [value];
  } catch {
    return null;
  }
}

interface FileText {
  readonly file: string;
  readonly text: string;
}

async function readPath(path: string, io: SimulateIo): Promise<readonly FileText[] | null> {
  try {
    const files = path === '-' ? [path] : ((await io.listFolder(path)) ?? [path]);
    return await Promise.all(files.map(async (file) => ({ file, text: await io.readText(file) })));
  } catch (error) {
    io.writeError(`${path}: cannot be read (${messageOf(error)}); name a file that can`);
    return null;
  }
}

async function readTypes(path: string, io: SimulateIo): Promise<readonly InstanceType[] | null> {
  try {
    const { instanceTypes, problems } = readCatalogue(JSON.parse(await io.readText(path)));
    for (const problem of problems) io.writeError(`${path}: ${describeProblem(problem)}`);
    return problems.length > 0 ? null : instanceTypes;
  } catch (error) {
    io.writeError(`${path}: is no catalogue (${messageOf(error)}); name a JSON file of instance types`);
    return null;
  }
}

/** Labels that the defaults of a Provisioner ask of every type. */
const FAMILY_LABELS: readonly string[] = [LABEL.instanceCategory, LABEL.instanceGeneration];

/** Types of a file may know nothing of families: then the families that a Provisioner gets by default say nothing. */
function withUsableDefaults(
  snapshot: ClusterSnapshot,
  types: readonly InstanceType[] | null,
): ClusterSnapshot {
  const told = new Set((types ?? []).flatMap(({ requirements }) => requirements.map(({ key }) => key)));
  if (types === null || FAMILY_LABELS.some((label) => told.has(label))) return snapshot;
  const provisioners = snapshot.provisioners.map((provisioner) => ({
    ...provisioner,
    requirements: provisioner.requirements.filter(({ key }) => !FAMILY_LABELS.includes(key)),
  }));
  return { ...snapshot, provisioners };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What each Provisioner may buy: the file's types as they are, or the shipped ones under its kubelet and template. */
function catalogueOf(
  snapshot: ClusterSnapshot,
  { region }: SimulateOptions,
  { types, io }: { readonly types: readonly InstanceType[] | null; readonly io: SimulateIo },
): Catalogue {
  if (types !== null) return new Map(snapshot.provisioners.map(({ name }) => [name, types]));
  if (snapshot.provisioners.some(allowsSpot)) {
    const share = `${MADE_UP_SPOT_FRACTION * 100} % of on-demand`;
    io.writeError(
      `spot prices change by the minute, so these are made up (${share}); give real ones by --catalogue`,
    );
  }
  const entries = snapshot.provisioners.map((provisioner) => {
    const key = nodeClassKey(provisioner.nodeClassRef);
    const nodeClass = snapshot.nodeClasses.find((one) => one.key === key) ?? PLAIN_NODE_CLASS;
    const { kubelet } = provisioner;
    const spot = allowsSpot(provisioner) ? { simulatedSpotFraction: MADE_UP_SPOT_FRACTION } : {};
    return [provisioner.name, shippedCatalogue(region, { kubelet, nodeClass, ...spot })] as const;
  });
  return new Map(entries);
}

function allowsSpot({ requirements }: Provisioner): boolean {
  const spoken = requirements.filter(({ key }) => key === LABEL.capacityType);
  return spoken.every(({ operator, values }) => (operator === 'NotIn') !== values.includes('spot'));
}

function writeReport(report: SimulateReport, { output }: SimulateOptions, io: SimulateIo): void {
  if (output === 'json') io.writeLine(JSON.stringify(report, null, 2));
  else if (output === 'yaml') io.writeLine(stringify(report).trimEnd());
  else for (const line of simulateTable(report)) io.writeLine(line);
}
