// Getting and keeping a Lease: one replica leads, and knows at each moment whether it still does.
import type { Fence } from '../ports/fence.ts';
import { RESOURCE } from './apiTarget.ts';
import {
  atMostSinceMs,
  type Instant,
  leaseManifest,
  nextLeaseStep,
  type Observation,
  observe,
  readLease,
  releasedRecord,
} from './leaseRecord.ts';
import type { Timing } from './timing.ts';
import type { KubeTransport } from './transport.ts';

/** The defaults of client-go's leader election. */
export const LEASE_TIMES = { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 } as const;
/** client-go waits up to 1.2 times longer between tries to get the Lease, so that candidates do not collide. */
const JITTER = 1.2;
/** Renewed this lately, our Lease needs no question: nobody may take it for another eleven seconds. */
const SURE_FOR_MS = 2 * LEASE_TIMES.retryMs;

export interface ElectionOptions {
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process: one that starts anew must not take itself for its predecessor. */
  readonly identity: string;
  readonly timing: Timing;
  readonly now: () => Instant;
  readonly onProblem: (problem: Error) => void;
}

/** We do not hold the Lease (any more): nothing may be changed. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

export class LeaseElector implements Fence {
  readonly #transport: KubeTransport;
  readonly #options: ElectionOptions;
  #observed: Observation | null = null;
  /** When the last write of ours that went through was sent; null while we do not lead. */
  #renewedAt: Instant | null = null;
  /** Shared by all who ask meanwhile: two tries at once would each find the Lease changed by the other. */
  #tryUnderWay: Promise<boolean> | null = null;

  /** The transport must not be fenced by this elector itself. */
  constructor(transport: KubeTransport, options: ElectionOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  /**
   * Tries until the Lease is ours.
   * @returns how many have held it before; null when the signal stopped it
   */
  async acquire(signal: AbortSignal): Promise<number | null> {
    const { timing } = this.#options;
    while (!signal.aborted) {
      if (await this.#tryOnce(signal)) return this.#observed?.record.transitions ?? 0;
      await timing.pause(LEASE_TIMES.retryMs * (1 + timing.random() * JITTER), signal);
    }
    return null;
  }

  /** Renews the Lease until it is lost or the signal stops it. Give it up with `release` after that. */
  async keep(signal: AbortSignal): Promise<'lost' | 'stopped'> {
    while (!signal.aborted) {
      await this.#options.timing.pause(LEASE_TIMES.retryMs, signal);
      if (signal.aborted) break;
      await this.#tryOnce(signal);
      if (!this.#isValid()) {
        this.#renewedAt = null;
        return 'lost';
      }
    }
    return 'stopped';
  }

  /** Resolves when we may act now. Asks the API server when the last renewal was not just now. Rejects otherwise. */
  async check(): Promise<void> {
    if (this.#ageMs() <= SURE_FOR_MS) return;
    if (this.#isValid() && (await this.#tryOnce()) && this.#isValid()) return;
    const { namespace, name } = this.#options;
    throw new LeaseLostError(`not done: this replica does not hold the Lease ${namespace}/${name}`);
  }

  /** Gives the Lease up, if it is ours, so that the next replica takes over at once. Never rejects. */
  async release(): Promise<void> {
    // A renewal that arrives after the release would take the Lease again.
    await this.#tryUnderWay;
    if (!this.#isValid()) return;
    this.#renewedAt = null;
    try {
      if (await this.#giveUp()) return;
      // A renewal that was broken off has arrived all the same: its version is the one to write upon.
      await this.#read(AbortSignal.timeout(LEASE_TIMES.renewDeadlineMs));
      await this.#giveUp();
    } catch (problem) {
      this.#options.onProblem(problem as Error);
    }
  }

  /** False when the Lease has changed since it was read. */
  async #giveUp(): Promise<boolean> {
    if (this.#observed?.record.holder !== this.#options.identity) return true;
    const { record, resourceVersion } = this.#observed;
    return this.#write({ record: releasedRecord(record, this.#options.now()), resourceVersion });
  }

  #ageMs(): number {
    return this.#renewedAt === null
      ? Number.POSITIVE_INFINITY
      : atMostSinceMs(this.#renewedAt, this.#options.now());
  }

  #isValid(): boolean {
    return this.#ageMs() < LEASE_TIMES.renewDeadlineMs;
  }

  #tryOnce(signal?: AbortSignal): Promise<boolean> {
    this.#tryUnderWay ??= this.#try(signal).finally(() => {
      this.#tryUnderWay = null;
    });
    return this.#tryUnderWay;
  }

  /** One try to get or renew it; true when it is ours. What fails is told, and is tried again later. */
  async #try(signal?: AbortSignal): Promise<boolean> {
    const limit = AbortSignal.timeout(LEASE_TIMES.renewDeadlineMs);
    const bounded = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    try {
      // Our own Lease is renewed without reading it first; a conflict says that it has changed.
      if (this.#isValid() && (await this.#step(bounded))) return true;
      await this.#read(bounded);
      return await this.#step(bounded);
    } catch (problem) {
      if (signal?.aborted !== true) this.#options.onProblem(problem as Error);
      return false;
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { namespace, name } = this.#options;
    const target = { ...RESOURCE.leases, namespace, name };
    const answer = await this.#transport.call({ verb: 'get', target, expected: [404], signal });
    const found = answer.status === 404 ? null : readLease(answer.body);
    this.#observed = found === null ? null : observe(this.#observed, found, this.#options.now());
    if (found?.record.holder !== this.#options.identity) this.#renewedAt = null;
  }

  async #step(signal: AbortSignal): Promise<boolean> {
    const sentAt = this.#options.now();
    const candidate = {
      identity: this.#options.identity,
      durationSeconds: LEASE_TIMES.durationMs / 1000,
    };
    const step = nextLeaseStep(this.#observed, candidate, sentAt);
    if (step.kind === 'wait' || !(await this.#write(step, signal))) return false;
    this.#renewedAt = sentAt;
    return true;
  }

  /** False when another was faster. */
  async #write(
    wanted: { readonly record: Observation['record']; readonly resourceVersion: string | null },
    signal?: AbortSignal,
  ): Promise<boolean> {
    const { namespace, name } = this.#options;
    const body = leaseManifest({ namespace, name }, wanted);
    const create = wanted.resourceVersion === null;
    const target = create ? { ...RESOURCE.leases, namespace } : { ...RESOURCE.leases, namespace, name };
    const { status, body: stored } = await this.#transport.call({
      verb: create ? 'create' : 'update',
      target,
      body,
      expected: [409],
      ...(signal === undefined ? {} : { signal }),
    });
    if (status === 409) return false;
    this.#observed = { ...readLease(stored), since: this.#options.now() };
    return true;
  }
}
