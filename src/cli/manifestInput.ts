// Reads manifests from files, folders and standard input, YAML or JSON, for commands that ask no cluster.
import { asRaw, objectIn, type Raw, textIn } from '../api/objects/raw.ts';
import { readManifestFile } from './manifestFiles.ts';
import type { InvalidObject } from './simulateInput.ts';
import type { ValidateIo } from './validate.ts';

/** How a command reads, writes, and says what is wrong. */
export interface ReadingIo extends ValidateIo {
  writeError(line: string): void;
}

export interface ReadManifests {
  readonly manifests: readonly unknown[];
  /** Texts that are no YAML. */
  readonly faults: readonly InvalidObject[];
  /** When a recording was made, in milliseconds since the epoch; null when no file says so. */
  readonly takenAtMs: number | null;
}

/** Annotation of a List that `cooper record` has written: when the cluster was like this. */
export const TAKEN_AT = 'cooper.sh/taken-at';

/** All manifests, lists taken apart; null, with the reason written, when a file cannot be read. */
export async function readManifests(files: readonly string[], io: ReadingIo): Promise<ReadManifests | null> {
  const manifests: unknown[] = [];
  const faults: InvalidObject[] = [];
  let takenAtMs: number | null = null;
  for (const path of files) {
    const texts = await readPath(path, io);
    if (texts === null) return null;
    for (const { file, text } of texts) {
      const read = manifestsIn(file, text);
      manifests.push(...read.manifests);
      faults.push(...read.faults);
      takenAtMs = read.takenAtMs ?? takenAtMs;
    }
  }
  return { manifests, faults, takenAtMs };
}

function manifestsIn(file: string, text: string): ReadManifests {
  const json = jsonValue(text);
  if (json !== null) {
    const raw = asRaw(json);
    const items = textIn(raw, 'kind') === 'List' ? raw?.items : json;
    const manifests = Array.isArray(items) ? items : [json];
    return { manifests, faults: [], takenAtMs: takenAt(raw) };
  }
  const { manifests, faults, lists } = readManifestFile(text);
  return {
    manifests: manifests.map(({ manifest }) => manifest),
    faults: faults.map(({ line, message }) => ({
      object: `${file}:${line}`,
      field: '',
      problem: `is no YAML (${message}); mend the syntax`,
    })),
    takenAtMs: lists.map((list) => takenAt(asRaw(list))).find((one) => one !== null) ?? null,
  };
}

function takenAt(list: Raw | null): number | null {
  const atMs = Date.parse(textIn(objectIn(objectIn(list, 'metadata'), 'annotations'), TAKEN_AT));
  return Number.isNaN(atMs) ? null : atMs;
}

/** The value of a JSON text; null when it is none. Ten times as fast as reading it as YAML. */
function jsonValue(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

interface FileText {
  readonly file: string;
  readonly text: string;
}

async function readPath(path: string, io: ReadingIo): Promise<readonly FileText[] | null> {
  try {
    const files = path === '-' ? [path] : ((await io.listFolder(path)) ?? [path]);
    return await Promise.all(files.map(async (file) => ({ file, text: await io.readText(file) })));
  } catch (error) {
    io.writeError(`${path}: cannot be read (${messageOf(error)}); name a file that can`);
    return null;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
