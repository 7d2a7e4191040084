// Finds the files that worker threads start from: a bundler cannot, as they are named by URL.
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const WORKER_URL = /new URL\('(\.\/[\w/]+\.ts)', import\.meta\.url\)/g;

export interface SourceText {
  readonly path: string;
  readonly text: string;
}

/** All TypeScript files below a folder. */
export async function sourcesBelow(folder: string): Promise<readonly SourceText[]> {
  const names = await readdir(folder, { recursive: true });
  const paths = names.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name));
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(path, 'utf8') })));
}

/** Paths of every `new URL('./NAME.ts', import.meta.url)`. Two of one name would overwrite each other: that throws. */
export function workerEntries(sources: readonly SourceText[]): readonly string[] {
  const entries = new Map<string, string>();
  for (const { path, text } of sources) {
    for (const [, relative = ''] of text.matchAll(WORKER_URL)) {
      const entry = join(dirname(path), relative);
      const name = relative.replace(/^.*\//, '');
      const held = entries.get(name);
      if (name === 'main.ts' || (held !== undefined && held !== entry)) {
        throw new Error(`worker entry ${entry}: another entry has its name; rename one`);
      }
      entries.set(name, entry);
    }
  }
  return [...entries.values()].sort();
}
