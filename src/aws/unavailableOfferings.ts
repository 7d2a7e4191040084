// Memory of what EC2 had none of: per offering, growing pauses with jitter, so that a dry pool is not hammered.
import type { CapacityType } from '../model/instanceType.ts';

export interface OfferingKey {
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
}

/** Why an offering is left out, and for how long. */
export interface Unavailable {
  /** EC2's error code. */
  readonly code: string;
  readonly untilMs: number;
}

interface Memory extends Unavailable {
  readonly failures: number;
}

const FIRST_PAUSE_MS = 180_000;
/** Asking costs one call however many offerings it names, and pods wait for the answer: no longer than this. */
const LONGEST_PAUSE_MS = 720_000;
/** Jitter of a tenth either way: offerings that failed together are not tried together. */
const JITTER = 0.1;

/** Chance in [0, 1). */
export type Chance = () => number;

export class UnavailableOfferings {
  readonly #chance: Chance;
  readonly #memories = new Map<string, Memory>();
  #version = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /**
   * Leaves the offering out for 3 minutes, twice as long with each failure that follows within as long again
   * after the last pause, 12 minutes at most. `*` as zone stands for all zones of a type, `*` as type and zone for
   * all of a capacity type.
   */
  markUnavailable(offering: OfferingKey, nowMs: number, code = 'InsufficientInstanceCapacity'): void {
    const key = keyOf(offering);
    const held = this.#memories.get(key);
    // Errors of one fleet, and of fleets sent at the same time, tell the same thing once.
    if (held !== undefined && nowMs < held.untilMs) return;
    const failures = (held?.failures ?? 0) + 1;
    const jitter = 1 + JITTER * (2 * this.#chance() - 1);
    this.#memories.set(key, { code, untilMs: nowMs + Math.round(pauseMs(failures) * jitter), failures });
    this.#version += 1;
  }

  isUnavailable(offering: OfferingKey, nowMs: number): boolean {
    return this.why(offering, nowMs) !== null;
  }

  /** What was said when the offering was refused, the longest pause first; null when it may be asked for. */
  why(offering: OfferingKey, nowMs: number): Unavailable | null {
    const { capacityType } = offering;
    const scopes = [offering, { ...offering, zone: '*' }, { instanceType: '*', zone: '*', capacityType }];
    let longest: Unavailable | null = null;
    for (const scope of scopes) {
      const memory = this.#memories.get(keyOf(scope));
      if (memory === undefined || nowMs >= memory.untilMs) continue;
      if (longest === null || memory.untilMs > longest.untilMs) longest = memory;
    }
    return longest;
  }

  /** Changes whenever an offering has come or gone: what was built from the memory is then out of date. */
  version(nowMs: number): string {
    let active = 0;
    for (const [key, memory] of this.#memories) {
      if (nowMs < memory.untilMs) active += 1;
      else if (nowMs >= memory.untilMs + pauseMs(memory.failures)) this.#memories.delete(key);
    }
    return `${this.#version}/${active}`;
  }
}

function pauseMs(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
}

function keyOf({ instanceType, zone, capacityType }: OfferingKey): string {
  return `${capacityType}:${instanceType}:${zone}`;
}
