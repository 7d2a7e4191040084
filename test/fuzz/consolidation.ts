// `npm run fuzz:consolidation -- --cases N --first-seed S`: random clusters consolidated to the end, on all cores.
// `--rest` looks for nodes left behind as well, `--again` asks at each action whether it still pays.
// `--first-seed S --at C` runs one case and tells all of its faults.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import { type FragmentedCluster, fragmentedClusters } from '../properties/consolidationClusters.ts';
import { consolidationFaults, type Looks } from '../properties/consolidationProperties.ts';

/** Clusters drawn from one seed: a failing one is found again by its seed and its place among them. */
const CASES_PER_SEED = 250;

interface Share {
  readonly firstSeed: number;
  readonly stride: number;
  readonly cases: number;
  readonly endSeed: number;
  readonly looks: Looks;
}

interface Result {
  readonly seed: number;
  readonly at: number;
  readonly faults: readonly string[];
  readonly actions: number;
}

function casesOf(seed: number, { firstSeed, cases }: Share): readonly FragmentedCluster[] {
  const before = (seed - firstSeed) * CASES_PER_SEED;
  return fc.sample(fragmentedClusters, { numRuns: Math.min(CASES_PER_SEED, cases - before), seed });
}

function runShare(share: Share, offset: number, tell: (result: Result) => void): void {
  for (let seed = share.firstSeed + offset; seed < share.endSeed; seed += share.stride) {
    for (const [at, cluster] of casesOf(seed, share).entries()) {
      const { faults, actions } = consolidationFaults(cluster, share.looks);
      tell({ seed, at, faults, actions });
    }
  }
}

interface Tally {
  readonly failed: number;
  readonly actions: number;
}

async function runInThreads(share: Share): Promise<Tally> {
  let [failed, actions] = [0, 0];
  const threads = Array.from({ length: share.stride }, (_, offset) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { share, offset } });
    worker.on('message', (result: Result) => {
      actions += result.actions;
      const [first] = result.faults;
      if (first === undefined) return;
      failed += 1;
      process.stdout.write(`seed ${result.seed}, case ${result.at}: ${first}\n`);
    });
    return new Promise<void>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', () => resolve());
    });
  });
  await Promise.all(threads);
  return { failed, actions };
}

/** One case once more, with all that is wrong with it. */
function runOne(seed: number, at: number, looks: Looks): number {
  const cluster = fc.sample(fragmentedClusters, { numRuns: at + 1, seed })[at];
  if (cluster === undefined) throw new Error(`seed ${seed} has no case ${at}`);
  const { faults, actions } = consolidationFaults(cluster, looks);
  process.stdout.write(`${[...faults, `after ${actions} actions`].join('\n')}\n`);
  return faults.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string' },
      'first-seed': { type: 'string' },
      at: { type: 'string' },
      rest: { type: 'boolean' },
      again: { type: 'boolean' },
    },
  });
  const looks = { atRest: values.rest === true, again: values.again === true };
  if (values.at !== undefined) return runOne(Number(values['first-seed'] ?? 1), Number(values.at), looks);
  const cases = Number(values.cases ?? 10_000);
  const firstSeed = Number(values['first-seed'] ?? 1);
  const seeds = Math.ceil(cases / CASES_PER_SEED);
  const stride = Math.min(availableParallelism(), seeds);
  const { failed, actions } = await runInThreads({
    ...{ firstSeed, stride, cases, looks, endSeed: firstSeed + seeds },
  });
  process.stdout.write(
    `${cases} clusters from seed ${firstSeed} on, ${actions} actions: ${failed} with a fault\n`,
  );
  return failed === 0 ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else {
  const { share, offset } = workerData as { readonly share: Share; readonly offset: number };
  runShare(share, offset, (result) => parentPort?.postMessage(result));
}
