// From pods that wait to NodeClaims stored: one batch, one plan, carried out.
import { displacedPods } from '../disruption/displaced.ts';
import type { Refusal, SchedulingPlan } from '../model/plan.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { Ports } from '../ports/ports.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { awaitingPreemption } from '../scheduling/provisionable.ts';
import { type CatalogueReading, explained, readCatalogue } from './catalogue.ts';
import { launchLeaves, withoutPaused } from './launchPauses.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import { groundOf, isSameGround, waitsForHours } from './offHoursRest.ts';
import { carryOut, type Provisioning, placedPods } from './plannedLaunches.ts';
import { tellRefused } from './provisioningEvents.ts';
import type { ProvisioningMemory } from './provisioningMemory.ts';
import { targetsBefore } from './schedulerNominations.ts';

/**
 * Plans for the pods that wait and for those about to lose their node, once the batch window has closed, and stores
 * a NodeClaim for each planned node.
 * Launching is not done here: a stored claim is launched by its lifecycle, after a crash too.
 */
export async function provision(ports: Ports, provisioning: Provisioning): Promise<NextRun> {
  const { live, memory } = provisioning;
  const startedAtMs = ports.clock.nowMs();
  if (memory.dueAtMs() > startedAtMs) return untilDue(memory, startedAtMs);
  memory.beginPass(startedAtMs);
  const waiting = waitingKeys(live, memory, startedAtMs);
  const displaced = displacedPods(live.snapshot()).pods.map(podKey);
  const keys = [...waiting, ...displaced];
  ports.telemetry.metrics.gauge('cooper_pods_waiting', {}, waiting.length);
  if (keys.length === 0) {
    memory.restsOn = [];
    return WHEN_CHANGED;
  }
  const sold = withoutRejected(await readCatalogue(ports.cloud, live.snapshot()), memory, startedAtMs);
  await memory.failures.learnImages(ports, live.snapshot());
  const leaves = launchLeaves(live.snapshot(), memory.failures);
  const reading = withoutPaused(sold, leaves, { evenOne: true });
  const pods = keys.flatMap((key) => live.get('pod', key) ?? []);
  const ground = groundOf(live.snapshot(), reading.catalogue, pods);
  if (isSameGround(ground, memory.restsOn)) return untilDue(memory, ports.clock.nowMs());
  const pass: Pass = { reading, refusals: [], placed: new Set(), plansLeft: PLANS_MOST };
  await planAndCarryOut(ports, provisioning, keys, pass);
  memory.restsOn = waitsForHours(pass.refusals, keys.length) ? ground : [];
  ports.telemetry.metrics.gauge('cooper_pods_refused', {}, pass.refusals.length);
  await tellRefused(ports, live, memory, pass.refusals);
  return untilDue(memory, ports.clock.nowMs());
}

/** Keys of the pods that wait for capacity, without those that the kube-scheduler makes room for itself. */
function waitingKeys(live: LiveState, memory: ProvisioningMemory, nowMs: number): readonly string[] {
  const keys = [...memory.waiting().keys()];
  const pods = keys.flatMap((key) => live.get('pod', key) ?? []);
  const left = awaitingPreemption(pods, live.snapshot(), (pod) => memory.mayPreempt(pod, nowMs));
  return left.size === 0 ? keys : keys.filter((key) => !left.has(key));
}

/** One planning pass: what it may buy, what it has refused, and how many more plans it may make. */
interface Pass {
  readonly reading: CatalogueReading;
  readonly refusals: Refusal[];
  /** Keys of the pods that it has found a place for. */
  readonly placed: Set<string>;
  plansLeft: number;
}

/** A pass whose plans keep failing their check ends after so many; the rest is tried again in the next one. */
const PLANS_MOST = 40;
/** A plan that was not made may have taken its whole deadline: it uses up this many more. */
const FAILURE_COSTS_PLANS = 9;

/**
 * Plans for these pods against the cluster as it is now. When no plan passes its check, each half is planned by
 * itself, so that one pod that cannot be planned does not keep all the others waiting.
 */
async function planAndCarryOut(
  ports: Ports,
  provisioning: Provisioning,
  keys: readonly string[],
  pass: Pass,
): Promise<void> {
  const { live, memory } = provisioning;
  const { snapshot, pods: displaced } = displacedPods(live.snapshot());
  // Those placed by an earlier part of this pass are on no node yet: without them its nodes would look empty.
  const wanted = new Set([...keys, ...pass.placed]);
  const waiting = [...wanted]
    .flatMap((key) => live.get('pod', key) ?? [])
    .filter((pod) => pod.nodeName === '');
  const pods = [...waiting, ...displaced.filter((pod) => wanted.has(podKey(pod)))];
  if (pods.length === 0 || pass.plansLeft <= 0) return;
  const leaving = new Map(displaced.map(podKey).map((key) => [key, live.get('pod', key)?.nodeName ?? '']));
  const attempt = await checkedPlan(ports, provisioning, { snapshot, pods }, pass);
  if (attempt.kind === 'passed') {
    const plan = stillWanted(attempt.plan, { live, memory }, leaving);
    const refused = plan.refusals.filter(({ pod }) => !pass.placed.has(pod));
    for (const refusal of refused) pass.refusals.push(explained(refusal, pass.reading.notReady));
    for (const pod of placedPods(plan)) pass.placed.add(pod);
    await carryOut(ports, provisioning, { plan, snapshot, catalogue: pass.reading.catalogue });
    return;
  }
  const [only] = keys;
  if (only !== undefined && keys.length === 1) {
    pass.refusals.push(notPlanned(only, attempt.reason));
    return;
  }
  const middle = Math.ceil(keys.length / 2);
  await planAndCarryOut(ports, provisioning, keys.slice(0, middle), pass);
  await planAndCarryOut(ports, provisioning, keys.slice(middle), pass);
}

/**
 * The plan without the pods that have ceased to wait while it was made: bound, deleted, gated.
 * @param leaving nodes by key of the pods that were planned for although they are bound, since their node goes
 */
function stillWanted(
  plan: SchedulingPlan,
  { live, memory }: Pick<Provisioning, 'live' | 'memory'>,
  leaving: ReadonlyMap<string, string>,
): SchedulingPlan {
  const isWanted = (key: string): boolean => {
    const pod = live.get('pod', key);
    if (pod === undefined) return false;
    if (memory.waiting().has(key)) return true;
    if (pod.nodeName !== '') return pod.nodeName === leaving.get(key);
    // Made again under its name, and not seen by the kube-scheduler yet.
    return leaving.has(key) && pod.deletionRequestedAtMs === null;
  };
  return {
    ...plan,
    nodeClaims: plan.nodeClaims.filter(({ pods }) => pods.some(isWanted)),
    nominations: plan.nominations.filter(({ pod }) => isWanted(pod)),
  };
}

function notPlanned(pod: string, reason: string): Refusal {
  return { pod, code: 'NotPlanned', provisioner: '', reason, nearest: '' };
}

type Attempt =
  | { readonly kind: 'passed'; readonly plan: SchedulingPlan }
  | { readonly kind: 'none'; readonly reason: string };

/**
 * A plan that has passed the independent check. One that fails it is never carried out: it is counted and dumped, and
 * the first plan without improvement is tried in its place. None when that fails too, or when no plan can be made.
 */
async function checkedPlan(
  { clock, planner, telemetry }: Ports,
  provisioning: Provisioning,
  { snapshot, pods }: { readonly snapshot: ClusterSnapshot; readonly pods: readonly Pod[] },
  pass: Pass,
): Promise<Attempt> {
  const { metrics, log } = telemetry;
  const startedAtMs = clock.nowMs();
  const nominated = targetsBefore(provisioning, snapshot, pods);
  const { catalogue } = pass.reading;
  const { settings } = provisioning;
  for (const budgetMs of settings.planBudgetMs > 0 ? [settings.planBudgetMs, 0] : [0]) {
    pass.plansLeft -= 1;
    const outcome = await planner.plan({ snapshot, catalogue, pods, nominated, budgetMs });
    if (outcome.kind === 'passed') {
      tellPlanned(telemetry, pods.length, outcome.plan, (clock.nowMs() - startedAtMs) / 1000);
      return outcome;
    }
    if (outcome.kind === 'failed') {
      pass.plansLeft -= FAILURE_COSTS_PLANS;
      metrics.count('cooper_plans_failed_total', {});
      log.error({ pods: pods.length, budgetMs, reason: outcome.reason }, 'no plan was made');
      return { kind: 'none', reason: outcome.reason };
    }
    const { violations, dump } = outcome;
    metrics.count('cooper_plan_violations_total', {});
    log.error({ violations: violations.slice(0, 5), budgetMs, dump }, 'plan failed its check');
  }
  return {
    kind: 'none',
    reason: 'no plan for the pod passes its check, which is a fault of Cooper; see its log',
  };
}

function tellPlanned(telemetry: Telemetry, pods: number, plan: SchedulingPlan, seconds: number): void {
  telemetry.metrics.observe('karpenter_allocation_controller_scheduling_duration_seconds', {}, seconds);
  const facts = {
    pods,
    nodeClaims: plan.nodeClaims.length,
    nominations: plan.nominations.length,
    refusals: plan.refusals.length,
    usdPerHour: plan.usdPerHour,
    lowerBoundUsdPerHour: plan.lowerBoundUsdPerHour,
    seconds,
  };
  telemetry.log.info(facts, 'pods planned');
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

function untilDue(memory: ProvisioningMemory, nowMs: number): NextRun {
  return { afterMs: Math.max(0, memory.dueAtMs() - nowMs) };
}
