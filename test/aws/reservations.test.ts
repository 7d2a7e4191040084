// Reserved capacity: used first, to the last instance and no further, and then what anybody can buy.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import type { LaunchOutcome } from '../../src/ports/cloudProvider.ts';
import { aNodeClass } from '../builders.ts';
import type { HeldReservation } from '../contracts/memoryEc2.ts';
import { aWorld, type World } from './account.ts';

const nodeClass = aNodeClass({ capacityReservationSelector: { team: 'blue' } });
const SPOT_ALLOWED = [{ key: LABEL.capacityType, operator: 'In' as const, values: ['spot', 'on-demand'] }];

function aReservation(fields: Partial<HeldReservation> = {}): HeldReservation {
  const where = { instanceType: 'm5.large', zone: 'us-east-1b' };
  return { id: 'cr-1', ...where, freeInstances: 3, tags: { team: 'blue' }, ...fields };
}

async function launchGroup(world: World, size: number, id = 'group'): Promise<readonly LaunchOutcome[]> {
  const claims = Array.from({ length: size }, (_, index) =>
    world.claim(
      { name: `${id}-${index}`, uid: `uid-${id}-${index}` },
      { requirements: SPOT_ALLOWED, ...(size > 1 ? { launchGroup: { id, size } } : {}) },
    ),
  );
  return Promise.all(claims.map((claim) => world.cloud.launch(claim, nodeClass)));
}

/** How many instances each reservation and capacity type got: `cr-1`, `spot`, `on-demand`. */
function bought({ ec2 }: World): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { templates, count, capacityType } of ec2.fleets) {
    const id = ec2.templates.get(templates[0]?.launchTemplate ?? '')?.capacityReservationId ?? capacityType;
    counts[id] = (counts[id] ?? 0) + count;
  }
  return counts;
}

describe('capacity reservations', () => {
  it('are used first, even where spot would be cheaper, and no more of them than is free', async () => {
    const world = aWorld();
    world.ec2.reservations.push(aReservation());
    const outcomes = await launchGroup(world, 5);
    assert.ok(outcomes.every(({ kind }) => kind === 'launched'));
    assert.deepEqual(bought(world), { 'cr-1': 3, spot: 2 });
    const [first] = outcomes;
    const { instanceType, zone, capacityType } = first?.kind === 'launched' ? first.instance : assert.fail();
    assert.deepEqual([instanceType, zone, capacityType], ['m5.large', 'us-east-1b', 'on-demand']);
    assert.equal(world.ec2.reservations[0]?.freeInstances, 0);
  });

  it('are counted less the launches that EC2 does not count yet', async () => {
    const world = aWorld();
    world.ec2.reservations.push(aReservation({ freeInstances: 2 }));
    for (const id of ['a', 'b', 'c']) await launchGroup(world, 1, id);
    assert.deepEqual(bought(world), { 'cr-1': 2, spot: 1 });
    assert.equal(world.ec2.calls.filter((call) => call === 'describeCapacityReservations').length, 1);
  });

  it('are used one after the other', async () => {
    const world = aWorld();
    world.ec2.reservations.push(aReservation(), aReservation({ id: 'cr-2', freeInstances: 4 }));
    await launchGroup(world, 8);
    assert.deepEqual(bought(world), { 'cr-1': 3, 'cr-2': 4, spot: 1 });
  });

  it('are left for three minutes when EC2 calls them full, and others are bought at once', async () => {
    const world = aWorld();
    const reservation = aReservation();
    world.ec2.reservations.push(reservation);
    await launchGroup(world, 1, 'first');
    // Somebody else has taken the rest.
    reservation.freeInstances = 0;
    const [outcome] = await launchGroup(world, 1, 'second');
    assert.equal(outcome?.kind === 'launched' && outcome.instance.capacityType, 'spot');
    assert.deepEqual(bought(world), { 'cr-1': 2, spot: 1 });
    reservation.freeInstances = 1;
    await launchGroup(world, 1, 'third');
    assert.deepEqual(bought(world), { 'cr-1': 2, spot: 2 });
    world.clock.pass(181_000);
    await world.cloud.refresh();
    await launchGroup(world, 1, 'fourth');
    assert.deepEqual(bought(world), { 'cr-1': 3, spot: 2 });
  });

  const BROKEN = [
    'InvalidCapacityReservationId.NotFound',
    'CapacityReservationNotActive',
    'InvalidParameterValue',
  ];
  for (const code of BROKEN) {
    it(`stop no launch once one has been cancelled: ${code}`, async () => {
      for (const isThrown of [false, true]) {
        const world = aWorld();
        world.ec2.reservations.push(aReservation());
        const error = { code, message: 'cr-1', instanceType: 'm5.large', subnetId: 'subnet-b1' };
        if (isThrown) world.ec2.order({ action: 'createFleet', when: 'before', code });
        else world.ec2.fleetErrors.push([error]);
        const [outcome] = await launchGroup(world, 1);
        assert.equal(outcome?.kind === 'launched' && outcome.instance.capacityType, 'spot', `${isThrown}`);
      }
    });
  }

  const UNUSABLE = [
    ['carries other tags', { tags: { team: 'red' } }],
    ['is of a type that the claim does not allow', { instanceType: 'g5.xlarge' }],
    ['is in a zone without a subnet', { zone: 'us-east-1d' }],
    ['is full', { freeInstances: 0 }],
  ] as const;
  for (const [why, fields] of UNUSABLE) {
    it(`leave one alone that ${why}`, async () => {
      const world = aWorld();
      world.ec2.reservations.push(aReservation(fields));
      await launchGroup(world, 1);
      assert.deepEqual(bought(world), { spot: 1 });
    });
  }

  it('stop no launch when EC2 does not tell of them', async () => {
    const world = aWorld();
    world.ec2.reservations.push(aReservation());
    world.ec2.order({
      action: 'describeCapacityReservations',
      when: 'before',
      code: 'UnauthorizedOperation',
    });
    await launchGroup(world, 1);
    assert.deepEqual(bought(world), { spot: 1 });
    const said = world.logged.find(({ message }) => message === 'capacity reservations unknown, left unused');
    assert.match(String(said?.fields.error), /policy lacks .*"ec2:DescribeCapacityReservations"/);
  });

  it('may take long to tell of: a subnet that fills up meanwhile leaves no template without a subnet', async () => {
    const world = aWorld();
    const inZoneC = [{ key: LABEL.zone, operator: 'In' as const, values: ['us-east-1c'] }];
    world.ec2.describeCapacityReservations = async () => {
      const code = 'InsufficientFreeAddressesInSubnet';
      world.ec2.fleetErrors.push([
        { code, message: 'full', instanceType: 'c5.large', subnetId: 'subnet-c1' },
      ]);
      const other = world.claim({ name: 'other', uid: 'uid-other' }, { requirements: inZoneC });
      await world.cloud.launch(other, aNodeClass());
      return [];
    };
    const outcome = await world.cloud.launch(world.claim({}, { requirements: inZoneC }), nodeClass);
    assert.equal(outcome.kind, 'retryable');
    assert.deepEqual(
      world.ec2.fleets.flatMap(({ templates }) =>
        templates.filter(({ overrides }) => overrides.length === 0),
      ),
      [],
    );
    const again = await world.cloud.launch(world.claim({}, { requirements: inZoneC }), aNodeClass());
    assert.equal(again.kind, 'insufficientCapacity');
  });

  it('are not asked about when no selector names any', async () => {
    const world = aWorld();
    await world.cloud.launch(world.claim(), aNodeClass());
    assert.ok(!world.ec2.calls.includes('describeCapacityReservations'));
  });
});
