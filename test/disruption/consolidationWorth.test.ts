// What room is worth, and which nodes go first by it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Offers } from '../../src/disruption/consolidationOutlook.ts';
import { type RoomPrices, roomPrices, type Ware, worthOf } from '../../src/disruption/consolidationWorth.ts';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import { aBoundPod, aNodeClaim, anInstanceType, anOwnedNode, aProvisioner, aSnapshot } from '../builders.ts';
import { QUIET } from './consolidated.ts';

const GIB = 2 ** 30;

function ware(usdPerHour: number, cpus: number, gibibytes: number): Ware {
  return { usdPerHour, allocatable: { cpu: cpus * 1000, memory: gibibytes * GIB } };
}

function roomFor(cpus: number, gibibytes: number): { cpu: number; memory: number } {
  return { cpu: cpus * 1000, memory: gibibytes * GIB };
}

function pricesOf(...of: Parameters<typeof roomPrices>): RoomPrices {
  return roomPrices(...of).prices;
}

const LEAN = ware(1, 4, 8);
const ROOMY = ware(1.4, 4, 32);

test('room that is left over is worth nothing', () => {
  const { cpu, memory } = pricesOf(roomFor(40, 4), [LEAN, ROOMY], [LEAN, ROOMY]);
  assert.ok(Math.abs(cpu * 1000 - 0.25) < 0.005, `${cpu * 1000} $/h a CPU`);
  assert.equal(memory, 0);
});

test('where memory is short, the difference of two types is what it is worth', () => {
  const { cpu, memory } = pricesOf(roomFor(40, 200), [], [LEAN, ROOMY]);
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
    const prices = pricesOf(roomFor(cpus, gibibytes), [ware(9, 4, 8)], [LEAN, ROOMY]);
    for (const { usdPerHour, allocatable } of [LEAN, ROOMY]) {
      const worth = prices.cpu * (allocatable.cpu ?? 0) + prices.memory * (allocatable.memory ?? 0);
      assert.ok(worth <= usdPerHour * 1.000001, `${worth} for a node of ${usdPerHour} $/h`);
    }
  }
});

test('nodes at hand that are cheap make room cheap', () => {
  const kept = Array.from({ length: 20 }, () => ware(0.5, 4, 8));
  const { cpu } = pricesOf(roomFor(40, 4), kept, [LEAN]);
  assert.ok(Math.abs(cpu * 1000 - 0.125) < 0.005, `${cpu * 1000} $/h a CPU`);
});

test('what pods cost at least is what evictions are priced by', () => {
  const { totalUsd } = roomPrices(roomFor(40, 4), [], [LEAN, ROOMY]);
  assert.ok(Math.abs(totalUsd - 10) < 0.01, `${totalUsd} $/h for 40 CPUs at 0.25`);
});

test('without anything on offer nothing is worth anything', () => {
  assert.deepEqual(pricesOf(roomFor(4, 4), [LEAN], []), { cpu: 0, memory: 0 });
});

test('of two nodes with as many pods the one goes first that is dearer for its room', () => {
  const cpus = { 'c-small': 2000, 'c-wide': 4000 };
  const names = ['c-wide', 'c-small'] as const;
  const snapshot = aSnapshot({
    provisioners: [aProvisioner()],
    nodes: names.map((name) =>
      anOwnedNode({ name, allocatable: { cpu: cpus[name], memory: 8 * GIB, pods: 29 } }),
    ),
  });
  const candidates = names.map((name) => ({
    claim: aNodeClaim({ name, status: { ...NO_STATUS, nodeName: name } }),
    pods: [aBoundPod(name, { name: `${name}-0`, cpuMillis: 1000 })],
    usdPerHour: 0.1,
    minimumSavings: NO_CONSOLIDATION.minimumSavings,
    hurt: 1,
  }));
  const consolidation = { snapshot, catalogue: new Map([['default', [anInstanceType()]]]), view: QUIET };
  const { wastefulFirst: ordered, wasteUsd } = worthOf(consolidation, candidates, new Offers(consolidation));
  assert.deepEqual(
    ordered.map(({ claim }) => claim.name),
    ['c-small', 'c-wide'],
  );
  const [small = 0, wide = 0] = ordered.map((one) => wasteUsd.get(one));
  assert.ok(small > wide, `${small} $/h are wasted on the small one, ${wide} on the wide one`);
});
