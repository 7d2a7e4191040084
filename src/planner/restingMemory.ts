// Gives memory back to the machine after a burst: both threads' heaps stay as large as they were, unless told.
import { runInNewContext } from 'node:vm';

/** Below this the next burst would only ask for it again. */
const GROWTH_THAT_MATTERS = 1.2;

/** Decides from readings, taken some time apart, when a hint at garbage is worth its while. */
export class RestingMemory {
  /** The least since the reading that followed the last hint; null before it has been taken. */
  #restingBytes: number | null = null;
  #isHinted = false;

  /**
   * True at the first reading, and whenever memory has grown by a fifth since it was at rest.
   * @param residentBytes of the whole process
   */
  isWorthHinting(residentBytes: number): boolean {
    if (this.#isHinted) {
      this.#restingBytes = residentBytes;
      this.#isHinted = false;
      return false;
    }
    const restingBytes = this.#restingBytes ?? 0;
    this.#isHinted = residentBytes > restingBytes * GROWTH_THAT_MATTERS;
    this.#restingBytes = Math.min(restingBytes, residentBytes);
    return this.#isHinted;
  }
}

/**
 * Tells V8 that this thread may hold much garbage. A context that comes and goes is its cue: some ten seconds later,
 * and only while little is allocated, it collects in small steps and shrinks the space for new objects. `gc()` would
 * do the same at once, and stop the thread for as long as the heap is large.
 */
export function hintAtGarbage(): void {
  runInNewContext('0');
}
