// Claims that share a fleet: one call, one instance each, and no crash, loss or shortage changes that.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { CloudProvider, LaunchOutcome } from '../../src/ports/cloudProvider.ts';
import { aNodeClass } from '../builders.ts';
import { aWorld, type World } from './account.ts';

const nodeClass = aNodeClass();
const ON_DEMAND = [{ key: LABEL.capacityType, operator: 'In' as const, values: ['on-demand'] }];

/** Claims of one plan that are alike. */
function aGroup(world: World, size: number, id = 'group'): readonly NodeClaim[] {
  return Array.from({ length: size }, (_, index) =>
    world.claim(
      { name: `${id}-${index}`, uid: `uid-${id}-${index}` },
      { requirements: ON_DEMAND, launchGroup: { id, size } },
    ),
  );
}

/** What stored claims say. */
class Store {
  readonly providerIds = new Map<string, string>();

  async launch(cloud: CloudProvider, claims: readonly NodeClaim[]): Promise<readonly LaunchOutcome[]> {
    const outcomes = await Promise.all(
      claims.map((claim) => cloud.launch(claim, nodeClass, () => new Set(this.providerIds.values()))),
    );
    return outcomes;
  }

  keep(claims: readonly NodeClaim[], outcomes: readonly LaunchOutcome[]): void {
    outcomes.forEach((outcome, index) => {
      if (outcome.kind === 'launched')
        this.providerIds.set(claims[index]?.uid ?? '', outcome.instance.providerId);
    });
  }

  waiting(claims: readonly NodeClaim[]): readonly NodeClaim[] {
    return claims.filter(({ uid }) => !this.providerIds.has(uid));
  }
}

function assertOneEach(world: World, store: Store, claims: readonly NodeClaim[]): void {
  assert.equal(store.providerIds.size, claims.length);
  assert.equal(new Set(store.providerIds.values()).size, claims.length, 'an instance for two claims');
  const living = world.ec2.livingInstances().map(({ zone, id }) => `aws:///${zone}/${id}`);
  assert.deepEqual(living.toSorted(), [...store.providerIds.values()].toSorted());
}

describe('a launch group', () => {
  it('becomes one fleet of its size, tagged with the group, each claim with an instance of its own', async () => {
    const world = aWorld();
    const store = new Store();
    const claims = aGroup(world, 20);
    store.keep(claims, await store.launch(world.cloud, claims));
    assertOneEach(world, store, claims);
    assert.deepEqual(
      world.ec2.fleets.map(({ count }) => count),
      [20],
    );
    const tags = world.ec2.fleets[0]?.tags ?? {};
    assert.equal(tags['karpenter.sh/launch-group'], 'group');
    assert.equal(tags['karpenter.sh/nodeclaim-uid'], undefined);
    const listed = await world.cloud.list();
    const byProvider = new Map(listed.map((one) => [one.providerId, one.nodeClaimUid]));
    for (const [uid, providerId] of store.providerIds) assert.equal(byProvider.get(providerId), uid);
  });

  it('launches those left over by a partial fleet with other offerings', async () => {
    const world = aWorld();
    const store = new Store();
    for (const zone of ['us-east-1a', 'us-east-1b', 'us-east-1c'])
      world.ec2.stock.set(`on-demand:c5.large:${zone}`, 2);
    const claims = aGroup(world, 10);
    const outcomes = await store.launch(world.cloud, claims);
    store.keep(claims, outcomes);
    assertOneEach(world, store, claims);
    const types = outcomes.map((one) => (one.kind === 'launched' ? one.instance.instanceType : ''));
    assert.equal(types.filter((type) => type === 'c5.large').length, 6);
  });

  it('tells each claim that got nothing what is out of stock', async () => {
    const world = aWorld();
    for (const type of ['c5.large', 'm5.large', 'm5.xlarge'])
      for (const zone of ['us-east-1a', 'us-east-1b', 'us-east-1c'])
        world.ec2.stock.set(`on-demand:${type}:${zone}`, type === 'c5.large' ? 1 : 0);
    const outcomes = await new Store().launch(world.cloud, aGroup(world, 5));
    const kinds = outcomes.map(({ kind }) => kind);
    assert.equal(kinds.filter((kind) => kind === 'launched').length, 3);
    assert.equal(kinds.filter((kind) => kind === 'insufficientCapacity').length, 2);
    assert.equal(
      new Set(world.ec2.fleets.map(({ clientToken }) => clientToken)).size,
      world.ec2.fleets.length,
    );
  });

  it('repeats a lost fleet as it was, for those that come back first', async () => {
    const world = aWorld();
    world.ec2.lagMs = 60_000;
    const store = new Store();
    const claims = aGroup(world, 6);
    world.ec2.order({ action: 'createFleet', when: 'after', code: 'TimeoutError' });
    const lost = await store.launch(world.cloud, claims);
    assert.ok(lost.every(({ kind }) => kind === 'retryable'));
    for (const part of [claims.slice(0, 2), claims.slice(2)])
      store.keep(part, await store.launch(world.cloud, part));
    assertOneEach(world, store, claims);
    assert.equal(world.ec2.fleets.length, 2);
  });

  it('launches what comes after the window has closed in a fleet of its own', async () => {
    const world = aWorld();
    const store = new Store();
    const claims = aGroup(world, 4);
    for (const part of [claims.slice(0, 3), claims.slice(3)])
      store.keep(part, await store.launch(world.cloud, part));
    assertOneEach(world, store, claims);
    assert.deepEqual(
      world.ec2.fleets.map(({ count }) => count),
      [3, 1],
    );
  });
});

describe('the tags of a shared fleet', () => {
  const namesOf = (world: World): readonly (string | undefined)[] =>
    world.ec2.everyInstance().map(({ tags }) => tags['karpenter.sh/nodeclaim']);

  it('name the claim soon after, once EC2 knows the instance, and the group from the start', async () => {
    const world = aWorld();
    world.ec2.lagMs = 20_000;
    const claims = aGroup(world, 3);
    await new Store().launch(world.cloud, claims);
    assert.deepEqual(namesOf(world), ['', '', '']);
    world.clock.pass(30_000);
    await world.cloud.refresh();
    const names = claims.map(({ name }) => name);
    assert.deepEqual(namesOf(world).toSorted(), names.toSorted());
    const { tags } = world.ec2.everyInstance()[0] ?? assert.fail();
    assert.equal(tags['karpenter.sh/launch-group'], 'group');
    assert.ok(claims.some(({ uid }) => uid === tags['karpenter.sh/nodeclaim-uid']));
  });

  it('are put right after a crash that came before them, once the claim that has the instance is known', async () => {
    const world = aWorld();
    world.ec2.lagMs = 20_000;
    const claims = aGroup(world, 2);
    const store = new Store();
    store.keep(claims, await store.launch(world.cloud, claims));
    world.clock.pass(30_000);
    const again = world.restarted();
    assert.deepEqual(
      (await again.list()).map(({ nodeClaim }) => nodeClaim),
      ['', ''],
    );
    for (const { name, uid } of claims) {
      again.noteOwner(store.providerIds.get(uid) ?? '', { name, uid });
      again.noteOwner(store.providerIds.get(uid) ?? '', { name, uid });
    }
    await again.refresh();
    const names = (await again.list()).map(({ nodeClaim }) => nodeClaim);
    assert.deepEqual(names.toSorted(), claims.map(({ name }) => name).toSorted());
  });

  it('are not for users to set', async () => {
    const stolen = { 'karpenter.sh/nodeclaim-uid': 'mine', 'karpenter.sh/launch-group': 'mine' };
    const world = aWorld({ settings: { tags: stolen } });
    await new Store().launch(world.cloud, aGroup(world, 2));
    await world.cloud.launch(world.claim({ name: 'alone', uid: 'uid-alone' }), nodeClass);
    const [shared, alone] = world.ec2.fleets.map(({ tags }) => tags);
    assert.equal(shared?.['karpenter.sh/launch-group'], 'group');
    assert.equal(shared?.['karpenter.sh/nodeclaim-uid'], undefined);
    assert.equal(alone?.['karpenter.sh/launch-group'], undefined);
    assert.equal(alone?.['karpenter.sh/nodeclaim-uid'], 'uid-alone');
  });

  it('are written later when this replica may not act for a moment', async () => {
    const world = aWorld();
    let mayAct = false;
    const write = world.ec2.createTags.bind(world.ec2);
    // As a fence refuses that cannot reach the API server just now.
    world.ec2.createTags = (ids, tags) =>
      mayAct ? write(ids, tags) : Promise.reject(new Error('this replica does not hold the Lease'));
    const claims = aGroup(world, 2);
    await new Store().launch(world.cloud, claims);
    await world.cloud.refresh();
    assert.deepEqual(namesOf(world), ['', '']);
    mayAct = true;
    await world.cloud.refresh();
    assert.deepEqual(namesOf(world).toSorted(), claims.map(({ name }) => name).toSorted());
  });

  it('stay as they are when the permission is missing, which is said once and stops nothing', async () => {
    const world = aWorld();
    world.ec2.order({ action: 'createTags', when: 'before', code: 'UnauthorizedOperation' });
    const claims = aGroup(world, 3);
    const outcomes = await new Store().launch(world.cloud, claims);
    assert.ok(outcomes.every(({ kind }) => kind === 'launched'));
    await world.cloud.refresh();
    await new Store().launch(world.cloud, aGroup(world, 2, 'other'));
    assert.equal(world.ec2.calls.filter((call) => call === 'createTags').length, 1);
    const said = world.logged.filter(({ message }) => message.includes('without the name'));
    assert.equal(said.length, 1);
    assert.match(String(said[0]?.fields.error), /policy lacks .*"ec2:CreateTags"/);
  });
});

describe('a launch group across a crash', () => {
  const STORED = [[], [0], [1, 3], [0, 1, 2], [0, 1, 2, 3, 4]];
  const CASES = STORED.flatMap((stored) =>
    [0, 20_000].flatMap((lagMs) =>
      [1_000, 10_000].flatMap((pauseMs) =>
        [false, true].map((isChanged) => ({ stored, lagMs, pauseMs, isChanged })),
      ),
    ),
  );
  for (const { stored, lagMs, pauseMs, isChanged } of CASES) {
    const changed = isChanged ? 'what is on sale has changed' : 'nothing has changed';
    it(`${stored.length} of 5 stored, EC2 lags ${lagMs} ms, back after ${pauseMs} ms, ${changed}`, async () => {
      const world = aWorld();
      world.ec2.lagMs = lagMs;
      const store = new Store();
      const claims = aGroup(world, 5);
      const outcomes = await store.launch(world.cloud, claims);
      for (const index of stored) {
        const [claim, outcome] = [claims[index], outcomes[index]];
        if (claim !== undefined && outcome !== undefined) store.keep([claim], [outcome]);
      }
      world.clock.pass(pauseMs);
      if (isChanged) world.ec2.outOfStock.add('on-demand:c5.large:us-east-1a');
      if (isChanged) {
        const subnets = world.ec2.account.subnets.filter(({ zone }) => zone !== 'us-east-1c');
        world.ec2.account = { ...world.ec2.account, subnets };
      }
      const again = world.restarted();
      for (let tries = 0; tries < 30 && store.waiting(claims).length > 0; tries += 1) {
        const waiting = store.waiting(claims);
        store.keep(waiting, await store.launch(again, waiting));
        world.clock.pass(3_000);
      }
      assertOneEach(world, store, claims);
      assert.equal(world.ec2.everyInstance().length, 5);
    });
  }

  it('killed before its fleet was sent, launches as if nothing had been', async () => {
    const world = aWorld();
    const store = new Store();
    const claims = aGroup(world, 5);
    world.clock.pass(60_000);
    store.keep(claims, await store.launch(world.restarted(), claims));
    assertOneEach(world, store, claims);
  });

  it('killed with only some claims stored, launches those', async () => {
    const world = aWorld();
    const store = new Store();
    const claims = aGroup(world, 5).slice(0, 3);
    store.keep(claims, await store.launch(world.cloud, claims));
    assertOneEach(world, store, claims);
  });
});
