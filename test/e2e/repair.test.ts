// Node repair on a real control plane: a node whose kubelet falls silent is replaced; of three in ten none is.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KubeObject, NodeObject } from './harness/kube.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import { addFullStaticNode, deployment, eventsAbout, provisioner, startStory } from './harness/story.ts';
import type { World } from './harness/world.ts';

const NODES = 10;
/** The control plane calls a node Unknown 40 s after its last heartbeat, or 50 at most. */
const UNKNOWN_AFTER_MS = 60_000;
const REPAIR_AFTER_MS = 10_000;

describe('node repair', { skip: await reasonToSkip() }, () => {
  let world: World;

  before(async () => {
    world = await startStory({ namespaces: ['web'] });
    world.controller.start();
    await addFullStaticNode(world);
    const requirements = [
      { key: 'karpenter.sh/capacity-type', operator: 'In', values: ['on-demand'] },
      { key: 'node.kubernetes.io/instance-type', operator: 'In', values: ['t3a.medium'] },
    ];
    const disruption = { repair: { policy: 'Replace', after: `${REPAIR_AFTER_MS / 1000}s` } };
    await world.apply(provisioner({ requirements, disruption, ttlSecondsAfterEmpty: undefined }));
    const fields = { name: 'app', namespace: 'web', replicas: NODES, cpu: '1500m', memory: '128Mi' };
    const manifest = JSON.parse(deployment(fields));
    manifest.spec.template.spec.terminationGracePeriodSeconds = 0;
    await world.apply(JSON.stringify(manifest));
    await world.untilRunning('web', NODES, 90_000);
    await world.until(async () => (await ownNodes()).every(isReady), {
      what: 'all nodes to be Ready and initialized',
      timeoutMs: 30_000,
    });
  });
  after(() => world.stop());

  async function ownNodes(): Promise<readonly NodeObject[]> {
    const nodes = await world.nodes();
    return nodes.filter(({ metadata }) => metadata.labels?.['karpenter.sh/provisioner-name'] === 'default');
  }

  function isReady({ metadata, status }: NodeObject): boolean {
    const isInitialized = metadata.labels?.['karpenter.sh/initialized'] === 'true';
    return isInitialized && statusOf({ status } as NodeObject) === 'True';
  }

  function statusOf({ status }: NodeObject): string | undefined {
    return status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  }

  /** Their kubelets say nothing any more; resolves when the control plane has noticed. */
  async function silence(nodes: readonly NodeObject[]): Promise<void> {
    const names = new Set(nodes.map(({ metadata }) => metadata.name));
    for (const name of names) world.kubelet.silence(name);
    const look = async (): Promise<boolean> =>
      (await world.nodes()).every((node) => !names.has(node.metadata.name) || statusOf(node) === 'Unknown');
    await world.until(look, { what: 'silent nodes to be Unknown or gone', timeoutMs: UNKNOWN_AFTER_MS });
  }

  test('one silent node of ten is replaced, and its pod runs elsewhere', async () => {
    const [sick = assert.fail('no node')] = await ownNodes();
    assert.equal((await ownNodes()).length, NODES);
    await silence([sick]);
    await world.until(
      async () => !(await world.nodes()).some(({ metadata }) => metadata.uid === sick.metadata.uid),
      { what: 'the silent node to go', timeoutMs: 90_000 },
    );
    await world.untilRunning('web', NODES, 60_000);
    assert.equal((await world.moto.liveInstances()).length, NODES);
    const told = (await eventsAbout(world, 'NodeClaim')).filter((text) => /^DisruptionUnhealthy/.test(text));
    assert.equal(told.length, 1, told.join('\n'));
    assert.match(told[0] ?? '', /node is unhealthy: Ready is Unknown since \d+ min/);
  });

  test('of three silent nodes in ten none is replaced, and each is told of', async () => {
    await world.until(async () => (await ownNodes()).every(isReady), {
      what: 'all nodes to be Ready',
      timeoutMs: 30_000,
    });
    const sick = (await ownNodes()).slice(0, 3);
    const claims = await claimUids();
    await silence(sick);
    const toldOf = async (): Promise<readonly string[]> =>
      (await eventsAbout(world, 'NodeClaim')).filter((text) => /^Unrepaired: .*of 10 nodes/.test(text));
    await world.until(async () => (await toldOf()).length >= sick.length, {
      what: 'an event about each silent node',
      timeoutMs: 60_000,
    });
    await new Promise((resolve) => setTimeout(resolve, 3 * REPAIR_AFTER_MS));
    assert.deepEqual(await claimUids(), claims, 'NodeClaims came or went');
    const left = new Set((await world.nodes()).map(({ metadata }) => metadata.uid));
    assert.ok(sick.every(({ metadata }) => left.has(metadata.uid)));
  });

  async function claimUids(): Promise<readonly string[]> {
    const claims = await world.kube.list<KubeObject>('/apis/karpenter.sh/v1/nodeclaims');
    return claims
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata }) => metadata.uid)
      .sort();
  }
});
