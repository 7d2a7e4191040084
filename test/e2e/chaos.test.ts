// Runaway scale-up on a real control plane: something taints every new node, one pod waits, five minutes long.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KubeObject, NodeObject } from './harness/kube.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import { addFullStaticNode, deployment, provisioner, startStory } from './harness/story.ts';
import type { World } from './harness/world.ts';

const FIVE_MINUTES_MS = 300_000;
/** Karpenter's own test of this asks for fewer than 35 (kubernetes-sigs/karpenter, test/suites/regression). */
const NODES_MOST = 5;
const OWNER = 'karpenter.sh/provisioner-name';

/** Both play at the same time, on nodes of their own. */
const VARIANTS = [
  {
    name: 'consolidated',
    disruption: { consolidationPolicy: 'WhenEmptyOrUnderutilized', consolidateAfter: '0s' },
  },
  { name: 'emptied', disruption: { consolidationPolicy: 'WhenEmpty', consolidateAfter: '30s' } },
] as const;

/** How many of a variant's objects were there at once, told by every change. */
class Count {
  readonly there = new Set<string>();
  readonly ever = new Set<string>();
  most = 0;

  note(id: string, isThere: boolean): void {
    if (isThere) {
      this.there.add(id);
      this.ever.add(id);
    } else this.there.delete(id);
    this.most = Math.max(this.most, this.there.size);
  }
}

function countsByVariant(): ReadonlyMap<string, Count> {
  return new Map(VARIANTS.map(({ name }) => [name, new Count()]));
}

describe('chaos', { skip: await reasonToSkip() }, () => {
  let world: World;
  const stops: (() => void)[] = [];

  before(async () => {
    world = await startStory({ namespaces: VARIANTS.map(({ name }) => name) });
    world.controller.start();
    await addFullStaticNode(world);
  });
  after(async () => {
    for (const stop of stops) stop();
    await world.stop();
  });

  function watch<T extends KubeObject>(path: string, tell: (type: string, object: T) => void): void {
    const { stop } = world.kube.watch<T>(path, ({ type, object }) => tell(type, object));
    stops.push(stop);
  }

  /** Taints each node of ours as soon as it is there: no pod may come to it or stay on it. */
  function letRogueLoose(tainted: Set<string>): void {
    const taint = { key: 'test', value: 'true', effect: 'NoExecute' };
    watch<NodeObject>('/api/v1/nodes', (type, { metadata, spec }) => {
      if (type === 'DELETED' || metadata.labels?.[OWNER] === undefined) return;
      if (spec.taints?.some(({ key }) => key === taint.key)) return;
      const path = `/api/v1/nodes/${metadata.name}`;
      const written = world.kube.patch(path, { spec: { taints: [taint] } }, 'strategic');
      written.then(
        () => tainted.add(metadata.name),
        () => undefined,
      );
    });
  }

  test('a rogue taints every node, and one pod buys at most five of them in five minutes', async () => {
    const [nodes, claims] = [countsByVariant(), countsByVariant()];
    watch<NodeObject>('/api/v1/nodes', (type, { metadata }) => {
      nodes.get(metadata.labels?.[OWNER] ?? '')?.note(metadata.uid, type !== 'DELETED');
    });
    watch<KubeObject>('/apis/karpenter.sh/v1/nodeclaims', (type, { metadata }) => {
      claims.get(metadata.labels?.[OWNER] ?? '')?.note(metadata.uid, type !== 'DELETED');
    });
    const tainted = new Set<string>();
    letRogueLoose(tainted);
    for (const { name, disruption } of VARIANTS) {
      const labels = { 'example.com/variant': name };
      await world.apply(provisioner({ ttlSecondsAfterEmpty: undefined, labels, disruption }, name));
      const manifest = JSON.parse(
        deployment({ name: 'app', namespace: name, replicas: 1, cpu: '100m', memory: '128Mi' }),
      );
      Object.assign(manifest.spec.template.spec, { nodeSelector: labels, terminationGracePeriodSeconds: 0 });
      await world.apply(JSON.stringify(manifest));
    }
    let mostInstances = 0;
    const endMs = Date.now() + FIVE_MINUTES_MS;
    await world.until(
      async () => {
        const living = await world.moto.liveInstances();
        mostInstances = Math.max(mostInstances, living.length);
        return Date.now() >= endMs;
      },
      { what: 'five minutes to pass', timeoutMs: FIVE_MINUTES_MS + 30_000, intervalMs: 500 },
    );
    const figures = VARIANTS.map(({ name }) => ({
      name,
      nodes: nodes.get(name)?.most ?? 0,
      nodesEver: nodes.get(name)?.ever.size ?? 0,
      claims: claims.get(name)?.most ?? 0,
      claimsEver: claims.get(name)?.ever.size ?? 0,
    }));
    console.log(JSON.stringify({ figures, mostInstances, tainted: tainted.size }));
    for (const one of figures) {
      assert.ok(one.nodesEver > 1, `${one.name}: no second node was bought, so the taint did no harm`);
      for (const count of [one.nodes, one.claims, one.nodesEver, one.claimsEver])
        assert.ok(count <= NODES_MOST, JSON.stringify(one));
    }
    const everBought = figures.reduce((sum, { nodesEver }) => sum + nodesEver, 0);
    assert.equal(tainted.size, everBought, 'nodes that the rogue has tainted');
    assert.ok(mostInstances <= NODES_MOST, `${mostInstances} instances of both together at once`);
    assert.deepEqual(world.kubelet.problems, []);
  });
});
