// Where every pod of the candidates would be if some nodes went: moved about on paper, and taken back.
import { type Pod, podKey } from '../model/pod.ts';
import type { Candidate } from './consolidationCandidates.ts';
import type { PodKind, Rooms, Seat } from './consolidationRooms.ts';
import type { PodRules, Tallies } from './consolidationTallies.ts';
import type { RoomPrices } from './consolidationWorth.ts';
import { SeatIndex, TIERS } from './seatIndex.ts';

/** A pod of a candidate. */
interface Piece {
  readonly pod: Pod;
  readonly kind: PodKind;
  readonly rules: PodRules;
  /** What its requests are worth by the prices of room, in USD an hour. */
  readonly worth: number;
  /** Its place among all pieces, those worth most first. */
  order: number;
  readonly home: number;
  /** Where it is now; -1 while it is lifted. */
  seat: number;
}

/** A node that might go. */
export interface Standing {
  readonly candidate: Candidate;
  readonly seat: number;
  /** What its going saves, less the price of its evictions, in USD an hour. */
  readonly gainUsd: number;
  /** The gain less what its room is worth: below zero for nodes that a cheapest cluster keeps. */
  readonly wasteUsd: number;
}

/** What a board is made from. */
export interface Ground {
  readonly seats: readonly Seat[];
  readonly rooms: Rooms;
  readonly tallies: Tallies;
  readonly prices: RoomPrices;
}

/** Pods that make way for another are tried so often, on so many seats. */
const WAYS_MOST = 8;
const SEATS_MOST = 256;
const CROWD = 64;

export class Board {
  /** How often a seat was looked at for a pod or a pod was moved: what a search has cost so far. */
  looks = 0;
  readonly standings: readonly Standing[];
  readonly #ground: Ground;
  readonly #free: Float64Array;
  readonly #weights: Float64Array;
  /** By seat: what is left there is worth, in USD an hour. */
  readonly #roomWorth: Float64Array;
  readonly #index: SeatIndex;
  readonly #isGone: Uint8Array;
  /** By seat: pods that are its own, largest first, and those that have come. */
  readonly #own = new Map<number, readonly Piece[]>();
  readonly #guests: Piece[][];
  /** What has been done since the last `settle`, to be undone backwards: pods, null for a node, and the seats. */
  readonly #movedPieces: (Piece | null)[] = [];
  readonly #movedFrom: number[] = [];
  #startAt = 0;

  constructor(ground: Ground, standings: readonly Standing[]) {
    const { seats, rooms, tallies, prices } = ground;
    this.#ground = ground;
    this.standings = standings;
    this.#free = rooms.freeRoom();
    this.#weights = rooms.vectorOf({ cpu: prices.cpu, memory: prices.memory });
    this.#isGone = new Uint8Array(seats.length);
    this.#guests = Array.from(seats, () => []);
    const tiers = new Uint8Array(seats.length);
    for (const { candidate, seat, wasteUsd } of standings) {
      tiers[seat] = wasteUsd > 0 ? 1 : 0;
      const pieces = candidate.pods.map((pod): Piece => {
        const kind = rooms.kindOf(pod);
        const worth = this.#worthOf(kind.requests, 0);
        return { pod, kind, rules: tallies.rulesOf(pod), worth, order: 0, home: seat, seat };
      });
      this.#own.set(seat, pieces.sort(largestFirst));
    }
    const all = [...this.#own.values()].flat().sort(largestFirst);
    for (const [order, piece] of all.entries()) piece.order = order;
    this.#roomWorth = Float64Array.from(seats, (_, at) => this.#worthOf(this.#free, at));
    this.#index = new SeatIndex(
      tiers,
      this.#roomWorth.reduce((most, one) => Math.max(most, one), 0),
    );
    for (const [at, { isOpen }] of seats.entries())
      if (isOpen) this.#index.put(at, this.#roomWorth[at] as number);
  }

  isGone({ seat }: Standing): boolean {
    return this.#isGone[seat] === 1;
  }

  /** Takes the node away, its pods and those that have come to it to others; false, and nothing done, if it cannot. */
  remove({ seat }: Standing): boolean {
    const mark = this.#movedPieces.length;
    const own = this.#own.get(seat) ?? [];
    const guests = this.#guests[seat] as Piece[];
    const pieces = guests.length === 0 ? own : [...own, ...guests].sort(byOrder);
    this.#mark(seat, 1);
    for (const piece of pieces) {
      this.#move(piece, -1);
      const found = this.#placeFor(piece, seat);
      if (found >= 0) this.#put(piece, found);
      else if (!this.#makeWay(piece)) {
        this.#undoTo(mark);
        return false;
      }
    }
    return true;
  }

  /** The node stays after all: its own pods are back on it. */
  restore({ seat }: Standing): void {
    this.#mark(seat, 0);
    for (const piece of this.#own.get(seat) ?? []) this.#move(piece, seat);
  }

  /** What has been done since the last time is for good. */
  settle(): void {
    this.#movedPieces.length = 0;
    this.#movedFrom.length = 0;
  }

  /** Undoes what has been done since it was settled. */
  undo(): void {
    this.#undoTo(0);
  }

  /** Where the pods of nodes that go would be: node names by pod key. */
  homes(): ReadonlyMap<string, string> {
    const homes = new Map<string, string>();
    for (const [seat, pieces] of this.#own) {
      if (this.#isGone[seat] === 0) continue;
      for (const piece of pieces)
        homes.set(podKey(piece.pod), this.#ground.seats[piece.seat]?.node.name ?? '');
    }
    return homes;
  }

  /** The seat that it fills best. */
  #placeFor({ kind, rules, worth }: Piece, not: number): number {
    const { rooms, tallies } = this.#ground;
    const { buckets } = this.#index;
    for (let tier = 0; tier < TIERS; tier++)
      for (let at = this.#index.first(tier, worth); at < this.#index.end(tier); at++) {
        const seats = buckets[at] as readonly number[];
        let found = -1;
        let least = Number.POSITIVE_INFINITY;
        for (const seat of seats) {
          this.looks += 1;
          if ((this.#roomWorth[seat] as number) >= least || seat === not) continue;
          if (!rooms.fits(kind, seat, this.#free) || !tallies.allows(rules, seat)) continue;
          least = this.#roomWorth[seat] as number;
          found = seat;
          // Of many that are nearly as good the first one will do.
          if (seats.length > CROWD) break;
        }
        if (found >= 0) return found;
      }
    return -1;
  }

  /** Finds the pod a place where a smaller one that has come before makes way. */
  #makeWay(piece: Piece): boolean {
    const { seats } = this.#ground;
    let ways = 0;
    // Begins elsewhere each time, so that not always the same seats are looked at.
    this.#startAt = (this.#startAt + SEATS_MOST) % seats.length;
    for (let step = 0; step < Math.min(seats.length, SEATS_MOST); step++) {
      const seat = (this.#startAt + step) % seats.length;
      if (this.#isGone[seat] === 1) continue;
      this.looks += 1;
      for (const guest of this.#guests[seat] as Piece[]) {
        if (guest.worth >= piece.worth || !this.#wouldFit(piece, seat, guest)) continue;
        ways += 1;
        if (ways > WAYS_MOST) return false;
        if (this.#replaced(guest, seat, piece)) return true;
        // The list is another one now.
        break;
      }
    }
    return false;
  }

  /** Puts the pod where the guest has been, and that elsewhere; false, and nothing done, if it cannot. */
  #replaced(guest: Piece, seat: number, piece: Piece): boolean {
    const { tallies } = this.#ground;
    const mark = this.#movedPieces.length;
    this.#move(guest, -1);
    if (this.#ground.rooms.fits(piece.kind, seat, this.#free) && tallies.allows(piece.rules, seat)) {
      this.#move(piece, seat);
      const found = this.#placeFor(guest, seat);
      if (found >= 0) {
        this.#put(guest, found);
        return true;
      }
    }
    this.#undoTo(mark);
    return false;
  }

  #wouldFit({ kind: { requests } }: Piece, seat: number, { kind: { requests: given } }: Piece): boolean {
    const start = seat * requests.length;
    for (let axis = 0; axis < requests.length; axis++) {
      const asked = requests[axis] as number;
      if (asked > 0 && (this.#free[start + axis] as number) + (given[axis] as number) < asked) return false;
    }
    return true;
  }

  #undoTo(mark: number): void {
    while (this.#movedPieces.length > mark) {
      const piece = this.#movedPieces.pop() as Piece | null;
      const seat = this.#movedFrom.pop() as number;
      if (piece === null) this.#flip(seat);
      else this.#put(piece, seat);
    }
  }

  #mark(seat: number, to: 0 | 1): void {
    if (this.#isGone[seat] === to) return;
    this.#movedPieces.push(null);
    this.#movedFrom.push(seat);
    this.#flip(seat);
  }

  #flip(seat: number): void {
    this.#isGone[seat] = 1 - (this.#isGone[seat] as number);
    if (this.#isGone[seat] === 1) this.#index.remove(seat);
    else this.#index.put(seat, this.#roomWorth[seat] as number);
  }

  #move(piece: Piece, to: number): void {
    this.#movedPieces.push(piece);
    this.#movedFrom.push(piece.seat);
    this.#put(piece, to);
  }

  #put(piece: Piece, to: number): void {
    const { seat: from, home } = piece;
    if (from === to) return;
    this.looks += 1;
    piece.seat = to;
    if (from >= 0) this.#shift(piece, from, -1);
    if (to >= 0) this.#shift(piece, to, 1);
    if (from >= 0 && from !== home) {
      const guests = this.#guests[from] as Piece[];
      guests.splice(guests.indexOf(piece), 1);
    }
    if (to >= 0 && to !== home) (this.#guests[to] as Piece[]).push(piece);
  }

  /** Its room is taken where it comes to, or free where it leaves. */
  #shift({ kind: { requests }, rules }: Piece, seat: number, by: 1 | -1): void {
    const start = seat * requests.length;
    for (let axis = 0; axis < requests.length; axis++)
      this.#free[start + axis] = (this.#free[start + axis] as number) - by * (requests[axis] as number);
    if (rules.raised.length > 0) this.#ground.tallies.count(rules, seat, by);
    const worth = this.#worthOf(this.#free, seat);
    this.#roomWorth[seat] = worth;
    if (this.#isGone[seat] === 0) this.#index.put(seat, worth);
  }

  /** What the amounts of one seat are worth. */
  #worthOf(amounts: Float64Array, seat: number): number {
    const weights = this.#weights;
    const start = seat * weights.length;
    let worth = 0;
    for (let axis = 0; axis < weights.length; axis++)
      worth += (weights[axis] as number) * Math.max(0, amounts[start + axis] as number);
    return worth;
  }
}

function byOrder(left: Piece, right: Piece): number {
  return left.order - right.order;
}

function largestFirst(left: Piece, right: Piece): number {
  return right.worth - left.worth || (left.pod.uid < right.pod.uid ? -1 : 1);
}
