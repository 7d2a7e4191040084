// Reading the tree as text: files, imports and functions, for the tests that hold the architecture.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

/** All TypeScript files below a folder of the root. */
export function sourceFiles(folder: string): readonly SourceFile[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .filter((entry) => !entry.parentPath.includes('node_modules'))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const text = readFileSync(file, 'utf8');
      return { path: relative(ROOT, file).replaceAll('\\', '/'), text, lines: text.trimEnd().split('\n') };
    })
    .sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** What a file imports: paths relative to the root for its own, bare specifiers as they are. */
export function importsOf({ path, text }: SourceFile): readonly string[] {
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s+'([^']+)'|import\('([^']+)'\)|\nimport '([^']+)'/g,
  );
  return [...found].map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? '';
    return specifier.startsWith('.') ? join(dirname(path), specifier).replaceAll('\\', '/') : specifier;
  });
}

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly length: number;
  readonly parameters: number;
}

const FUNCTION_START = new RegExp(
  [
    String.raw`^(\s*)(?:export )?(?:static |override |readonly )*(?:async )?`,
    String.raw`(?:function\*? (\w+)`, // a named function
    String.raw`|(?:async )?(#?\w+)(?=[(<].*\{$|\($)`, // a method
    String.raw`|(?:const (\w+) = (?:async )?(?=\(|function)))`, // an arrow with a name
  ].join(''),
);
const NO_FUNCTIONS: ReadonlySet<string> = new Set([
  'if',
  'for',
  'while',
  'switch',
  'catch',
  'return',
  'super',
]);

/** Functions and methods of a formatted file: from the line that opens one to the line that closes it. */
export function functionsOf({ lines }: SourceFile): readonly FunctionSpan[] {
  const spans: FunctionSpan[] = [];
  lines.forEach((line, index) => {
    const match = FUNCTION_START.exec(line);
    if (match === null) return;
    const name = match[2] ?? match[3] ?? match[4] ?? '';
    if (NO_FUNCTIONS.has(name)) return;
    const indent = match[1] ?? '';
    const end = lines.findIndex(
      (other, at) => at >= index && /^\s*\}[;,)]*$/.test(other) && other.startsWith(`${indent}}`),
    );
    if (end < 0) return;
    const signature = lines
      .slice(index, end + 1)
      .join('\n')
      .slice(match[0].length);
    spans.push({ name, line: index + 1, length: end - index + 1, parameters: parameterCount(signature) });
  });
  return spans;
}

/** Parameters of the first parenthesis in a signature; commas inside brackets, braces and generics do not count. */
function parameterCount(signature: string): number {
  const start = signature.indexOf('(');
  if (start < 0) return 0;
  let depth = 0;
  let commas = 0;
  let content = '';
  for (let at = start; at < signature.length; at++) {
    const letter = signature[at] ?? '';
    const arrow = letter === '>' && signature[at - 1] === '=';
    if ('([{<'.includes(letter)) depth++;
    else if (')]}>'.includes(letter) && !arrow) depth--;
    if (depth === 0) break;
    if (letter === ',' && depth === 1) commas++;
    content += letter;
  }
  const inside = content.slice(1).trim();
  if (inside === '') return 0;
  return inside.endsWith(',') ? commas : commas + 1;
}
