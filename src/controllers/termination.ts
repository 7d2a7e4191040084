// Taking a node away: cordon, drain, terminate the instance, and only then let its records go.
import { DISRUPTED_TAINT } from '../disruption/evictable.ts';
import { LABEL, TERMINATION_FINALIZER } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { Instance } from '../ports/cloudProvider.ts';
import type { Ports } from '../ports/ports.ts';
import { writeCondition } from './claimConditions.ts';
import { tellDecision } from './claimEvents.ts';
import { nodesByProviderId } from './claimNodes.ts';
import { independently } from './concurrently.ts';
import { type Draining, type DrainOutcome, type DrainSight, drain } from './drain.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, sooner, WHEN_CHANGED } from './nextRun.ts';
import { awaitDetachment, type Detaching, giveUpDetachment } from './volumeDetachment.ts';

/** How often EC2 is asked again whether an instance has gone. */
const ASK_AGAIN_MS = 2_000;
/** A claim whose step failed is tried again after this long. */
const FAILED_AGAIN_MS = 5_000;
/** Reason of events and conditions. */
const ELAPSED = 'TerminationGracePeriodElapsed';
/** Pods named in one message. */
const NAMED_MOST = 3;
const ENDING = {
  type: 'InstanceTerminating',
  status: 'True',
  reason: 'TerminationAsked',
  message: '',
} as const;

export interface Terminating extends Draining, Detaching {
  /** Uids of claims whose launch is under way: they are not released before it has answered. */
  readonly launchesUnderWay: ReadonlySet<string>;
  /** Provider ids that EC2 says are gone: nothing is left to drain. */
  readonly goneInstances: Set<string>;
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
  terminating.starts.note(snapshot.nodeClaims, snapshot.takenAtMs);
  terminating.evictions.prune(snapshot.takenAtMs);
  terminating.questions.prune(snapshot.takenAtMs);
  const nodes = leaving.length === 0 ? new Map<string, Node>() : nodesByProviderId(snapshot.nodes);
  const ours = new Set(leaving.flatMap(({ status }) => nodes.get(status.providerId)?.name ?? []));
  const podsThere = ours.size === 0 ? [] : snapshot.pods.filter((pod) => ours.has(pod.nodeName));
  forgetGone(terminating, leaving, podsThere);
  if (leaving.length === 0) return WHEN_CHANGED;
  const podsByNode = Map.groupBy(podsThere, (pod) => pod.nodeName);
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
      // Not in one expression: `next` would be read before the wait, and what others found meanwhile lost.
      const again = await terminateNodeClaim(ports, terminating, claim, { node, pods, instances });
      next = sooner(next, again);
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

/** What is remembered of pods on leaving nodes, and of leaving claims, ends with them. */
function forgetGone(
  { refusals, denials, telling, detachSinceMs, attachments }: Terminating,
  leaving: readonly NodeClaim[],
  pods: readonly Pod[],
): void {
  for (const remembered of [refusals, denials])
    if (remembered.size > 0) keepOnly(remembered, new Set(pods.map(({ uid }) => uid)));
  const uids = new Set(leaving.map(({ uid }) => uid));
  if (telling.size > 0) keepOnly(telling, uids);
  if (detachSinceMs.size > 0) keepOnly(detachSinceMs, uids);
  else attachments.forget();
}

function keepOnly(remembered: Map<string, unknown>, uids: ReadonlySet<string>): void {
  for (const uid of remembered.keys()) if (!uids.has(uid)) remembered.delete(uid);
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
    const outcome = await drain(ports, terminating, claim, { node, pods });
    if (outcome.kind === 'going') return outcome.next;
    if (waitMs > 0) return { afterMs: waitMs };
    const awaiting = await finishDrain(ports, terminating, claim, { seen: { node, pods }, outcome });
    if (awaiting !== null) {
      terminating.questions.hold(claim.uid, ports.clock.nowMs() + awaiting.afterMs);
      return awaiting;
    }
  }
  if (waitMs > 0) return { afterMs: waitMs };
  terminating.questions.hold(claim.uid, nowMs + ASK_AGAIN_MS);
  if ((await ports.cloud.terminate(claim.status.providerId)) === 'terminating') {
    await writeCondition(ports, terminating.live, claim, ENDING);
    return { afterMs: ASK_AGAIN_MS };
  }
  await release(ports, terminating, claim, node);
  return WHEN_CHANGED;
}

/** Null when the instance may end, else when to look again for volumes that are attached still. */
async function finishDrain(
  ports: Ports,
  terminating: Terminating,
  claim: NodeClaim,
  {
    seen,
    outcome,
  }: { readonly seen: DrainSight; readonly outcome: DrainOutcome & { readonly kind: 'over' } },
): Promise<NextRun | null> {
  await noteDrained(ports, terminating, claim, outcome.left);
  if (hasCondition(claim, 'InstanceTerminating')) return null;
  if (!outcome.isTimeUp) return awaitDetachment(ports, terminating, claim, seen);
  await giveUpDetachment(ports, terminating, claim, ELAPSED);
  return null;
}

/** Says once on the claim that its drain is over, and what is left if its time was up. */
async function noteDrained(
  ports: Ports,
  { live }: Terminating,
  claim: NodeClaim,
  left: readonly Pod[],
): Promise<void> {
  if (left.length === 0) {
    const drained = { type: 'Drained', status: 'True', reason: 'NothingLeftToEvict', message: '' } as const;
    return writeCondition(ports, live, claim, drained);
  }
  const names = left.map(podKey).sort().slice(0, NAMED_MOST).join(', ');
  const message = `terminationGracePeriod is over with ${left.length} pods left on the node: ${names}`;
  const condition = { type: 'Drained', status: 'False', reason: ELAPSED, message } as const;
  const held = claim.status.conditions.find(({ type }) => type === 'Drained');
  await writeCondition(ports, live, claim, condition);
  if (held?.reason !== ELAPSED)
    await tellDecision(ports, live, claim, {
      ...{ kind: 'Disrupted', type: 'Warning', reason: ELAPSED, message },
      podsMoved: left.map(podKey),
    });
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
