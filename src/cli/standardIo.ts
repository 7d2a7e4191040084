// Files, folders and the terminal, for commands that read manifests.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ValidateIo } from './validate.ts';

const MANIFEST_NAME = /\.(ya?ml|json)$/;

export const STANDARD_IO: ValidateIo = {
  readText: (path) => (path === '-' ? text(process.stdin) : readFile(path, 'utf8')),
  listFolder: async (path) => {
    if (!(await stat(path)).isDirectory()) return null;
    const names = await readdir(path, { recursive: true });
    return names
      .filter((name) => MANIFEST_NAME.test(name))
      .sort()
      .map((name) => join(path, name));
  },
  writeLine: (line) => {
    process.stdout.write(`${line}\n`);
  },
};
