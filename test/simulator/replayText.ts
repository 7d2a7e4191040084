// Replays scenarios for tests: files in a folder of their own, lines collected.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ReplayOptions, replayCommand } from '../../src/cli/replay.ts';

export interface Replayed {
  readonly exitCode: number;
  readonly lines: readonly string[];
  readonly errors: readonly string[];
  readonly progress: readonly string[];
  /** The SVG; '' when none was asked for. */
  readonly chart: string;
}

export interface ReplayFiles {
  readonly scenario: string;
  /** Texts of the files to compare. */
  readonly compare?: readonly string[];
  readonly chart?: boolean;
}

/** Runs `cooper replay` on a scenario given as text. */
export async function replayText(
  { scenario, compare = [], chart = false }: ReplayFiles,
  options: Omit<ReplayOptions, 'compare' | 'chart'> = {},
): Promise<Replayed> {
  const folder = mkdtempSync(join(tmpdir(), 'cooper-scenario-'));
  try {
    const path = join(folder, 'scenario.yaml');
    writeFileSync(path, scenario);
    const files = compare.map((text, index) => {
      const file = join(folder, `provisioners-${index}.yaml`);
      writeFileSync(file, text);
      return file;
    });
    const chartPath = join(folder, 'chart.svg');
    const [lines, errors, progress]: [string[], string[], string[]] = [[], [], []];
    const exitCode = await replayCommand(
      path,
      { ...options, compare: files, ...(chart ? { chart: chartPath } : {}) },
      {
        writeLine: (line) => lines.push(line),
        writeError: (line) => errors.push(line),
        showProgress: (text) => progress.push(text),
      },
    );
    return { exitCode, lines, errors, progress, chart: chart ? readFileSync(chartPath, 'utf8') : '' };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
