// Nodes that never join, on a real control plane: told with their console, not bought again, mended by a change.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KubeObject } from './harness/kube.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import { addFullStaticNode, deployment, eventsAbout, provisioner, startStory } from './harness/story.ts';
import type { World } from './harness/world.ts';

const NODES = 3;
const TTL_MS = 20_000;

interface ProvisionerObject extends KubeObject {
  readonly status?: {
    readonly launchFailures?: {
      readonly nodes: number;
      readonly pauses: number;
      readonly imageIDs?: readonly string[];
      readonly claims?: readonly string[];
    };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
    }[];
  };
}

describe('nodes that never join', { skip: await reasonToSkip() }, () => {
  let world: World;
  let isMended = false;

  before(async () => {
    world = await startStory({
      namespaces: ['web'],
      controllerEnv: { REGISTRATION_TTL: `${TTL_MS / 1000}s` },
      kubelet: { registers: () => isMended },
    });
    world.controller.start();
    await addFullStaticNode(world);
    await apply({});
    const fields = { name: 'app', namespace: 'web', replicas: NODES, cpu: '1500m', memory: '128Mi' };
    await world.apply(deployment(fields));
  });
  after(() => world.stop());

  function apply(labels: Readonly<Record<string, string>>): Promise<string> {
    const requirements = [
      { key: 'karpenter.sh/capacity-type', operator: 'In', values: ['on-demand'] },
      { key: 'node.kubernetes.io/instance-type', operator: 'In', values: ['t3a.medium'] },
    ];
    return world.apply(provisioner({ requirements, labels, ttlSecondsAfterEmpty: undefined }));
  }

  async function instancesEver(): Promise<number> {
    return (await world.moto.instances()).length;
  }

  async function stored(): Promise<ProvisionerObject['status']> {
    const path = '/apis/karpenter.sh/v1alpha5/provisioners/default';
    return (await world.kube.get<ProvisionerObject>(path))?.status;
  }

  test('they are given back, with what their consoles say', async () => {
    await world.until(async () => (await stored())?.launchFailures?.nodes === NODES, {
      what: 'three nodes to be given up',
      timeoutMs: TTL_MS + 60_000,
    });
    const look = async (): Promise<readonly string[]> =>
      (await eventsAbout(world, 'NodeClaim')).filter((text) => text.startsWith('NeverRegistered'));
    await world.until(async () => (await look()).length >= NODES, {
      what: 'their events',
      timeoutMs: 10_000,
    });
    for (const text of await look())
      assert.match(
        text,
        /did not become a Node within .*; its console says: .*IRQ lockup detection disabled/,
      );
    assert.equal((await world.moto.calls('GetConsoleOutput')).length >= NODES, true);
    await world.until(async () => (await world.moto.liveInstances()).length === 0, {
      what: 'their instances to be ended',
      timeoutMs: 30_000,
    });
  });

  test('no more are bought, a restart does not change that, and the pods are told why', async () => {
    const { pauses, imageIDs = [], claims = [] } = (await stored())?.launchFailures ?? assert.fail();
    assert.equal(pauses, 1);
    assert.match(imageIDs.join(' '), /^ami-[0-9a-f]+$/, 'they have all booted the same image');
    assert.ok(claims.length >= 1 && claims.length <= NODES, `${claims.length} of ${NODES} claims`);
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    await world.controller.kill();
    world.controller.start();
    // Longer than the brake holds any of the pods, were it alone.
    await new Promise((resolve) => setTimeout(resolve, 45_000));
    assert.equal(await instancesEver(), NODES);
    const told = await eventsAbout(world, 'Pod');
    assert.ok(
      told.some((text) =>
        /^FailedProvisioning: .*Provisioner default: its last 3 nodes never came up \(console: /.test(text),
      ),
      told.join('\n'),
    );
    const active = (await stored())?.conditions?.find(({ type }) => type === 'Active');
    assert.deepEqual([active?.status, active?.reason], ['False', 'NodesNeverJoined']);
  });

  test('a change of the Provisioner is tried at once, and ends it', async () => {
    isMended = true;
    await apply({ 'example.com/mended': 'true' });
    await world.untilRunning('web', NODES, 90_000);
    await world.until(async () => (await stored())?.launchFailures === undefined, {
      what: 'the record of failures to go',
      timeoutMs: 10_000,
    });
    assert.equal((await world.moto.liveInstances()).length, NODES);
    assert.deepEqual(world.kubelet.problems, []);
  });
});
