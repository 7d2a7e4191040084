// What the cloud says of instances that it is about to take, or has taken, whoever carries the word.
import type { CapacityType } from '../model/instanceType.ts';

export type InterruptionKind =
  /** Spot capacity is wanted back: about two minutes are left. */
  | 'SpotInterruption'
  /** The chance of a spot interruption has risen; nothing has been decided. */
  | 'RebalanceRecommendation'
  /** Maintenance, retirement or reboot of the host at a stated time. */
  | 'ScheduledChange'
  /** Somebody or something is stopping or terminating the instance. */
  | 'StateChange'
  /** A capacity block or reservation ends, and takes the instance along. */
  | 'CapacityReservationInterruption';

export interface InterruptionNotice {
  readonly kind: InterruptionKind;
  /** `i-0123`: sources know no zone. */
  readonly instanceId: string;
  /** When the instance goes, in milliseconds since the epoch; null when it is not said. */
  readonly deadlineMs: number | null;
  /** One short phrase for people: `EC2 scheduled instance-retirement`. */
  readonly message: string;
  /** How the source knows the notice again when it is acknowledged. */
  readonly receipt: string;
}

/** An instance that is worth asking about. */
export interface WatchedInstance {
  readonly instanceId: string;
  readonly capacityType: CapacityType | null;
}

export interface ReceivedNotices {
  readonly notices: readonly InterruptionNotice[];
  /** When to ask again, in milliseconds from now; Infinity: only when `onNotice` is called. */
  readonly againAfterMs: number;
}

/** Notices come at least once: in any order, repeated, and about instances that are none of ours. */
export interface InterruptionSource {
  /** May wait for a notice for some seconds. Does not throw for what the cloud answers: it says so in the log. */
  receive(watched: readonly WatchedInstance[]): Promise<ReceivedNotices>;
  /** These have been dealt with and need not come again. */
  acknowledge(notices: readonly InterruptionNotice[]): Promise<void>;
  /** Set by who reads: called when something is there before its time. Sources that are polled never call it. */
  onNotice: () => void;
}
