// Many launches through an account that is out of stock, throttled, lossy and slow to show what it has: one each.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AwsCloudProvider } from '../../src/aws/provider.ts';
import { CLAIM_UID_TAG } from '../../src/aws/tags.ts';
import { LABEL, TAG } from '../../src/model/labels.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { aNodeClass } from '../builders.ts';
import { aWorld, type World } from './account.ts';

const CLAIMS = 400;
const MOST_TRIES = 100;
const nodeClass = aNodeClass();
const SPOT_ALLOWED = [{ key: LABEL.capacityType, operator: 'In' as const, values: ['spot', 'on-demand'] }];

/** A number in [0, 1) that depends on the seed alone (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 30 % of offerings out of stock, others another minute; one call in ten throttled, refused by a fault, or lost. */
function disturb({ ec2 }: World, chance: () => number): void {
  ec2.outOfStock.clear();
  for (const { instanceType, zone } of ec2.account.zones) {
    if (chance() < 0.3) ec2.outOfStock.add(`spot:${instanceType}:${zone}`);
    if (chance() < 0.3) ec2.outOfStock.add(`on-demand:${instanceType}:${zone}`);
  }
  const fault = chance();
  if (fault < 0.03) ec2.order({ action: 'createFleet', when: 'before', code: 'RequestLimitExceeded' });
  else if (fault < 0.06) ec2.order({ action: 'createFleet', when: 'before', code: 'InternalError' });
  else if (fault < 0.1) ec2.order({ action: 'createFleet', when: 'after', code: 'TimeoutError' });
  if (chance() < 0.05)
    ec2.order({ action: 'describeInstances', when: 'before', code: 'RequestLimitExceeded' });
  if (chance() < 0.02) ec2.templates.clear();
}

async function launchEventually(world: World, claim: NodeClaim, chance: () => number): Promise<void> {
  let cloud: AwsCloudProvider = world.cloud;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    disturb(world, chance);
    const outcome = await cloud.launch(claim, nodeClass);
    // The answer may die with the controller: what was launched must be found by the next one.
    const isKilled = chance() < 0.05;
    if (outcome.kind === 'launched' && !isKilled) return;
    if (isKilled) cloud = world.restarted();
    assert.notEqual(outcome.kind, 'rejected', JSON.stringify(outcome));
    world.clock.pass(
      outcome.kind === 'insufficientCapacity' ? 200_000 : Math.round(2_000 + chance() * 10_000),
    );
  }
  assert.fail(`${claim.name} is not launched after ${MOST_TRIES} tries`);
}

describe('an account in trouble', () => {
  for (const seed of [1, 2, 3]) {
    it(`launches ${CLAIMS} claims exactly once each, with seed ${seed}`, async () => {
      const chance = seeded(seed);
      const world = aWorld();
      const roomy = world.ec2.account.subnets.map((subnet) => ({ ...subnet, freeAddresses: 60_000 }));
      world.ec2.account = { ...world.ec2.account, subnets: roomy };
      for (let count = 0; count < CLAIMS; count += 1) {
        world.ec2.lagMs = Math.round(chance() * 15_000);
        const claim = world.claim(
          { name: `claim-${count}`, uid: `uid-${count}` },
          { requirements: SPOT_ALLOWED },
        );
        await launchEventually(world, claim, chance);
      }
      const instances = world.ec2.everyInstance();
      assert.equal(new Set(instances.map(({ tags }) => tags[CLAIM_UID_TAG])).size, CLAIMS);
      assert.equal(instances.length, CLAIMS, doubled(world));
    });
  }
});

function doubled({ ec2 }: World): string {
  const names = ec2.everyInstance().map(({ tags }) => tags[TAG.nodeClaim] ?? '');
  return `launched twice: ${names.filter((name, index) => names.indexOf(name) !== index).join(', ')}`;
}
