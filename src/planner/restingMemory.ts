// Gives memory back to the machine after a burst: both threads' heaps stay as large as they were, unless told.
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Below this the next burst would only ask for it again. */
const GROWTH_THAT_MATTERS = 1.2;

/** A heap of so much is collected within 100 ms; that of a large cluster would stop the thread for longer. */
const COLLECTED_AT_ONCE_BYTES = 128 * 1024 * 1024;

/** Decides from readings, taken some time apart, when giving memory back is worth its while. */
export class RestingMemory {
  /** The least since the reading that followed the last time; null before that has been taken. */
  #restingBytes: number | null = null;
  #isGivenBack = false;

  /**
   * True at the first reading, and whenever memory has grown by a fifth since it was at rest.
   * @param residentBytes of the whole process
   */
  isWorthGivingBack(residentBytes: number): boolean {
    if (this.#isGivenBack) {
      this.#restingBytes = residentBytes;
      this.#isGivenBack = false;
      return false;
    }
    const restingBytes = this.#restingBytes ?? 0;
    this.#isGivenBack = residentBytes > restingBytes * GROWTH_THAT_MATTERS;
    this.#restingBytes = Math.min(restingBytes, residentBytes);
    return this.#isGivenBack;
  }
}

/**
 * Collects this thread's garbage and shrinks its space for new objects. A large heap is left to V8: a context that
 * comes and goes is its cue to collect in small steps, some ten seconds later and only while little is allocated.
 */
export function giveMemoryBack(): void {
  if (getHeapStatistics().used_heap_size > COLLECTED_AT_ONCE_BYTES) runInNewContext('0');
  else collector()();
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
