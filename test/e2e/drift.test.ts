// A new machine image on a real control plane: a bad one stops after the canary, a good one replaces every node.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DescribeImagesCommand } from '@aws-sdk/client-ec2';
import type { KubeObject } from './harness/kube.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import { type Readiness, watchReadiness } from './harness/readiness.ts';
import {
  addFullStaticNode,
  CHRIS,
  deployment,
  eventsAbout,
  provisioner,
  startStory,
} from './harness/story.ts';
import { holdsFor } from './harness/until.ts';
import type { World } from './harness/world.ts';

const NODE_CLAIMS = '/apis/karpenter.sh/v1/nodeclaims';
const REPLICAS = 6;
/** Two pods to a node. */
const SIZE = { cpu: '800m', memory: '256Mi' };
const TTL_S = 20;

interface ClaimObject extends KubeObject {
  readonly status?: {
    readonly imageID?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
    }[];
  };
}

describe('drift', { skip: await reasonToSkip() }, () => {
  let world: World;
  let readiness: Readiness;
  let images: readonly string[] = [];
  let badImage = '';

  before(async () => {
    world = await startStory({
      namespaces: ['web'],
      controllerEnv: { REGISTRATION_TTL: `${TTL_S}s` },
      kubelet: { registers: ({ imageId }) => imageId !== badImage },
    });
    const { Images = [] } = await world.ec2.send(new DescribeImagesCommand({}));
    images = Images.filter(
      ({ Architecture, Platform }) => Architecture === 'x86_64' && Platform === undefined,
    )
      .flatMap(({ ImageId }) => ImageId ?? [])
      .sort();
    assert.ok(images.length >= 3, `${images.length} images`);
    world.controller.start();
    await addFullStaticNode(world);
    readiness = watchReadiness(world, 'web');
  });
  after(async () => {
    readiness.stop();
    await world.stop();
  });

  async function apply(imageId: string): Promise<void> {
    const template = {
      apiVersion: 'karpenter.k8s.aws/v1alpha1',
      kind: 'AWSNodeTemplate',
      metadata: { name: 'default' },
      spec: {
        subnetSelector: { 'kubernetes.io/cluster/chris': '*' },
        securityGroupSelector: { 'kubernetes.io/cluster/chris': '*' },
        instanceProfile: CHRIS.instanceProfile,
        amiSelector: { 'aws-ids': imageId },
      },
    };
    await world.apply(JSON.stringify(template));
    const requirements = [
      { key: 'karpenter.sh/capacity-type', operator: 'In', values: ['on-demand'] },
      { key: 'karpenter.k8s.aws/instance-size', operator: 'In', values: ['large'] },
    ];
    const drift = { policy: 'Replace', canary: { nodes: 1, soak: '5s' } };
    const disruption = { drift, budgets: [{ nodes: '100%' }] };
    const providerRef = { name: 'default' };
    await world.apply(provisioner({ requirements, disruption, provider: undefined, providerRef }));
  }

  function claims(): Promise<readonly ClaimObject[]> {
    return world.kube.list<ClaimObject>(NODE_CLAIMS);
  }

  async function liveImages(): Promise<readonly string[]> {
    return (await world.moto.liveInstances()).map(({ imageId }) => imageId);
  }

  test('six pods under a budget of one run on three nodes', async () => {
    await apply(images[0] ?? '');
    await world.apply(BUDGET);
    await world.apply(deployment({ name: 'app', namespace: 'web', replicas: REPLICAS, ...SIZE }));
    await world.untilRunning('web', REPLICAS, 90_000);
    await readiness.restart(REPLICAS);
    assert.ok((await claims()).length >= 3);
  });

  test('a bad image costs one node, and the nodes that work are left alone, restarts or not', async () => {
    const old = (await claims()).map(({ metadata }) => metadata.uid).sort();
    badImage = images[1] ?? '';
    await apply(badImage);
    const told = await world.until(
      async () => (await eventsAbout(world, 'Provisioner')).find((text) => text.startsWith('RolloutHalted')),
      { what: 'the rollout to be halted', timeoutMs: TTL_S * 1000 + 60_000 },
    );
    assert.match(told, /has not come up within .* cooper\.sh\/rollout-attempt/);
    await world.until(async () => !(await liveImages()).includes(badImage), {
      what: 'the replacement to be taken back',
      timeoutMs: 30_000,
    });
    await world.controller.restart();
    const boughtBad = async (): Promise<number> =>
      (await world.moto.instances()).filter(({ imageId }) => imageId === badImage).length;
    await holdsFor(async () => (await boughtBad()) === 1, {
      durationMs: 25_000,
      what: 'one instance was ever bought with the bad image',
    });
    const staying = await claims();
    assert.deepEqual(staying.map(({ metadata }) => metadata.uid).sort(), old);
    for (const { status, metadata } of staying) {
      const condition = status?.conditions?.find(({ type }) => type === 'Drifted');
      assert.deepEqual([condition?.status, condition?.reason], ['True', 'ImageDrifted']);
      assert.equal(metadata.deletionTimestamp, undefined);
    }
    assert.equal(readiness.fewest(), REPLICAS);
  });

  test('a good image replaces every node, and five pods are ready at every moment', async () => {
    const good = images[2] ?? '';
    await apply(good);
    const isOver = async (): Promise<boolean> => {
      const live = await liveImages();
      return live.length >= 3 && live.every((imageId) => imageId === good);
    };
    await world.until(isOver, { what: 'all nodes to be replaced', timeoutMs: 180_000 });
    await world.untilRunning('web', REPLICAS, 60_000);
    const fewest = readiness.fewest();
    assert.ok(fewest >= REPLICAS - 1, `at one time ${fewest} of ${REPLICAS} pods were ready`);
  });
});

const BUDGET = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: app, namespace: web }
spec:
  maxUnavailable: 1
  selector: { matchLabels: { app: app } }
`;
