// Seats by what is left on them: each in one bucket, in order, and none that has room is passed over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeatIndex, TIERS } from '../../src/disruption/seatIndex.ts';

const MOST = 640;

/** Seats from where a pod that needs so much begins to look, tier by tier. */
function lookedAt(index: SeatIndex, least: number): readonly number[] {
  const seats: number[] = [];
  for (let tier = 0; tier < TIERS; tier++)
    for (let at = index.first(tier, least); at < index.end(tier); at++)
      seats.push(...(index.buckets[at] as readonly number[]));
  return seats;
}

function anIndex(rooms: readonly number[], tiers: readonly number[] = rooms.map(() => 0)): SeatIndex {
  const index = new SeatIndex(Uint8Array.from(tiers), MOST);
  for (const [seat, room] of rooms.entries()) index.put(seat, room);
  return index;
}

const LOOKS: Readonly<
  Record<string, { rooms: number[]; tiers?: number[]; least: number; seats: readonly number[] }>
> = {
  'less room comes first': { rooms: [500, 100, 300], least: 0, seats: [1, 2, 0] },
  'seats with too little are passed over': { rooms: [500, 100, 300], least: 200, seats: [2, 0] },
  'one with exactly enough is not': { rooms: [300], least: 300, seats: [0] },
  'the first tier comes before the second': {
    rooms: [500, 100, 300],
    tiers: [0, 1, 0],
    least: 0,
    seats: [2, 0, 1],
  },
  'a full seat is looked at by a pod that needs nothing': { rooms: [0], least: 0, seats: [0] },
  'room below zero counts as none': { rooms: [-5, 10], least: 0, seats: [0, 1] },
  'room beyond the most is still found': { rooms: [2 * MOST], least: 3 * MOST, seats: [0] },
};
for (const [what, { rooms, tiers, least, seats }] of Object.entries(LOOKS)) {
  test(what, () => assert.deepEqual(lookedAt(anIndex(rooms, tiers), least), seats));
}

test('where no seat has any room, all are found all the same', () => {
  const index = new SeatIndex(new Uint8Array(2), 0);
  index.put(0, 0);
  index.put(1, 0);
  assert.deepEqual(lookedAt(index, 0), [0, 1]);
});

test('a seat that is removed is found no more, and comes back when it is put', () => {
  const index = anIndex([100, 101, 102]);
  index.remove(0);
  index.remove(0);
  assert.deepEqual(new Set(lookedAt(index, 0)), new Set([1, 2]));
  index.put(0, 400);
  assert.equal(lookedAt(index, 0).at(-1), 0);
});

const SEATS = 8;
const aChange = fc.record({
  seat: fc.nat(SEATS - 1),
  room: fc.option(fc.oneof(fc.integer({ min: -50, max: 900 }), fc.constantFrom(0, 300, MOST))),
});

test('after any changes each seat that is there is in one bucket, and buckets are in order', () => {
  const changes = fc.array(aChange, { maxLength: 60 });
  const tiersOf = fc.array(fc.nat(1), { minLength: SEATS, maxLength: SEATS });
  fc.assert(
    fc.property(changes, tiersOf, fc.nat(MOST), (steps, tiers, least) => {
      const index = new SeatIndex(Uint8Array.from(tiers), MOST);
      const rooms = new Map<number, number>();
      for (const { seat, room } of steps) {
        if (room === null) index.remove(seat);
        else index.put(seat, room);
        if (room === null) rooms.delete(seat);
        else rooms.set(seat, room);
      }
      const found = index.buckets.flat();
      assert.deepEqual(
        found.toSorted((left, right) => left - right),
        [...rooms.keys()].sort((left, right) => left - right),
      );
      const step = MOST / (index.end(0) - index.first(0, 0));
      for (const [at, seat] of found.entries()) {
        const before = found[at - 1] ?? seat;
        const [tier = 0, tierBefore = 0] = [tiers[seat], tiers[before]];
        assert.ok(tierBefore <= tier, 'tiers are in order');
        const [room = 0, roomBefore = 0] = [rooms.get(seat), rooms.get(before)].map((one = 0) =>
          Math.min(MOST, Math.max(0, one)),
        );
        if (tierBefore === tier) assert.ok(roomBefore < room + step, 'buckets are in order');
      }
      const seen = new Set(lookedAt(index, least));
      for (const [seat, room] of rooms) if (room >= least) assert.ok(seen.has(seat), 'no seat is missed');
    }),
  );
});
