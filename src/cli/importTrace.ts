// `cooper import-trace FILE`: a CSV of pods, as public cluster traces have them, becomes a scenario to replay.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { stringify } from 'yaml';
import { describeProblem } from '../api/parsed.ts';
import { parseScenario } from '../simulator/scenario.ts';
import { readTrace } from '../simulator/trace.ts';
import { traceScenario } from '../simulator/traceScenario.ts';
import { EXIT } from './exitCodes.ts';
import { readManifestFile } from './manifestFiles.ts';

export interface ImportTraceOptions {
  /** File to write; standard output when absent. */
  readonly output?: string;
  /** File of Provisioners and AWSNodeTemplates that serve the pods. */
  readonly provisioners?: string;
}

export interface ImportTraceIo {
  readonly writeLine: (line: string) => void;
  readonly writeError: (line: string) => void;
}

/** Returns 0 when every row was taken over, 1 when some were left out, 2 when nothing can be written. */
export function importTraceCommand(path: string, options: ImportTraceOptions, io: ImportTraceIo): number {
  const text = readOr(path, io);
  const provisioners = options.provisioners === undefined ? [] : readManifests(options.provisioners, io);
  if (text === null || provisioners === null) return EXIT.wrongCall;
  const trace = readTrace(text);
  for (const { line, column, message } of trace.problems) {
    io.writeError(`${path}:${line}:${column}: ${message}; the row is left out`);
  }
  if (trace.pods.length === 0) {
    io.writeError(`${path}: no pod can be read; nothing is written`);
    return EXIT.wrongCall;
  }
  const name = basename(path).replace(/\.csv$/i, '') || 'trace';
  const scenario = traceScenario(trace, { name, provisioners });
  const checked = parseScenario(scenario);
  if (checked.kind === 'invalid') {
    for (const problem of checked.problems.slice(0, 10))
      io.writeError(`${path}: ${describeProblem(problem)}`);
    return EXIT.wrongCall;
  }
  const yaml = stringify(scenario, { lineWidth: 0, aliasDuplicateObjects: false });
  if (options.output === undefined) io.writeLine(yaml.trimEnd());
  else writeFileSync(options.output, yaml);
  const left = trace.problems.length;
  const told = left === 0 ? '' : `, ${left} ${left === 1 ? 'row' : 'rows'} left out`;
  io.writeError(`${scenario.summary?.replace(/\.$/, '') ?? ''}${told}`);
  return left === 0 ? EXIT.done : EXIT.failed;
}

function readOr(path: string, io: ImportTraceIo): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (failure) {
    io.writeError(`${path}: cannot be read (${reasonOf(failure)}); name a file that exists`);
    return null;
  }
}

function readManifests(path: string, io: ImportTraceIo): readonly unknown[] | null {
  const text = readOr(path, io);
  if (text === null) return null;
  const { manifests, faults } = readManifestFile(text);
  for (const { line, message } of faults) io.writeError(`${path}:${line}: ${message}`);
  return faults.length > 0 ? null : manifests.map(({ manifest }) => manifest);
}

function reasonOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
