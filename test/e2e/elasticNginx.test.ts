// The elastic-nginx story against a real control plane and EC2 API: capacity comes for pending pods, and goes again.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodObject } from './harness/kube.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import { addFullStaticNode, CHRIS, startStory, storyManifest, terminationCallMs } from './harness/story.ts';
import { holdsFor } from './harness/until.ts';
import type { World } from './harness/world.ts';

describe('elastic-nginx', { skip: await reasonToSkip() }, () => {
  let world: World;
  let instanceId = '';

  before(async () => {
    world = await startStory();
    world.controller.start();
    await addFullStaticNode(world);
  });
  after(() => world.stop());

  /** Waits until no nginx pod runs on a launched node; returns when the event that said so arrived here. */
  async function untilNodeEmpty(): Promise<number> {
    const away = new Set<string>();
    let emptyAtMs = Date.now();
    const watch = world.kube.watch<PodObject>('/api/v1/namespaces/web/pods', ({ type, object }) => {
      const { phase } = object.status;
      const counts = type !== 'DELETED' && phase !== 'Succeeded' && phase !== 'Failed';
      const { uid } = object.metadata;
      if (counts && object.spec.nodeName !== undefined && object.spec.nodeName !== 'static') away.add(uid);
      else if (away.delete(uid)) emptyAtMs = Date.now();
    });
    await world.until(() => away.size > 0, {
      what: 'nginx to be seen on the launched node',
      timeoutMs: 10_000,
    });
    await world.kube.scale('web', 'nginx', 1);
    await world.until(() => away.size === 0, { what: 'nginx to leave the launched node', timeoutMs: 30_000 });
    watch.stop();
    return emptyAtMs;
  }

  test('the Provisioner of the story is accepted as it is and becomes Active', async () => {
    await world.apply(storyManifest('elastic-nginx-provisioner.yaml'));
    const args = ['wait', 'provisioner/default', '--for=condition=Active', '--timeout=30s'];
    assert.match(await world.kubectl(args), /condition met/);
  });

  test('8 of 10 nginx pods stay Pending, get a node, and all run', async () => {
    await world.apply(storyManifest('elastic-nginx.yaml'));
    await world.untilRunning('web', 1, 30_000);
    const startedAtMs = Date.now();
    await world.kube.scale('web', 'nginx', 10);
    const pending = await world.until(
      async () => {
        const pods = await world.pods('web');
        const waiting = pods.filter((pod) => pod.spec.nodeName === undefined);
        return pods.length === 10 && waiting.length >= 8 ? waiting.length : null;
      },
      { what: 'at least 8 pods to be Pending', timeoutMs: 10_000, intervalMs: 20 },
    );
    assert.ok(pending >= 8);
    await world.untilRunning('web', 10, 60_000);
    assert.ok(Date.now() - startedAtMs < 60_000);
  });

  test('EC2 has one on-demand instance, in a tagged subnet, with security group, profile and owner tags', async () => {
    const instances = await world.moto.liveInstances();
    assert.equal(instances.length, 1, await world.diagnose());
    const [instance] = instances;
    assert.ok(instance);
    instanceId = instance.id;
    assert.equal(instance.capacityType, 'on-demand');
    assert.ok(
      world.network.subnets.some(({ id, zone }) => id === instance.subnetId && zone === instance.zone),
    );
    assert.deepEqual(instance.securityGroupIds, [world.network.securityGroupId]);
    assert.match(instance.instanceProfileArn ?? '', new RegExp(`instance-profile/${CHRIS.instanceProfile}$`));
    assert.equal(instance.metadataOptions.httpTokens, 'required');
    assert.equal(instance.tags['karpenter.sh/provisioner-name'], 'default');
    assert.equal(instance.tags['kubernetes.io/cluster/chris'], 'owned');
    const [claim] = await world.kube.list('/apis/karpenter.sh/v1/nodeclaims');
    assert.equal(instance.tags['karpenter.sh/nodeclaim'], claim?.metadata.name);
  });

  test('one CreateFleet call offered many types and all three zones, and named its token', async () => {
    const calls = await world.moto.calls('CreateFleet');
    assert.equal(calls.length, 1);
    const params = JSON.stringify(calls[0]?.params);
    assert.match(params, /ClientToken/);
    const types = new Set(params.match(/"[a-z0-9-]+\.[a-z0-9-]+"/g));
    assert.ok(types.size >= 10, `only ${types.size} types were offered`);
    for (const { id } of world.network.subnets)
      assert.ok(params.includes(id), `subnet ${id} was not offered`);
  });

  test('a pod that comes back within the TTL keeps the node', async () => {
    await untilNodeEmpty();
    await sleep(20_000);
    await world.kube.scale('web', 'nginx', 10);
    await world.untilRunning('web', 10, 30_000);
    await holdsFor(async () => (await terminationCallMs(world, instanceId)) === null, {
      durationMs: 20_000,
      what: 'the instance is not terminated',
    });
    assert.equal((await world.moto.instances()).length, 1);
  });

  test('the instance is terminated between 30 s and 45 s after its node became empty', async () => {
    const emptyAtMs = await untilNodeEmpty();
    const calledAtMs = await world.until(() => terminationCallMs(world, instanceId), {
      what: 'TerminateInstances',
      timeoutMs: 60_000,
    });
    const seconds = (calledAtMs - emptyAtMs) / 1000;
    // Controller and test get the same event at times that differ by what the machine's load makes of it.
    assert.ok(seconds >= 29.9 && seconds <= 45, `terminated after ${seconds} s`);
  });

  test('nothing is left: no instance, no claim, no node but the static one', async () => {
    const gone = async (): Promise<boolean> => {
      const claims = await world.kube.list('/apis/karpenter.sh/v1/nodeclaims');
      const nodes = await world.nodes();
      return claims.length === 0 && nodes.length === 1 && (await world.moto.liveInstances()).length === 0;
    };
    await world.until(gone, { what: 'claim, node and instance to be gone', timeoutMs: 30_000 });
    await world.untilRunning('web', 1, 10_000);
    assert.deepEqual(world.kubelet.problems, []);
  });
});
