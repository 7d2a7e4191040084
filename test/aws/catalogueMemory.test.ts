// Lists of types for node classes that are gone, or were changed, are let go.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { aNodeClass, aProvisioner } from '../builders.ts';
import { aWorld, type World } from './account.ts';

const HOUR_MS = 3_600_000;

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** The list of types for a Provisioner of its own, held weakly. */
async function listFor(world: World, maxPods: number): Promise<WeakRef<object>> {
  const outcome = await world.cloud.instanceTypes(aProvisioner({ kubelet: { maxPods } }), aNodeClass());
  return new WeakRef(outcome.kind === 'found' ? outcome.instanceTypes : assert.fail(outcome.reason));
}

async function isHeld(list: WeakRef<object>): Promise<boolean> {
  // What was looked at in this turn of the event loop is not collected within it.
  await new Promise(setImmediate);
  collect();
  return list.deref() !== undefined;
}

describe('the lists of types', () => {
  it('are kept while somebody asks for them, and let go an hour after', async () => {
    const world = aWorld();
    const left = await listFor(world, 20);
    const used = await listFor(world, 30);
    assert.ok((await isHeld(left)) && (await isHeld(used)));
    for (let minutes = 0; minutes < 59; minutes += 10) {
      world.clock.pass(HOUR_MS / 6);
      await listFor(world, 30);
    }
    await world.cloud.refresh();
    const latest = await listFor(world, 30);
    assert.equal(await isHeld(left), false);
    assert.equal(await isHeld(latest), true);
  });
});
