// Launches over EC2 in memory: what is asked for, what is remembered, and that no fault ever makes two instances.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LABEL, TAG } from '../../src/model/labels.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { LaunchOutcome } from '../../src/ports/cloudProvider.ts';
import { aNodeClass, aProvisioner } from '../builders.ts';
import { aWorld, type World } from './account.ts';

const nodeClass = aNodeClass();
const SPOT_ALLOWED = [{ key: LABEL.capacityType, operator: 'In' as const, values: ['spot', 'on-demand'] }];
const ON_DEMAND = [{ key: LABEL.capacityType, operator: 'In' as const, values: ['on-demand'] }];

/** So often is a throttled call sent before its caller hears of it. */
const THROTTLED_TRIES = 4;

function launch(world: World, claim: NodeClaim): Promise<LaunchOutcome> {
  return world.cloud.launch(claim, nodeClass);
}

function launchedId(outcome: LaunchOutcome): string {
  assert.equal(outcome.kind, 'launched', JSON.stringify(outcome));
  return outcome.kind === 'launched' ? outcome.instance.providerId : '';
}

describe('what a launch asks for', () => {
  it('sends one fleet with owner tags, one template, and one subnet a zone', async () => {
    const world = aWorld({ settings: { tags: { team: 'blue', [TAG.nodeClaim]: 'stolen' } } });
    const claim = world.claim({}, { requirements: ON_DEMAND });
    await launch(world, claim);
    const fleet = world.ec2.fleets[0] ?? assert.fail();
    assert.equal(fleet.clientToken.length, 64);
    assert.equal(fleet.capacityType, 'on-demand');
    assert.equal(fleet.count, 1);
    assert.deepEqual(fleet.tags, {
      Name: 'karpenter.sh/provisioner-name/default',
      team: 'blue',
      'karpenter.sh/provisioner-name': 'default',
      'karpenter.sh/nodeclaim': claim.name,
      'karpenter.sh/nodeclaim-uid': claim.uid,
      'karpenter.sh/managed-by': 'test',
      'kubernetes.io/cluster/test': 'owned',
    });
    assert.equal(fleet.templates.length, 1);
    const subnets = new Set(fleet.templates[0]?.overrides.map(({ subnetId }) => subnetId));
    assert.deepEqual([...subnets].sort(), ['subnet-a2', 'subnet-b1', 'subnet-c1']);
    assert.deepEqual(fleet.templates[0]?.overrides[0]?.instanceType, 'c5.large');
  });

  it('makes no describe and no template once warm, and none but CreateFleet is sent', async () => {
    const world = aWorld();
    await launch(world, world.claim({ name: 'first', uid: 'uid-first' }));
    world.ec2.calls.length = 0;
    world.clock.pass(30_000);
    launchedId(await launch(world, world.claim({ name: 'second', uid: 'uid-second' })));
    assert.deepEqual(world.ec2.calls, ['createFleet']);
  });

  it('serves a launch from stale answers and renews them behind', async () => {
    const world = aWorld();
    await launch(world, world.claim({ name: 'first', uid: 'uid-first' }));
    world.clock.pass(61_000);
    world.ec2.calls.length = 0;
    await launch(world, world.claim({ name: 'second', uid: 'uid-second' }));
    assert.deepEqual(world.ec2.calls.toSorted(), [
      'createFleet',
      'describeSecurityGroups',
      'describeSubnets',
    ]);
  });

  it('prefers spot, but never spot that is dearer than on-demand', async () => {
    const world = aWorld();
    await launch(world, world.claim({}, { requirements: SPOT_ALLOWED }));
    const fleet = world.ec2.fleets[0] ?? assert.fail();
    assert.equal(fleet.capacityType, 'spot');
    const subnets = new Set(fleet.templates.flatMap(({ overrides }) => overrides.map((one) => one.subnetId)));
    assert.ok(!subnets.has('subnet-b1'), 'spot in zone b costs twice as much as on-demand');
  });

  it('keeps to zones, labels and types of the claim', async () => {
    const world = aWorld();
    const requirements = [
      ...ON_DEMAND,
      { key: LABEL.zone, operator: 'In' as const, values: ['us-east-1c'] },
      { key: LABEL.instanceCpu, operator: 'Gt' as const, values: ['2'] },
    ];
    await launch(world, world.claim({}, { requirements }));
    const overrides = world.ec2.fleets[0]?.templates.flatMap((template) => template.overrides);
    assert.deepEqual(overrides, [{ instanceType: 'm5.xlarge', subnetId: 'subnet-c1' }]);
  });

  it('boots each architecture and accelerator from its own image', async () => {
    const world = aWorld();
    await launch(
      world,
      world.claim({}, { requirements: ON_DEMAND, instanceTypes: ['m6g.large', 'm5.large', 'g5.xlarge'] }),
    );
    const templates = world.ec2.fleets[0]?.templates ?? [];
    const images = templates.map(({ launchTemplate }) => world.ec2.templates.get(launchTemplate)?.imageId);
    assert.deepEqual(images, ['ami-arm64', 'ami-amd64', 'ami-nvidia']);
  });

  it('uses the launch template that a user names as it is', async () => {
    const world = aWorld();
    const own = aNodeClass({ launchTemplate: 'users-own', securityGroupSelector: {}, instanceProfile: null });
    const outcome = await world.cloud.launch(world.claim(), own);
    launchedId(outcome);
    assert.equal(world.ec2.fleets[0]?.templates[0]?.launchTemplate, 'users-own');
    assert.ok(!world.ec2.calls.includes('createLaunchTemplate'));
  });

  it('counts addresses of launches under way, so that a burst spreads over the subnets of a zone', async () => {
    const world = aWorld();
    const requirements = [...ON_DEMAND, { key: LABEL.zone, operator: 'In' as const, values: ['us-east-1a'] }];
    for (const name of ['one', 'two']) {
      await launch(world, world.claim({ name, uid: `uid-${name}` }, { requirements }));
    }
    const used = world.ec2.fleets.map(({ templates }) => templates[0]?.overrides[0]?.subnetId);
    assert.deepEqual(used, ['subnet-a2', 'subnet-a1']);
  });
});

describe('a launch that EC2 refuses', () => {
  it('takes on-demand at once when spot is out, in a fleet with a new token', async () => {
    const world = aWorld();
    world.ec2.outOfStock.add('spot:*:*');
    const outcome = await launch(world, world.claim({}, { requirements: SPOT_ALLOWED }));
    assert.equal(outcome.kind === 'launched' && outcome.instance.capacityType, 'on-demand');
    assert.equal(new Set(world.ec2.fleets.map(({ clientToken }) => clientToken)).size, 2);
  });

  it('remembers what was out for three minutes, and tells the scheduler', async () => {
    const world = aWorld();
    for (const type of ['c5.large', 'm5.large', 'm5.xlarge']) world.ec2.outOfStock.add(`on-demand:${type}:*`);
    const outcome = await launch(world, world.claim({}, { requirements: ON_DEMAND }));
    assert.equal(outcome.kind, 'insufficientCapacity');
    const available = async (): Promise<readonly boolean[]> => {
      const found = await world.cloud.instanceTypes(aProvisioner(), nodeClass);
      const types = found.kind === 'found' ? found.instanceTypes : [];
      const c5 = types.find(({ name }) => name === 'c5.large')?.offerings ?? [];
      return c5.filter(({ capacityType }) => capacityType === 'on-demand').map((one) => one.available);
    };
    assert.deepEqual(await available(), [false, false, false]);
    world.clock.pass(179_000);
    assert.deepEqual(await available(), [false, false, false]);
    world.clock.pass(2_000);
    assert.deepEqual(await available(), [true, true, true]);
  });

  it('leaves a subnet without free addresses, not the whole zone', async () => {
    const world = aWorld();
    const subnets = world.ec2.account.subnets.filter(({ zone }) => zone === 'us-east-1a');
    world.ec2.account = { ...world.ec2.account, subnets };
    await world.cloud.instanceTypes(aProvisioner(), nodeClass);
    world.ec2.account = {
      ...world.ec2.account,
      subnets: subnets.map((one) => (one.id === 'subnet-a2' ? { ...one, freeAddresses: 0 } : one)),
    };
    const outcome = await launch(world, world.claim({}, { requirements: ON_DEMAND }));
    launchedId(outcome);
    assert.equal(world.ec2.fleets.at(-1)?.templates[0]?.overrides[0]?.subnetId, 'subnet-a1');
  });

  it('marks a zone whose only subnet is full as out of stock', async () => {
    const world = aWorld();
    const requirements = [...ON_DEMAND, { key: LABEL.zone, operator: 'In' as const, values: ['us-east-1c'] }];
    const full = {
      id: 'subnet-c1',
      zone: 'us-east-1c',
      freeAddresses: 0,
      tags: { 'karpenter.sh/discovery': 'test' },
    };
    const others = world.ec2.account.subnets.filter(({ zone }) => zone !== 'us-east-1c');
    world.ec2.account = { ...world.ec2.account, subnets: [...others, full] };
    const outcome = await launch(world, world.claim({}, { requirements }));
    assert.equal(outcome.kind, 'insufficientCapacity');
    assert.equal(world.ec2.fleets.length, 1);
    const found = await world.cloud.instanceTypes(aProvisioner(), nodeClass);
    const offerings = found.kind === 'found' ? found.instanceTypes.flatMap((type) => type.offerings) : [];
    assert.ok(offerings.every(({ zone, available }) => available === (zone !== 'us-east-1c')));
  });

  const CAPACITY_CODES = [
    'InsufficientInstanceCapacity',
    'InsufficientHostCapacity',
    'UnfulfillableCapacity',
    'Unsupported',
    'ReservationCapacityExceeded',
  ];
  for (const code of CAPACITY_CODES) {
    it(`takes ${code} as a shortage of that offering alone, and buys the next`, async () => {
      const world = aWorld();
      world.ec2.fleetErrors.push([
        { code, message: 'none', instanceType: 'c5.large', subnetId: 'subnet-a2' },
      ]);
      launchedId(await launch(world, world.claim({}, { requirements: ON_DEMAND })));
      const asked = world.ec2.fleets.map(({ templates }) => templates[0]?.overrides.length ?? 0);
      assert.deepEqual(asked, [9, 8]);
    });
  }

  const SPOT_CODES = ['MaxSpotInstanceCountExceeded', 'AuthFailure.ServiceLinkedRoleCreationNotPermitted'];
  for (const code of SPOT_CODES) {
    it(`takes ${code} as the end of all spot for now`, async () => {
      const world = aWorld();
      world.ec2.fleetErrors.push([
        { code, message: 'none', instanceType: 'c5.large', subnetId: 'subnet-a2' },
      ]);
      launchedId(await launch(world, world.claim({}, { requirements: SPOT_ALLOWED })));
      assert.deepEqual(
        world.ec2.fleets.map(({ capacityType }) => capacityType),
        ['spot', 'on-demand'],
      );
    });
  }

  it('makes a deleted launch template again, once', async () => {
    const world = aWorld();
    await launch(world, world.claim({ name: 'first', uid: 'uid-first' }));
    world.ec2.templates.clear();
    launchedId(await launch(world, world.claim({ name: 'second', uid: 'uid-second' })));
    assert.equal(world.ec2.calls.filter((call) => call === 'createLaunchTemplate').length, 2);
  });

  it('waits when EC2 does not know a template that was just made again', async () => {
    const world = aWorld();
    const code = 'InvalidLaunchTemplateName.NotFoundException';
    const unknown = [{ code, message: 'unknown', instanceType: '', subnetId: '' }];
    for (let count = 0; count < 6; count += 1) world.ec2.fleetErrors.push(unknown);
    const claim = world.claim({}, { requirements: ON_DEMAND });
    const outcome = await launch(world, claim);
    assert.equal(outcome.kind, 'retryable', JSON.stringify(outcome));
    assert.equal(world.ec2.fleets.length, 2);
    assert.equal((await launch(world, claim)).kind, 'retryable');
    assert.equal(world.ec2.fleets.length, 4);
    world.ec2.fleetErrors.length = 0;
    launchedId(await launch(world, claim));
  });

  it('takes a launch template that exists already as its own', async () => {
    const world = aWorld();
    await launch(world, world.claim({ name: 'first', uid: 'uid-first' }));
    const outcome = await world
      .restarted()
      .launch(world.claim({ name: 'second', uid: 'uid-second' }), nodeClass);
    launchedId(outcome);
  });

  const REFUSALS = [
    {
      when: 'a permission is missing, named by EC2',
      fault: {
        code: 'UnauthorizedOperation',
        message: 'not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1:1:subnet/s',
      },
      reason: 'PermissionDenied',
      says: /"Action":\["ec2:RunInstances"\],"Resource":"arn:aws:ec2:us-east-1:1:subnet\/s"/,
    },
    {
      when: 'a permission is missing, and EC2 hides which',
      fault: { code: 'UnauthorizedOperation', message: 'Encoded authorization failure message: abc' },
      reason: 'PermissionDenied',
      says: /ec2:CreateFleet","ec2:RunInstances","ec2:CreateTags","iam:PassRole/,
    },
    {
      when: 'the instance profile does not exist',
      fault: { code: 'InvalidParameterValue', message: 'Invalid IAM Instance Profile name' },
      reason: 'InstanceProfileInvalid',
      says: /AWSNodeTemplate "default": spec.instanceProfile: Invalid IAM Instance Profile name/,
    },
    {
      when: 'EC2 says something else',
      fault: { code: 'InvalidBlockDeviceMapping', message: 'the device is too small' },
      reason: 'InvalidBlockDeviceMapping',
      says: /AWSNodeTemplate\/default: EC2 refused ec2:CreateFleet: InvalidBlockDeviceMapping: the device/,
    },
  ];
  for (const { when, fault, reason, says } of REFUSALS) {
    it(`is rejected for good when ${when}, thrown or among the fleet's errors`, async () => {
      for (const thrown of [true, false]) {
        const world = aWorld();
        if (thrown) world.ec2.order({ action: 'createFleet', when: 'before', ...fault });
        else world.ec2.fleetErrors.push([{ ...fault, instanceType: 'c5.large', subnetId: 'subnet-a1' }]);
        const outcome = await launch(world, world.claim());
        assert.equal(outcome.kind === 'rejected' && outcome.reason, reason);
        assert.match(outcome.kind === 'rejected' ? outcome.message : '', says);
      }
    });
  }
});

describe('exactly one instance', () => {
  it('repeats a throttled launch under the same token, without a describe', async () => {
    const world = aWorld();
    const claim = world.claim();
    for (let count = 0; count < THROTTLED_TRIES; count += 1)
      world.ec2.order({ action: 'createFleet', when: 'before', code: 'RequestLimitExceeded' });
    assert.equal((await launch(world, claim)).kind, 'retryable');
    launchedId(await launch(world, claim));
    assert.equal(world.ec2.fleets[0]?.clientToken.length, 64);
    assert.ok(!world.ec2.calls.includes('describeInstances'));
  });

  it('repeats a lost launch as it was, although prices and stock have moved since', async () => {
    const world = aWorld();
    world.ec2.lagMs = 60_000;
    const claim = world.claim();
    world.ec2.order({ action: 'createFleet', when: 'after', code: 'ECONNRESET' });
    assert.equal((await launch(world, claim)).kind, 'retryable');
    // Another claim finds the cheapest type gone: planned anew, the first launch would look different.
    world.ec2.outOfStock.add('spot:c5.large:*');
    launchedId(await launch(world, world.claim({ name: 'other', uid: 'uid-other' })));
    launchedId(await launch(world, claim));
    assert.equal(world.ec2.everyInstance().length, 2);
    const [first, , last] = world.ec2.fleets.filter(({ tags }) => tags[TAG.nodeClaim] === claim.name);
    assert.deepEqual([last, world.ec2.fleets.at(-1)], [undefined, first]);
    assert.equal(world.ec2.calls.filter((call) => call === 'describeInstances').length, 1);
  });

  it('finds the instance by tag after a restart, when the lost launch would now look different', async () => {
    const world = aWorld();
    world.ec2.lagMs = 20_000;
    const claim = world.claim();
    world.ec2.order({ action: 'createFleet', when: 'after', code: 'TimeoutError' });
    await launch(world, claim);
    world.clock.pass(6_000);
    const subnets = world.ec2.account.subnets.filter(({ zone }) => zone === 'us-east-1b');
    world.ec2.account = { ...world.ec2.account, subnets };
    const again = world.restarted();
    // Not visible yet, and the token is taken: neither found nor bought twice, however often it is asked.
    for (let count = 0; count < 3; count += 1) {
      assert.equal((await again.launch(claim, nodeClass)).kind, 'retryable');
      world.clock.pass(1_000);
    }
    world.clock.pass(20_000);
    const outcome = await again.launch(claim, nodeClass);
    assert.equal(launchedId(outcome), `aws:///us-east-1a/${world.ec2.everyInstance()[0]?.id}`);
    assert.equal(world.ec2.everyInstance().length, 1);
  });

  it('gives a token up once nothing has shown for a minute', async () => {
    const world = aWorld();
    for (const type of ['c5.large', 'm5.large', 'm5.xlarge']) world.ec2.outOfStock.add(`on-demand:${type}:*`);
    const claim = world.claim({}, { requirements: ON_DEMAND });
    await launch(world, claim);
    world.ec2.outOfStock.clear();
    const subnets = world.ec2.account.subnets.filter(({ zone }) => zone === 'us-east-1b');
    world.ec2.account = { ...world.ec2.account, subnets };
    const again = world.restarted();
    assert.equal((await again.launch(claim, nodeClass)).kind, 'retryable');
    world.clock.pass(61_000);
    launchedId(await again.launch(claim, nodeClass));
    assert.equal(world.ec2.everyInstance().length, 1);
  });

  it('looks for the instance of an old claim before it launches', async () => {
    const world = aWorld();
    const claim = world.claim();
    const first = launchedId(await launch(world, claim));
    world.clock.pass(10_000);
    const restarted = world.restarted();
    const fleets = world.ec2.fleets.length;
    const outcome = await restarted.launch(claim, nodeClass);
    assert.equal(launchedId(outcome), first);
    assert.equal(world.ec2.fleets.length, fleets);
    const { instance } = outcome.kind === 'launched' ? outcome : assert.fail();
    assert.equal(instance.usdPerHour, 0.085 * 0.4);
    assert.equal(instance.capacity.cpu, 2000);
  });
});

describe('termination and listing', () => {
  it('does not call an instance gone that EC2 does not show yet', async () => {
    const world = aWorld();
    world.ec2.lagMs = 30_000;
    const id = launchedId(await launch(world, world.claim()));
    assert.equal(await world.cloud.terminate(id), 'terminating');
    assert.equal(world.ec2.livingInstances().length, 1);
    world.clock.pass(31_000);
    assert.equal(await world.cloud.terminate(id), 'terminating');
    assert.equal(world.ec2.livingInstances().length, 0);
    assert.equal(await world.cloud.terminate(id), 'terminating');
    world.ec2.setState(id.slice(id.lastIndexOf('/') + 1), 'terminated');
    assert.equal(await world.cloud.terminate(id), 'gone');
  });

  it('asks for many terminations in few calls, and one unknown instance spoils none', async () => {
    const world = aWorld();
    const ids: string[] = [];
    for (let count = 0; count < 40; count += 1) {
      ids.push(launchedId(await launch(world, world.claim({ name: `c${count}`, uid: `uid-${count}` }))));
    }
    const all = [...ids.slice(0, 20), 'aws:///us-east-1a/i-unknown', ...ids.slice(20)];
    const answers = await Promise.all(all.map((id) => world.cloud.terminate(id)));
    assert.equal(answers.filter((answer) => answer === 'gone').length, 1);
    assert.equal(world.ec2.livingInstances().length, 0);
    for (const id of ids) world.ec2.setState(id.slice(id.lastIndexOf('/') + 1), 'terminated');
    world.ec2.calls.length = 0;
    const again = await Promise.all(ids.map((id) => world.cloud.terminate(id)));
    assert.ok(again.every((answer) => answer === 'gone'));
    assert.deepEqual(world.ec2.calls, ['describeInstances', 'describeInstances']);
  });

  it('finds the one unknown instance among many without asking for each', async () => {
    const world = aWorld();
    const known = await Promise.all(
      Array.from({ length: 80 }, (_, index) =>
        launch(world, world.claim({ name: `c${index}`, uid: `uid-${index}` })),
      ),
    );
    const all = [...known.map(launchedId), 'aws:///us-east-1a/i-unknown'];
    world.ec2.calls.length = 0;
    const answers = await Promise.all(all.map((id) => world.cloud.terminate(id)));
    assert.equal(answers.filter((answer) => answer === 'gone').length, 1);
    assert.equal(world.ec2.livingInstances().length, 0);
    assert.ok(world.ec2.calls.length <= 16, `${world.ec2.calls.length} calls`);
  });

  it('goes on when throttled, and throws what a person must mend', async () => {
    const world = aWorld();
    const id = launchedId(await launch(world, world.claim()));
    for (let count = 0; count < THROTTLED_TRIES; count += 1)
      world.ec2.order({ action: 'terminateInstances', when: 'before', code: 'RequestLimitExceeded' });
    assert.equal(await world.cloud.terminate(id), 'terminating');
    world.ec2.order({ action: 'terminateInstances', when: 'before', code: 'UnauthorizedOperation' });
    await assert.rejects(world.cloud.terminate(id), { code: 'UnauthorizedOperation' });
    await assert.rejects(world.cloud.terminate('i-1'), /i-1 is no provider id/);
  });

  it('lists only this cluster, and throws when EC2 cannot be asked', async () => {
    const world = aWorld();
    await launch(world, world.claim());
    const stranger = aWorld({ settings: { clusterName: 'other' } });
    assert.equal((await stranger.cloud.list()).length, 0);
    world.clock.pass(120_000);
    assert.equal((await world.cloud.list()).length, 1);
    for (let count = 0; count < THROTTLED_TRIES; count += 1)
      world.ec2.order({ action: 'describeInstances', when: 'before', code: 'RequestLimitExceeded' });
    await assert.rejects(world.cloud.list(), { code: 'RequestLimitExceeded' });
  });

  it('believes EC2 once it has shown an instance and then not', async () => {
    const world = aWorld();
    await launch(world, world.claim());
    assert.equal((await world.cloud.list()).length, 1);
    const [instance] = world.ec2.everyInstance();
    world.ec2.setState(instance?.id ?? '', 'terminated');
    assert.equal((await world.cloud.list()).length, 0);
  });
});
