import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inlinePlanner } from '../../src/controllers/inlinePlanner.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { provision } from '../../src/controllers/provisioning.ts';
import { ProvisioningMemory } from '../../src/controllers/provisioningMemory.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import type { ClusterEvent } from '../../src/model/clusterEvent.ts';
import { parseCron } from '../../src/model/cronSchedule.ts';
import type { InstanceType } from '../../src/model/instanceType.ts';
import { nodeClassKey } from '../../src/model/nodeClass.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { EventDraft, KubeApi, NodeClaimDraft } from '../../src/ports/kubeApi.ts';
import type { Planner, PlanOutcome, PlanProblem } from '../../src/ports/planner.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import {
  aBoundPod,
  aNodeClaim,
  aNodeClass,
  anInstanceType,
  anOwnedNode,
  aProvisioner,
  somePods,
} from '../builders.ts';

const NOW_MS = 1_000_000;
const SETTINGS = { ...DEFAULT_SETTINGS, batchIdleMs: 0, batchMaxMs: 0 };

/** One planning pass over pods that wait, with a planner of the test's choosing. */
class Pass {
  readonly problems: PlanProblem[] = [];
  readonly drafts: NodeClaimDraft[] = [];
  readonly events: EventDraft[] = [];
  readonly errors: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly state = new ClusterState();
  /** So many claims are stored without an answer. */
  lostAnswers = 0;
  /** What the cloud sells. */
  types: readonly InstanceType[] = [anInstanceType()];
  nowMs = NOW_MS;
  readonly #memory = new ProvisioningMemory(SETTINGS);
  readonly #ports: Ports;

  constructor(pods: readonly Pod[], answer: (problem: PlanProblem, honest: Planner) => Promise<PlanOutcome>) {
    const provisioner = aProvisioner();
    const nodeClass = aNodeClass();
    assert.equal(nodeClass.key, nodeClassKey(provisioner.nodeClassRef));
    this.state.apply({ type: 'upsert', kind: 'provisioner', key: 'default', object: provisioner });
    this.state.apply({ type: 'upsert', kind: 'nodeClass', key: nodeClass.key, object: nodeClass });
    for (const pod of pods) this.pod(pod);
    const { telemetry, clock } = this.#shell();
    const honest = inlinePlanner(clock, telemetry);
    this.#ports = {
      clock,
      telemetry,
      cloud: {
        instanceTypes: async () => ({ kind: 'found', instanceTypes: this.types }),
      } as Partial<Ports['cloud']> as Ports['cloud'],
      kube: {
        createNodeClaim: async (draft) => {
          this.drafts.push(draft);
          this.lostAnswers -= 1;
          if (this.lostAnswers >= 0) throw new Error('connection reset');
          return { kind: 'written', object: { ...aNodeClaim({ spec: draft.spec }), name: draft.name } };
        },
        publishEvent: async (event) => {
          this.events.push(event);
        },
      } as Partial<KubeApi> as KubeApi,
      planner: {
        plan: (problem) => {
          this.problems.push(problem);
          return answer(problem, honest);
        },
        consolidate: () => assert.fail('nothing is consolidated here'),
        stillPays: () => assert.fail('nothing is consolidated here'),
      },
      journal: { append: () => {}, latest: () => [] },
    };
  }

  pod(pod: Pod): void {
    const event = { type: 'upsert' as const, kind: 'pod' as const, key: podKey(pod), object: pod };
    this.state.apply(event);
    this.#memory.note(event, this.nowMs);
  }

  /** Changes the Provisioner; null deletes it. */
  provisioner(change: Partial<Provisioner> | null, name = 'default'): void {
    const named = { kind: 'provisioner', key: name } as const;
    const event: ClusterEvent =
      change === null
        ? { type: 'delete', ...named }
        : { type: 'upsert', ...named, object: aProvisioner({ name, ...change }) };
    this.state.apply(event);
    this.#memory.note(event, this.nowMs);
  }

  async run(): Promise<this> {
    const live = new LiveState(this.state, this.#ports.clock, () => {});
    await provision(this.#ports, { live, memory: this.#memory, settings: SETTINGS });
    return this;
  }

  get plannedPods(): readonly string[] {
    return this.events.filter(({ reason }) => reason === 'Nominated').map(({ about }) => about.name);
  }

  #shell(): Pick<Ports, 'clock' | 'telemetry'> {
    return {
      clock: { nowMs: () => this.nowMs, sleep: async () => {} },
      telemetry: {
        log: {
          debug: () => {},
          info: () => {},
          warn: () => {},
          error: (_, message) => this.errors.push(message),
        },
        metrics: {
          count: (name) => {
            this.counts[name] = (this.counts[name] ?? 0) + 1;
          },
          gauge: () => {},
          observe: () => {},
        },
        dump: () => 'not kept',
      },
    };
  }
}

const PODS = somePods(4, { name: 'web', cpuMillis: 1900 });
const names = (problem: PlanProblem): string[] => problem.pods.map(({ name }) => name);

test('a plan that passes its check is carried out', async () => {
  const pass = await new Pass(PODS, (problem, honest) => honest.plan(problem)).run();
  assert.equal(pass.problems.length, 1);
  assert.equal(pass.drafts.length, 4);
  assert.deepEqual(pass.plannedPods.toSorted(), ['web-0', 'web-1', 'web-2', 'web-3']);
});

const DAILY = parseCron('@daily');
assert.ok(DAILY);
const OFF = { offHours: [{ schedule: DAILY, durationMs: 86_400_000, timeZone: 'UTC' }] };

const turns: readonly { readonly what: string; readonly change: Partial<Provisioner> | null }[] = [
  { what: 'is suspended', change: { suspended: true } },
  { what: 'is being deleted', change: { deletionRequestedAtMs: NOW_MS } },
  { what: 'goes off', change: OFF },
  { what: 'has gone', change: null },
];
for (const { what, change } of turns) {
  test(`a Provisioner that ${what} while a plan is made buys nothing by it`, async () => {
    const pass: Pass = new Pass(PODS, async (problem, honest) => {
      const outcome = await honest.plan(problem);
      pass.provisioner(change);
      return outcome;
    });
    await pass.run();
    assert.equal(pass.problems.length, 1);
    assert.deepEqual(pass.drafts, []);
  });
}

test('a pod that only a Provisioner that is off could take is told when it is on again', async () => {
  const pass = new Pass(PODS.slice(0, 1), (problem, honest) => honest.plan(problem));
  pass.provisioner(OFF);
  await pass.run();
  assert.deepEqual(pass.drafts, []);
  assert.deepEqual(
    pass.events.map(({ reason, message }) => `${reason}: ${message}`),
    [
      'FailedProvisioning: OffHours: Provisioner default is off for good by its spec.schedule, so nothing is ' +
        'launched',
    ],
  );
});

/** One pod that waits for a Provisioner in its off-hours; a daily window of a minute is open as the test begins. */
async function aNight(): Promise<Pass> {
  const pass = new Pass(PODS.slice(0, 1), (problem, honest) => honest.plan(problem));
  pass.provisioner(UNTIL_00_17);
  await pass.run();
  assert.equal(pass.problems.length, 1);
  return pass;
}

const AT_00_16 = parseCron('16 0 * * *');
assert.ok(AT_00_16);
/** The clock begins at 00:16:40. */
const UNTIL_00_17 = { offHours: [{ schedule: AT_00_16, durationMs: 60_000, timeZone: 'UTC' }] };

test('a pod that waits for the end of off-hours is not planned for again while nothing changes', async () => {
  const pass = await aNight();
  const other = aBoundPod('ip-1', { name: 'other' });
  pass.pod(other);
  for (pass.nowMs += 10_000; pass.nowMs < NOW_MS + 20_000; pass.nowMs += 1_000) await pass.run();
  assert.equal(pass.problems.length, 1, 'nothing that it waits for has changed');
  pass.nowMs = NOW_MS + 30_000;
  await pass.run();
  assert.equal(pass.problems.length, 2, 'the window has ended');
  assert.equal(pass.drafts.length, 1);
});

const stirs: readonly {
  readonly what: string;
  readonly stir: (pass: Pass) => void;
  readonly buys: number;
}[] = [
  { what: 'another Provisioner comes', stir: (pass) => pass.provisioner({}, 'day'), buys: 1 },
  { what: 'its Provisioner comes on early', stir: (pass) => pass.provisioner({ offHours: [] }), buys: 1 },
  { what: 'another pod comes', stir: (pass) => pass.pod(PODS[1] ?? assert.fail()), buys: 0 },
  {
    what: 'the pod changes',
    stir: (pass) => pass.pod({ ...(PODS[0] ?? assert.fail()), labels: { tier: 'web' } }),
    buys: 0,
  },
];
for (const { what, stir, buys } of stirs) {
  test(`in off-hours a pod is planned for again when ${what}`, async () => {
    const pass = await aNight();
    pass.nowMs += 10_000;
    stir(pass);
    await pass.run();
    assert.equal(pass.problems.length, 2);
    assert.equal(pass.drafts.length, buys);
  });
}

test('in off-hours a pod is planned for again when another Provisioner sells something else', async () => {
  const pass = new Pass(PODS.slice(0, 1), (problem, honest) => honest.plan(problem));
  const type = anInstanceType();
  const offerings = type.offerings.map((offering) => ({ ...offering, available: false }));
  pass.types = [{ ...type, offerings }];
  pass.provisioner(UNTIL_00_17);
  pass.provisioner({}, 'spent');
  await pass.run();
  assert.match(pass.events[0]?.message ?? '', /^OffHours/);
  pass.nowMs += 10_000;
  await pass.run();
  assert.equal(pass.problems.length, 1);
  pass.types = [type];
  pass.nowMs += 1_000;
  await pass.run();
  pass.nowMs += 9_000;
  await pass.run();
  assert.equal(pass.problems.length, 2);
  assert.equal(pass.drafts.length, 1);
});

test('a pod that is refused for another reason is planned for again and again beside one that waits', async () => {
  const [pod] = PODS;
  assert.ok(pod);
  const tolerations = [
    { key: 'day', operator: 'Exists' as const, value: '', effect: null, tolerationSeconds: null },
  ];
  const misfit = {
    ...pod,
    ...{ name: 'misfit', uid: 'misfit' },
    spec: { ...pod.spec, requests: { ...pod.spec.requests, cpu: 1_000_000 }, tolerations },
  };
  const pass = new Pass([pod, misfit], (problem, honest) => honest.plan(problem));
  pass.provisioner(UNTIL_00_17);
  pass.provisioner({ taints: [{ key: 'day', value: '', effect: 'NoSchedule' }] }, 'day');
  await pass.run();
  pass.nowMs += 10_000;
  await pass.run();
  assert.equal(pass.problems.length, 2);
});

test('a claim that was stored without an answer is known to the next pass, and stored under one name', async () => {
  const pass = new Pass(PODS.slice(0, 1), (problem, honest) => honest.plan(problem));
  pass.lostAnswers = 2;
  await pass.run();
  assert.equal(pass.drafts.length, 3);
  assert.equal(new Set(pass.drafts.map(({ name }) => name)).size, 1);
  assert.equal(pass.state.snapshot(NOW_MS).nodeClaims.length, 1);
  assert.deepEqual(pass.errors, []);
});

test('a claim that cannot be stored is given up after a few tries', async () => {
  const pass = new Pass(PODS.slice(0, 1), (problem, honest) => honest.plan(problem));
  pass.lostAnswers = 100;
  await pass.run();
  assert.equal(pass.drafts.length, 3);
  assert.deepEqual(pass.errors, ['node claim not stored; its pods are planned for again']);
});

test('a plan that fails its check is counted and not carried out; the first plan is tried in its place', async () => {
  const pass = await new Pass(PODS, async (problem, honest) =>
    problem.budgetMs > 0
      ? { kind: 'violating', violations: ['planted'], dump: 'somewhere' }
      : honest.plan(problem),
  ).run();
  assert.deepEqual(
    pass.problems.map(({ budgetMs }) => budgetMs),
    [DEFAULT_SETTINGS.planBudgetMs, 0],
  );
  assert.equal(pass.counts.cooper_plan_violations_total, 1);
  assert.deepEqual(pass.errors, ['plan failed its check']);
  assert.equal(pass.drafts.length, 4);
});

test('one pod that no plan is right for keeps itself waiting, and is told so', async () => {
  const pass = await new Pass(PODS, async (problem, honest) =>
    names(problem).includes('web-2')
      ? { kind: 'violating', violations: ['planted'], dump: 'somewhere' }
      : honest.plan(problem),
  ).run();
  assert.deepEqual(pass.plannedPods.toSorted(), ['web-0', 'web-1', 'web-3']);
  const refused = pass.events.filter(({ reason }) => reason === 'FailedProvisioning');
  assert.deepEqual(
    refused.map(({ about }) => about.name),
    ['web-2'],
  );
  assert.match(refused[0]?.message ?? '', /^NotPlanned: no plan for the pod passes its check/);
});

test('a batch that cannot be planned is tried in halves, a few times', async () => {
  const reason = 'no plan for 4 pods within 30 s';
  const pass = await new Pass(PODS, async () => ({ kind: 'failed', reason })).run();
  assert.equal(pass.counts.cooper_plans_failed_total, 4);
  assert.equal(pass.problems.length, 4, 'each failure may have taken the whole deadline');
  assert.deepEqual(pass.drafts, []);
  assert.match(pass.events[0]?.message ?? '', /NotPlanned: no plan for 4 pods within 30 s/);
});

test('pods that were bound or deleted while the plan was made get no node', async () => {
  const pass: Pass = new Pass(PODS, async (problem, honest) => {
    const [bound, deleted] = PODS;
    assert.ok(bound !== undefined && deleted !== undefined);
    pass.pod({ ...bound, nodeName: 'elsewhere' });
    pass.state.apply({ type: 'delete', kind: 'pod', key: podKey(deleted) });
    return honest.plan(problem);
  });
  await pass.run();
  assert.equal(pass.drafts.length, 2);
  assert.deepEqual(pass.plannedPods.toSorted(), ['web-2', 'web-3']);
});

test('pods that are being deleted or gated while the plan was made get no node', async () => {
  const pass: Pass = new Pass(PODS, async (problem, honest) => {
    const [leaving, gated] = PODS;
    assert.ok(leaving !== undefined && gated !== undefined);
    pass.pod({ ...leaving, deletionRequestedAtMs: NOW_MS });
    pass.pod({ ...gated, schedulingGated: true });
    return honest.plan(problem);
  });
  await pass.run();
  assert.equal(pass.drafts.length, 2);
  assert.deepEqual(pass.plannedPods.toSorted(), ['web-2', 'web-3']);
});

test('pods of a leaving node that have found another one while the plan was made get no node', async () => {
  const node = anOwnedNode();
  const base = aNodeClaim({ deletionRequestedAtMs: NOW_MS });
  const claim = { ...base, status: { ...base.status, providerId: node.providerId, nodeName: node.name } };
  const owner = { kind: 'StatefulSet', name: 'db', uid: 'db' };
  const bound = ['db-0', 'db-1'].map((name) => aBoundPod(node.name, { name, owner, cpuMillis: 1900 }));
  const pass: Pass = new Pass(PODS.slice(0, 1), async (problem, honest) => {
    const [first] = bound;
    assert.ok(first !== undefined);
    pass.pod({ ...first, uid: 'db-0 again', nodeName: 'elsewhere' });
    return honest.plan(problem);
  });
  pass.state.apply({ type: 'upsert', kind: 'node', key: node.name, object: node });
  pass.state.apply({ type: 'upsert', kind: 'nodeClaim', key: claim.name, object: claim });
  for (const pod of bound) pass.pod(pod);
  await pass.run();
  const planned = pass.problems.flatMap(names).toSorted();
  assert.deepEqual(planned, ['db-0', 'db-1', 'web-0']);
  assert.equal(pass.drafts.length, 2);
});
