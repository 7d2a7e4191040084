// Gives memory back to the machine after a burst: both threads' heaps stay as large as they were, unless told.
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Below this the next burst would only ask for it again. */
const GROWTH_THAT_MATTERS = 1.2;

/** Of one CPU. Watches and timers take a hundredth; who plans, or reads a large answer, takes far more. */
const BUSY_FROM_SHARE = 0.1;

/** A heap of so much is collected in about 100 ms; that of a large cluster would stop the thread for longer. */
const COLLECTED_AT_ONCE_BYTES = 96 * 1024 * 1024;

/** Decides from readings, taken some time apart, when giving memory back is worth its while. */
export class RestingMemory {
  /** What remained when memory was last given back. */
  #restingBytes = 0;

  /**
   * True at rest, when memory has grown by a fifth since it was last given back, or never was.
   * @param heapBytes what the main thread's heap takes, garbage and free space included
   * @param busyShare CPU time since the last reading by the time that has passed
   */
  isWorthGivingBack(heapBytes: number, busyShare: number): boolean {
    return busyShare < BUSY_FROM_SHARE && heapBytes > this.#restingBytes * GROWTH_THAT_MATTERS;
  }

  /** Memory has just been given back, and so much remains. */
  noteGivenBack(heapBytes: number): void {
    this.#restingBytes = heapBytes;
  }
}

/**
 * Collects this thread's garbage and shrinks its space for new objects. A large heap is left to V8: a context that
 * comes and goes is its cue to collect in small steps, some ten seconds later and only while little is allocated.
 */
export function giveMemoryBack(): void {
  if (getHeapStatistics().used_heap_size > COLLECTED_AT_ONCE_BYTES) runInNewContext('0');
  else collector()({ type: 'major', flavor: 'last-resort' });
}

/** An ordinary collection would leave the space for new objects as large as it is. Source: nodejs.org, `global.gc`. */
type Collect = (how: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;

function collector(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}
