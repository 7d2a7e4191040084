// Interruption notices without a queue: asked of EC2 itself, every few seconds only while spot nodes exist.
import type { Clock } from '../ports/clock.ts';
import type {
  InterruptionNotice,
  InterruptionSource,
  ReceivedNotices,
  WatchedInstance,
} from '../ports/interruptions.ts';
import type { Log } from '../ports/telemetry.ts';
import { AwsFault, faultAdvice, faultKind } from './awsFault.ts';
import type { Ec2Api, Ec2Instance } from './ec2Api.ts';
import type { AwsSettings } from './settings.ts';
import { clusterTag } from './tags.ts';

export interface ScheduledEvent {
  readonly instanceId: string;
  /** `instance-retirement`, `system-reboot`, … */
  readonly code: string;
  readonly description: string;
  readonly notBeforeMs: number | null;
}

export interface SpotRequestStatus {
  readonly instanceId: string;
  readonly code: string;
  readonly updatedAtMs: number | null;
}

/** The two calls that only interruption handling makes. Both throw `AwsFault`. */
export interface NoticeApi {
  /** Events still to come of any instance of the account. */
  describeScheduledEvents(): Promise<readonly ScheduledEvent[]>;
  /** Requests with one of these status codes. */
  describeSpotRequests(statusCodes: readonly string[]): Promise<readonly SpotRequestStatus[]>;
}

/**
 * When EC2 reclaims an instance it gives the request one of these codes at once, while the instance runs on for the
 * two minutes of its notice. Source: Amazon EC2 User Guide, "Spot Instance request status".
 */
export const RECLAIM_CODES: readonly string[] = [
  'marked-for-termination',
  'marked-for-stop',
  'instance-terminated-by-price',
  'instance-terminated-no-capacity',
  'instance-terminated-capacity-oversubscribed',
  'instance-stopped-by-price',
  'instance-stopped-no-capacity',
  'instance-stopped-capacity-oversubscribed',
];
const SPOT_NOTICE_MS = 120_000;

/** With two minutes to go, a few seconds are little; one call each, whatever the number of nodes. */
const SPOT_EVERY_MS = 5_000;
/** Scheduled events are told days ahead. */
const EVENTS_EVERY_MS = 60_000;
/** Someone else's termination is seen by the sweep over instances too: this is only sooner. */
const STATES_EVERY_MS = 30_000;
/** Without nodes nothing is asked; how soon a first one is noticed. */
const IDLE_EVERY_MS = 5_000;
const GOING_STATES = ['stopping', 'stopped', 'shutting-down'] as const;

export interface PollingDependencies {
  readonly ec2: Pick<Ec2Api, 'describeInstances'>;
  readonly notices: NoticeApi;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<AwsSettings, 'clusterName'>;
}

interface Question {
  readonly everyMs: number;
  readonly isWorthAsking: (watched: readonly WatchedInstance[]) => boolean;
  readonly ask: (nowMs: number) => Promise<readonly InterruptionNotice[]>;
  dueAtMs: number;
}

export class PolledInterruptions implements InterruptionSource {
  onNotice: () => void = () => {};
  readonly #with: PollingDependencies;
  readonly #questions: readonly Question[];

  constructor(dependencies: PollingDependencies) {
    this.#with = dependencies;
    const isAny = (watched: readonly WatchedInstance[]): boolean => watched.length > 0;
    const isSpot = (watched: readonly WatchedInstance[]): boolean =>
      watched.some(({ capacityType }) => capacityType === 'spot');
    this.#questions = [
      {
        everyMs: SPOT_EVERY_MS,
        isWorthAsking: isSpot,
        ask: (nowMs) => this.#spotRequests(nowMs),
        dueAtMs: 0,
      },
      { everyMs: STATES_EVERY_MS, isWorthAsking: isAny, ask: () => this.#states(), dueAtMs: 0 },
      { everyMs: EVENTS_EVERY_MS, isWorthAsking: isAny, ask: () => this.#events(), dueAtMs: 0 },
    ];
  }

  async receive(watched: readonly WatchedInstance[]): Promise<ReceivedNotices> {
    const nowMs = this.#with.clock.nowMs();
    const due = this.#questions.filter(
      (question) => question.dueAtMs <= nowMs && question.isWorthAsking(watched),
    );
    const answers = await Promise.all(due.map((question) => this.#asked(question, nowMs)));
    const known = new Set(watched.map(({ instanceId }) => instanceId));
    const notices = answers.flat().filter(({ instanceId }) => known.has(instanceId));
    const worth = this.#questions.filter((question) => question.isWorthAsking(watched));
    const nextAtMs = Math.min(nowMs + IDLE_EVERY_MS, ...worth.map(({ dueAtMs }) => dueAtMs));
    return { notices, againAfterMs: Math.max(0, nextAtMs - this.#with.clock.nowMs()) };
  }

  /** Nothing to delete: what EC2 says is said until the instance has gone. */
  acknowledge(): Promise<void> {
    return Promise.resolve();
  }

  /** One question that fails leaves the others their answers. */
  async #asked(question: Question, nowMs: number): Promise<readonly InterruptionNotice[]> {
    question.dueAtMs = nowMs + question.everyMs;
    try {
      return await question.ask(nowMs);
    } catch (caught) {
      if (!(caught instanceof AwsFault)) throw caught;
      const { action, code } = caught;
      const isRefused = faultKind(code) === 'permission';
      // A missing permission is mended by a person, not within seconds.
      if (isRefused) question.dueAtMs = nowMs + EVENTS_EVERY_MS;
      this.#with.log.warn({ action, code, error: faultAdvice(caught) }, 'interruptions cannot be asked for');
      return [];
    }
  }

  async #spotRequests(nowMs: number): Promise<readonly InterruptionNotice[]> {
    const requests = await this.#with.notices.describeSpotRequests(RECLAIM_CODES);
    return requests.map(({ instanceId, code, updatedAtMs }) => ({
      kind: 'SpotInterruption',
      instanceId,
      deadlineMs: (updatedAtMs ?? nowMs) + SPOT_NOTICE_MS,
      message: `EC2 takes the spot instance back (${code})`,
      receipt: '',
    }));
  }

  async #events(): Promise<readonly InterruptionNotice[]> {
    const events = await this.#with.notices.describeScheduledEvents();
    return events
      .filter(({ description }) => !/^\[(Completed|Canceled)\]/.test(description))
      .map(({ instanceId, code, notBeforeMs }) => ({
        kind: 'ScheduledChange',
        instanceId,
        deadlineMs: notBeforeMs,
        message: `EC2 has scheduled ${code}`,
        receipt: '',
      }));
  }

  async #states(): Promise<readonly InterruptionNotice[]> {
    const { ec2, settings } = this.#with;
    const going: readonly Ec2Instance[] = await ec2.describeInstances([
      { name: `tag:${clusterTag(settings.clusterName)}`, values: ['owned'] },
      { name: 'instance-state-name', values: GOING_STATES },
    ]);
    return going.map(({ id, state }) => ({
      kind: 'StateChange',
      instanceId: id,
      deadlineMs: null,
      message: `EC2 says that the instance is ${state}`,
      receipt: '',
    }));
  }
}
