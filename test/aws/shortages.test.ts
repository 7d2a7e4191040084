// What EC2's refusals mean: how much is left out, for how long, and what the claim's event says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UnavailableOfferings } from '../../src/aws/unavailableOfferings.ts';
import { vcpuQuota } from '../../src/aws/vcpuQuotas.ts';
import { LABEL } from '../../src/model/labels.ts';
import { aNodeClass, aProvisioner } from '../builders.ts';
import { aWorld, type World } from './account.ts';

const nodeClass = aNodeClass();
const TYPES = ['t3.large', 'c5.large', 'm5.xlarge'];
const ACCELERATED = ['g5.xlarge', 'inf2.xlarge'];
const SPOT_ALLOWED = [{ key: LABEL.capacityType, operator: 'In' as const, values: ['spot', 'on-demand'] }];

/** `capacityType type zone` of what is on sale and not left out. */
async function inStock({ cloud }: World): Promise<ReadonlySet<string>> {
  const found = await cloud.instanceTypes(aProvisioner(), nodeClass);
  const types = found.kind === 'found' ? found.instanceTypes : [];
  return new Set(
    types.flatMap(({ name, offerings }) =>
      offerings
        .filter(({ available }) => available)
        .map(({ capacityType, zone }) => `${capacityType} ${name} ${zone.at(-1)}`),
    ),
  );
}

/** What one refusal of a fleet that asks for spot takes out of stock. */
async function takenOutBy(code: string, instanceType: string, types = TYPES): Promise<readonly string[]> {
  const world = aWorld();
  const before = await inStock(world);
  world.ec2.fleetErrors.push([{ code, message: code, instanceType, subnetId: 'subnet-a2' }]);
  const claim = world.claim({}, { requirements: SPOT_ALLOWED, instanceTypes: types });
  await world.cloud.launch(claim, nodeClass);
  const after = await inStock(world);
  return [...before].filter((offering) => !after.has(offering));
}

describe('what a refusal takes out of stock', () => {
  const ALONE = ['spot m5.xlarge a'];
  const CASES = [
    { code: 'InsufficientInstanceCapacity', type: 'm5.xlarge', taken: ALONE },
    { code: 'UnfulfillableCapacity', type: 'm5.xlarge', taken: ALONE },
    { code: 'Unsupported', type: 'm5.xlarge', taken: ALONE },
    // Zones count: the quota is the region's. Smaller types may still fit, other families have another quota.
    {
      code: 'VcpuLimitExceeded',
      type: 'm5.xlarge',
      taken: ['spot m5.xlarge a', 'spot m5.xlarge b', 'spot m5.xlarge c'],
    },
    {
      code: 'MaxSpotInstanceCountExceeded',
      type: 'g5.xlarge',
      taken: ['spot g5.xlarge a', 'spot g5.xlarge b', 'spot g5.xlarge c'],
    },
  ];
  for (const { code, type, taken } of CASES) {
    it(`${code} of ${type}: ${taken.join(', ')}`, async () => {
      assert.deepEqual(
        (await takenOutBy(code, type, type.startsWith('g') ? ACCELERATED : TYPES)).toSorted(),
        taken,
      );
    });
  }

  it('VcpuLimitExceeded of a small type: all of its family quota that are as large', async () => {
    const taken = await takenOutBy('VcpuLimitExceeded', 'c5.large');
    const types = new Set(taken.map((offering) => offering.split(' ')[1]));
    assert.deepEqual([...types].toSorted(), ['c5.large', 'm5.xlarge', 't3.large']);
  });

  it('a refused service-linked role: all spot and nothing else', async () => {
    const taken = await takenOutBy('AuthFailure.ServiceLinkedRoleCreationNotPermitted', 'c5.large');
    assert.ok(taken.length > 10 && taken.every((offering) => offering.startsWith('spot ')));
  });

  it('no free address: the subnet, and the zone only when it has no other', async () => {
    assert.deepEqual(await takenOutBy('InsufficientFreeAddressesInSubnet', 'c5.large'), []);
  });
});

describe('what a claim is told', () => {
  const CASES = [
    [
      'InsufficientInstanceCapacity',
      /out of all 3 offerings .*c5.large in us-east-1[abc] .*3 times Insuff.*tried again in 3 min/,
    ],
    ['VcpuLimitExceeded', /3 times VcpuLimitExceeded: the vCPU quota of the account is used up: ask AWS/],
    [
      'MaxFleetCountExceeded',
      /3 times MaxFleetCountExceeded: .*quota\); the first of them is tried again in 3 min/,
    ],
  ] as const;
  for (const [code, says] of CASES) {
    it(`names ${code}, and when it is tried again`, async () => {
      const world = aWorld();
      world.ec2.fleetErrors.push([{ code, message: code, instanceType: 'c5.large', subnetId: '' }]);
      const requirements = [{ key: LABEL.capacityType, operator: 'In' as const, values: ['on-demand'] }];
      const claim = world.claim({}, { requirements, instanceTypes: ['c5.large'] });
      const outcome = await world.cloud.launch(claim, nodeClass);
      assert.match(outcome.kind === 'insufficientCapacity' ? outcome.message : outcome.kind, says);
    });
  }
});

describe('the memory of shortages', () => {
  const offering = { instanceType: 'm5.large', zone: 'a', capacityType: 'spot' as const };

  function pausesMs(failures: number, chance: number): readonly number[] {
    const memory = new UnavailableOfferings(() => chance);
    let nowMs = 0;
    return Array.from({ length: failures }, () => {
      memory.markUnavailable(offering, nowMs);
      const pauseMs = (memory.why(offering, nowMs)?.untilMs ?? 0) - nowMs;
      nowMs += pauseMs;
      return pauseMs;
    });
  }

  it('grows from 3 minutes to 12', () => {
    assert.deepEqual(pausesMs(4, 0.5), [180_000, 360_000, 720_000, 720_000]);
  });

  it('jitters by a tenth either way', () => {
    assert.deepEqual(pausesMs(1, 0), [162_000]);
    assert.deepEqual(pausesMs(1, 1), [198_000]);
  });

  it('begins anew once the offering has been in stock for as long as it was out', () => {
    const memory = new UnavailableOfferings(() => 0.5);
    memory.markUnavailable(offering, 0);
    memory.version(400_000);
    memory.markUnavailable(offering, 400_000);
    assert.equal(memory.why(offering, 400_000)?.untilMs, 580_000);
  });
});

describe('vCPU quotas', () => {
  const CASES = [
    ['m5.large', 'Standard'],
    ['t4g.small', 'Standard'],
    ['inf2.xlarge', 'Inf'],
    ['i4i.large', 'Standard'],
    ['g6e.xlarge', 'G and VT'],
    ['p5.48xlarge', 'P'],
    ['x2gd.large', 'X'],
    ['trn1.2xlarge', 'Trn'],
    ['u-6tb1.metal', 'High Memory'],
    ['u7i-12tb.224xlarge', 'High Memory'],
    ['dl1.24xlarge', 'DL'],
    ['d3.xlarge', 'Standard'],
    ['hpc7a.96xlarge', 'HPC'],
    ['h1.2xlarge', 'Standard'],
  ] as const;
  for (const [type, quota] of CASES)
    it(`${type} counts as ${quota}`, () => assert.equal(vcpuQuota(type), quota));
});
