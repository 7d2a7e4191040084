// A Deployment under a disruption budget stays up while its nodes go, for whatever reason they go.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from './harness/kube.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import { type Readiness, watchReadiness } from './harness/readiness.ts';
import { addFullStaticNode, deployment, provisioner, startStory } from './harness/story.ts';
import type { World } from './harness/world.ts';

const NODE_CLAIMS = '/apis/karpenter.sh/v1/nodeclaims';
const REPLICAS = 6;
/** Two pods to a node. */
const SIZE = { cpu: '800m', memory: '256Mi' };
const REQUIREMENTS = [
  { key: 'karpenter.sh/capacity-type', operator: 'In', values: ['on-demand'] },
  { key: 'karpenter.k8s.aws/instance-size', operator: 'In', values: ['large'] },
];

describe('availability', { skip: await reasonToSkip() }, () => {
  let world: World;
  let readiness: Readiness;

  before(async () => {
    world = await startStory({ namespaces: ['web', 'other'] });
    world.controller.start();
    await addFullStaticNode(world);
    readiness = watchReadiness(world, 'web');
  });
  after(async () => {
    readiness.stop();
    await world.stop();
  });

  async function claimUids(): Promise<readonly string[]> {
    return (await world.kube.list<KubeObject>(NODE_CLAIMS)).map(({ metadata }) => metadata.uid);
  }

  /** Waits until none of these claims is left; five pods must have been ready at every moment. */
  async function untilGone(uids: readonly string[], timeoutMs: number): Promise<void> {
    const isOver = async (): Promise<boolean> => !(await claimUids()).some((uid) => uids.includes(uid));
    await world.until(isOver, { what: 'all nodes to be replaced', timeoutMs });
    const fewest = readiness.fewest();
    assert.ok(fewest >= REPLICAS - 1, `at one time ${fewest} of ${REPLICAS} pods were ready`);
  }

  test('six pods under a budget of one, beside six others', async () => {
    await world.apply(provisioner({ requirements: REQUIREMENTS, ttlSecondsAfterEmpty: undefined }));
    await world.apply(BUDGET);
    await world.apply(deployment({ name: 'app', namespace: 'web', replicas: REPLICAS, ...SIZE }));
    await world.apply(deployment({ name: 'app', namespace: 'other', replicas: REPLICAS, ...SIZE }));
    await world.untilRunning('web', REPLICAS, 90_000);
    await world.untilRunning('other', REPLICAS, 90_000);
    await readiness.restart(REPLICAS);
  });

  test('five are ready at every moment while the nodes that half the pods have left are consolidated', async () => {
    // Nodes that pods were sent to a moment ago are left alone, and a quiet cluster is looked at again late.
    await sleep(20_000);
    await world.kube.scale('other', 'app', 0);
    await world.untilRunning('other', 0, 60_000);
    const before = (await world.moto.liveInstances()).length;
    const disruption = {
      consolidationPolicy: 'WhenEmptyOrUnderutilized',
      minimumNodeAge: '1s',
      budgets: [{ nodes: '100%' }],
    };
    await world.apply(
      provisioner({ requirements: REQUIREMENTS, ttlSecondsAfterEmpty: undefined, disruption }),
    );
    const half = REPLICAS / 2;
    await world.until(async () => (await world.moto.liveInstances()).length <= half, {
      what: `${before} nodes to become ${half}`,
      timeoutMs: 240_000,
    });
    await world.untilRunning('web', REPLICAS, 90_000);
    const fewest = readiness.fewest();
    assert.ok(fewest >= REPLICAS - 1, `at one time ${fewest} of ${REPLICAS} pods were ready`);
  });

  test('and while all nodes expire at once', async () => {
    const uids = await claimUids();
    assert.ok(uids.length >= 3, `${uids.length} nodes`);
    await world.apply(
      // Shorter, and on a busy machine replacements would expire before all of the old ones have gone.
      provisioner({
        requirements: REQUIREMENTS,
        ttlSecondsAfterEmpty: undefined,
        ttlSecondsUntilExpired: 30,
      }),
    );
    const areLeaving = async (): Promise<boolean> =>
      (await world.kube.list<KubeObject>(NODE_CLAIMS))
        .filter(({ metadata }) => uids.includes(metadata.uid))
        .every(({ metadata }) => metadata.deletionTimestamp !== undefined);
    await world.until(areLeaving, { what: 'all nodes to expire', timeoutMs: 180_000 });
    // Those that come in their place are to stay.
    await world.apply(
      provisioner({
        requirements: REQUIREMENTS,
        ttlSecondsAfterEmpty: undefined,
        ttlSecondsUntilExpired: 86_400,
      }),
    );
    await untilGone(uids, 240_000);
    await world.untilRunning('web', REPLICAS, 90_000);
  });

  test('and while all nodes are replaced because they have drifted', async () => {
    const uids = await claimUids();
    assert.ok(uids.length >= 3, `${uids.length} nodes`);
    const drift = { policy: 'Replace', canary: { nodes: 1, soak: '5s' } };
    const changed = { labels: { generation: 'second' }, disruption: { drift, budgets: [{ nodes: '100%' }] } };
    await world.apply(
      provisioner({ requirements: REQUIREMENTS, ttlSecondsAfterEmpty: undefined, ...changed }),
    );
    await untilGone(uids, 240_000);
    await world.untilRunning('web', REPLICAS, 90_000);
    const nodes = (await world.nodes()).filter(({ metadata }) => metadata.name !== 'static');
    assert.ok(nodes.every(({ metadata }) => metadata.labels?.generation === 'second'));
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
