// Time that jumps: a heap of actions by (time, sequence), run in order as the clock is moved on.
import type { Clock } from '../ports/clock.ts';

interface TimedAction {
  readonly atMs: number;
  readonly sequence: number;
  readonly act: () => void;
}

export class VirtualClock implements Clock {
  readonly #heap: TimedAction[] = [];
  #nowMs: number;
  #sequence = 0;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => this.after(durationMs, resolve));
  }

  /** Runs the action at that time; one that has passed means now. Equal times run in the order of asking. */
  at(atMs: number, act: () => void): void {
    this.#sequence += 1;
    pushAction(this.#heap, { atMs: Math.max(atMs, this.#nowMs), sequence: this.#sequence, act });
  }

  /** Runs the action that many milliseconds from now. */
  after(delayMs: number, act: () => void): void {
    this.at(this.#nowMs + delayMs, act);
  }

  /** When the next action is due; Infinity when none is. */
  nextAtMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Moves to that time and runs all that is due by then, what those actions add for the same time included. */
  advanceTo(toMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= toMs; next = this.#heap[0]) {
      popAction(this.#heap);
      this.#nowMs = next.atMs;
      next.act();
    }
    this.#nowMs = Math.max(this.#nowMs, toMs);
  }
}

function isBefore(left: TimedAction, right: TimedAction): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
}

function pushAction(heap: TimedAction[], added: TimedAction): void {
  let index = heap.length;
  heap.push(added);
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex];
    if (parent === undefined || !isBefore(added, parent)) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = added;
}

function popAction(heap: TimedAction[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const childIndex = smallerChild(heap, index);
    const child = heap[childIndex];
    if (child === undefined || !isBefore(child, last)) break;
    heap[index] = child;
    index = childIndex;
  }
  heap[index] = last;
}

function smallerChild(heap: readonly TimedAction[], index: number): number {
  const left = 2 * index + 1;
  const leftAction = heap[left];
  const rightAction = heap[left + 1];
  if (leftAction === undefined || rightAction === undefined) return left;
  return isBefore(rightAction, leftAction) ? left + 1 : left;
}
