// What provisioning remembers between runs: who waits, the open batch window, where pods were sent.
import type { ClusterEvent } from '../model/clusterEvent.ts';
import { type Pod, podKey } from '../model/pod.ts';
import { isProvisionable } from '../scheduling/provisionable.ts';
import { Backoff } from './backoff.ts';
import { type BatchWindow, batchReadyAtMs, withArrival } from './batchWindow.ts';
import { BRAKE_FIRST_MS, BRAKE_MOST_MS } from './launchBrake.ts';
import { LaunchFailuresMemory } from './launchFailures.ts';
import { Nominations } from './nominations.ts';
import type { Ground } from './offHoursRest.ts';
import type { ControllerSettings } from './settings.ts';

/** Changes of these kinds may let a waiting pod in. */
const MAY_HELP: ReadonlySet<string> = new Set(['provisioner', 'nodeClass']);
/** Going away of these may leave pods that were sent there without a place. */
const LOST_TARGET: ReadonlySet<string> = new Set(['nodeClaim', 'node']);

/** A nomination that is not ours is held for the start of a preemption for this long: its victims are deleted next. */
const MAY_PREEMPT_MS = 5_000;
/** The watch tells of our own nominations within this time; one that it does not tell of is written again. */
const TOLD_AGAIN_MS = 2_000;

interface TimedNode {
  readonly nodeName: string;
  readonly atMs: number;
}

const NEVER = Number.POSITIVE_INFINITY;
const REJECTED_FIRST_MS = 10_000;
const REJECTED_MOST_MS = 300_000;

export class ProvisioningMemory {
  readonly nominations = new Nominations();
  /** By Provisioner name: its launches were refused for a reason that only a person can mend. */
  readonly rejections = new Backoff(REJECTED_FIRST_MS, REJECTED_MOST_MS);
  /** By pod key: a node was launched for it a moment ago (see launchBrake). */
  readonly brakes = new Backoff(BRAKE_FIRST_MS, BRAKE_MOST_MS);
  /** Nodes that never came up, by Provisioner. */
  readonly failures = new LaunchFailuresMemory();
  /** What each waiting pod was last told, so that an event says it once. */
  readonly told = new Map<string, string>();
  /** What the last pass went by, if all that it was to plan for waits for the end of off-hours; else nothing. */
  restsOn: Ground = [];
  readonly #settings: ControllerSettings;
  readonly #waiting = new Map<string, number>();
  /** Claims being deleted: their pods are planned for before they are evicted, and for as long as that takes. */
  readonly #leaving = new Set<string>();
  /** By key of waiting pods: the node that the kube-scheduler was told. */
  readonly #toldNodes = new Map<string, TimedNode>();
  /** By key of waiting pods: the nomination that they came with and we have not made, and when it was first seen. */
  readonly #foreignNodes = new Map<string, TimedNode>();
  #isUntold = false;
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

  /** Notes that the scheduler is told the waiting pod's node at `nowMs`. */
  noteTold(pod: string, nodeName: string, nowMs: number): void {
    this.#toldNodes.set(pod, { nodeName, atMs: nowMs });
  }

  /** True when the scheduler was told so a moment ago, and the watch may not have shown it yet. */
  toldJustNow(pod: string, nodeName: string, nowMs: number): boolean {
    const told = this.#toldNodes.get(pod);
    return told?.nodeName === nodeName && nowMs - told.atMs < TOLD_AGAIN_MS;
  }

  /**
   * True when a pod has lost our nomination since this was last asked. The scheduler takes it off whenever it tries the
   * pod in vain, which each node of a burst that becomes ready makes it do with the pods of all the others.
   */
  takeUntold(): boolean {
    const isUntold = this.#isUntold;
    this.#isUntold = false;
    return isUntold;
  }

  /** True when the pod's nomination is not ours, and so fresh that the deletion of its victims may yet come. */
  mayPreempt(pod: Pod, nowMs: number): boolean {
    const foreign = this.#foreignNodes.get(podKey(pod));
    return foreign?.nodeName === pod.nominatedNodeName && nowMs - foreign.atMs < MAY_PREEMPT_MS;
  }

  /** How much is remembered, by concern: all of it must stay in proportion to what lives. */
  sizes(): Readonly<Record<string, number>> {
    return {
      nominations: this.nominations.size,
      rejections: this.rejections.size,
      brakes: this.brakes.size,
      launchFailures: this.failures.size,
      told: this.told.size,
      waiting: this.#waiting.size,
      leaving: this.#leaving.size,
      toldNodes: this.#toldNodes.size,
      foreignNodes: this.#foreignNodes.size,
      restsOn: this.restsOn.length,
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
      this.#noteNomination(key, pod.nominatedNodeName, nowMs);
      if (this.#waiting.has(key)) return false;
      this.#waiting.set(key, nowMs);
      this.#window = withArrival(this.#window, nowMs);
      return true;
    }
    const hasWaited = this.#waiting.delete(key);
    if (hasWaited) {
      if (this.#waiting.size === 0 && this.#leaving.size === 0) this.#window = null;
      // That of a pod evicted from a leaving node stays: what its owner makes in its place goes there.
      this.nominations.forgetPod(key);
    }
    // One that does not wait may be told of a plan that was under way when it ceased to.
    if (hasWaited || pod === null) {
      this.brakes.succeeded(key);
      this.told.delete(key);
      this.#toldNodes.delete(key);
      this.#foreignNodes.delete(key);
    }
    return false;
  }

  #noteNomination(key: string, nodeName: string, nowMs: number): void {
    if (nodeName === '' && (this.#toldNodes.get(key)?.nodeName ?? '') !== '') {
      this.#toldNodes.delete(key);
      this.#isUntold = true;
    }
    const isOurs = nodeName === '' || this.#toldNodes.get(key)?.nodeName === nodeName;
    if (isOurs) this.#foreignNodes.delete(key);
    else if (this.#foreignNodes.get(key)?.nodeName !== nodeName) {
      this.#foreignNodes.set(key, { nodeName, atMs: nowMs });
    }
  }
}
