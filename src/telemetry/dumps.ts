// Snapshots worth looking at later, as files: a plan that failed its check is a bug report with everything in it.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The newest are kept. */
const KEPT_MOST = 10;

/**
 * Writes dumps into a folder, as JSON, the oldest making room.
 * @param folder made when the first dump is written
 * @param nowMs milliseconds since the Unix epoch, for the names
 */
export function dumpsInto(folder: string, nowMs: () => number): (name: string, content: unknown) => string {
  return (name, content) => {
    const file = join(folder, `${nowMs()}-${name}.json`);
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, JSON.stringify(content));
      for (const old of readdirSync(folder).sort().slice(0, -KEPT_MOST)) rmSync(join(folder, old));
      return file;
    } catch (failure) {
      return `not kept: ${String(failure)}`;
    }
  };
}
