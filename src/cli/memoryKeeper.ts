// Reads now and then what the process takes, and has both threads give back what they do not need at rest.

import { getHeapStatistics } from 'node:v8';
import { giveMemoryBack, RestingMemory } from '../planner/restingMemory.ts';
import type { ThreadPlanner } from '../planner/threadPlanner.ts';
import { REAL_CLOCK } from './realClock.ts';

/** By then the planning thread has done it too, and V8 what was left to it. */
const GIVEN_BACK_WITHIN_MS = 15_000;

/** A function to be called now and then, some time apart. */
export function keepMemoryLow(planner: Pick<ThreadPlanner, 'rest'>): () => Promise<void> {
  const resting = new RestingMemory();
  let cpu = process.cpuUsage();
  let readAtMs = REAL_CLOCK.nowMs();
  return async () => {
    const { user, system } = process.cpuUsage(cpu);
    const passedMs = REAL_CLOCK.nowMs() - readAtMs;
    cpu = process.cpuUsage();
    readAtMs = REAL_CLOCK.nowMs();
    const busyShare = (user + system) / 1000 / Math.max(passedMs, 1);
    if (!resting.isWorthGivingBack(heapBytes(), busyShare)) return;
    giveMemoryBack();
    planner.rest();
    await REAL_CLOCK.sleep(GIVEN_BACK_WITHIN_MS);
    resting.noteGivenBack(heapBytes());
  };
}

/** Of this thread, which sees all that the other one does. The whole process is told by /proc, if that is mounted. */
function heapBytes(): number {
  return getHeapStatistics().total_heap_size;
}
