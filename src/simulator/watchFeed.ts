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
  /** By kind and key, while events are on their way: no object's own events ever change places. */
  readonly #lastOfObjectAtMs = new Map<string, number>();
  /** Keys told of so far, so that a relist can tell what went meanwhile. */
  readonly #known = new Map<ObjectKind, Set<string>>();
  /** Events of an earlier list's watch are dropped. */
  #generation = 0;
  #heldUntilMs = 0;
  readonly #kindHeldUntilMs = new Map<ObjectKind, number>();
  /** When each event that has not arrived yet was written, in that order. */
  readonly #onTheirWay = new Map<number, number>();
  #sequence = 0;
  readonly #unsubscribe: () => void;

  constructor(parts: FeedParts, faults: WatchFaults) {
    this.#parts = parts;
    this.#faults = faults;
    this.#unsubscribe = parts.store.subscribe((event) => this.#deliverLater(event));
  }

  /** Lists everything anew and goes on watching from there: what a 410 Gone leads to. */
  relist(): void {
    const { clock } = this.#parts;
    if (clock.nowMs() < this.#heldUntilMs) {
      const generation = this.#generation;
      clock.at(this.#heldUntilMs, () => {
        if (generation === this.#generation) this.relist();
      });
      return;
    }
    this.#generation += 1;
    this.#lastAtMs.clear();
    this.#lastOfObjectAtMs.clear();
    this.#onTheirWay.clear();
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

  /** No event of that kind arrives before that time: its watch stands still, and all else goes on. */
  holdKindUntil(kind: ObjectKind, atMs: number): void {
    this.#kindHeldUntilMs.set(kind, Math.max(this.#kindHeldUntilMs.get(kind) ?? 0, atMs));
  }

  /** Everything that was written before then has arrived. */
  knownUpToMs(): number {
    const [oldestMs] = this.#onTheirWay.values();
    return oldestMs ?? this.#parts.clock.nowMs();
  }

  close(): void {
    this.#unsubscribe();
    this.#generation += 1;
  }

  #deliverLater(event: ClusterEvent): void {
    const { clock, random } = this.#parts;
    const writtenAtMs = clock.nowMs();
    const isLate = random.chance(this.#faults.late);
    const delayMs = isLate
      ? random.integer(0, this.#faults.latestMs)
      : random.integer(DELIVERY_MS.least, DELIVERY_MS.most);
    const times = random.chance(this.#faults.repeated) ? 2 : 1;
    const object = `${event.kind} ${event.key}`;
    const isReordered = random.chance(this.#faults.reordered);
    const afterMs = (isReordered ? this.#lastOfObjectAtMs.get(object) : this.#lastAtMs.get(event.kind)) ?? 0;
    const heldUntilMs = Math.max(this.#heldUntilMs, this.#kindHeldUntilMs.get(event.kind) ?? 0);
    const atMs = Math.max(writtenAtMs + delayMs, afterMs, heldUntilMs);
    this.#lastAtMs.set(event.kind, Math.max(atMs, this.#lastAtMs.get(event.kind) ?? 0));
    this.#lastOfObjectAtMs.set(object, atMs);
    this.#sequence += 1;
    const sequence = this.#sequence;
    this.#onTheirWay.set(sequence, writtenAtMs);
    const generation = this.#generation;
    clock.at(atMs, () => {
      if (generation !== this.#generation) return;
      if (this.#lastOfObjectAtMs.get(object) === atMs) this.#lastOfObjectAtMs.delete(object);
      this.#onTheirWay.delete(sequence);
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
