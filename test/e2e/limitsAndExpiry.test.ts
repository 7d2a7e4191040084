// Limits, expiry and bad input against a real control plane and EC2 API.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { reasonToSkip } from './harness/prerequisites.ts';
import { addFullStaticNode, deployment, eventsAbout, provisioner, startStory } from './harness/story.ts';
import { holdsFor } from './harness/until.ts';
import type { World } from './harness/world.ts';

describe('limits, expiry, bad input', { skip: await reasonToSkip() }, () => {
  let world: World;

  before(async () => {
    world = await startStory({ namespaces: ['web'] });
    world.controller.start();
    await addFullStaticNode(world);
  });
  after(() => world.stop());

  async function liveVcpus(): Promise<number> {
    const shapes = await Promise.all(
      (await world.moto.liveInstances()).map(({ instanceType }) => world.moto.instanceShape(instanceType)),
    );
    return shapes.reduce((sum, { vcpus }) => sum + vcpus, 0);
  }

  async function deleteWorkload(name: string): Promise<void> {
    await world.kubectl(['-n', 'web', 'delete', 'deployment', name, '--wait=false']);
    await world.until(async () => (await world.pods('web')).length === 0, {
      what: 'pods to go',
      timeoutMs: 30_000,
    });
  }

  test('a malformed Provisioner is named with field and mend, and a good one goes on working', async () => {
    // The CRD would refuse it; a schema that is older than the controller would not.
    const crd = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/provisioners.karpenter.sh';
    const strict = await world.kube.get<Record<string, unknown> & { spec: unknown }>(crd);
    assert.ok(strict);
    const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    const lax = [{ op: 'replace', path: '/spec/versions/0/schema/openAPIV3Schema', value: open }];
    await world.kubectl([
      'patch',
      'crd',
      'provisioners.karpenter.sh',
      '--type=json',
      '-p',
      JSON.stringify(lax),
    ]);
    const bad = [{ key: 'karpenter.sh/capacity-type', operator: 'Inn', values: ['spot'] }];
    await world.until(() => world.apply(provisioner({ requirements: bad }, 'broken')), {
      what: 'the open schema to be served',
      timeoutMs: 10_000,
    });
    await world.apply(provisioner({ ttlSecondsAfterEmpty: 5 }));
    await world.apply(
      deployment({ name: 'app', namespace: 'web', replicas: 2, cpu: '200m', memory: '128Mi' }),
    );
    await world.untilRunning('web', 2, 60_000);
    const told = await world.until(
      async () => (await eventsAbout(world, 'Provisioner')).find((event) => event.startsWith('Invalid')),
      { what: 'an event on the malformed Provisioner', timeoutMs: 15_000 },
    );
    assert.match(told, /spec\.requirements\[0\]\.operator.*Inn/);
    const condition = await world.kubectl([
      'get',
      'provisioner',
      'broken',
      '-o',
      'jsonpath={.status.conditions[0]}',
    ]);
    assert.match(condition, /"status":"False"/);
    await world.kubectl(['delete', 'provisioner', 'broken']);
    await deleteWorkload('app');
    await world.until(async () => (await world.moto.liveInstances()).length === 0, {
      what: 'the empty node to go after 5 s',
      timeoutMs: 30_000,
    });
  });

  test('the node that would exceed limits.resources.cpu is not launched, and the event says so', async () => {
    await world.apply(provisioner({ limits: { resources: { cpu: 4 } }, ttlSecondsAfterEmpty: 5 }));
    await world.apply(
      deployment({ name: 'big', namespace: 'web', replicas: 8, cpu: '900m', memory: '256Mi' }),
    );
    const told = await world.until(
      async () => (await eventsAbout(world, 'Pod')).find((event) => event.includes('LimitExceeded')),
      { what: 'an event that names the limit', timeoutMs: 30_000 },
    );
    assert.match(told, /FailedProvisioning: LimitExceeded: .*default.*cpu/);
    await world.until(
      async () => (await world.pods('web')).filter((pod) => pod.status.phase === 'Running').length >= 2,
      { what: 'what fits within the limit to run', timeoutMs: 60_000 },
    );
    await holdsFor(async () => (await liveVcpus()) <= 4, {
      durationMs: 12_000,
      what: 'at most 4 vCPUs are paid for',
    });
    assert.ok((await world.pods('web')).some((pod) => pod.spec.nodeName === undefined));
    await deleteWorkload('big');
    await world.until(async () => (await world.moto.liveInstances()).length === 0, {
      what: 'the empty nodes to go',
      timeoutMs: 40_000,
    });
  });

  test('a pod that selects by instance family is bound: the node carries the labels of its type', async () => {
    await world.apply(provisioner({ ttlSecondsAfterEmpty: 5 }));
    const nodeSelector = {
      'karpenter.k8s.aws/instance-family': 'm5',
      'karpenter.k8s.aws/instance-size': 'large',
    };
    await world.kube.create('/api/v1/namespaces/web/pods', {
      metadata: { name: 'picky', namespace: 'web' },
      spec: {
        nodeSelector,
        containers: [{ name: 'main', image: 'app', resources: { requests: { cpu: '100m' } } }],
      },
    });
    await world.untilRunning('web', 1, 60_000);
    assert.deepEqual(
      (await world.moto.liveInstances()).map(({ instanceType }) => instanceType),
      ['m5.large'],
    );
    await world.kubectl(['-n', 'web', 'delete', 'pod', 'picky', '--wait=false']);
    await world.until(async () => (await world.moto.liveInstances()).length === 0, {
      what: 'the empty node to go',
      timeoutMs: 40_000,
    });
  });

  test('with ttlSecondsUntilExpired: 60 the node is replaced', async () => {
    await world.apply(provisioner({ ttlSecondsUntilExpired: 60, limits: undefined }));
    await world.apply(
      deployment({ name: 'old', namespace: 'web', replicas: 2, cpu: '300m', memory: '128Mi' }),
    );
    await world.untilRunning('web', 2, 60_000);
    const [first] = await world.moto.liveInstances();
    assert.ok(first);
    const node = await world.until(
      async () => (await world.nodes()).find(({ spec }) => spec.providerID?.endsWith(first.id)),
      { what: 'the node', timeoutMs: 10_000 },
    );
    const bornAtMs = Date.parse(node.metadata.creationTimestamp ?? '');
    const ended = await world.until(
      async () =>
        (await world.moto.instances()).find(({ id, state }) => id === first.id && state === 'terminated'),
      { what: 'the expired instance to be terminated', timeoutMs: 100_000 },
    );
    const shutAtMs = ended.history.find(({ state }) => state === 'shutting-down')?.atMs ?? 0;
    assert.ok(shutAtMs - bornAtMs >= 60_000, `gone after ${shutAtMs - bornAtMs} ms`);
    await world.untilRunning('web', 2, 60_000);
    const live = await world.moto.liveInstances();
    assert.equal(live.length, 1);
    assert.notEqual(live[0]?.id, first.id);
  });
});
