// What provisioning remembers between runs: who waits, the open batch window, where pods were sent.
import type { ClusterEvent } from '../model/clusterEvent.ts';
import { podKey } from '../model/pod.ts';
import { isProvisionable } from '../scheduling/provisionable.ts';
import { Backoff } from './backoff.ts';
import { type BatchWindow, batchReadyAtMs, withArrival } from './batchWindow.ts';
import { BRAKE_FIRST_MS, BRAKE_MOST_MS } from './launchBrake.ts';
import { Nominations } from './nominations.ts';
import type { ControllerSettings } from './settings.ts';

/** Changes of these kinds may let a waiting pod in. */
const MAY_HELP: ReadonlySet<string> = new Set(['provisioner', 'nodeClass']);
/** Going away of these may leave pods that were sent there without a place. */
const LOST_TARGET: ReadonlySet<string> = new Set(['nodeClaim', 'node']);

const NEVER = Number.POSITIVE_INFINITY;
const REJECTED_FIRST_MS = 10_000;
const REJECTED_MOST_MS = 300_000;

export class ProvisioningMemory {
  readonly nominations = new Nominations();
  /** By Provisioner name: its launches were refused for a reason that only a person can mend. */
  readonly rejections = new Backoff(REJECTED_FIRST_MS, REJECTED_MOST_MS);
  /** By pod key: a node was launched for it a moment ago (see launchBrake). */
  readonly brakes = new Backoff(BRAKE_FIRST_MS, BRAKE_MOST_MS);
  /** What each waiting pod was last told, so that an event says it once. */
  readonly told = new Map<string, string>();
  readonly #settings: ControllerSettings;
  readonly #waiting = new Map<string, number>();
  /** Claims being deleted: their pods are planned for before they are evicted, and for as long as that takes. */
  readonly #leaving = new Set<string>();
  #window: BatchWindow | null = null;
  #retryAtMs = NEVER;

  constructor(settings: ControllerSettings) {
    this.#settings = settings;
  }

  /** Takes note of one change at `nowMs`; returns true when the window has opened or grown. */
  note(event: ClusterEvent, nowMs: number): boolean {
    if (event.kind === 'pod') return this.#notePod(event, nowMs);
    if (
      event.kind === 'nodeClaim' &&
      event.type === 'upsert' &&
      event.object.deletionRequestedAtMs !== null
    ) {
      return this.#noteLeaving(event.key, nowMs);
    }
    if (event.kind === 'nodeClaim' && event.type === 'delete') this.#leaving.delete(event.key);
    const helps = MAY_HELP.has(event.kind) || (event.type === 'delete' && LOST_TARGET.has(event.kind));
    if (!helps || this.#waiting.size === 0) return false;
    this.#window = withArrival(this.#window, nowMs);
    return true;
  }

  /** Keys of the pods that wait for capacity, and since when they have asked for it. */
  waiting(): ReadonlyMap<string, number> {
    return this.#waiting;
  }

  /** How much is remembered, by concern: all of it must stay in proportion to what lives. */
  sizes(): Readonly<Record<string, number>> {
    return {
      nominations: this.nominations.size,
      rejections: this.rejections.size,
      brakes: this.brakes.size,
      told: this.told.size,
      waiting: this.#waiting.size,
      leaving: this.#leaving.size,
    };
  }

  /** When the next planning pass is due; Infinity while nobody waits and no node is leaving. */
  dueAtMs(): number {
    const windowMs = this.#window === null ? NEVER : batchReadyAtMs(this.#window, this.#settings);
    const idle = this.#waiting.size === 0 && this.#leaving.size === 0;
    return Math.min(windowMs, idle ? NEVER : this.#retryAtMs);
  }

  /** Starts a pass: the window closes, and whoever still waits is planned for again after the retry time. */
  beginPass(nowMs: number): void {
    this.#window = null;
    this.#retryAtMs = nowMs + this.#settings.retryMs;
    this.nominations.prune(nowMs);
    this.brakes.prune(nowMs);
    this.rejections.prune(nowMs);
  }

  #noteLeaving(claim: string, nowMs: number): boolean {
    if (this.#leaving.has(claim)) return false;
    this.#leaving.add(claim);
    this.#window = withArrival(this.#window, nowMs);
    return true;
  }

  #notePod(event: ClusterEvent & { readonly kind: string }, nowMs: number): boolean {
    const pod = event.type === 'upsert' && event.kind === 'pod' ? event.object : null;
    const key = pod === null ? event.key : podKey(pod);
    if (pod !== null && isProvisionable(pod, this.#settings.schedulerName)) {
      if (this.#waiting.has(key)) return false;
      this.#waiting.set(key, nowMs);
      this.#window = withArrival(this.#window, nowMs);
      return true;
    }
    if (pod === null) this.brakes.succeeded(key);
    if (this.#waiting.delete(key)) {
      this.brakes.succeeded(key);
      if (this.#waiting.size === 0 && this.#leaving.size === 0) this.#window = null;
      this.told.delete(key);
      this.nominations.forgetPod(key);
    }
    return false;
  }
}
