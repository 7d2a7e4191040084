import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { ProblemMessage, SolveMessage } from '../../src/planner/messages.ts';
import { ProblemReceiver } from '../../src/planner/problemReceiver.ts';
import { ProblemSender } from '../../src/planner/problemSender.ts';
import type { PlanProblem } from '../../src/ports/planner.ts';
import { aBoundPod, aNode, anInstanceType, aPod, aProvisioner, aSnapshot, somePods } from '../builders.ts';

const OWNER = { kind: 'ReplicaSet', name: 'web', uid: 'uid-web' };
const TYPES = [anInstanceType(), anInstanceType({ name: 'm5.xlarge', cpuMillis: 4000 })];

function aProblem(snapshot: ClusterSnapshot, fields: Partial<PlanProblem> = {}): PlanProblem {
  const catalogue = new Map([['default', TYPES]]);
  const pods = snapshot.pods.filter(({ nodeName }) => nodeName === '');
  return { snapshot, catalogue, pods, nominated: new Map([['default/a-0', 'n1']]), budgetMs: 200, ...fields };
}

/** Both sides, with messages copied on the way as between threads. */
class Wire {
  readonly messages: ProblemMessage[] = [];
  /** New pods and objects in each turn of the sender. */
  readonly freshByTurn: number[] = [0];
  readonly #receiver = new ProblemReceiver();
  readonly #sender = new ProblemSender(
    (message) => this.#deliver(structuredClone(message)),
    async () => {
      this.freshByTurn.push(0);
    },
  );
  #asked: SolveMessage | null = null;

  async pass(problem: PlanProblem): Promise<PlanProblem> {
    this.messages.length = 0;
    await this.#sender.send(problem);
    assert.ok(this.#asked !== null);
    return this.#receiver.problem(this.#asked);
  }

  /** How many objects of each list were told in the last pass. */
  told(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const message of this.messages) {
      if (message.kind === 'news')
        counts[message.news.list] = (counts[message.news.list] ?? 0) + fresh(message);
    }
    return counts;
  }

  #deliver(message: ProblemMessage): void {
    this.messages.push(message);
    if (message.kind === 'solve') {
      this.#asked = message;
      return;
    }
    if (message.kind === 'decide') return;
    const turn = this.freshByTurn.length - 1;
    this.freshByTurn[turn] = (this.freshByTurn[turn] ?? 0) + fresh(message);
    this.#receiver.take(message);
  }
}

function fresh(message: ProblemMessage & { readonly kind: 'news' }): number {
  const { parts } = message.news;
  return parts.reduce((sum, part) => sum + (part.kind === 'fresh' ? part.items.length : 0), 0);
}

const CLUSTER = aSnapshot({
  provisioners: [aProvisioner()],
  nodes: [aNode({ name: 'n1' })],
  pods: [
    ...somePods(3, { name: 'a', labels: { app: 'a' }, owner: OWNER }),
    aPod({ name: 'b', annotations: { 'karpenter.sh/do-not-evict': 'true' }, deletionRequestedAtMs: 5 }),
    aBoundPod('n1', { name: 'c', mirror: true, schedulingGated: true, nominatedNodeName: 'n2' }),
  ],
});

test('a problem arrives as it was sent', async () => {
  const wire = new Wire();
  const problem = aProblem({ ...CLUSTER, takenAtMs: 7 });
  assert.deepEqual(await wire.pass(problem), problem);
});

test('what has not changed is not sent again, and keeps its identity', async () => {
  const wire = new Wire();
  const first = await wire.pass(aProblem(CLUSTER));
  const late = aPod({ name: 'late', cpuMillis: 700 });
  const next = aProblem({ ...CLUSTER, pods: [...CLUSTER.pods, late] });
  const second = await wire.pass(next);
  assert.deepEqual(second, next);
  assert.deepEqual(wire.told(), { pods: 1, wanted: 1 });
  assert.equal(second.snapshot.nodes, first.snapshot.nodes);
  assert.equal(second.catalogue.get('default'), first.catalogue.get('default'));
});

test('a price that changes sends that type alone', async () => {
  const wire = new Wire();
  await wire.pass(aProblem(CLUSTER));
  const types = [TYPES[0] ?? anInstanceType(), anInstanceType({ name: 'm5.xlarge', usdPerHour: 9 })];
  const problem = aProblem(CLUSTER, { catalogue: new Map([['default', types]]) });
  assert.deepEqual(await wire.pass(problem), problem);
  assert.deepEqual(wire.told(), { default: 1, wanted: 0 });
});

test('a Provisioner that has gone takes its types with it, and brings them when it comes back', async () => {
  const wire = new Wire();
  await wire.pass(aProblem(CLUSTER));
  const without = aProblem(CLUSTER, { catalogue: new Map() });
  assert.deepEqual(await wire.pass(without), without);
  const again = aProblem(CLUSTER);
  assert.deepEqual(await wire.pass(again), again);
});

test('pods of one spec share it on the other side, also when they are sent one after the other', async () => {
  const wire = new Wire();
  const pods = somePods(3, { name: 'a', labels: { app: 'a' }, owner: OWNER });
  await wire.pass(aProblem({ ...CLUSTER, pods: pods.slice(0, 1) }));
  const { snapshot, pods: wanted } = await wire.pass(aProblem({ ...CLUSTER, pods }));
  const all = [...snapshot.pods, ...wanted];
  assert.equal(new Set(all.map(({ spec }) => spec)).size, 1);
  assert.equal(new Set(all.map(({ labels }) => labels)).size, 1);
  assert.equal(new Set(all.map(({ owner }) => owner)).size, 1);
});

test('a large cluster is told in many turns', async () => {
  const wire = new Wire();
  const nodes = Array.from({ length: 1_000 }, (_, index) => aNode({ name: `n${index}` }));
  const problem = aProblem({ ...CLUSTER, nodes, pods: somePods(10_000, { name: 'a' }) });
  assert.deepEqual(await wire.pass(problem), problem);
  assert.ok(Math.max(...wire.freshByTurn) <= 2_000, 'at most 2,000 objects in a turn');
  assert.ok(wire.freshByTurn.length > 10);
});
