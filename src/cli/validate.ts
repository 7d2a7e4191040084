// `cooper validate`: checks manifests in files, folders or standard input, with no cluster at hand.
import { parseFieldPath } from '../api/fieldPath.ts';
import { unknownManifestFields } from '../api/manifest.ts';
import { parseNodeClaim } from '../api/nodeClaims.ts';
import { parseAwsNodeTemplate } from '../api/nodeClasses.ts';
import { asRaw, textIn } from '../api/objects/raw.ts';
import { describeObjectProblem, type Parsed, type Problem } from '../api/parsed.ts';
import { parseProvisioner } from '../api/provisioners.ts';
import { AWS_NODE_TEMPLATE } from '../api/schemas/awsNodeTemplate.ts';
import { NODE_CLAIM } from '../api/schemas/nodeClaim.ts';
import { PROVISIONER } from '../api/schemas/provisioner.ts';
import type { Resource } from '../api/schemas/schema.ts';
import { type LocatedManifest, readManifestFile } from './manifestFiles.ts';

/** How the command reads and writes. */
export interface ValidateIo {
  /** The text of a file; `-` is standard input. Throws when it cannot be read. */
  readText(path: string): Promise<string>;
  /** The YAML and JSON files below a folder, sorted; null when the path is no folder. */
  listFolder(path: string): Promise<readonly string[] | null>;
  writeLine(line: string): void;
}

/** 0: all is well, 1: some object has problems, 2: the call was wrong, such as a file that is not there. */
export type ExitCode = 0 | 1 | 2;

interface Kind {
  readonly resource: Resource;
  readonly parse: (manifest: unknown) => Parsed<unknown>;
}

const KINDS: readonly Kind[] = [
  { resource: PROVISIONER, parse: parseProvisioner },
  { resource: AWS_NODE_TEMPLATE, parse: parseAwsNodeTemplate },
  { resource: NODE_CLAIM, parse: parseNodeClaim },
];
const KIND_NAMES = KINDS.map(({ resource }) => resource.kind).join(', ');

/** One line of the answer: what it is about and how it went. */
interface Finding {
  readonly outcome: 'ok' | 'faulty' | 'skipped' | 'unreadable';
  readonly lines: readonly string[];
}

/**
 * Checks every object of the named files and writes one line for each, or one for each of its problems.
 * @param paths files, folders, or `-` for standard input
 */
export async function validateFiles(paths: readonly string[], io: ValidateIo): Promise<ExitCode> {
  if (paths.length === 0) {
    io.writeLine('cooper validate needs a file: name files or folders, or - for standard input');
    return 2;
  }
  const findings: Finding[] = [];
  for (const path of paths) findings.push(...(await validatePath(path, io)));
  for (const line of findings.flatMap(({ lines }) => lines)) io.writeLine(line);
  const count = (outcome: Finding['outcome']): number =>
    findings.filter((finding) => finding.outcome === outcome).length;
  io.writeLine(`${count('ok')} ok, ${count('faulty')} with problems, ${count('skipped')} skipped`);
  if (count('unreadable') > 0) return 2;
  return count('faulty') > 0 ? 1 : 0;
}

async function validatePath(path: string, io: ValidateIo): Promise<readonly Finding[]> {
  try {
    const files = path === '-' ? [path] : ((await io.listFolder(path)) ?? [path]);
    const texts = await Promise.all(files.map((file) => io.readText(file)));
    return files.flatMap((file, index) => validateText(file, texts[index] ?? ''));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [{ outcome: 'unreadable', lines: [`${path}: cannot be read (${message}); name a file that can`] }];
  }
}

/** Checks every object in one text; `file` is only shown. */
function validateText(file: string, text: string): readonly Finding[] {
  const { manifests, faults } = readManifestFile(text);
  const broken = faults.map(
    ({ line, message }): Finding => ({
      outcome: 'faulty',
      lines: [`${file}:${line}: is no YAML (${message}); mend the syntax`],
    }),
  );
  return [...broken, ...manifests.map((located) => validateManifest(file, located))];
}

function validateManifest(file: string, { manifest, lineOf }: LocatedManifest): Finding {
  const raw = asRaw(manifest);
  const kind = textIn(raw, 'kind');
  const name = textIn(asRaw(raw?.metadata), 'name');
  const start = `${file}:${lineOf([])}`;
  const known = KINDS.find(({ resource }) => isOf(resource, kind, textIn(raw, 'apiVersion')));
  if (known === undefined) {
    const subject = kind === '' ? 'object without a kind' : `${kind} ${JSON.stringify(name)}`;
    return { outcome: 'skipped', lines: [`${start}: ${subject} skipped: not one of ${KIND_NAMES}`] };
  }
  const problems = problemsOf(known, manifest);
  if (problems.length === 0)
    return { outcome: 'ok', lines: [`${start}: ${kind} ${JSON.stringify(name)} ok`] };
  const lines = problems.map(
    (problem) =>
      `${file}:${lineOf(parseFieldPath(problem.field))}: ${describeObjectProblem(kind, name, problem)}`,
  );
  return { outcome: 'faulty', lines };
}

/** True for our kinds in any version, so that a wrong version is a problem and not another kind. */
function isOf(resource: Resource, kind: string, apiVersion: string): boolean {
  return kind === resource.kind && (apiVersion === '' || apiVersion.split('/')[0] === resource.group);
}

/** Problems of parsing, and fields that the API server would drop without a word. */
function problemsOf({ resource, parse }: Kind, manifest: unknown): readonly Problem[] {
  const parsed = parse(manifest);
  const problems = parsed.kind === 'invalid' ? parsed.problems : [];
  const named = new Set(problems.map(({ field }) => field));
  return [...problems, ...unknownManifestFields(resource, manifest).filter(({ field }) => !named.has(field))];
}
