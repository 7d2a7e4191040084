// A plan carried out: what may still be launched of it is stored, and everybody concerned is told.
import { madeFrom } from '../disruption/drift.ts';
import { isOff } from '../disruption/offHours.ts';
import { CLAIM_ANNOTATION } from '../model/labels.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import type { PlannedNodeClaim, SchedulingPlan } from '../model/plan.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { NodeClaimDraft } from '../ports/kubeApi.ts';
import type { Ports } from '../ports/ports.ts';
import { independently } from './concurrently.ts';
import { brake } from './launchBrake.ts';
import { withLaunchGroups } from './launchGroups.ts';
import { launchLeaves, withinLeaves } from './launchPauses.ts';
import type { LiveState } from './liveState.ts';
import { claimName } from './nodeClaimNames.ts';
import { nominationMs } from './nominations.ts';
import { tellNominated } from './provisioningEvents.ts';
import type { ProvisioningMemory } from './provisioningMemory.ts';
import { type SentPod, tellScheduler } from './schedulerNominations.ts';
import type { ControllerSettings } from './settings.ts';

/** What one provisioning controller works with. */
export interface Provisioning {
  readonly live: LiveState;
  readonly memory: ProvisioningMemory;
  readonly settings: ControllerSettings;
}

/** Keys of all pods that the plan has a place for. */
export function placedPods({ nodeClaims, nominations }: SchedulingPlan): readonly string[] {
  return [...nodeClaims.flatMap(({ pods }) => pods), ...nominations.map(({ pod }) => pod)];
}

/** The client itself repeats what fails in passing; beyond that a claim's creation is tried this often. */
const CREATES_MOST = 3;
const CREATE_AGAIN_MS = 1_000;
/** With more, noting the nominations and grouping the claims take a turn of the event loop each. */
const CLAIMS_IN_ONE_TURN = 500;

interface Planned {
  readonly plan: SchedulingPlan;
  /** What it was made from. */
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
}

/** Stores the plan's claims and notes where each pod is going. */
export async function carryOut(
  ports: Ports,
  provisioning: Provisioning,
  { plan, snapshot, catalogue }: Planned,
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
  const promised = withinLimits(
    ports,
    live,
    withinPauses(ports, provisioning, withinBrake(ports, memory, wanted)),
    catalogue,
  );
  const launched = withLaunchGroups(promised, `${snapshot.takenAtMs}`);
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
  const storeOnce = (planned: PlannedNodeClaim, index: number): Promise<void> =>
    store(planned, index).finally(() => live.promised.takeBack(promised[index] ?? planned));
  await independently(launched, settings.writesAtOnce, storeOnce, ({ spec, pods }, failure) => {
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

/** What limits leave room for beside the replacements that were ordered while the plan was made; the rest waits. */
function withinLimits(
  { telemetry }: Ports,
  live: LiveState,
  planned: readonly PlannedNodeClaim[],
  catalogue: Catalogue,
): readonly PlannedNodeClaim[] {
  const { launched, held } = live.promised.promise(planned, live.snapshot(), catalogue);
  for (const { spec, pods } of held) {
    const facts = { provisioner: spec.provisioner, pods: pods.slice(0, 5), podCount: pods.length };
    telemetry.log.warn(facts, 'launch held back: something else has used the limits up');
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
