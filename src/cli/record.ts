// `cooper record`: a live cluster, as a snapshot for `cooper simulate` and as a scenario for `cooper replay`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { describeProblem } from '../api/parsed.ts';
import { SHIPPED_REGION, shippedCatalogue } from '../aws/shippedCatalogue.ts';
import { connectKube } from '../kube/connect.ts';
import { recordCluster } from '../kube/recording.ts';
import { REAL_TIMING, type Timing } from '../kube/timing.ts';
import { KubeTransport } from '../kube/transport.ts';
import { recordedScenario } from '../simulator/recordedScenario.ts';
import { parseScenario } from '../simulator/scenario.ts';
import { EXIT } from './exitCodes.ts';
import { TAKEN_AT } from './manifestInput.ts';
import { VERSION } from './version.ts';

export interface RecordOptions {
  /** Folder for the files; made if it is not there. */
  readonly out: string;
  /** How long to watch after the snapshot; 0 for the snapshot alone. */
  readonly durationMs: number;
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Name of the scenario. */
  readonly name?: string;
}

export interface RecordIo {
  readonly writeLine: (line: string) => void;
  readonly writeError: (line: string) => void;
  /** Ends a recording early, with what there is. */
  readonly stop?: AbortSignal;
  /** Overwrites one line with how far it is; absent when nobody looks. */
  readonly showProgress?: (text: string) => void;
}

export const SNAPSHOT_FILE = 'snapshot.yaml';
export const SCENARIO_FILE = 'scenario.yaml';
const LIST_WITHIN_MS = 120_000;
const CALL_WITHIN_MS = 30_000;

/** Returns 0 when all was recorded, 1 when something could not be, 2 when no cluster is configured. */
export async function recordCommand(options: RecordOptions, io: RecordIo): Promise<number> {
  let transport: KubeTransport;
  try {
    const { kubeconfig, context } = options;
    const connection = await connectKube({ kubeconfig, context, env: process.env });
    const settings = { timeoutMs: CALL_WITHIN_MS, timing: REAL_TIMING, userAgent: `cooper/${VERSION}` };
    transport = new KubeTransport(connection, settings);
  } catch (failure) {
    io.writeError(`cooper record: ${reasonOf(failure)}`);
    return EXIT.wrongCall;
  }
  return recordFrom(transport, options, io);
}

/** As `recordCommand`, over a connection that is there already. */
export async function recordFrom(
  transport: KubeTransport,
  { out, durationMs, name = 'recorded' }: RecordOptions,
  io: RecordIo,
  timing: Timing = REAL_TIMING,
): Promise<number> {
  try {
    const stop = io.stop === undefined ? {} : { stop: io.stop };
    const onProgress = (changes: number): void =>
      io.showProgress?.(`recording: ${changes} changes of pods so far; Ctrl+C ends it`);
    const recording = await recordCluster(transport, {
      durationMs,
      timing,
      listWithinMs: LIST_WITHIN_MS,
      onProgress,
      ...stop,
    });
    io.showProgress?.('');
    const knownTypes = new Set(shippedCatalogue(SHIPPED_REGION).map((type) => type.name));
    const { scenario, leftOut } = recordedScenario(recording, { name, knownTypes });
    mkdirSync(out, { recursive: true });
    const annotations = { [TAKEN_AT]: new Date(recording.startedAtMs).toISOString() };
    const list = { apiVersion: 'v1', kind: 'List', metadata: { annotations }, items: recording.objects };
    writeFileSync(join(out, SNAPSHOT_FILE), yamlText(list));
    writeFileSync(join(out, SCENARIO_FILE), yamlText(scenario));
    const problems = [...recording.problems, ...leftOut, ...scenarioProblems(scenario)];
    for (const problem of problems) io.writeError(problem);
    io.writeLine(`${recording.objects.length} objects: cooper simulate -f ${join(out, SNAPSHOT_FILE)}`);
    io.writeLine(`${scenario.summary ?? ''} cooper replay ${join(out, SCENARIO_FILE)}`);
    return problems.length === 0 ? EXIT.done : EXIT.failed;
  } catch (failure) {
    io.writeError(`cooper record: ${reasonOf(failure)}`);
    return EXIT.failed;
  }
}

function scenarioProblems(scenario: unknown): readonly string[] {
  const checked = parseScenario(scenario);
  return checked.kind === 'valid'
    ? []
    : checked.problems.map((problem) => `scenario: ${describeProblem(problem)}`);
}

function yamlText(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

function reasonOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
