// What the controllers remember stays in proportion to what has lived at one time, however much comes and goes.
import type { ObjectKind } from '../../model/clusterEvent.ts';
import type { Invariant } from './invariant.ts';

const COUNTED: readonly ObjectKind[] = ['pod', 'node', 'nodeClaim', 'provisioner', 'nodeClass'];
/** Beside the entries of objects: what is kept by controller. */
const ALLOWANCE = 10;
const LOOK_EVERY_MS = 60_000;
/** Entries an object, where not one: an evicted pod's nomination outlives it, beside that of the pod in its place. */
const ENTRIES: Readonly<Record<string, number>> = { nominations: 2 };

export const memoryStaysFlat: Invariant = ({ simulation, report }) => {
  const { clock, store } = simulation;
  const reported = new Set<string>();
  let most = 0;
  let nextLookMs = clock.nowMs();
  simulation.onStep(() => {
    most = Math.max(
      most,
      COUNTED.reduce((sum, kind) => sum + store.count(kind), 0),
    );
    if (clock.nowMs() < nextLookMs) return;
    nextLookMs = clock.nowMs() + LOOK_EVERY_MS;
    for (const process of simulation.processes) {
      for (const [concern, size] of Object.entries(process.memorySizes())) {
        if (size <= (ENTRIES[concern] ?? 1) * most + ALLOWANCE || reported.has(concern)) continue;
        reported.add(concern);
        report(`${size} ${concern} are remembered, and there were never more than ${most} objects at a time`);
      }
    }
  });
  return undefined;
};
