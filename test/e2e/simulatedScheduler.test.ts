// The simulated kube-scheduler beside the real one: the same 200 random clusters, the same node for every pod.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { KubeScheduler } from '../../src/simulator/kubeScheduler.ts';
import { NodeLedger } from '../../src/simulator/nodeLedger.ts';
import { ObjectStore } from '../../src/simulator/objectStore.ts';
import { Random } from '../../src/simulator/random.ts';
import { VirtualClock } from '../../src/simulator/virtualClock.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import type { RawObject } from './harness/rawObjects.ts';
import { type Stage, startStage } from './harness/stage.ts';
import { type Draw, drawCluster, LATE_CLASS } from './placement/schedulerDraws.ts';

const DRAWS = 200;
/** Another number draws other clusters: the comparison must hold for all. */
const SEED = process.env.COOPER_DRAW_SEED ?? '1';

/** Where the real scheduler put a pod: a node's name, or null when it found none. */
interface Judgement {
  readonly pod: Pod;
  readonly node: string | null;
}

/** How the simulated scheduler's answer for one pod compares with the real one's. */
type Comparison = 'same node' | 'both pending' | 'tie' | { readonly difference: string };

describe('the simulated kube-scheduler', { skip: await reasonToSkip() }, () => {
  const draws = Array.from({ length: DRAWS }, (_, at) => {
    const name = `d${at}`;
    return drawCluster(name, new Random(`${SEED}/${name}`));
  });
  const judgements = new Map<string, Judgement[]>(draws.map(({ name }) => [name, []]));
  let stage: Stage;
  /** The cluster before the first pod came. */
  let start: ClusterSnapshot;

  before(
    async () => {
      stage = await startStage();
      const namespaces = draws.flatMap(({ name }) =>
        [name, `${name}-other`].map((namespace) => [namespace, { of: name }] as const),
      );
      await stage.createNamespaces(new Map(namespaces));
      await furnish(stage, draws);
      start = stage.state.snapshot(0);
      const longest = Math.max(...draws.map(({ pods }) => pods.length));
      for (let round = 0; round < longest; round += 1) {
        await askReal(
          stage,
          draws.flatMap((draw) => draw.pods[round] ?? []),
          judgements,
        );
      }
    },
    { timeout: 20 * 60_000 },
  );
  after(() => stage?.stop());

  it('puts every pod where the real one does, or where the real one sees no difference', () => {
    const counts = { 'same node': 0, 'both pending': 0, tie: 0 };
    const differences: string[] = [];
    for (const draw of draws) {
      for (const comparison of replayed(draw, start, judgements.get(draw.name) ?? [])) {
        if (typeof comparison === 'string') counts[comparison] += 1;
        else differences.push(comparison.difference);
      }
    }
    console.error(`${draws.length} clusters: ${JSON.stringify(counts)}, ${differences.length} differences`);
    assert.deepEqual(differences, []);
    assert.ok(counts['same node'] > 300, 'most pods have one best node');
    assert.ok(counts['both pending'] > 50, 'many pods fit nowhere');
  });

  it('saw nothing go wrong beside', () => assert.deepEqual(stage.problems, []));
});

async function furnish(stage: Stage, draws: readonly Draw[]): Promise<void> {
  const storageClass = {
    kind: 'StorageClass',
    metadata: { name: LATE_CLASS },
    provisioner: 'ebs.csi.aws.com',
    volumeBindingMode: 'WaitForFirstConsumer',
  };
  const objects = [storageClass, ...draws.flatMap(({ cluster }) => cluster)];
  const of = (...kinds: string[]): RawObject[] => objects.filter(({ kind }) => kinds.includes(kind));
  await stage.create(of('Node', 'StorageClass', 'PersistentVolume', 'CSINode'));
  await stage.create(of('PersistentVolumeClaim', 'Pod'));
  await stage.until('the watches to catch up', () => {
    const { nodes, pods, csiNodes, persistentVolumes, persistentVolumeClaims } = stage.state.snapshot(0);
    const seen = [nodes, pods, csiNodes, persistentVolumes, persistentVolumeClaims].map(
      (kind) => kind.length,
    );
    const kinds = ['Node', 'Pod', 'CSINode', 'PersistentVolume', 'PersistentVolumeClaim'];
    return kinds.every((kind, at) => (seen[at] ?? 0) >= of(kind).length);
  });
  await stage.untilClaimsBound();
}

/** Lets the real scheduler judge one pod of each cluster; those that fit nowhere go again, so that none comes late. */
async function askReal(
  stage: Stage,
  pods: readonly RawObject[],
  judgements: ReadonlyMap<string, Judgement[]>,
): Promise<void> {
  await stage.create(pods);
  const keys = pods.map(({ metadata }) =>
    podKey({ namespace: metadata.namespace ?? '', name: metadata.name }),
  );
  const judged = (): readonly Pod[] =>
    keys.flatMap((key) => {
      const pod = stage.state.get('pod', key);
      return pod !== undefined && (pod.nodeName !== '' || pod.unschedulableSinceMs !== null) ? [pod] : [];
    });
  const waiting = (): readonly string[] => {
    const done = new Set(judged().map(podKey));
    return keys.filter((key) => !done.has(key));
  };
  await stage
    .until('the pods to be judged', () => judged().length === keys.length, 60_000)
    .catch((error: unknown) => assert.fail(`${String(error)}: ${waiting().join(' ')}`));
  const settled = judged();
  for (const pod of settled) {
    const node = pod.nodeName === '' ? null : pod.nodeName;
    judgements.get(pod.namespace.replace('-other', ''))?.push({ pod, node });
  }
  const pending = settled.filter(({ nodeName }) => nodeName === '');
  await stage.delete(pending.map(({ namespace, name }) => `/api/v1/namespaces/${namespace}/pods/${name}`));
}

/** Gives one cluster to the simulated scheduler, pod by pod; ties go on as the real one broke them. */
function replayed(draw: Draw, start: ClusterSnapshot, judgements: readonly Judgement[]): Comparison[] {
  const clock = new VirtualClock(0);
  const store = new ObjectStore();
  const ledger = new NodeLedger(store);
  const scheduler = new KubeScheduler({ clock, store, ledger });
  fill(store, draw, start);
  return judgements.map(({ pod, node }) => {
    const key = podKey(pod);
    const fresh = { ...pod, nodeName: '', unschedulableSinceMs: null };
    const ranked = scheduler.rank(fresh);
    store.put('pod', key, fresh);
    clock.advanceTo(clock.nowMs() + 2000);
    const bound = store.get('pod', key)?.nodeName ?? '';
    if (node === null) store.remove('pod', key);
    else if (node !== bound) store.put('pod', key, { ...pod, nodeName: node });
    const answer = bound === '' ? null : bound;
    if (answer === node) return node === null ? 'both pending' : 'same node';
    const top = Math.max(...ranked.map(({ score }) => score));
    if (answer !== null && ranked.some(({ name, score }) => name === node && score === top)) return 'tie';
    const table = ranked.map(({ name, score }) => `${name} ${score}`).join(', ');
    return {
      difference: `${key}: real ${node}, simulated ${answer} of [${table}] ${JSON.stringify(pod.spec)}`,
    };
  });
}

function fill(store: ObjectStore, { name }: Draw, start: ClusterSnapshot): void {
  const isOwn = (namespace: string): boolean => namespace === name || namespace === `${name}-other`;
  for (const one of start.storageClasses) store.put('storageClass', one.name, one);
  for (const one of start.persistentVolumes) store.put('persistentVolume', one.name, one);
  for (const one of start.namespaces) store.put('namespace', one.name, one);
  for (const one of start.csiNodes) store.put('csiNode', one.name, one);
  for (const one of start.persistentVolumeClaims) {
    if (isOwn(one.namespace)) store.put('persistentVolumeClaim', `${one.namespace}/${one.name}`, one);
  }
  for (const one of start.nodes) {
    if (one.labels['example.com/draw'] === name) store.put('node', one.name, one);
  }
  for (const one of start.pods) if (isOwn(one.namespace)) store.put('pod', podKey(one), one);
}
