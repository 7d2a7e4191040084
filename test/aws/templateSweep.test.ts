// Launch templates that nobody uses any more are deleted; those in use, and those of others, stay.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AwsFault } from '../../src/aws/awsFault.ts';
import { aNodeClass } from '../builders.ts';
import { aWorld, type World } from './account.ts';

const HOUR_MS = 3_600_000;
const nodeClass = aNodeClass();

let launches = 0;

async function launch(world: World): Promise<void> {
  launches += 1;
  const claim = world.claim({ name: `claim-${launches}`, uid: `uid-${launches}` });
  assert.equal((await world.cloud.launch(claim, nodeClass)).kind, 'launched');
}

async function hours(world: World, count: number): Promise<void> {
  for (let hour = 0; hour < count; hour += 1) {
    world.clock.pass(HOUR_MS);
    await world.cloud.refresh();
  }
}

describe('the sweep of launch templates', () => {
  it('deletes what no launch has used for a day, and a launch makes it anew', async () => {
    const world = aWorld();
    await launch(world);
    await hours(world, 23);
    assert.equal(world.ec2.templates.size, 1);
    await hours(world, 2);
    assert.equal(world.ec2.templates.size, 0);
    await launch(world);
    assert.equal(world.ec2.templates.size, 1);
  });

  it('keeps what launches use', async () => {
    const world = aWorld();
    for (let day = 0; day < 4; day += 1) {
      await launch(world);
      await hours(world, 12);
    }
    assert.equal(world.ec2.calls.filter((call) => call === 'deleteLaunchTemplate').length, 0);
  });

  it('leaves templates of other clusters alone, and those of an earlier life for a day', async () => {
    const world = aWorld();
    await launch(world);
    const [own] = world.ec2.templates.values();
    assert.ok(own !== undefined);
    const tags = { ...own.tags, 'karpenter.k8s.aws/cluster': 'other' };
    world.ec2.templates.set('Karpenter-other-1', { ...own, name: 'Karpenter-other-1', tags });
    const again = { ...world, cloud: world.restarted() };
    await hours(again, 20);
    assert.equal(world.ec2.templates.size, 2);
    await hours(again, 6);
    assert.deepEqual([...world.ec2.templates.keys()], ['Karpenter-other-1']);
  });

  it('goes on with the others when EC2 refuses to delete one, and says so', async () => {
    const world = aWorld();
    await launch(world);
    const [own] = world.ec2.templates.values();
    assert.ok(own !== undefined);
    world.ec2.templates.set('Karpenter-test-old', { ...own, name: 'Karpenter-test-old' });
    const remove = world.ec2.deleteLaunchTemplate.bind(world.ec2);
    world.ec2.deleteLaunchTemplate = (name) =>
      name === own.name
        ? Promise.reject(new AwsFault('ec2:DeleteLaunchTemplate', 'UnauthorizedOperation', 'no'))
        : remove(name);
    await hours(world, 27);
    assert.deepEqual([...world.ec2.templates.keys()], [own.name]);
    const said = world.logged.find(({ message }) => message === 'unused launch templates not swept');
    assert.match(String(said?.fields.error), /policy lacks .*"ec2:DeleteLaunchTemplate"/);
  });

  it('asks once an hour, and goes on after a refusal', async () => {
    const world = aWorld();
    await launch(world);
    const asked = (): number => world.ec2.calls.filter((call) => call === 'describeLaunchTemplates').length;
    for (let minute = 0; minute < 120; minute += 1) {
      world.clock.pass(60_000);
      await world.cloud.refresh();
    }
    assert.equal(asked(), 2);
    world.ec2.order({ action: 'describeLaunchTemplates', when: 'before', code: 'UnauthorizedOperation' });
    await hours(world, 30);
    assert.equal(world.ec2.templates.size, 0);
    assert.ok(world.logged.some(({ message }) => message === 'unused launch templates not swept'));
  });
});
