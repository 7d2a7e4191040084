// 10,000 launches through an account out of stock, throttled, lossy and slow to show what it has: one instance each.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ec2Api } from '../../src/aws/ec2Api.ts';
import { knownToClaims, orphanedInstances } from '../../src/controllers/garbageCollection.ts';
import { LABEL } from '../../src/model/labels.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { CloudProvider, LaunchOutcome } from '../../src/ports/cloudProvider.ts';
import { VirtualClock } from '../../src/simulator/virtualClock.ts';
import { aNodeClass } from '../builders.ts';
import { aWorld, type World } from './account.ts';
import { driven } from './driven.ts';

const CLAIMS = 10_000;
const MOST_TRIES = 200;
const GRACE_MS = 30_000;
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

/** One life of the controller: what it has not sent when it dies is never sent. */
class Life {
  readonly cloud: CloudProvider;
  readonly death: Promise<null>;
  die: () => void = () => undefined;
  #isAlive = true;

  constructor(world: World<VirtualClock>) {
    this.death = new Promise((resolve) => {
      this.die = () => {
        this.#isAlive = false;
        resolve(null);
      };
    });
    const mortal = new Proxy<Ec2Api>(world.ec2, {
      get: (ec2, name) => {
        const call = Reflect.get(ec2, name, ec2);
        if (typeof call !== 'function') return call;
        return (...given: readonly unknown[]) =>
          this.#isAlive ? Reflect.apply(call, ec2, given) : new Promise(() => undefined);
      },
    });
    this.cloud = world.restarted(mortal);
  }
}

class Trouble {
  readonly world: World<VirtualClock>;
  readonly chance: () => number;
  /** Provider ids by claim uid: what the claims' statuses say. */
  readonly stored = new Map<string, string>();
  readonly #taken = new Set<string>();
  life: Life;
  deaths = 0;

  constructor(seed: number) {
    this.chance = seeded(seed);
    this.world = aWorld({ clock: new VirtualClock(1_800_000_000_000) });
    const { ec2 } = this.world;
    ec2.account = {
      ...ec2.account,
      subnets: ec2.account.subnets.map((subnet) => ({ ...subnet, freeAddresses: 60_000 })),
    };
    ec2.answerMs = 300;
    ec2.mischief = () => this.#mischief();
    this.life = new Life(this.world);
  }

  /** One call in ten: throttled, refused by a fault of EC2's, or done with its answer lost. */
  #mischief(): { readonly when: 'before' | 'after'; readonly code: string } | null {
    const drawn = this.chance();
    if (drawn < 0.04) return { when: 'before', code: 'RequestLimitExceeded' };
    if (drawn < 0.06) return { when: 'before', code: 'InternalError' };
    return drawn < 0.1 ? { when: 'after', code: 'TimeoutError' } : null;
  }

  /** Until told otherwise: 30 % of offerings out of stock, others each minute; EC2 lags; the controller is killed. */
  async goOn(until: () => boolean): Promise<void> {
    const { ec2, clock } = this.world;
    while (!until()) {
      ec2.outOfStock.clear();
      for (const { instanceType, zone } of ec2.account.zones) {
        if (this.chance() < 0.3) ec2.outOfStock.add(`spot:${instanceType}:${zone}`);
        if (this.chance() < 0.3) ec2.outOfStock.add(`on-demand:${instanceType}:${zone}`);
      }
      ec2.lagMs = Math.round(this.chance() * 15_000);
      if (this.chance() < 0.1) ec2.templates.clear();
      await clock.sleep(Math.round(this.chance() * 60_000));
      if (this.chance() < 0.3) this.#kill();
    }
  }

  #kill(): void {
    this.deaths += 1;
    this.life.die();
    this.life = new Life(this.world);
  }

  async launchEventually(claim: NodeClaim): Promise<void> {
    const { clock } = this.world;
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const outcome = await this.#outcome(claim);
      // Storing the answer may fail, too: the next life must find what this one was told of.
      if (outcome?.kind === 'launched' && this.chance() < 0.97) {
        this.stored.set(claim.uid, outcome.instance.providerId);
        this.#taken.add(outcome.instance.providerId);
        return;
      }
      assert.notEqual(outcome?.kind, 'rejected', JSON.stringify(outcome));
      const isShort = outcome?.kind === 'insufficientCapacity';
      await clock.sleep(isShort ? 200_000 : Math.round(2_000 + this.chance() * 10_000));
    }
    assert.fail(`${claim.name} is not launched after ${MOST_TRIES} tries`);
  }

  /** null: the controller was killed before it heard. */
  #outcome(claim: NodeClaim): Promise<LaunchOutcome | null> {
    const { cloud, death } = this.life;
    return Promise.race([cloud.launch(claim, nodeClass, () => this.#taken), death]);
  }

  /** What garbage collection finds once all claims are launched. */
  async collect(claims: readonly NodeClaim[]): Promise<number> {
    const { clock, ec2 } = this.world;
    ec2.mischief = () => null;
    await clock.sleep(120_000);
    const storedClaims = claims.map((claim) => ({
      ...claim,
      status: { ...NO_STATUS, providerId: this.stored.get(claim.uid) ?? '' },
    }));
    const at = { nowMs: clock.nowMs(), graceMs: GRACE_MS };
    const orphans = orphanedInstances(await this.life.cloud.list(), knownToClaims(storedClaims, []), at);
    for (const { providerId } of orphans) await this.life.cloud.terminate(providerId);
    return orphans.length;
  }
}

/** Single claims and groups of up to a hundred, as bursts of pods make them. */
function claimsOf({ world, chance }: Trouble): readonly NodeClaim[] {
  const claims: NodeClaim[] = [];
  for (let group = 0; claims.length < CLAIMS; group += 1) {
    const wanted = chance() < 0.5 ? 1 : Math.ceil(chance() * 100);
    const size = Math.min(wanted, CLAIMS - claims.length);
    const launchGroup = size > 1 ? { launchGroup: { id: `group-${group}`, size } } : {};
    for (let index = 0; index < size; index += 1) {
      const name = `claim-${group}-${index}`;
      claims.push(world.claim({ name, uid: `uid-${name}` }, { requirements: SPOT_ALLOWED, ...launchGroup }));
    }
  }
  return claims;
}

describe('an account in trouble', () => {
  for (const seed of [1]) {
    it(`launches ${CLAIMS} claims exactly once each, with seed ${seed}`, async () => {
      const trouble = new Trouble(seed);
      const { clock, ec2 } = trouble.world;
      const claims = claimsOf(trouble);
      let isDone = false;
      const run = async (): Promise<number> => {
        void trouble.goOn(() => isDone);
        await Promise.all(
          claims.map(async (claim, index) => {
            await clock.sleep(Math.floor(index / 500) * 60_000 + (index % 50));
            await trouble.launchEventually({ ...claim, createdAtMs: clock.nowMs() });
          }),
        );
        isDone = true;
        return trouble.collect(claims);
      };
      const orphans = await driven(clock, run());
      const living = ec2.livingInstances().map(({ zone, id }) => `aws:///${zone}/${id}`);
      assert.equal(living.length, CLAIMS);
      assert.deepEqual(new Set(living), new Set(trouble.stored.values()), 'claims and instances differ');
      assert.equal(orphans, 0, 'bought in vain, though collected');
      assert.ok(trouble.deaths > 5, `${trouble.deaths} restarts`);
    });
  }
});
