// Off-hours and the limits beside resources, on a real control plane and EC2 API.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { reasonToSkip } from './harness/prerequisites.ts';
import { addFullStaticNode, deployment, eventsAbout, provisioner, startStory } from './harness/story.ts';
import { holdsFor } from './harness/until.ts';
import type { World } from './harness/world.ts';

const MINUTE_MS = 60_000;

/** A deployment whose pods are apart: one a node, so that nodes are counted by pods. */
function apart(name: string, replicas: number, annotations: Readonly<Record<string, string>> = {}): string {
  const manifest = JSON.parse(deployment({ name, namespace: 'web', replicas, cpu: '100m', memory: '128Mi' }));
  const { template } = manifest.spec;
  template.metadata.annotations = annotations;
  template.spec.nodeSelector = { 'example.com/hours': 'office' };
  template.spec.affinity = {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        {
          topologyKey: 'kubernetes.io/hostname',
          labelSelector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] },
        },
      ],
    },
  };
  return JSON.stringify(manifest);
}

describe('off-hours, limits on nodes and price', { skip: await reasonToSkip() }, () => {
  let world: World;
  const labels = { 'example.com/hours': 'office' };

  before(async () => {
    world = await startStory({ namespaces: ['web'] });
    world.controller.start();
    await addFullStaticNode(world);
  });
  after(() => world.stop());

  async function running(): Promise<readonly string[]> {
    const pods = await world.pods('web');
    return pods.filter(({ status }) => status.phase === 'Running').map(({ metadata }) => metadata.name);
  }

  async function active(): Promise<string> {
    const path =
      'jsonpath={.status.conditions[0].status} {.status.conditions[0].reason}: {.status.conditions[0].message}';
    return world.kubectl(['get', 'provisioner', 'default', '-o', path]);
  }

  async function clear(): Promise<void> {
    await world.kubectl(['-n', 'web', 'delete', 'deployment', '--all', '--wait=false']);
    await world.until(async () => (await world.moto.liveInstances()).length === 0, {
      what: 'the empty nodes to go',
      timeoutMs: 60_000,
    });
  }

  test('limits.resources.nodes and limits.usdPerHour are never passed, in one batch and over several', async () => {
    const limits = { resources: { nodes: 2 } };
    await world.apply(provisioner({ labels, limits, ttlSecondsAfterEmpty: 5 }));
    await world.apply(apart('one', 2));
    await world.apply(apart('two', 3));
    const wordsOf = (word: string) => async () =>
      (await eventsAbout(world, 'Pod')).find(
        (event) => event.includes('LimitExceeded') && event.includes(word),
      );
    await world.until(wordsOf('nodes'), {
      what: 'an event that names the limit on nodes',
      timeoutMs: 90_000,
    });
    await holdsFor(async () => (await world.moto.liveInstances()).length <= 2, {
      durationMs: 15_000,
      what: 'two instances at most',
    });
    await world.until(async () => (await running()).length === 2, {
      what: 'two pods to run',
      timeoutMs: 60_000,
    });
    // A third of what the two cost more is no room for another.
    const price = await world.until(
      async () => {
        const claims = await world.kube.list<{ readonly status?: { readonly usdPerHour?: number | string } }>(
          '/apis/karpenter.sh/v1/nodeclaims',
        );
        return claims.reduce((sum, { status }) => sum + Number(status?.usdPerHour ?? 0), 0);
      },
      { what: 'the price of both', timeoutMs: 30_000 },
    );
    await world.apply(provisioner({ labels, limits: { usdPerHour: price * 1.3 }, ttlSecondsAfterEmpty: 5 }));
    await world.until(wordsOf('may cost'), { what: 'an event that names the price', timeoutMs: 60_000 });
    await holdsFor(async () => (await world.moto.liveInstances()).length <= 2, {
      durationMs: 10_000,
      what: 'two instances at most for that price',
    });
    await world.apply(provisioner({ labels, limits: { usdPerHour: price * 1.5 }, ttlSecondsAfterEmpty: 5 }));
    await world.until(async () => (await running()).length === 3, {
      what: 'a third pod to run once the limit allows it',
      timeoutMs: 60_000,
    });
    await clear();
  });

  test('nodes go when the window opens, pods wait with the reason said, and run again when it closes', async () => {
    // The next window that leaves time to get ready: a minute of the clock, and one minute long.
    const opensAtMs = Math.ceil((Date.now() + 60_000) / MINUTE_MS) * MINUTE_MS;
    const opens = new Date(opensAtMs);
    const start = `${opens.getUTCMinutes()} ${opens.getUTCHours()} * * *`;
    const schedule = { timeZone: 'Etc/UTC', offHours: [{ start, duration: '1m' }] };
    await world.apply(provisioner({ labels, schedule, limits: undefined, ttlSecondsAfterEmpty: 300 }));
    await world.apply(apart('app', 2));
    await world.apply(apart('kept', 1, { 'karpenter.sh/do-not-disrupt': 'true' }));
    await world.untilRunning('web', 3, opensAtMs - Date.now());
    assert.match(await active(), /^True Ready: off from .*:00Z on by spec\.schedule$/);
    const before = (await world.moto.liveInstances()).map(({ id }) => id);
    assert.equal(before.length, 3);
    await world.until(async () => (await world.moto.liveInstances()).length === 1, {
      what: 'all nodes but one to go',
      timeoutMs: opensAtMs - Date.now() + 50_000,
    });
    assert.ok(Date.now() >= opensAtMs, 'nodes went before the window opened');
    assert.match((await running()).join(), /^kept-[^,]*$/);
    const closes = `${new Date(opensAtMs + MINUTE_MS).toISOString().slice(0, 19)}Z`;
    const told = await world.until(
      async () => (await eventsAbout(world, 'Pod')).find((event) => event.includes('OffHours')),
      { what: 'an event on the pods that wait', timeoutMs: 15_000 },
    );
    assert.match(told, new RegExp(`OffHours: Provisioner default is off until ${closes}`));
    const blocked = (await eventsAbout(world, 'NodeClaim')).filter((event) =>
      event.startsWith('DisruptionBlocked'),
    );
    assert.ok(
      blocked.some((event) => /OffHours, but kept: pod web\/kept-/.test(event)),
      blocked.join('\n'),
    );
    assert.match(await active(), /^False OffHours: /);
    await world.untilRunning('web', 3, opensAtMs + MINUTE_MS - Date.now() + 60_000);
    assert.ok(Date.now() >= opensAtMs + MINUTE_MS, 'nodes came before the window closed');
    const now = (await world.moto.liveInstances()).map(({ id }) => id);
    assert.equal(now.filter((id) => before.includes(id)).length, 1);
    assert.equal(now.length, 3);
  });
});
