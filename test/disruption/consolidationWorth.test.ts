// What room is worth, and which nodes go first by it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { roomPrices, type Ware } from '../../src/disruption/consolidationWorth.ts';

const GIB = 2 ** 30;

function ware(usdPerHour: number, cpus: number, gibibytes: number): Ware {
  return { usdPerHour, allocatable: { cpu: cpus * 1000, memory: gibibytes * GIB } };
}

function roomFor(cpus: number, gibibytes: number): { cpu: number; memory: number } {
  return { cpu: cpus * 1000, memory: gibibytes * GIB };
}

const LEAN = ware(1, 4, 8);
const ROOMY = ware(1.4, 4, 32);

test('room that is left over is worth nothing', () => {
  const { cpu, memory } = roomPrices(roomFor(40, 4), [LEAN, ROOMY], [LEAN, ROOMY]);
  assert.ok(Math.abs(cpu * 1000 - 0.25) < 0.005, `${cpu * 1000} $/h a CPU`);
  assert.equal(memory, 0);
});

test('where memory is short, the difference of two types is what it is worth', () => {
  const { cpu, memory } = roomPrices(roomFor(40, 200), [], [LEAN, ROOMY]);
  const gibibyteUsd = memory * GIB;
  assert.ok(Math.abs(gibibyteUsd - 0.4 / 24) < 0.004, `${gibibyteUsd} $/h a GiB`);
  assert.ok(cpu > 0);
});

test('no room is worth more than it can be bought for', () => {
  for (const [cpus, gibibytes] of [
    [4, 400],
    [400, 4],
    [40, 160],
  ] as const) {
    const prices = roomPrices(roomFor(cpus, gibibytes), [ware(9, 4, 8)], [LEAN, ROOMY]);
    for (const { usdPerHour, allocatable } of [LEAN, ROOMY]) {
      const worth = prices.cpu * (allocatable.cpu ?? 0) + prices.memory * (allocatable.memory ?? 0);
      assert.ok(worth <= usdPerHour * 1.000001, `${worth} for a node of ${usdPerHour} $/h`);
    }
  }
});

test('nodes at hand that are cheap make room cheap', () => {
  const kept = Array.from({ length: 20 }, () => ware(0.5, 4, 8));
  const { cpu } = roomPrices(roomFor(40, 4), kept, [LEAN]);
  assert.ok(Math.abs(cpu * 1000 - 0.125) < 0.005, `${cpu * 1000} $/h a CPU`);
});

test('without anything on offer nothing is worth anything', () => {
  assert.deepEqual(roomPrices(roomFor(4, 4), [LEAN], []), { cpu: 0, memory: 0 });
});
