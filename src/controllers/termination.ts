// Taking a node away: cordon, drain, terminate the instance, and only then let its records go.
import { DISRUPTED_TAINT, type DrainStep, nextDrainStep } from '../disruption/evictable.ts';
import { LABEL, TERMINATION_FINALIZER } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { Instance } from '../ports/cloudProvider.ts';
import type { Ports } from '../ports/ports.ts';
import type { Backoff } from './backoff.ts';
import { withCondition } from './claimConditions.ts';
import { tellClaim } from './claimEvents.ts';
import { nodesByProviderId } from './claimNodes.ts';
import { concurrently, independently } from './concurrently.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, sooner, WHEN_CHANGED } from './nextRun.ts';
import type { ControllerSettings } from './settings.ts';

/** How often EC2 is asked again whether an instance has gone. */
const ASK_AGAIN_MS = 2_000;
/** A claim whose step failed is tried again after this long. */
const FAILED_AGAIN_MS = 5_000;
/** A pod that was evicted is asked again after this long if nothing has come of it. */
const EVICTED_HOLD_MS = 30_000;
/** How often a drain that waits for pods looks again, beside the events it gets. */
const DRAIN_AGAIN_MS = 5_000;

export interface Terminating {
  readonly live: LiveState;
  readonly settings: ControllerSettings;
  /** Uids of claims whose launch is under way: they are not released before it has answered. */
  readonly launchesUnderWay: ReadonlySet<string>;
  /** Provider ids that EC2 says are gone: nothing is left to drain. */
  readonly goneInstances: Set<string>;
  /** By claim uid: EC2 was asked a moment ago, and is not asked again before its answer can have changed. */
  readonly questions: Backoff;
  /** By pod key: pauses after a disruption budget said no. */
  readonly evictions: Backoff;
}

/** What one run has read for a claim's step. */
interface Sight {
  readonly node: Node | undefined;
  readonly pods: readonly Pod[];
  /** EC2's list, asked for once in a run: claims that were never launched leave by the hundred. */
  readonly instances: () => Promise<readonly Instance[]>;
}

/** Moves every claim that is being deleted one step on. One claim that fails does not hold up the others. */
export async function terminateNodeClaims(ports: Ports, terminating: Terminating): Promise<NextRun> {
  const snapshot = terminating.live.snapshot();
  const leaving = snapshot.nodeClaims.filter((claim) => claim.deletionRequestedAtMs !== null);
  terminating.evictions.prune(snapshot.takenAtMs);
  terminating.questions.prune(snapshot.takenAtMs);
  if (leaving.length === 0) return WHEN_CHANGED;
  const nodes = nodesByProviderId(snapshot.nodes);
  const ours = new Set(leaving.flatMap(({ status }) => nodes.get(status.providerId)?.name ?? []));
  const podsByNode = Map.groupBy(
    snapshot.pods.filter((pod) => ours.has(pod.nodeName)),
    (pod) => pod.nodeName,
  );
  // A launch that ends during this run may be younger than EC2's list: its end brings the next run.
  const underWay = new Set(terminating.launchesUnderWay);
  let listed: Promise<readonly Instance[]> | null = null;
  const instances = (): Promise<readonly Instance[]> => {
    listed ??= ports.cloud.list();
    return listed;
  };
  let next = WHEN_CHANGED;
  await independently(
    leaving.filter(({ uid }) => !underWay.has(uid)),
    terminating.settings.writesAtOnce,
    async (claim) => {
      const node = nodes.get(claim.status.providerId);
      const pods = node === undefined ? [] : (podsByNode.get(node.name) ?? []);
      next = sooner(next, await terminateNodeClaim(ports, terminating, claim, { node, pods, instances }));
    },
    (claim, failure) => {
      next = sooner(next, { afterMs: FAILED_AGAIN_MS });
      ports.telemetry.log.error(
        { nodeClaim: claim.name, error: String(failure) },
        'node claim not terminated',
      );
    },
  );
  return next;
}

/** One step for one claim: each is safe to repeat after a crash. */
async function terminateNodeClaim(
  ports: Ports,
  terminating: Terminating,
  claim: NodeClaim,
  { node, pods, instances }: Sight,
): Promise<NextRun> {
  const nowMs = ports.clock.nowMs();
  const waitMs = terminating.questions.waitMs(claim.uid, nowMs);
  if (claim.status.providerId === '') {
    if (waitMs > 0) return { afterMs: waitMs };
    terminating.questions.hold(claim.uid, nowMs + ASK_AGAIN_MS);
    return releaseUnlaunched(ports, terminating, claim, await instances());
  }
  if (node !== undefined && !terminating.goneInstances.has(claim.status.providerId)) {
    if (!isCordoned(node)) {
      await cordon(ports, terminating, node);
      // The pods were read before: one may have been bound meanwhile, and must be evicted like the others.
      return { afterMs: 0 };
    }
    const drained = await drain(ports, terminating, claim, { node, pods });
    if (drained !== null) return drained;
  }
  if (waitMs > 0) return { afterMs: waitMs };
  terminating.questions.hold(claim.uid, nowMs + ASK_AGAIN_MS);
  if (node !== undefined) await noteStep(ports, terminating, claim, 'Drained');
  if ((await ports.cloud.terminate(claim.status.providerId)) === 'terminating') {
    await noteStep(ports, terminating, claim, 'InstanceTerminating');
    return { afterMs: ASK_AGAIN_MS };
  }
  await release(ports, terminating, claim, node);
  return WHEN_CHANGED;
}

const STEP_REASONS = { Drained: 'NothingLeftToEvict', InstanceTerminating: 'TerminationAsked' } as const;

/** Writes once on the claim how far it has come; a conflict is left to the next step. */
async function noteStep(
  ports: Ports,
  { live }: Terminating,
  read: NodeClaim,
  type: keyof typeof STEP_REASONS,
): Promise<void> {
  const claim = live.get('nodeClaim', read.name);
  if (claim === undefined || claim.uid !== read.uid) return;
  const sinceMs = ports.clock.nowMs();
  const condition = { type, status: 'True', reason: STEP_REASONS[type], message: '', sinceMs } as const;
  const status = withCondition(claim.status, condition);
  if (status === claim.status) return;
  live.recordNodeClaim(claim, await ports.kube.writeNodeClaimStatus(claim, status));
}

async function cordon(ports: Ports, { live }: Terminating, node: Node): Promise<void> {
  const patch = {
    unschedulable: true,
    addTaints: [DISRUPTED_TAINT],
    labels: { [LABEL.excludeFromLoadBalancers]: 'karpenter' },
  };
  live.recordNode(node, await ports.kube.patchNode(node, patch));
}

function isCordoned(node: Node): boolean {
  return node.unschedulable && node.taints.some((taint) => taint.key === DISRUPTED_TAINT.key);
}

/**
 * Null when nothing is left to drain, else when to look again. The watch may be any time behind while writes go
 * through, so what cannot be taken back (an eviction, the end of the instance) rests on the server's own word.
 * @param seen the node and its pods, as far as the watch has told of them
 */
async function drain(
  ports: Ports,
  terminating: Terminating,
  claim: NodeClaim,
  seen: { readonly node: Node; readonly pods: readonly Pod[] },
): Promise<NextRun | null> {
  let step = nextDrainStep(seen.pods, ports.clock.nowMs());
  if (isIrreversible(terminating, claim, step, ports.clock.nowMs())) {
    const pods = await ports.kube.readNodePods(seen.node.name);
    step = nextDrainStep(pods, ports.clock.nowMs());
  }
  if (isOver(step)) return null;
  await tellForbidding(ports, terminating.live, claim, step);
  let next: NextRun = { afterMs: DRAIN_AGAIN_MS };
  await concurrently(step.evict, terminating.settings.writesAtOnce, async (pod) => {
    next = sooner(next, await evict(ports, terminating, pod));
  });
  return next;
}

function isOver({ evict, leaving, forbidding }: DrainStep): boolean {
  return evict.length + leaving.length + forbidding.length === 0;
}

/** True when the step would evict a pod now, or lets the instance be ended for the first time. */
function isIrreversible(
  { evictions, questions }: Terminating,
  claim: NodeClaim,
  step: DrainStep,
  nowMs: number,
): boolean {
  if (isOver(step))
    return questions.waitMs(claim.uid, nowMs) === 0 && !hasCondition(claim, 'InstanceTerminating');
  return step.evict.some((pod) => evictions.waitMs(podKey(pod), nowMs) === 0);
}

async function evict(ports: Ports, { evictions }: Terminating, pod: Pod): Promise<NextRun> {
  const key = podKey(pod);
  const nowMs = ports.clock.nowMs();
  const waitMs = evictions.waitMs(key, nowMs);
  if (waitMs > 0) return { afterMs: waitMs };
  const outcome = await ports.kube.evictPod(pod);
  if (outcome === 'blocked') return { afterMs: evictions.failed(key, nowMs) - nowMs };
  evictions.succeeded(key);
  // The event that it is terminating may be late: the pod is not asked again before it could have left.
  evictions.hold(key, nowMs + EVICTED_HOLD_MS);
  if (outcome === 'gone') return WHEN_CHANGED;
  const facts = { node: pod.nodeName };
  ports.telemetry.log.info({ pod: key, ...facts }, 'pod evicted');
  ports.journal.append({ atMs: nowMs, kind: 'Evicted', subject: key, reason: 'its node is going', facts });
  const about = { kind: 'Pod' as const, namespace: pod.namespace, name: pod.name, uid: pod.uid };
  const message = `Evicted from ${pod.nodeName}: the node is being taken away`;
  await ports.kube.publishEvent({ about, type: 'Normal', reason: 'Evict', message });
  return WHEN_CHANGED;
}

async function tellForbidding(
  ports: Ports,
  live: LiveState,
  claim: NodeClaim,
  { forbidding }: DrainStep,
): Promise<void> {
  const [first] = forbidding;
  if (first === undefined) return;
  const more = forbidding.length > 1 ? ` and ${forbidding.length - 1} more` : '';
  const who = `Pod ${podKey(first.pod)}${more}`;
  const message = `${who} forbids the drain by ${first.annotation}; remove the annotation or the pod`;
  await tellClaim(ports, live, claim, { type: 'Warning', reason: 'FailedDraining', message });
}

/** A claim that has no instance on record may have one all the same: the launch may have gone out before a crash. */
async function releaseUnlaunched(
  ports: Ports,
  terminating: Terminating,
  claim: NodeClaim,
  instances: readonly Instance[],
): Promise<NextRun> {
  const own = instances.find((instance) => instance.nodeClaimUid === claim.uid);
  if (own !== undefined && (await ports.cloud.terminate(own.providerId)) === 'terminating') {
    return { afterMs: ASK_AGAIN_MS };
  }
  await release(ports, terminating, claim, undefined);
  return WHEN_CHANGED;
}

/** The instance is gone: so are the Node and the claim. */
async function release(
  ports: Ports,
  { live, goneInstances, questions }: Terminating,
  claim: NodeClaim,
  node: Node | undefined,
): Promise<void> {
  if (node !== undefined) await removeNode(ports, live, node);
  questions.succeeded(claim.uid);
  await ports.kube.releaseNodeClaim(claim.name);
  live.record({ type: 'delete', kind: 'nodeClaim', key: claim.name });
  goneInstances.delete(claim.status.providerId);
  const { providerId } = claim.status;
  const labels = { provisioner: claim.spec.provisioner };
  ports.telemetry.metrics.count('cooper_nodeclaims_terminated_total', labels);
  const nowMs = ports.clock.nowMs();
  const facts = { providerId, node: claim.status.nodeName };
  ports.telemetry.log.info({ nodeClaim: claim.name, ...facts }, 'node claim terminated');
  ports.journal.append({
    atMs: nowMs,
    kind: 'Terminated',
    subject: claim.name,
    reason: 'instance is gone',
    facts,
  });
}

/** Deletes a Node whose instance is gone, and takes our finalizer off it. */
export async function removeNode(ports: Ports, live: LiveState, node: Node): Promise<void> {
  await ports.kube.deleteNode(node.name, node.uid);
  if (!node.finalizers.includes(TERMINATION_FINALIZER)) return;
  const current = live.get('node', node.name) ?? node;
  live.recordNode(node, await ports.kube.patchNode(current, { removeFinalizer: TERMINATION_FINALIZER }));
}
