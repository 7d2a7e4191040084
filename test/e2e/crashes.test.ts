// The controller is killed at each step of a node's life and started again: no instance is leaked, none bought twice.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { reasonToSkip } from './harness/prerequisites.ts';
import { addFullStaticNode, deployment, provisioner, startStory } from './harness/story.ts';
import type { World } from './harness/world.ts';

/** Where it dies: before or after a request whose method, path and body hold the needle (see harness/crashAt.ts). */
const STEPS: readonly { readonly step: string; readonly crashAt: string }[] = [
  { step: 'before the NodeClaim is stored', crashAt: 'before POST /apis/karpenter.sh/v1/nodeclaims' },
  { step: 'after the NodeClaim is stored', crashAt: 'after POST /apis/karpenter.sh/v1/nodeclaims' },
  { step: 'before CreateFleet', crashAt: 'before Action=CreateFleet' },
  { step: 'after CreateFleet', crashAt: 'after Action=CreateFleet' },
  { step: 'after the providerID is stored', crashAt: 'after "providerID":"aws' },
  { step: 'after registration', crashAt: 'after "karpenter.sh/registered":"true"' },
  { step: 'during drain', crashAt: 'after /eviction' },
  { step: 'before TerminateInstances', crashAt: 'before Action=TerminateInstances' },
  { step: 'after TerminateInstances', crashAt: 'after Action=TerminateInstances' },
];

const PRELOAD = join(import.meta.dirname, 'harness', 'crashAt.ts');

describe('a killed controller', { skip: await reasonToSkip() }, () => {
  let world: World;

  before(async () => {
    world = await startStory({ namespaces: ['web'] });
    await addFullStaticNode(world);
    await world.apply(provisioner({ ttlSecondsAfterEmpty: 5 }));
  });
  after(() => world.stop());

  async function untilNothingLeft(): Promise<void> {
    const gone = async (): Promise<boolean> => {
      const claims = await world.kube.list('/apis/karpenter.sh/v1/nodeclaims');
      return (
        claims.length === 0 &&
        (await world.nodes()).length === 1 &&
        (await world.moto.liveInstances()).length === 0
      );
    };
    await world.until(gone, { what: 'claims, nodes and instances to be gone', timeoutMs: 60_000 });
  }

  for (const { step, crashAt } of STEPS) {
    test(`${step}: the same cluster in the end`, async () => {
      const before = (await world.moto.instances()).length;
      world.controller.start({ COOPER_TEST_CRASH_AT: crashAt, NODE_OPTIONS: `--import ${PRELOAD}` });
      await world.apply(
        deployment({ name: 'app', namespace: 'web', replicas: 3, cpu: '500m', memory: '128Mi' }),
      );
      const drains = /drain|Terminate/.test(step);
      if (drains) {
        await world.untilRunning('web', 3, 60_000);
        const [claim] = await world.kube.list('/apis/karpenter.sh/v1/nodeclaims');
        await world.kubectl(['delete', 'nodeclaim', claim?.metadata.name ?? '', '--wait=false']);
      }
      const died = await world.controller.exit();
      assert.equal(died.signal, 'SIGKILL');
      world.controller.start();
      await world.untilRunning('web', 3, 60_000);
      // Pods that a crash in the middle of their drain has parted may be planned for in two batches.
      const most = drains ? 2 : 1;
      const claims = await world.until(
        async () => {
          const held = await world.kube.list('/apis/karpenter.sh/v1/nodeclaims');
          const settled = held.every(({ metadata }) => metadata.deletionTimestamp === undefined);
          return settled && held.length >= 1 && held.length <= most ? held : null;
        },
        { what: `at most ${most} claims, and none that leaves`, timeoutMs: 60_000 },
      );
      await world.until(async () => (await world.moto.liveInstances()).length === claims.length, {
        what: 'exactly one live instance for each claim',
        timeoutMs: 30_000,
      });
      const launched = (await world.moto.instances()).length - before;
      const wanted = claims.length + (drains ? 1 : 0);
      assert.equal(launched, wanted, `${launched} instances were launched for ${wanted} claims`);
      await world.kubectl(['-n', 'web', 'delete', 'deployment', 'app']);
      await untilNothingLeft();
      assert.equal((await world.moto.instances()).length - before, launched);
      await world.controller.kill();
    });
  }
});
