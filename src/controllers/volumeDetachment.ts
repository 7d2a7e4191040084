// After the drain, before the instance ends: the volumes of the pods that have left are detached.
import { awaitedVolumes } from '../disruption/awaitedVolumes.ts';
import type { Node } from '../model/node.ts';
import type { NodeClaim, NodeClaimCondition } from '../model/nodeClaim.ts';
import type { Ports } from '../ports/ports.ts';
import { type AttachmentLists, MISSING_RIGHT } from './attachmentLists.ts';
import { writeCondition } from './claimConditions.ts';
import { type ClaimEvent, tellKept } from './claimEvents.ts';
import type { DrainSight } from './drain.ts';
import type { LiveState } from './liveState.ts';
import type { NextRun } from './nextRun.ts';

/** How often volumes that are attached still are looked at again. */
const VOLUMES_AGAIN_MS = 2_000;
/** Volumes named in one message. */
const NAMED_MOST = 3;
const AWAITED = 'AwaitingVolumeDetachment';
/** Reason of the condition of a node that has gone although it reported volumes. */
const UNKNOWN = 'AttachmentsUnknown';
/** After this long Kubernetes detaches by force (kube-controller-manager, `maxWaitForUnmountDuration`). */
const FORCED_AFTER_MS = 6 * 60_000;
const REPORTED =
  `the Node reports volumes, and which of them are attached is not known: Cooper may not ${MISSING_RIGHT.right}; ` +
  `${MISSING_RIGHT.mend}; the node goes after six minutes at most`;

export interface Detaching {
  readonly live: LiveState;
  readonly attachments: AttachmentLists;
  /** By claim uid: how old a list of attachments may be to count, since its drain was over only then. */
  readonly detachSinceMs: Map<string, number>;
}

/**
 * Null when nothing is attached that has to go, else when to look again. Clusters without PersistentVolumes are not
 * asked. Without the right to list attachments the Node's own word counts, and is waited for no longer than
 * Kubernetes itself would wait.
 */
export async function awaitDetachment(
  ports: Ports,
  detaching: Detaching,
  claim: NodeClaim,
  { node, pods }: DrainSight,
): Promise<NextRun | null> {
  const { live, attachments, detachSinceMs } = detaching;
  if (live.snapshot().persistentVolumes.length === 0) return null;
  const sinceMs = detachSinceMs.get(claim.uid) ?? ports.clock.nowMs();
  detachSinceMs.set(claim.uid, sinceMs);
  const answer = await attachments.asOf(ports, sinceMs);
  if (answer.kind === 'later') return { afterMs: answer.afterMs };
  if (answer.kind === 'forbidden') return awaitReported(ports, detaching, claim, node);
  const nowMs = ports.clock.nowMs();
  const claims = (key: string) => live.get('persistentVolumeClaim', key);
  const awaited = awaitedVolumes(answer.byNode.get(node.name) ?? [], pods, claims, nowMs);
  if (awaited.length === 0) {
    detachSinceMs.delete(claim.uid);
    await writeCondition(ports, live, claim, DETACHED);
    return null;
  }
  // Another list is needed, one that has begun after this look.
  detachSinceMs.set(claim.uid, nowMs + 1);
  const more = awaited.length > NAMED_MOST ? ` and ${awaited.length - NAMED_MOST} more` : '';
  const message = `volumes are still attached: ${awaited.slice(0, NAMED_MOST).join(', ')}${more}`;
  await tellAwaited(ports, live, claim, { type: 'Normal', message });
  return { afterMs: VOLUMES_AGAIN_MS };
}

const DETACHED = { type: 'VolumesDetached', status: 'True', reason: 'NothingAttached', message: '' } as const;

/** The same as `awaitDetachment`, by the Node's status, which does not say whose the volumes are. */
async function awaitReported(
  ports: Ports,
  detaching: Detaching,
  claim: NodeClaim,
  node: Node,
): Promise<NextRun | null> {
  const { live, detachSinceMs } = detaching;
  if (!(await ports.kube.reportsVolumes(node.name))) {
    detachSinceMs.delete(claim.uid);
    await writeCondition(ports, live, claim, { ...DETACHED, reason: 'NothingReported' });
    return null;
  }
  const held = conditionOf(live.get('nodeClaim', claim.name));
  if (held?.reason === UNKNOWN) return null;
  if (held?.status === 'Unknown' && ports.clock.nowMs() >= held.sinceMs + FORCED_AFTER_MS) {
    await giveUpDetachment(ports, detaching, claim, UNKNOWN);
    return null;
  }
  await tellAwaited(ports, live, claim, { type: 'Warning', message: REPORTED });
  return { afterMs: VOLUMES_AGAIN_MS };
}

async function tellAwaited(
  ports: Ports,
  live: LiveState,
  claim: NodeClaim,
  { type, message }: Pick<ClaimEvent, 'type' | 'message'>,
): Promise<void> {
  if (conditionOf(live.get('nodeClaim', claim.name))?.message === message) return;
  const waiting = { type: 'VolumesDetached', status: 'Unknown', reason: AWAITED, message } as const;
  await writeCondition(ports, live, claim, waiting);
  await tellKept(ports, live, claim, { type, reason: AWAITED, message, disruption: 'Draining' });
}

/** The drain's time is up: volumes that were waited for are detached by the end of the instance. */
export async function giveUpDetachment(
  ports: Ports,
  { live, detachSinceMs }: Detaching,
  claim: NodeClaim,
  reason: string,
): Promise<void> {
  detachSinceMs.delete(claim.uid);
  const held = conditionOf(live.get('nodeClaim', claim.name));
  if (held === undefined || held.status === 'True') return;
  await writeCondition(ports, live, claim, { ...held, status: 'False', reason });
}

function conditionOf(claim: NodeClaim | undefined): NodeClaimCondition | undefined {
  return claim?.status.conditions.find(({ type }) => type === 'VolumesDetached');
}
