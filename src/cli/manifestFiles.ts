// Reads YAML or JSON text of many manifests and remembers the line of every field.
import type { Document, Node, Pair } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import type { FieldPath } from '../api/fieldPath.ts';

/** One object of a file, and where its fields stand. */
export interface LocatedManifest {
  readonly manifest: unknown;
  /** Line of a field, counted from 1; of the nearest field around it where it is missing. */
  readonly lineOf: (path: FieldPath) => number;
}

/** A file that could not be read as YAML. */
export interface SyntaxFault {
  readonly line: number;
  readonly message: string;
}

export interface ManifestFile {
  readonly manifests: readonly LocatedManifest[];
  readonly faults: readonly SyntaxFault[];
  /** Lists whose items are among the manifests. */
  readonly lists: readonly unknown[];
}

/** Splits text into its documents, and lists (`kind: List`) into their items. Never throws, whatever the text. */
export function readManifestFile(text: string): ManifestFile {
  const lines = new LineCounter();
  const documents = [...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true })];
  const read = documents.map((document) => readDocument(document, lines));
  return {
    manifests: read.flatMap(({ manifests }) => manifests),
    faults: read.flatMap(({ faults }) => faults),
    lists: read.flatMap(({ lists }) => lists),
  };
}

function readDocument(document: Document, lines: LineCounter): ManifestFile {
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  if (document.errors.length > 0) {
    const faults = document.errors.map(({ pos, message }) => ({ line: lineAt(pos[0]), message }));
    return { manifests: [], faults, lists: [] };
  }
  const object = toObject(document);
  if (object.kind === 'fault') {
    const fault = { line: lineAt(document.range?.[0] ?? 0), message: object.message };
    return { manifests: [], faults: [fault], lists: [] };
  }
  const locate = (prefix: FieldPath, manifest: unknown): LocatedManifest => ({
    manifest,
    lineOf: (path) => lineAt(offsetOf(document, [...prefix, ...path])),
  });
  if (object.value === null || object.value === undefined) return { manifests: [], faults: [], lists: [] };
  const items = itemsOf(object.value);
  if (items === null) return { manifests: [locate([], object.value)], faults: [], lists: [] };
  const manifests = items.map((item, index) => locate(['items', index], item));
  return { manifests, faults: [], lists: [object.value] };
}

type Converted =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'fault'; readonly message: string };

/** The yaml package throws when aliases are unresolved or multiply beyond measure. */
function toObject(document: Document): Converted {
  try {
    return { kind: 'value', value: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    return { kind: 'fault', message: error instanceof Error ? error.message : String(error) };
  }
}

function itemsOf(value: unknown): readonly unknown[] | null {
  const list = value as { readonly kind?: unknown; readonly items?: unknown };
  return list.kind === 'List' && Array.isArray(list.items) ? list.items : null;
}

/** Where a field starts in the text, or the nearest thing around it that is there. */
function offsetOf(document: Document, path: FieldPath): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const segment of path) {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    const step = stepInto(node, segment);
    if (step === null) break;
    offset = step.offset ?? offset;
    node = step.node;
  }
  return offset;
}

interface Step {
  readonly node: Node | null;
  readonly offset: number | undefined;
}

function stepInto(node: Node | null, segment: string | number): Step | null {
  if (isSeq(node)) {
    const item = node.items[Number(segment)] as Node | undefined;
    return item === undefined ? null : { node: item, offset: item.range?.[0] };
  }
  if (!isMap(node)) return null;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment)) as
    | Pair<Node, Node | null>
    | undefined;
  return pair === undefined ? null : { node: pair.value, offset: pair.key.range?.[0] };
}
