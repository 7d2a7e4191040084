// The watch as one controller process sees it: a moment late, in order within each kind, and sometimes worse.
import type { ClusterEvent, ObjectKind } from '../model/clusterEvent.ts';
import type { WatchFaults } from './faults.ts';
import type { ObjectStore } from './objectStore.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtualClock.ts';

/** From a write until the watch tells of it. */
const DELIVERY_MS = { least: 1, most: 4 };

export interface FeedParts {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly random: Random;
  readonly deliver: (event: ClusterEvent) => void;
}

export class WatchFeed {
  readonly #parts: FeedParts;
  readonly #faults: WatchFaults;
  readonly #lastAtMs = new Map<ObjectKind, number>();
  /** Keys told of so far, so that a relist can tell what went meanwhile. */
  readonly #known = new Map<ObjectKind, Set<string>>();
  /** Events of an earlier list's watch are dropped. */
  #generation = 0;
  #heldUntilMs = 0;
  readonly #unsubscribe: () => void;

  constructor(parts: FeedParts, faults: WatchFaults) {
    this.#parts = parts;
    this.#faults = faults;
    this.#unsubscribe = parts.store.subscribe((event) => this.#deliverLater(event));
  }

  /** Lists everything anew and goes on watching from there: what a 410 Gone leads to. */
  relist(): void {
    this.#generation += 1;
    this.#lastAtMs.clear();
    const events = this.#parts.store.relist();
    const listed = new Set(events.map((event) => `${event.kind} ${event.key}`));
    for (const [kind, keys] of this.#known) {
      for (const key of [...keys]) {
        if (!listed.has(`${kind} ${key}`)) this.#deliver({ type: 'delete', kind, key });
      }
    }
    for (const event of events) this.#deliver(event);
  }

  /** No event arrives before that time: the API server is away. */
  holdUntil(atMs: number): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, atMs);
  }

  close(): void {
    this.#unsubscribe();
    this.#generation += 1;
  }

  #deliverLater(event: ClusterEvent): void {
    const { clock, random } = this.#parts;
    const isLate = random.chance(this.#faults.late);
    const delayMs = isLate
      ? random.integer(0, this.#faults.latestMs)
      : random.integer(DELIVERY_MS.least, DELIVERY_MS.most);
    const times = random.chance(this.#faults.repeated) ? 2 : 1;
    const atMs = Math.max(clock.nowMs() + delayMs, this.#lastAtMs.get(event.kind) ?? 0, this.#heldUntilMs);
    this.#lastAtMs.set(event.kind, atMs);
    const generation = this.#generation;
    clock.at(atMs, () => {
      if (generation !== this.#generation) return;
      for (let time = 0; time < times; time += 1) this.#deliver(event);
    });
  }

  #deliver(event: ClusterEvent): void {
    const keys = this.#known.get(event.kind) ?? new Set();
    if (event.type === 'upsert') keys.add(event.key);
    else keys.delete(event.key);
    this.#known.set(event.kind, keys);
    this.#parts.deliver(event);
  }
}
