// Bursts within EC2's published limits, on the virtual clock; and calls that make way for more urgent ones.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AwsFault } from '../../src/aws/awsFault.ts';
import { pacedNotices, pacedSsm } from '../../src/aws/pacedEc2.ts';
import { type Priority, RequestPacer } from '../../src/aws/requestPacer.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { VirtualClock } from '../../src/simulator/virtualClock.ts';
import { aNodeClass } from '../builders.ts';
import { RequestLimits } from '../contracts/requestLimits.ts';
import { aWorld, type World } from './account.ts';
import { driven } from './driven.ts';

const nodeClass = aNodeClass();
const START_MS = 1_800_000_000_000;

function aLimitedWorld(): { readonly world: World<VirtualClock>; readonly clock: VirtualClock } {
  const clock = new VirtualClock(START_MS);
  const world = aWorld({ clock });
  const roomy = world.ec2.account.subnets.map((subnet) => ({ ...subnet, freeAddresses: 60_000 }));
  world.ec2.account = { ...world.ec2.account, subnets: roomy };
  world.ec2.limits = new RequestLimits();
  world.ec2.answerMs = 800;
  return { world, clock };
}

/** Claims of one plan in groups of a hundred at most, created a moment apart as a controller creates them. */
function burst(world: World<VirtualClock>, sizes: readonly number[]): readonly NodeClaim[] {
  return sizes.flatMap((size, group) =>
    Array.from({ length: size }, (_, index) =>
      world.claim(
        { name: `c-${group}-${index}`, uid: `uid-${group}-${index}` },
        {
          requirements: [{ key: LABEL.capacityType, operator: 'In', values: ['on-demand'] }],
          ...(size > 1 ? { launchGroup: { id: `group-${group}`, size } } : {}),
        },
      ),
    ),
  );
}

async function launchAll(
  world: World<VirtualClock>,
  clock: VirtualClock,
  claims: readonly NodeClaim[],
): Promise<void> {
  const launches = claims.map(async (claim, index) => {
    // Claims are stored 32 at a time, some milliseconds each.
    await clock.sleep(Math.floor(index / 32) * 8);
    return world.cloud.launch(claim, nodeClass);
  });
  const outcomes = await driven(clock, Promise.all(launches));
  assert.deepEqual([...new Set(outcomes.map(({ kind }) => kind))], ['launched']);
}

describe('a burst, within the limits that EC2 publishes', () => {
  it('of 1,000 claims that are alike is at most 20 fleets, none throttled, done in seconds', async () => {
    const { world, clock } = aLimitedWorld();
    await launchAll(world, clock, burst(world, Array(10).fill(100)));
    assert.equal(world.ec2.livingInstances().length, 1000);
    assert.ok(world.ec2.fleets.length <= 20, `${world.ec2.fleets.length} fleets`);
    assert.deepEqual(world.ec2.throttles, []);
    assert.ok(clock.nowMs() - START_MS < 5_000, `${clock.nowMs() - START_MS} ms`);
  });

  it('of 1,000 claims of 20 kinds is 20 fleets, none throttled', async () => {
    const { world, clock } = aLimitedWorld();
    await launchAll(world, clock, burst(world, Array(20).fill(50)));
    assert.equal(world.ec2.livingInstances().length, 1000);
    assert.equal(world.ec2.fleets.length, 20);
    assert.deepEqual(world.ec2.throttles, []);
  });

  it('of 200 claims none like another waits for tokens, and is not throttled', async () => {
    const { world, clock } = aLimitedWorld();
    await launchAll(world, clock, burst(world, Array(200).fill(1)));
    assert.equal(world.ec2.livingInstances().length, 200);
    const tookMs = clock.nowMs() - START_MS;
    // 50 at once, and 150 at 5 a second, with a throttle now and then where we feel for more.
    assert.ok(tookMs > 15_000 && tookMs < 45_000, `${tookMs} ms, ${world.ec2.throttles.length} throttled`);
    const throttled = world.ec2.throttles.length;
    assert.ok(throttled <= 15, `${throttled} of ${world.ec2.calls.length} calls throttled`);
  });

  it('does not hold up a claim that is alone', async () => {
    const { world, clock } = aLimitedWorld();
    world.ec2.answerMs = 0;
    await launchAll(world, clock, burst(world, [1]));
    assert.equal(clock.nowMs(), START_MS);
  });
});

describe('the pacer', () => {
  const throttle = (): Promise<never> =>
    Promise.reject(new AwsFault('ec2:CreateTags', 'RequestLimitExceeded', 'request rate limit'));

  it('lets urgent calls go before those that have waited longer', async () => {
    const clock = new VirtualClock(0);
    const pacer = new RequestPacer(clock);
    const went: string[] = [];
    const ask = (name: string, priority: Priority): Promise<number> =>
      pacer.paced({ action: 'ec2:CreateTags', priority, resources: 0 }, async () => went.push(name));
    await Promise.all(Array.from({ length: 100 }, () => ask('first', 'background')));
    went.length = 0;
    await driven(clock, Promise.all([ask('a', 'background'), ask('b', 'background'), ask('c', 'urgent')]));
    assert.deepEqual(went, ['c', 'a', 'b']);
    assert.equal(clock.nowMs() >= 300 - 20, true, `${clock.nowMs()} ms`);
  });

  it('sends a throttled call again, later and later, and gives it up after four', async () => {
    const clock = new VirtualClock(0);
    const pacer = new RequestPacer(clock);
    const atMs: number[] = [];
    const call = (): Promise<never> => {
      atMs.push(clock.nowMs());
      return throttle();
    };
    const paced = pacer.paced({ action: 'ec2:CreateTags', priority: 'urgent', resources: 0 }, call);
    await assert.rejects(driven(clock, paced), { code: 'RequestLimitExceeded' });
    assert.deepEqual(atMs, [0, 200, 600, 1_400]);
  });

  it('holds back SSM and what asks for interruptions as well, each by its own limit', async () => {
    const clock = new VirtualClock(0);
    const pacer = new RequestPacer(clock);
    const ssm = pacedSsm({ parameter: async () => null }, pacer);
    await driven(clock, Promise.all(Array.from({ length: 120 }, (_, index) => ssm.parameter(`${index}`))));
    // 40 at once, and 80 at 40 a second or a little more.
    assert.ok(clock.nowMs() > 1_300 && clock.nowMs() <= 2_000, `${clock.nowMs()} ms`);
    const sinceMs = clock.nowMs();
    const quiet = { describeScheduledEvents: async () => [], describeSpotRequests: async () => [] };
    const notices = pacedNotices(quiet, pacer);
    const asked = Array.from({ length: 120 }, () => notices.describeSpotRequests([]));
    await driven(clock, Promise.all([...asked, notices.describeScheduledEvents()]));
    // 100 at once, and 20 at 20 a second.
    assert.ok(clock.nowMs() - sinceMs > 800 && clock.nowMs() - sinceMs <= 1_000);
  });

  it('halves after a throttle inside the answer of a fleet, and leaves other actions alone', async () => {
    const clock = new VirtualClock(0);
    const pacer = new RequestPacer(clock);
    const ask = (action: string): Promise<string> =>
      pacer.paced(
        { action, priority: 'urgent', resources: 0 },
        async () => 'throttled',
        (answer) => answer,
      );
    await driven(clock, ask('ec2:CreateFleet'));
    await driven(clock, ask('ec2:TerminateInstances'));
    assert.equal(clock.nowMs(), 0);
    await driven(clock, ask('ec2:CreateFleet'));
    assert.equal(clock.nowMs(), 400);
  });
});
