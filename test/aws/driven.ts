// Virtual time moved on for as long as a call takes.
import type { VirtualClock } from '../../src/simulator/virtualClock.ts';

/** The call's answer, the clock moved from one due action to the next until it is there. */
export async function driven<T>(clock: VirtualClock, call: Promise<T>): Promise<T> {
  let isSettled = false;
  const done = (): void => {
    isSettled = true;
  };
  call.then(done, done);
  for (;;) {
    await new Promise(setImmediate);
    if (isSettled) return call;
    if (clock.nextAtMs() === Number.POSITIVE_INFINITY)
      throw new Error('nothing is due, and the call is not done');
    clock.advanceTo(clock.nextAtMs());
  }
}
