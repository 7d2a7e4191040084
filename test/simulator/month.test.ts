// A month of simulated time: what the process remembers at its end is no more than after its first week.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CALM } from '../../src/simulator/faults.ts';
import { Simulation } from '../../src/simulator/simulation.ts';
import { aPodSpec, aProvisioner, GIB } from '../builders.ts';
import { drawSetup, START_MS } from '../fuzz/drawSetup.ts';
import { FUZZ_CATALOGUE } from '../fuzz/runSeed.ts';

const DAY_MS = 86_400_000;
const MIB = 2 ** 20;
/** Caches that fill up, and what garbage collection leaves. */
const HEAP_ALLOWANCE_BYTES = 8 * MIB;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

test('memory is flat over a month in which nodes come and go every day', async () => {
  const steps = Array.from({ length: 60 }, (_, half) => ({
    atMs: START_MS + (half * DAY_MS) / 2,
    replicas: half % 2 === 0 ? 8 : 0,
  }));
  const pod = aPodSpec({ requests: { cpu: 1500, memory: GIB, pods: 1 } });
  const web = { kind: 'Deployment' as const, namespace: 'default', name: 'web', labels: {}, annotations: {} };
  const simulation = new Simulation({
    ...drawSetup(1, FUZZ_CATALOGUE),
    faults: CALM,
    daemonSets: [],
    budgets: [],
    provisioners: [aProvisioner({ ttlAfterEmptyMs: 30_000 })],
    workloads: [{ ...web, pod, steps, runTimeMs: null }],
  });
  const sizesAt = async (day: number): Promise<number> => {
    await simulation.run(START_MS + day * DAY_MS - 60_000);
    const sizes = simulation.processes.flatMap((process) => Object.values(process.memorySizes()));
    return sizes.reduce((sum, size) => sum + size, 0);
  };
  const afterWeek = { entries: await sizesAt(7), heapBytes: heapBytes() };
  const atEnd = { entries: await sizesAt(30), heapBytes: heapBytes() };
  assert.ok(atEnd.entries <= afterWeek.entries + 2, `${afterWeek.entries} entries, then ${atEnd.entries}`);
  const grownBytes = atEnd.heapBytes - afterWeek.heapBytes;
  assert.ok(grownBytes < HEAP_ALLOWANCE_BYTES, `${(grownBytes / MIB).toFixed(1)} MiB more`);
});
