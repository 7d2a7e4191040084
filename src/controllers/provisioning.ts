// From pods that wait to NodeClaims stored: one batch, one plan, carried out.
import { displacedPods } from '../disruption/displaced.ts';
import type { PlannedNodeClaim, Refusal, SchedulingPlan } from '../model/plan.ts';
import type { Pod } from '../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { NodeClaimDraft } from '../ports/kubeApi.ts';
import type { Ports } from '../ports/ports.ts';
import { checkPlan } from '../scheduling/checker/checkPlan.ts';
import { schedule } from '../scheduling/scheduler.ts';
import { type CatalogueReading, readCatalogue } from './catalogue.ts';
import { concurrently } from './concurrently.ts';
import { brake } from './launchBrake.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import { claimName } from './nodeClaimNames.ts';
import { nominationMs } from './nominations.ts';
import { tellNominated, tellRefused } from './provisioningEvents.ts';
import type { ProvisioningMemory } from './provisioningMemory.ts';
import type { ControllerSettings } from './settings.ts';

/** What one provisioning controller works with. */
export interface Provisioning {
  readonly live: LiveState;
  readonly memory: ProvisioningMemory;
  readonly settings: ControllerSettings;
}

/**
 * Plans for the pods that wait and for those about to lose their node, once the batch window has closed, and stores
 * a NodeClaim for each planned node.
 * Launching is not done here: a stored claim is launched by its lifecycle, after a crash too.
 */
export async function provision(ports: Ports, { live, memory, settings }: Provisioning): Promise<NextRun> {
  const startedAtMs = ports.clock.nowMs();
  if (memory.dueAtMs() > startedAtMs) return untilDue(memory, startedAtMs);
  memory.beginPass(startedAtMs);
  const { snapshot, pods: displaced } = displacedPods(live.snapshot());
  const pods = [...waitingPods(live, memory), ...displaced];
  if (pods.length === 0) return WHEN_CHANGED;
  const reading = withoutRejected(await readCatalogue(ports.cloud, snapshot), memory, startedAtMs);
  const plan = plannedAndChecked(ports, settings, { snapshot, catalogue: reading.catalogue, pods });
  if (plan === null) return untilDue(memory, ports.clock.nowMs());
  const { metrics, log } = ports.telemetry;
  const seconds = (ports.clock.nowMs() - startedAtMs) / 1000;
  metrics.gauge('cooper_pods_waiting', {}, pods.length);
  metrics.gauge('cooper_pods_refused', {}, plan.refusals.length);
  metrics.observe('karpenter_allocation_controller_scheduling_duration_seconds', {}, seconds);
  const facts = {
    pods: pods.length,
    nodeClaims: plan.nodeClaims.length,
    nominations: plan.nominations.length,
    refusals: plan.refusals.length,
    usdPerHour: plan.usdPerHour,
    lowerBoundUsdPerHour: plan.lowerBoundUsdPerHour,
    seconds,
  };
  log.info(facts, 'pods planned');
  await carryOut(ports, { live, memory, settings }, { plan, snapshot });
  tellRefused(
    ports,
    live,
    memory,
    plan.refusals.map((refusal) => explained(refusal, reading)),
  );
  return untilDue(memory, ports.clock.nowMs());
}

interface Problem {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  readonly pods: readonly Pod[];
}

/**
 * A plan that has passed the independent check. One that fails it is never carried out: it is counted and dumped, and
 * the first plan without improvement is tried in its place. Null when that fails too; the pods are planned again later.
 */
function plannedAndChecked(
  { clock, telemetry }: Ports,
  { planBudgetMs }: ControllerSettings,
  problem: Problem,
): SchedulingPlan | null {
  const { snapshot, catalogue, pods } = problem;
  const startedAtMs = clock.nowMs();
  const elapsedMs = (): number => clock.nowMs() - startedAtMs;
  for (const budgetMs of planBudgetMs > 0 ? [planBudgetMs, 0] : [0]) {
    const plan = schedule(snapshot, catalogue, pods, { budgetMs, elapsedMs });
    const violations = checkPlan(snapshot, catalogue, pods, plan);
    if (violations.length === 0) return plan;
    telemetry.metrics.count('cooper_plan_violations_total', {});
    const dump = telemetry.dump('rejected-plan', {
      violations,
      plan,
      pods,
      snapshot,
      catalogue: [...catalogue],
    });
    telemetry.log.error({ violations: violations.slice(0, 5), budgetMs, dump }, 'plan failed its check');
  }
  return null;
}

/** Stores the plan's claims and notes where each pod is going. */
export async function carryOut(
  ports: Ports,
  { live, memory, settings }: Provisioning,
  { plan, snapshot }: { readonly plan: SchedulingPlan; readonly snapshot: ClusterSnapshot },
): Promise<void> {
  const holdMs = nominationMs(settings.batchMaxMs);
  memory.nominations.nominate(plan.nominations, ports.clock.nowMs(), holdMs);
  const launched = withinBrake(ports, memory, plan);
  await concurrently(launched, settings.writesAtOnce, async (planned, index) => {
    const draft = draftOf(planned, snapshot, index);
    const { object } = await ports.kube.createNodeClaim(draft);
    ports.telemetry.metrics.count('cooper_nodeclaims_created_total', {
      provisioner: planned.spec.provisioner,
    });
    const nominations = planned.pods.map((pod) => ({
      pod,
      target: { kind: 'nodeClaim' as const, name: draft.name },
    }));
    const nowMs = ports.clock.nowMs();
    memory.nominations.nominate(nominations, nowMs, holdMs);
    for (const pod of planned.pods) memory.brakes.failed(pod, nowMs);
    live.record({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
    const { instanceType, zone, capacityType, usdPerHour, pods } = planned;
    const facts = { instanceType, zone, capacityType, usdPerHour, pods: pods.length };
    ports.telemetry.log.info({ nodeClaim: draft.name, ...facts }, 'node claim stored');
    const reason = `cheapest node that holds its ${pods.length} pods`;
    ports.journal.append({
      atMs: nowMs,
      kind: 'Provisioned',
      subject: draft.name,
      reason,
      facts: { ...facts, pods },
    });
    tellNominated(ports, live, memory, { planned, name: draft.name });
  });
}

/** The planned nodes that may be launched now; what is held back is said in the log. */
function withinBrake(
  { clock, telemetry }: Ports,
  { brakes }: ProvisioningMemory,
  plan: SchedulingPlan,
): readonly PlannedNodeClaim[] {
  const nowMs = clock.nowMs();
  const isFresh = (pod: string): boolean => brakes.waitMs(pod, nowMs) === 0;
  const placed = [...plan.nodeClaims.flatMap(({ pods }) => pods), ...plan.nominations.map(({ pod }) => pod)];
  const { launched, held } = brake(plan.nodeClaims, placed.filter(isFresh).length, isFresh);
  for (const { spec, pods } of held) {
    const facts = { provisioner: spec.provisioner, pods: pods.slice(0, 5), podCount: pods.length };
    telemetry.log.warn(facts, 'launch held back: the nodes launched for these pods have not taken them');
    telemetry.metrics.count('cooper_launches_held_back_total', { provisioner: spec.provisioner });
  }
  return launched;
}

function draftOf(planned: PlannedNodeClaim, snapshot: ClusterSnapshot, index: number): NodeClaimDraft {
  const owner = snapshot.provisioners.find((one) => one.name === planned.spec.provisioner);
  const seed = `${snapshot.takenAtMs}/${index}/${planned.pods.join(',')}`;
  return { name: claimName(planned.spec.provisioner, seed), spec: planned.spec, ownerUid: owner?.uid ?? '' };
}

function waitingPods(live: LiveState, memory: ProvisioningMemory): readonly Pod[] {
  return [...memory.waiting().keys()].flatMap((key) => live.get('pod', key) ?? []);
}

/** Leaves out Provisioners whose launches were refused a moment ago, and says so in place of "no types". */
function withoutRejected(
  reading: CatalogueReading,
  memory: ProvisioningMemory,
  nowMs: number,
): CatalogueReading {
  const rejected = memory.rejections.waiting(nowMs);
  if (rejected.length === 0) return reading;
  const catalogue = new Map([...reading.catalogue].filter(([name]) => !rejected.includes(name)));
  const notReady = new Map(reading.notReady);
  for (const name of rejected) {
    const message = `Provisioner ${name}: its last launch was refused; see the events on it, it is tried again shortly`;
    notReady.set(name, { reason: 'LaunchRefused', message });
  }
  return { catalogue, notReady };
}

/** A refusal because nothing is on sale is due to what keeps the Provisioner from being served, if anything does. */
function explained(refusal: Refusal, { notReady }: CatalogueReading): Refusal {
  const [first] = notReady.values();
  if (first === undefined || !(refusal.code === 'NoProvisioner' || refusal.code === 'NoCapacity'))
    return refusal;
  const own = notReady.get(refusal.provisioner) ?? first;
  return { ...refusal, reason: own.message };
}

function untilDue(memory: ProvisioningMemory, nowMs: number): NextRun {
  return { afterMs: Math.max(0, memory.dueAtMs() - nowMs) };
}
