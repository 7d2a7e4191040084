// `npm run fuzz -- --seeds N --first-seed N`: one simulated cluster a seed, on all cores; names what broke.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { formatEntry } from '../../src/simulator/history.ts';
import { START_MS } from './drawSetup.ts';
import { runSeed, type SeedResult } from './runSeed.ts';

interface Share {
  readonly first: number;
  readonly end: number;
  readonly stride: number;
}

async function runShare({ first, end, stride }: Share, tell: (result: SeedResult) => void): Promise<void> {
  for (let seed = first; seed < end; seed += stride) tell(await runSeed(seed));
}

function describeFailure({ seed, violations }: SeedResult): string {
  const [first] = violations;
  const minutes = (((first?.atMs ?? START_MS) - START_MS) / 60_000).toFixed(1);
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : '';
  const replay = `npm run fuzz -- --first-seed ${seed} --seeds 1 --verbose`;
  return `seed ${seed}: ${first?.invariant} at ${minutes} min: ${first?.message}${more}; replay: ${replay}`;
}

async function fuzzInThreads(firstSeed: number, seeds: number): Promise<number> {
  const threads = Math.min(availableParallelism(), seeds);
  let failed = 0;
  const shares = Array.from({ length: threads }, (_, index) => {
    const share: Share = { first: firstSeed + index, end: firstSeed + seeds, stride: threads };
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.on('message', (result: SeedResult) => {
      if (result.violations.length === 0) return;
      failed += 1;
      process.stdout.write(`${describeFailure(result)}\n`);
    });
    return new Promise<void>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', () => resolve());
    });
  });
  await Promise.all(shares);
  return failed;
}

/** One seed with its whole history. */
async function showSeed(seed: number): Promise<number> {
  const result = await runSeed(seed, (simulation) => {
    process.stdout.write(`${JSON.stringify(simulation.setup.faults)}\n`);
    simulation.history.listen((entry) =>
      process.stdout.write(`${formatEntry({ ...entry, atMs: entry.atMs - START_MS })}\n`),
    );
  });
  for (const { atMs, invariant, message } of result.violations) {
    process.stdout.write(`${atMs - START_MS} VIOLATION ${invariant} ${message}\n`);
  }
  return result.violations.length === 0 ? 0 : 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '200' },
      'first-seed': { type: 'string', default: '1' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const [seeds, firstSeed] = [Number(values.seeds), Number(values['first-seed'])];
  if (!Number.isInteger(seeds) || seeds < 1 || !Number.isInteger(firstSeed)) {
    process.stderr.write('fuzz: --seeds and --first-seed are whole numbers, --seeds at least 1\n');
    process.exitCode = 2;
    return;
  }
  const startedMs = performance.now();
  const failed = values.verbose ? await showSeed(firstSeed) : await fuzzInThreads(firstSeed, seeds);
  const tookSeconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const { user, system } = process.cpuUsage();
  const cpuSeconds = ((user + system) / 1e6 / seeds).toFixed(2);
  process.stdout.write(
    `fuzz: ${seeds} seeds from ${firstSeed}, ${failed} failed, ${tookSeconds} s, ${cpuSeconds} CPU s a seed\n`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}

if (isMainThread) await main();
else await runShare(workerData as Share, (result) => parentPort?.postMessage(result));
