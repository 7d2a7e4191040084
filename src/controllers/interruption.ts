// From a notice that an instance will go to a node that is drained in time, with its replacement planned at once.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { InterruptionKind, InterruptionNotice, InterruptionSource } from '../ports/interruptions.ts';
import type { Ports } from '../ports/ports.ts';
import { tellDecision } from './claimEvents.ts';
import { independently } from './concurrently.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import type { ControllerSettings } from './settings.ts';

/** A notice that could not be carried out comes again after this long, if its source keeps it. */
const FAILED_AGAIN_MS = 1_000;

interface Reaction {
  /** Reason of the event. */
  readonly event: string;
  /** False: people are told, and the node stays. */
  readonly leaves: boolean;
  /** The offering is short: the replacement is bought elsewhere. */
  readonly marksOffering: boolean;
}

/**
 * What a notice leads to. A rebalance recommendation only says that a risk has risen: leaving at each would cost more
 * evictions than it saves (Karpenter does the same).
 */
const REACTIONS: Readonly<Record<InterruptionKind, Reaction>> = {
  SpotInterruption: { event: 'SpotInterrupted', leaves: true, marksOffering: true },
  RebalanceRecommendation: { event: 'SpotRebalanceRecommendation', leaves: false, marksOffering: false },
  ScheduledChange: { event: 'InstanceUnhealthy', leaves: true, marksOffering: false },
  StateChange: { event: 'InstanceStopping', leaves: true, marksOffering: false },
  CapacityReservationInterruption: {
    event: 'CapacityReservationInterrupted',
    leaves: true,
    marksOffering: false,
  },
};

export interface Interrupting {
  readonly live: LiveState;
  readonly settings: ControllerSettings;
  /** By claim uid: kinds that have been told already, so that a notice that comes again is told once. */
  readonly told: Map<string, Set<InterruptionKind>>;
}

/**
 * Takes in what the source has to say. A claim whose instance will go is deleted: provisioning then plans for its pods
 * at once, and termination drains it. Safe to repeat: a claim that is leaving already needs nothing more.
 */
export async function heedInterruptions(ports: Ports, interrupting: Interrupting): Promise<NextRun> {
  const source = ports.interruptions;
  if (source === undefined) return WHEN_CHANGED;
  forgetGone(interrupting);
  const { notices, againAfterMs } = await source.receive(watchedInstances(interrupting));
  const failed = await heedAll(ports, interrupting, notices);
  const heeded = notices.filter((notice) => !failed.has(notice));
  if (heeded.length > 0) await source.acknowledge(heeded);
  return { afterMs: failed.size > 0 ? Math.min(FAILED_AGAIN_MS, againAfterMs) : againAfterMs };
}

/** True for a claim whose instance EC2 will take, as far as this process has been told. */
export function isInterrupted(
  told: ReadonlyMap<string, ReadonlySet<InterruptionKind>>,
  uid: string,
): boolean {
  return [...(told.get(uid) ?? [])].some((kind) => REACTIONS[kind].leaves);
}

function watchedInstances({ live }: Interrupting): Parameters<InterruptionSource['receive']>[0] {
  return live.snapshot().nodeClaims.flatMap(({ status }) => {
    const instanceId = instanceIdOf(status.providerId);
    return instanceId === '' ? [] : [{ instanceId, capacityType: status.capacityType }];
  });
}

/** `aws:///us-east-1a/i-0123` is `i-0123`. */
function instanceIdOf(providerId: string): string {
  return providerId.slice(providerId.lastIndexOf('/') + 1);
}

/** The notices that could not be carried out; those about instances of others are heeded by doing nothing. */
async function heedAll(
  ports: Ports,
  interrupting: Interrupting,
  notices: readonly InterruptionNotice[],
): Promise<ReadonlySet<InterruptionNotice>> {
  // Read after the notices have come: a claim may have got its instance while they were waited for.
  const claims = new Map(
    interrupting.live.snapshot().nodeClaims.map((claim) => [instanceIdOf(claim.status.providerId), claim]),
  );
  const failed = new Set<InterruptionNotice>();
  const byInstance = Map.groupBy(notices, ({ instanceId }) => instanceId);
  await independently(
    [...byInstance],
    interrupting.settings.writesAtOnce,
    async ([instanceId, own]) => {
      const claim = instanceId === '' ? undefined : claims.get(instanceId);
      if (claim === undefined) return;
      for (const notice of own) await heed(ports, interrupting, claim, notice);
    },
    ([, own], failure) => {
      for (const notice of own) failed.add(notice);
      const [notice] = own;
      const facts = { instance: notice?.instanceId, kind: notice?.kind, error: String(failure) };
      ports.telemetry.log.error(facts, 'interruption notice not carried out');
    },
  );
  return failed;
}

async function heed(
  ports: Ports,
  interrupting: Interrupting,
  claim: NodeClaim,
  notice: InterruptionNotice,
): Promise<void> {
  const { live, told } = interrupting;
  const { kind, deadlineMs } = notice;
  const reaction = REACTIONS[kind];
  // Before the deletion: the replacement is planned as soon as that is seen, and must not buy the same again.
  if (reaction.marksOffering) markOffering(ports, claim);
  const current = live.get('nodeClaim', claim.name);
  const stays = current?.uid === claim.uid && current.deletionRequestedAtMs === null;
  if (reaction.leaves && stays) await ports.kube.deleteNodeClaim(claim.name, claim.uid);
  const kinds = told.get(claim.uid) ?? new Set();
  if (kinds.has(kind)) return;
  told.set(claim.uid, kinds.add(kind));
  const noticeMs = deadlineMs === null ? null : deadlineMs - ports.clock.nowMs();
  const facts = { node: claim.status.nodeName, instance: notice.instanceId, kind, noticeMs };
  const leaving = reaction.leaves && stays;
  ports.telemetry.log.warn({ nodeClaim: claim.name, ...facts, leaving }, 'instance interrupted');
  const { provisioner } = claim.spec;
  ports.telemetry.metrics.count('cooper_interruptions_total', { kind });
  if (leaving) {
    ports.telemetry.metrics.count('cooper_nodeclaims_disrupted_total', {
      provisioner,
      reason: 'Interrupted',
    });
  }
  const message = leaving
    ? `${sentence(notice, ports.clock.nowMs())}; its pods are moved off and replaced now`
    : sentence(notice, ports.clock.nowMs());
  const event = { type: 'Warning', reason: reaction.event, message } as const;
  const decision = stays && !reaction.leaves ? 'Kept' : 'Disrupted';
  await tellDecision(ports, live, claim, { kind: decision, ...event, disruption: 'Interrupted', facts });
}

function sentence({ message, deadlineMs }: InterruptionNotice, nowMs: number): string {
  if (deadlineMs === null || deadlineMs <= nowMs) return message;
  return `${message}, ${Math.round((deadlineMs - nowMs) / 1000)} s from now`;
}

function markOffering(ports: Ports, { status }: NodeClaim): void {
  const { instanceType, zone, capacityType } = status;
  if (capacityType === null || instanceType === '' || zone === '') return;
  ports.cloud.noteInterrupted?.({ instanceType, zone, capacityType });
}

function forgetGone({ live, told }: Interrupting): void {
  if (told.size === 0) return;
  const uids = new Set(live.snapshot().nodeClaims.map(({ uid }) => uid));
  for (const uid of told.keys()) if (!uids.has(uid)) told.delete(uid);
}
