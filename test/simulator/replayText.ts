// Replays a scenario given as text, through a file in a folder of its own.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { replayCommand } from '../../src/cli/replay.ts';

/** Exit code and lines of `cooper replay`. */
export async function runForTest(
  text: string,
): Promise<{ readonly exitCode: number; readonly lines: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'cooper-scenario-'));
  try {
    const path = join(folder, 'scenario.yaml');
    writeFileSync(path, text);
    const lines: string[] = [];
    const exitCode = await replayCommand(path, {}, { writeLine: (line) => lines.push(line) });
    return { exitCode, lines };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
