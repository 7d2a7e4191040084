// What the controllers remember stays in proportion to what has lived at one time, however much comes and goes.
import type { ObjectKind } from '../../model/clusterEvent.ts';
import type { Invariant } from './invariant.ts';

const COUNTED: readonly ObjectKind[] = ['pod', 'node', 'nodeClaim', 'provisioner', 'nodeClass'];
/** Beside one entry an object: what is kept by controller, not by object. */
const ALLOWANCE = 10;
const LOOK_EVERY_MS = 60_000;

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
        if (size <= most + ALLOWANCE || reported.has(concern)) continue;
        reported.add(concern);
        report(`${size} ${concern} are remembered, and there were never more than ${most} objects at a time`);
      }
    }
  });
  return undefined;
};
