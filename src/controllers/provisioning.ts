// From pods that wait to NodeClaims stored: one batch, one plan, carried out.
import { displacedPods } from '../disruption/displaced.ts';
import { madeFrom } from '../disruption/drift.ts';
import { isOff } from '../disruption/offHours.ts';
import { CLAIM_ANNOTATION } from '../model/labels.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import type { PlannedNodeClaim, Refusal, SchedulingPlan } from '../model/plan.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { NodeClaimDraft } from '../ports/kubeApi.ts';
import type { Ports } from '../ports/ports.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { awaitingPreemption } from '../scheduling/provisionable.ts';
import { type CatalogueReading, readCatalogue } from './catalogue.ts';
import { independently } from './concurrently.ts';
import { brake } from './launchBrake.ts';
import { withLaunchGroups } from './launchGroups.ts';
import { launchLeaves, withinLeaves, withoutPaused } from './launchPauses.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import { claimName } from './nodeClaimNames.ts';
import { nominationMs } from './nominations.ts';
import { tellNominated, tellRefused } from './provisioningEvents.ts';
import type { ProvisioningMemory } from './provisioningMemory.ts';
import { type SentPod, targetsBefore, tellScheduler } from './schedulerNominations.ts';
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
export async function provision(ports: Ports, provisioning: Provisioning): Promise<NextRun> {
  const { live, memory } = provisioning;
  const startedAtMs = ports.clock.nowMs();
  if (memory.dueAtMs() > startedAtMs) return untilDue(memory, startedAtMs);
  memory.beginPass(startedAtMs);
  const waiting = waitingKeys(live, memory, startedAtMs);
  const displaced = displacedPods(live.snapshot()).pods.map(podKey);
  const keys = [...waiting, ...displaced];
  ports.telemetry.metrics.gauge('cooper_pods_waiting', {}, waiting.length);
  if (keys.length === 0) return WHEN_CHANGED;
  const sold = withoutRejected(await readCatalogue(ports.cloud, live.snapshot()), memory, startedAtMs);
  const leaves = launchLeaves(live.snapshot(), memory.failures);
  const reading = withoutPaused(sold, leaves, { evenOne: true });
  const pass: Pass = { reading, refusals: [], placed: new Set(), plansLeft: PLANS_MOST };
  await planAndCarryOut(ports, provisioning, keys, pass);
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
    for (const refusal of refused) pass.refusals.push(explained(refusal, pass.reading));
    for (const pod of placedPods(plan)) pass.placed.add(pod);
    await carryOut(ports, provisioning, { plan, snapshot });
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

function placedPods({ nodeClaims, nominations }: SchedulingPlan): readonly string[] {
  return [...nodeClaims.flatMap(({ pods }) => pods), ...nominations.map(({ pod }) => pod)];
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

/** The client itself repeats what fails in passing; beyond that a claim's creation is tried this often. */
const CREATES_MOST = 3;
const CREATE_AGAIN_MS = 1_000;
/** With more, noting the nominations and grouping the claims take a turn of the event loop each. */
const CLAIMS_IN_ONE_TURN = 500;

/** Stores the plan's claims and notes where each pod is going. */
export async function carryOut(
  ports: Ports,
  provisioning: Provisioning,
  { plan, snapshot }: { readonly plan: SchedulingPlan; readonly snapshot: ClusterSnapshot },
): Promise<void> {
  const { live, memory, settings } = provisioning;
  // The next pass must find the nominations of this one.
  const holdMs = Math.max(nominationMs(settings.batchMaxMs), 1.5 * settings.retryMs);
  memory.nominations.nominate(plan.nominations, ports.clock.nowMs(), holdMs);
  if (plan.nodeClaims.length > CLAIMS_IN_ONE_TURN) await ports.clock.sleep(0);
  const wanted = {
    ...plan,
    nodeClaims: plan.nodeClaims.filter((one) => isStillOpen(one, provisioning, ports)),
  };
  const launched = withLaunchGroups(
    withinPauses(ports, provisioning, withinBrake(ports, memory, wanted)),
    `${snapshot.takenAtMs}`,
  );
  const store = async (planned: PlannedNodeClaim, index: number): Promise<void> => {
    const draft = claimDraft(planned, snapshot, index);
    const { object } = await createSurely(ports, draft);
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
  };
  await independently(launched, settings.writesAtOnce, store, ({ spec, pods }, failure) => {
    const facts = { provisioner: spec.provisioner, pods: pods.length, error: String(failure) };
    ports.telemetry.log.error(facts, 'node claim not stored; its pods are planned for again');
  });
  await tellScheduler(ports, provisioning, sentPods(plan));
}

/** False when its Provisioner has gone, was suspended or went off while the plan was made: it buys nothing more. */
function isStillOpen(
  { spec, pods }: PlannedNodeClaim,
  { live }: Provisioning,
  { clock, telemetry }: Ports,
): boolean {
  const owner = live.get('provisioner', spec.provisioner);
  const isOpen =
    owner !== undefined &&
    owner.deletionRequestedAtMs === null &&
    !owner.suspended &&
    !isOff(owner, clock.nowMs());
  if (!isOpen) {
    const facts = { provisioner: spec.provisioner, pods: pods.length };
    telemetry.log.info(facts, 'planned node not launched: its provisioner no longer launches any');
  }
  return isOpen;
}

/** All pods of the plan. Those of a claim just stored are told once its Node is there; an older word is taken back. */
function sentPods({ nominations, nodeClaims, refusals }: SchedulingPlan): readonly SentPod[] {
  const nowhere = [...nodeClaims.flatMap(({ pods }) => pods), ...refusals.map(({ pod }) => pod)];
  return [
    ...nominations.map(({ pod, target }) => ({ pod, target: target.name })),
    ...nowhere.map((pod) => ({ pod, target: '' })),
  ];
}

/**
 * A create that failed may have gone through, and its event may be late: a pass that does not know of the claim would
 * spend the limits twice. The name is the plan's, so that it bears repeating.
 */
export async function createSurely(
  { kube, clock }: Ports,
  draft: NodeClaimDraft,
): ReturnType<Ports['kube']['createNodeClaim']> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await kube.createNodeClaim(draft);
    } catch (failure) {
      if (tries === CREATES_MOST) throw failure;
      await clock.sleep(CREATE_AGAIN_MS);
    }
  }
}

/** The planned nodes that may be launched now; what is held back is said in the log. */
function withinBrake(
  { clock, telemetry }: Ports,
  { brakes }: ProvisioningMemory,
  plan: SchedulingPlan,
): readonly PlannedNodeClaim[] {
  const nowMs = clock.nowMs();
  const isFresh = (pod: string): boolean => brakes.waitMs(pod, nowMs) === 0;
  const placed = placedPods(plan);
  const { launched, held } = brake(plan.nodeClaims, placed.filter(isFresh).length, isFresh);
  for (const { spec, pods } of held) {
    const facts = { provisioner: spec.provisioner, pods: pods.slice(0, 5), podCount: pods.length };
    telemetry.log.warn(facts, 'launch held back: the nodes launched for these pods have not taken them');
    telemetry.metrics.count('cooper_launches_held_back_total', { provisioner: spec.provisioner });
  }
  return launched;
}

/** Of Provisioners whose nodes never came up, one node or none, by what is known as the plan is carried out. */
function withinPauses(
  { telemetry }: Ports,
  { live, memory }: Provisioning,
  planned: readonly PlannedNodeClaim[],
): readonly PlannedNodeClaim[] {
  const { launched, held } = withinLeaves(planned, launchLeaves(live.snapshot(), memory.failures));
  for (const { spec, pods } of held) {
    const facts = { provisioner: spec.provisioner, pods: pods.slice(0, 5), podCount: pods.length };
    telemetry.log.warn(facts, 'launch held back: the last nodes of this Provisioner never came up');
    telemetry.metrics.count('cooper_launches_held_back_total', { provisioner: spec.provisioner });
  }
  return launched;
}

/** The claim to store for a planned node: its name is the same for the same plan. */
export function claimDraft(
  planned: PlannedNodeClaim,
  snapshot: ClusterSnapshot,
  index: number,
): NodeClaimDraft {
  const owner = snapshot.provisioners.find((one) => one.name === planned.spec.provisioner);
  const seed = `${snapshot.takenAtMs}/${index}/${planned.pods.join(',')}`;
  const draft = {
    name: claimName(planned.spec.provisioner, seed),
    spec: planned.spec,
    ownerUid: owner?.uid ?? '',
  };
  const key = nodeClassKey(planned.spec.nodeClassRef);
  const nodeClass = snapshot.nodeClasses.find((one) => one.key === key);
  if (owner === undefined || nodeClass === undefined) return draft;
  return { ...draft, annotations: { [CLAIM_ANNOTATION.madeFrom]: madeFrom(owner, nodeClass) } };
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
  if (refusal.code !== 'NoProvisioner' && refusal.code !== 'NoCapacity') return refusal;
  const [first] = notReady.values();
  const cause = refusal.provisioner === '' ? first : notReady.get(refusal.provisioner);
  if (cause === undefined) return refusal;
  const code = cause.reason === 'OffHours' ? cause.reason : refusal.code;
  return { ...refusal, code, reason: cause.message };
}

function untilDue(memory: ProvisioningMemory, nowMs: number): NextRun {
  return { afterMs: Math.max(0, memory.dueAtMs() - nowMs) };
}
