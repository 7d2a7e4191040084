// After the drain, before the instance ends: the volumes of the pods that have left are detached.
import { awaitedVolumes } from '../disruption/awaitedVolumes.ts';
import type { NodeClaim, NodeClaimCondition } from '../model/nodeClaim.ts';
import type { Ports } from '../ports/ports.ts';
import type { AttachmentLists } from './attachmentLists.ts';
import { writeCondition } from './claimConditions.ts';
import { tellKept } from './claimEvents.ts';
import type { DrainSight } from './drain.ts';
import type { LiveState } from './liveState.ts';
import type { NextRun } from './nextRun.ts';

/** How often volumes that are attached still are looked at again. */
const VOLUMES_AGAIN_MS = 2_000;
/** Volumes named in one message. */
const NAMED_MOST = 3;
const AWAITED = 'AwaitingVolumeDetachment';

export interface Detaching {
  readonly live: LiveState;
  readonly attachments: AttachmentLists;
  /** By claim uid: how old a list of attachments may be to count, since its drain was over only then. */
  readonly detachSinceMs: Map<string, number>;
}

/**
 * Null when nothing is attached that has to go, else when to look again. Clusters without PersistentVolumes are not
 * asked.
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
  const held = conditionOf(live.get('nodeClaim', claim.name));
  if (held?.message !== message) {
    const waiting = { type: 'VolumesDetached', status: 'Unknown', reason: AWAITED, message } as const;
    await writeCondition(ports, live, claim, waiting);
    const why = { type: 'Normal', reason: AWAITED, message, disruption: 'Draining' } as const;
    await tellKept(ports, live, claim, why);
  }
  return { afterMs: VOLUMES_AGAIN_MS };
}

const DETACHED = { type: 'VolumesDetached', status: 'True', reason: 'NothingAttached', message: '' } as const;

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
