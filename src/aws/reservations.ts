// On-demand capacity that is reserved, and so paid for whether it is used or not: how much of it is free just now.
import type { NodeClass, TagSelector } from '../model/nodeClass.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/telemetry.ts';
import { awsFault, faultAdvice } from './awsFault.ts';
import type { CapacityReservation, Ec2Api, Filter } from './ec2Api.ts';
import type { Candidate } from './fleet.ts';
import { FreshCache } from './freshCache.ts';
import { selectorFilters } from './selectors.ts';

/** As often as subnets: people add and cancel reservations by hand. */
const FRESHNESS = { staleAfterMs: 60_000, uselessAfterMs: 600_000 };
/** How long a launch may stay out of EC2's count: answers are a minute old at most, and lag a little. */
const UNSEEN_MS = 90_000;
/** How long a reservation that EC2 called full is left out. */
const FULL_MS = 180_000;

/** A reservation that a claim can use, and for how many instances. */
export interface FreeReservation {
  readonly id: string;
  readonly candidate: Candidate;
  readonly count: number;
}

interface Taken {
  readonly id: string;
  readonly count: number;
  readonly atMs: number;
}

/** Active reservations that a selector finds. */
export function reservationFilters(selector: TagSelector): readonly Filter[] {
  return [...selectorFilters(selector, 'capacity-reservation-id'), { name: 'state', values: ['active'] }];
}

export class Reservations {
  readonly #ec2: Ec2Api;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #found: FreshCache<readonly CapacityReservation[]>;
  #taken: Taken[] = [];
  readonly #fullUntilMs = new Map<string, number>();

  constructor(ec2: Ec2Api, clock: Clock, log: Log) {
    this.#ec2 = ec2;
    this.#clock = clock;
    this.#log = log;
    this.#found = new FreshCache(clock, FRESHNESS);
  }

  /** The first of the offerings, in their order, that a reservation of the node class has room for; null when none. */
  async freeFor(nodeClass: NodeClass, offerings: readonly Candidate[]): Promise<FreeReservation | null> {
    const reservations = await this.#of(nodeClass);
    if (reservations.length === 0) return null;
    for (const candidate of offerings) {
      const { name } = candidate.launchable.type;
      if (candidate.capacityType !== 'on-demand') continue;
      for (const one of reservations) {
        if (one.instanceType !== name || one.zone !== candidate.zone) continue;
        const count = this.#free(one);
        if (count > 0) return { id: one.id, candidate, count };
      }
    }
    return null;
  }

  /** A launch that is sent takes that many. The returned function gives back what it did not get. */
  take(id: string, count: number): (got: number) => void {
    const taken: Taken = { id, count, atMs: this.#clock.nowMs() };
    this.#taken.push(taken);
    return (got) => {
      this.#taken = this.#taken.filter((one) => one !== taken);
      if (got > 0) this.#taken.push({ ...taken, count: got, atMs: this.#clock.nowMs() });
    };
  }

  /** EC2 says that it has no room. */
  markFull(id: string): void {
    this.#fullUntilMs.set(id, this.#clock.nowMs() + FULL_MS);
  }

  refresh(): Promise<void> {
    return this.#found.refresh();
  }

  /** Without an answer of EC2's, launches go on without reservations. */
  async #of({ key, capacityReservationSelector = {} }: NodeClass): Promise<readonly CapacityReservation[]> {
    if (Object.keys(capacityReservationSelector).length === 0) return [];
    const filters = reservationFilters(capacityReservationSelector);
    try {
      return await this.#found.get(JSON.stringify(filters), () =>
        this.#ec2.describeCapacityReservations(filters),
      );
    } catch (caught) {
      const fault = awsFault(caught);
      const { action, code } = fault;
      this.#log.warn(
        { nodeClass: key, action, code, error: faultAdvice(fault) },
        'capacity reservations unknown, left unused',
      );
      return [];
    }
  }

  #free({ id, freeInstances }: CapacityReservation): number {
    const nowMs = this.#clock.nowMs();
    if (nowMs < (this.#fullUntilMs.get(id) ?? 0)) return 0;
    this.#taken = this.#taken.filter(({ atMs }) => nowMs - atMs < UNSEEN_MS);
    const taken = this.#taken.reduce((sum, one) => sum + (one.id === id ? one.count : 0), 0);
    return freeInstances - taken;
  }
}
