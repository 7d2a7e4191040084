// What EventBridge puts into the queue about instances, read into notices; anything may be in a queue.
import type { InterruptionKind, InterruptionNotice } from '../ports/interruptions.ts';

export type ReadMessage =
  /** Empty for a message of a known type that needs nothing done. */
  | { readonly kind: 'notices'; readonly notices: readonly InterruptionNotice[] }
  /** Well-formed, but of a type that is none of ours. */
  | { readonly kind: 'unknown'; readonly type: string }
  | { readonly kind: 'malformed'; readonly problem: string };

/** Two minutes' notice. Source: Amazon EC2 User Guide, "Spot Instance interruption notices". */
const SPOT_NOTICE_MS = 120_000;
const GOING_STATES: ReadonlySet<string> = new Set(['stopping', 'stopped', 'shutting-down', 'terminated']);

interface Envelope {
  readonly type: string;
  readonly atMs: number | null;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly receipt: string;
}

type Read = (envelope: Envelope) => ReadMessage;

/** By `source` and `detail-type`. Source: EC2 User Guide, "Automate Amazon EC2 using EventBridge"; AWS Health. */
const READERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['aws.ec2/EC2 Spot Instance Interruption Warning', spotWarning],
  ['aws.ec2/EC2 Instance Rebalance Recommendation', rebalance],
  ['aws.ec2/EC2 Instance State-change Notification', stateChange],
  ['aws.ec2/EC2 Capacity Reservation Instance Interruption Warning', reservationWarning],
  ['aws.health/AWS Health Event', healthEvent],
]);

/**
 * Reads the body of one message. Never throws, whatever it is.
 * @param receipt goes into the notices, so that they can be acknowledged
 */
export function readInterruptionMessage(body: string, receipt: string): ReadMessage {
  let read: unknown;
  try {
    read = JSON.parse(body);
  } catch {
    return malformed('is no JSON');
  }
  if (!isRecord(read)) return malformed('is no JSON object');
  const { source, time, detail } = read;
  const type = read['detail-type'];
  if (typeof source !== 'string' || typeof type !== 'string') {
    return malformed('has no source or detail-type, so it is no event of EventBridge');
  }
  const reader = READERS.get(`${source}/${type}`);
  if (reader === undefined) return { kind: 'unknown', type: `${source}/${type}` };
  if (!isRecord(detail)) return malformed(`is a ${type} without detail`);
  return reader({ type, atMs: timeMs(time), detail, receipt });
}

function spotWarning(envelope: Envelope): ReadMessage {
  const deadlineMs = envelope.atMs === null ? null : envelope.atMs + SPOT_NOTICE_MS;
  const action = envelope.detail['instance-action'];
  const verb = action === 'stop' || action === 'hibernate' ? action : 'terminate';
  return aboutInstance(envelope, {
    kind: 'SpotInterruption',
    deadlineMs,
    message: `EC2 will ${verb} the spot instance`,
  });
}

function rebalance(envelope: Envelope): ReadMessage {
  return aboutInstance(envelope, {
    kind: 'RebalanceRecommendation',
    deadlineMs: null,
    message: 'EC2 says that the spot instance is at elevated risk of interruption',
  });
}

function stateChange(envelope: Envelope): ReadMessage {
  const { state } = envelope.detail;
  if (typeof state !== 'string') return malformed(`is a ${envelope.type} without state`);
  if (!GOING_STATES.has(state)) return { kind: 'notices', notices: [] };
  return aboutInstance(envelope, {
    kind: 'StateChange',
    deadlineMs: null,
    message: `EC2 says that the instance is ${state}`,
  });
}

function reservationWarning(envelope: Envelope): ReadMessage {
  return aboutInstance(envelope, {
    kind: 'CapacityReservationInterruption',
    deadlineMs: timeMs(envelope.detail['instance-termination-time']),
    message: 'EC2 will take the instance: its capacity reservation ends',
  });
}

interface About {
  readonly kind: InterruptionKind;
  readonly deadlineMs: number | null;
  readonly message: string;
}

function aboutInstance({ type, detail, receipt }: Envelope, about: About): ReadMessage {
  const instanceId = detail['instance-id'];
  if (!isInstanceId(instanceId)) return malformed(`is a ${type} without instance-id`);
  return { kind: 'notices', notices: [{ ...about, instanceId, receipt }] };
}

/** Scheduled changes of EC2 instances; other services and issues are left to people. */
function healthEvent({ type, detail, receipt }: Envelope): ReadMessage {
  if (detail.service !== 'EC2' || detail.eventTypeCategory !== 'scheduledChange') {
    return { kind: 'notices', notices: [] };
  }
  const { affectedEntities, eventTypeCode } = detail;
  if (!Array.isArray(affectedEntities)) return malformed(`is a ${type} without affectedEntities`);
  const message = `EC2 has scheduled ${typeof eventTypeCode === 'string' ? eventTypeCode : 'a change'}`;
  const deadlineMs = timeMs(detail.startTime);
  const notices = affectedEntities.flatMap((entity: unknown): readonly InterruptionNotice[] => {
    const instanceId = isRecord(entity) ? entity.entityValue : undefined;
    // Volumes and hosts are affected too, and have ids of other kinds.
    if (!isInstanceId(instanceId)) return [];
    return [{ kind: 'ScheduledChange', instanceId, deadlineMs, message, receipt }];
  });
  return { kind: 'notices', notices };
}

function malformed(problem: string): ReadMessage {
  return { kind: 'malformed', problem };
}

function isInstanceId(value: unknown): value is string {
  return typeof value === 'string' && /^i-[0-9a-z]+$/.test(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function timeMs(value: unknown): number | null {
  const parsed = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(parsed) ? null : parsed;
}
