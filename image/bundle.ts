// Bundles Cooper for its image: one folder of JavaScript, with the data that it reads beside it.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { sourcesBelow, workerEntries } from './workerEntries.ts';

const ROOT = resolve(import.meta.dirname, '..');
/** What the program reads at run time, relative to where its modules lie: two folders up, as in the sources. */
const DATA = ['data/catalogue', 'data/prices', 'scenarios'];
const MODULES = 'dist/js';

/** Worker entries are named by URL, which a bundler leaves alone: the name changes with the file's. */
const renameWorkers: Plugin = {
  name: 'rename workers',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const contents = text.replace(
        /(new URL\('\.\/)(?:[\w/]*\/)?(\w+)\.ts(', import\.meta\.url\))/g,
        '$1$2.js$3',
      );
      return { contents, loader: 'ts' };
    });
  },
};

/**
 * The AWS SDK names each text of its schemas by a constant and uses them as keys, which a bundler must take for
 * something that may have effects: it would keep the schemas of all of EC2's calls, a megabyte for the few we make.
 */
const inlineSchemaTexts: Plugin = {
  name: 'inline schema texts',
  setup({ onLoad }) {
    onLoad({ filter: /\/@aws-sdk\/.*\/schemas\/schemas_\d+\.js$/ }, async ({ path }) => ({
      contents: withTextsInlined(await readFile(path, 'utf8')),
      loader: 'js',
    }));
  },
};

/** Puts the text of each `const _name = "text";` where `_name` is used, so that what is unused can be left out. */
export function withTextsInlined(source: string): string {
  const texts = new Map<string, string>();
  const rest = source.replace(/^const (_\w+) = ("[^"\\]*");\n/gm, (_line, name: string, text: string) => {
    texts.set(name, text);
    return '';
  });
  return rest.replace(/(?<![\w$.])_\w+(?![\w$])/g, (name) => texts.get(name) ?? name);
}

export interface Bundle {
  /** The program to start with Node.js, relative to the folder. */
  readonly main: string;
  /** Names of the files that worker threads start from. */
  readonly workers: readonly string[];
}

/** Writes the file tree of the image's `/app` into `folder`, which is emptied first. */
export async function bundleInto(folder: string): Promise<Bundle> {
  const workers = await workerEntries(await sourcesBelow(join(ROOT, 'src')));
  await rm(folder, { recursive: true, force: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: [join(ROOT, 'src/main.ts'), ...workers],
    outdir: join(folder, MODULES),
    entryNames: '[name]',
    chunkNames: 'chunk-[hash]',
    bundle: true,
    // Commands are loaded when they are called: each is a chunk of its own.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Packages that come in both forms: of modules, what is not used can be left out.
    mainFields: ['module', 'main'],
    minify: true,
    keepNames: true,
    legalComments: 'none',
    // Files that are also programs of their own must not start when they are part of this one.
    define: { 'import.meta.main': 'false' },
    plugins: [renameWorkers, inlineSchemaTexts],
    // CommonJS packages ask for Node's own modules by require.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  for (const path of DATA) await cp(join(ROOT, path), join(folder, path), { recursive: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), `${JSON.stringify({ type: 'module', private: true })}\n`);
  await cp(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  return { main: `${MODULES}/main.js`, workers: workers.map((path) => path.replace(/^.*\//, '')) };
}

if (import.meta.main) {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error('name the folder to write to: node image/bundle.ts FOLDER');
  const { main, workers } = await bundleInto(resolve(folder));
  console.log(`${join(folder, main)}${workers.length === 0 ? '' : `, with ${workers.join(', ')}`}`);
}
