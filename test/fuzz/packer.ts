// `npm run fuzz:packer -- --cases N --first-seed S`: random clusters planned and checked, on all cores.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import { type RandomCluster, randomCluster } from '../properties/clusters.ts';
import { objections } from '../properties/planProperties.ts';

/** Clusters drawn from one seed: a failing one is found again by its seed and its place among them. */
const CASES_PER_SEED = 500;

interface Share {
  readonly firstSeed: number;
  readonly stride: number;
  readonly cases: number;
  readonly endSeed: number;
}

interface Failure {
  readonly seed: number;
  readonly at: number;
  readonly objections: readonly string[];
}

function casesOf(seed: number, { firstSeed, cases }: Share): readonly RandomCluster[] {
  const before = (seed - firstSeed) * CASES_PER_SEED;
  return fc.sample(randomCluster, { numRuns: Math.min(CASES_PER_SEED, cases - before), seed });
}

function runShare(share: Share, offset: number, tell: (failure: Failure) => void): void {
  for (let seed = share.firstSeed + offset; seed < share.endSeed; seed += share.stride) {
    for (const [at, cluster] of casesOf(seed, share).entries()) {
      const found = objections(cluster);
      if (found.length > 0) tell({ seed, at, objections: found });
    }
  }
}

async function runInThreads(share: Share): Promise<number> {
  let failed = 0;
  const threads = Array.from({ length: share.stride }, (_, offset) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { share, offset } });
    worker.on('message', (failure: Failure) => {
      failed += 1;
      const [first = ''] = failure.objections;
      process.stdout.write(`seed ${failure.seed}, case ${failure.at}: ${first}\n`);
    });
    return new Promise<void>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', () => resolve());
    });
  });
  await Promise.all(threads);
  return failed;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { cases: { type: 'string' }, 'first-seed': { type: 'string' } },
  });
  const cases = Number(values.cases ?? 2000);
  const firstSeed = Number(values['first-seed'] ?? 1);
  const seeds = Math.ceil(cases / CASES_PER_SEED);
  const stride = Math.min(availableParallelism(), seeds);
  const failed = await runInThreads({ firstSeed, stride, cases, endSeed: firstSeed + seeds });
  process.stdout.write(`${cases} clusters from seed ${firstSeed} on: ${failed} with an invalid plan\n`);
  return failed === 0 ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else {
  const { share, offset } = workerData as { readonly share: Share; readonly offset: number };
  runShare(share, offset, (failure) => parentPort?.postMessage(failure));
}
