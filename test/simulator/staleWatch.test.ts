// A watch that stands still while writes go through: nothing is taken away under pods that it has not told of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podKey } from '../../src/model/pod.ts';
import { CALM } from '../../src/simulator/faults.ts';
import { ALWAYS_AND_AT_REST, watchInvariants } from '../../src/simulator/invariants/all.ts';
import type { Simulation } from '../../src/simulator/simulation.ts';
import { END_MS, START_MS } from '../fuzz/drawSetup.ts';
import { aSmallCluster } from './smallCluster.ts';

const MINUTE_MS = 60_000;
const HELD_UNTIL_MS = START_MS + 9 * MINUTE_MS;

/** Six nodes with a pod each; at five minutes one pod goes for twenty seconds, and the watch of pods stands still. */
async function aStaleCluster(): Promise<Simulation> {
  const simulation = aSmallCluster({}, [
    { atMs: START_MS, replicas: 6 },
    { atMs: START_MS + 5 * MINUTE_MS, replicas: 5 },
    { atMs: START_MS + 5 * MINUTE_MS + 20_000, replicas: 6 },
  ]);
  await simulation.run(START_MS + 5 * MINUTE_MS + 19_000);
  for (const process of simulation.processes) process.holdKindUntil('pod', HELD_UNTIL_MS);
  return simulation;
}

test('a node is not given back as empty while the watch hides the pod that has come to it', async () => {
  const simulation = await aStaleCluster();
  const conclude = watchInvariants(simulation, ALWAYS_AND_AT_REST);
  const left: string[] = [];
  simulation.history.listen(({ kind, subject }) => {
    if (kind === 'ClaimGone' || kind === 'TerminationRequested') left.push(subject);
  });
  await simulation.run(HELD_UNTIL_MS - 1);
  assert.equal(simulation.store.count('nodeClaim'), 6);
  assert.ok([...simulation.store.values('nodeClaim')].every((claim) => claim.deletionRequestedAtMs === null));
  await simulation.run(END_MS);
  assert.deepEqual(left, []);
  assert.deepEqual(conclude(), []);
});

test('a node that is going is drained of the pod that the watch hides, before its instance ends', async () => {
  const simulation = await aStaleCluster();
  const conclude = watchInvariants(simulation, ALWAYS_AND_AT_REST);
  await simulation.run(START_MS + 5 * MINUTE_MS + 40_000);
  const hidden = [...simulation.store.values('pod')].reduce((youngest, pod) =>
    pod.createdAtMs > youngest.createdAtMs ? pod : youngest,
  );
  assert.ok(hidden.ready && hidden.nodeName !== '');
  const claims = [...simulation.store.values('nodeClaim')];
  const claim = claims.find(({ status }) => status.nodeName === hidden.nodeName) ?? assert.fail();
  const evicted: string[] = [];
  const podsAtTheEnd: number[] = [];
  simulation.kube.observe({ evicted: (pod) => void evicted.push(pod) });
  simulation.cloud.observe({
    terminationAsked: ({ nodeName }) =>
      void podsAtTheEnd.push(simulation.ledger.get(nodeName)?.workloadPods ?? 0),
  });
  void simulation.kube.deleteNodeClaim(claim.name, claim.uid);
  await simulation.run(HELD_UNTIL_MS - 1);
  assert.deepEqual([...new Set(evicted)], [podKey(hidden)]);
  assert.deepEqual(new Set(podsAtTheEnd), new Set([0]));
  await simulation.run(END_MS);
  assert.deepEqual(conclude(), []);
});

test('a pod that forbids its eviction while the watch stands still is not evicted', async () => {
  const simulation = aSmallCluster({});
  const conclude = watchInvariants(simulation, ALWAYS_AND_AT_REST);
  await simulation.run(START_MS + 5 * MINUTE_MS);
  for (const process of simulation.processes) process.holdKindUntil('pod', HELD_UNTIL_MS);
  const [claim] = [...simulation.store.values('nodeClaim')];
  const [pod] = [...(simulation.ledger.get(claim?.status.nodeName ?? '')?.pods.values() ?? [])];
  assert.ok(claim !== undefined && pod !== undefined);
  const annotations = { 'karpenter.sh/do-not-evict': 'true' };
  simulation.store.put('pod', podKey(pod), { ...pod, annotations });
  void simulation.kube.deleteNodeClaim(claim.name, claim.uid);
  await simulation.run(END_MS);
  assert.equal(simulation.store.get('pod', podKey(pod))?.uid, pod.uid);
  assert.deepEqual(conclude(), []);
});

test('watches that stand still now and then are got over', async () => {
  const simulation = aSmallCluster({ mishaps: { ...CALM.mishaps, staleWatchMs: 3 * MINUTE_MS } });
  const conclude = watchInvariants(simulation, ALWAYS_AND_AT_REST);
  let held = 0;
  simulation.history.listen(({ kind, subject }) => {
    if (kind === 'Mishap' && subject === 'staleWatch') held += 1;
  });
  await simulation.run(END_MS);
  assert.ok(held > 0);
  assert.deepEqual(conclude(), []);
});
