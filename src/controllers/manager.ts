// The running whole: which controller is due, each at most once at a time.
import type { ClusterEvent, ObjectKind } from '../model/clusterEvent.ts';
import type { InterruptionKind } from '../ports/interruptions.ts';
import type { Ports } from '../ports/ports.ts';
import type { ClusterState } from '../state/clusterState.ts';
import { AttachmentLists } from './attachmentLists.ts';
import { Backoff } from './backoff.ts';
import { ConsolidationMemory, consolidateNodes } from './consolidation.ts';
import { disruptNodes } from './disruption.ts';
import type { DrainTelling } from './drainEvents.ts';
import { DrainStarts } from './drainStarts.ts';
import { DriftWatch, watchDrift } from './drift.ts';
import { collectGarbage } from './garbageCollection.ts';
import { heedInterruptions, isInterrupted } from './interruption.ts';
import type { Launching } from './launch.ts';
import { advanceNodeClaims } from './lifecycle.ts';
import { LiveState } from './liveState.ts';
import type { NextRun } from './nextRun.ts';
import { provision } from './provisioning.ts';
import { ProvisioningMemory } from './provisioningMemory.ts';
import { ReplacementOrders } from './replacementOrders.ts';
import { ReplacingMemory, replaceNodes } from './replacing.ts';
import type { ControllerSettings } from './settings.ts';
import { SharedRead } from './sharedRead.ts';
import { type InvalidObject, reportStatus, StatusMemory } from './status.ts';
import { terminateNodeClaims } from './termination.ts';

export type ControllerName =
  | 'provisioning'
  | 'lifecycle'
  | 'termination'
  | 'disruption'
  | 'drift'
  | 'replacing'
  | 'consolidation'
  | 'interruption'
  | 'garbage'
  | 'status';

interface Turn {
  running: boolean;
  dueAtMs: number;
  lastStartMs: number;
  /** Asked for while it was running. */
  again: boolean;
  /** After a failure: no wake starts it before. */
  notBeforeMs: number;
}

/** Kinds whose changes make a controller due. */
const WAKES: Readonly<Record<ControllerName, ReadonlySet<ObjectKind>>> = {
  provisioning: new Set([]), // its batch window says when
  lifecycle: new Set(['nodeClaim', 'node', 'nodeClass']),
  termination: new Set(['nodeClaim', 'node', 'pod']),
  disruption: new Set(['nodeClaim', 'node', 'pod', 'provisioner']),
  drift: new Set(['provisioner', 'nodeClass', 'nodeClaim']),
  replacing: new Set(['nodeClaim', 'node', 'provisioner']),
  consolidation: new Set(['provisioner']), // it polls
  interruption: new Set([]), // its source says when
  garbage: new Set([]),
  status: new Set(['nodeClaim', 'node', 'provisioner', 'nodeClass']),
};

/** Runs that follow from changes are at least this far apart, so that a storm of events costs one look. */
const SPACING_MS: Readonly<Record<ControllerName, number>> = {
  provisioning: 0,
  lifecycle: 20,
  termination: 50,
  disruption: 500,
  drift: 2000,
  replacing: 1000,
  consolidation: 1000,
  interruption: 0,
  garbage: 0,
  status: 1000,
};

const FAILED_FIRST_MS = 500;
const FAILED_MOST_MS = 30_000;
const NEVER = Number.POSITIVE_INFINITY;

/**
 * Runs the controllers over ports. Does not sleep: the caller polls at the time that `poll` returns,
 * after each event, and whenever `onWake` is called.
 */
export class ControllerManager {
  /** Called when a controller has finished or something new is due. */
  onWake: () => void = () => {};
  /** Readable by tests, the dashboard and metrics. */
  readonly memory: ProvisioningMemory;
  readonly #ports: Ports;
  readonly #live: LiveState;
  readonly #settings: ControllerSettings;
  readonly #launching: Launching;
  readonly #status = new StatusMemory();
  readonly #goneInstances = new Set<string>();
  readonly #misses = new Map<string, number>();
  readonly #sweeps = { count: 0 };
  readonly #told = new Map<string, Set<InterruptionKind>>();
  readonly #orders = new ReplacementOrders();
  readonly #replacing = new ReplacingMemory();
  readonly #drift: DriftWatch;
  readonly #consolidation = new ConsolidationMemory();
  readonly #toldHeld = new Map<string, string>();
  readonly #toldUnrepaired = new Map<string, string>();
  readonly #evictions = new Backoff(100, 10_000);
  readonly #questions = new Backoff(2000, 2000);
  readonly #refusals = new Map<string, number>();
  readonly #denials = new Map<string, string>();
  readonly #drainsTold: DrainTelling = new Map();
  readonly #drainStarts = new DrainStarts();
  readonly #attachments = new AttachmentLists();
  readonly #detachSinceMs = new Map<string, number>();
  readonly #failures = new Backoff(FAILED_FIRST_MS, FAILED_MOST_MS);
  readonly #turns: Record<ControllerName, Turn>;
  #mayStart: ReadonlySet<ControllerName> = new Set();

  constructor(ports: Ports, state: ClusterState, settings: ControllerSettings) {
    this.#ports = ports;
    this.#settings = settings;
    this.memory = new ProvisioningMemory(settings);
    this.#drift = new DriftWatch(settings);
    this.#live = new LiveState(state, ports.clock, (event) => this.noteEvent(event));
    this.#launching = {
      live: this.#live,
      memory: this.memory,
      settings,
      underWay: new Set(),
      givenUp: new Set(),
      givingBack: new Set(),
      doubts: new Backoff(5_000, 60_000),
      joined: new SharedRead(),
      nodeLosses: new Map(),
      notedNodes: new WeakSet(),
      retries: new Backoff(1000, 60_000),
      wake: () => {
        this.#wake('lifecycle');
        this.#wake('termination');
      },
    };
    const nowMs = ports.clock.nowMs();
    const turn = (): Turn => ({
      running: false,
      dueAtMs: nowMs,
      lastStartMs: -NEVER,
      again: false,
      notBeforeMs: 0,
    });
    this.#turns = {
      provisioning: turn(),
      lifecycle: turn(),
      termination: turn(),
      disruption: turn(),
      drift: turn(),
      replacing: turn(),
      consolidation: turn(),
      interruption: turn(),
      garbage: turn(),
      status: turn(),
    };
    if (ports.interruptions !== undefined) ports.interruptions.onNotice = () => this.#wake('interruption');
  }

  /** True when no controller is running and no launch is under way. */
  get idle(): boolean {
    const { underWay, givingBack } = this.#launching;
    const isWorking = underWay.size > 0 || givingBack.size > 0;
    return !isWorking && !Object.values(this.#turns).some((turn) => turn.running);
  }

  /** How much is remembered, by concern: all of it must stay in proportion to what lives, however long this runs. */
  memorySizes(): Readonly<Record<string, number>> {
    return {
      ...this.memory.sizes(),
      launchesUnderWay: this.#launching.underWay.size,
      givenUpLaunches: this.#launching.givenUp.size,
      doubtedEnds: this.#launching.doubts.size,
      nodeLosses: this.#launching.nodeLosses.size,
      launchRetries: this.#launching.retries.size,
      statusesWritten: this.#status.written.size,
      invalidObjects: this.#status.invalid.size,
      goneInstances: this.#goneInstances.size,
      misses: this.#misses.size,
      interruptionsTold: this.#told.size,
      heldDisruptionsTold: this.#toldHeld.size,
      unrepairedTold: this.#toldUnrepaired.size,
      ...this.#consolidation.sizes(),
      promisedClaims: this.#live.promised.size,
      ...this.#orders.sizes(),
      ...this.#drift.sizes(),
      ...this.#replacing.sizes(),
      evictions: this.#evictions.size,
      questions: this.#questions.size,
      refusals: this.#refusals.size,
      denials: this.#denials.size,
      drainsTold: this.#drainsTold.size,
      drainStarts: this.#drainStarts.size,
      detaching: this.#detachSinceMs.size,
      failures: this.#failures.size,
    };
  }

  /** Takes note of a change that the state has taken in; the next poll runs whom it concerns. */
  noteEvent(event: ClusterEvent): void {
    const nowMs = this.#ports.clock.nowMs();
    if (this.memory.note(event, nowMs)) this.#wake('provisioning');
    if (this.memory.takeUntold()) this.#wake('lifecycle');
    if (event.type === 'delete') this.#status.forget(event.kind, event.key);
    else if (event.kind === 'nodeClaim') this.#status.noteReadable(event.key);
    for (const name of NAMES) if (WAKES[name].has(event.kind)) this.#wake(name);
  }

  /** Takes note of an object that cannot be used; its status and an event will say why. */
  noteInvalid(object: InvalidObject): void {
    this.#status.noteInvalid(object);
    this.#wake('status');
  }

  /**
   * Starts the controllers that are due and not running. Returns when the next is due; Infinity for never.
   * @param startsMost how many to start at most: each looks at the whole cluster before it first waits for anything
   */
  poll(startsMost: number = NAMES.length): number {
    const nowMs = this.#ports.clock.nowMs();
    this.#mayStart = new Set(startsMost < NAMES.length ? this.#longestWaiting(startsMost, nowMs) : NAMES);
    const ports = this.#ports;
    const live = this.#live;
    const settings = this.#settings;
    const memory = this.memory;
    this.#startIfDue('lifecycle', nowMs, () => advanceNodeClaims(ports, this.#launching));
    this.#startIfDue('provisioning', nowMs, () => provision(ports, { live, memory, settings }));
    this.#startIfDue('termination', nowMs, () =>
      terminateNodeClaims(ports, {
        live,
        settings,
        launchesUnderWay: this.#launching.underWay,
        goneInstances: this.#goneInstances,
        evictions: this.#evictions,
        questions: this.#questions,
        ...{ refusals: this.#refusals, denials: this.#denials },
        telling: this.#drainsTold,
        starts: this.#drainStarts,
        isInterrupted: (uid) => isInterrupted(this.#told, uid),
        attachments: this.#attachments,
        detachSinceMs: this.#detachSinceMs,
      }),
    );
    this.#startIfDue('disruption', nowMs, () =>
      disruptNodes(ports, {
        live,
        ...{ settings, toldUnrepaired: this.#toldUnrepaired, failures: memory.failures },
        nominations: memory.nominations,
        ...{ orders: this.#orders, toldHeld: this.#toldHeld },
      }),
    );
    const orders = this.#orders;
    const watch = this.#drift;
    this.#startIfDue('drift', nowMs, () => watchDrift(ports, { live, watch, settings }));
    const { nominations, failures } = memory;
    this.#startIfDue('replacing', nowMs, () =>
      replaceNodes(ports, { live, orders, watch, failures, memory: this.#replacing }),
    );
    this.#startIfDue('consolidation', nowMs, () =>
      consolidateNodes(ports, { live, orders, nominations, failures, memory: this.#consolidation }),
    );
    this.#startIfDue('interruption', nowMs, () =>
      heedInterruptions(ports, { live, settings, told: this.#told }),
    );
    this.#startIfDue('garbage', nowMs, () =>
      collectGarbage(ports, {
        live,
        settings,
        misses: this.#misses,
        goneInstances: this.#goneInstances,
        sweeps: this.#sweeps,
        unreadableClaims: () => this.#status.unreadableClaims(),
      }),
    );
    this.#startIfDue('status', nowMs, () => reportStatus(ports, live, this.#status, memory.failures));
    return NAMES.reduce((soonest, name) => Math.min(soonest, this.#nextAtMs(name)), NEVER);
  }

  /** On a busy machine the same controller is due at every poll: whose last turn is longest ago comes first. */
  #longestWaiting(most: number, nowMs: number): readonly ControllerName[] {
    const lastMs = (name: ControllerName): number => this.#turns[name].lastStartMs;
    return NAMES.filter((name) => this.#nextAtMs(name) <= nowMs)
      .sort((left, right) => (lastMs(left) < lastMs(right) ? -1 : Number(lastMs(left) > lastMs(right))))
      .slice(0, most);
  }

  #nextAtMs(name: ControllerName): number {
    const turn = this.#turns[name];
    if (turn.running) return NEVER;
    return Math.max(turn.dueAtMs, turn.lastStartMs + SPACING_MS[name], turn.notBeforeMs);
  }

  #wake(name: ControllerName): void {
    const turn = this.#turns[name];
    if (turn.running) turn.again = true;
    turn.dueAtMs =
      name === 'provisioning' ? Math.min(turn.dueAtMs, this.memory.dueAtMs()) : this.#ports.clock.nowMs();
    this.onWake();
  }

  #startIfDue(name: ControllerName, nowMs: number, act: () => Promise<NextRun>): void {
    const turn = this.#turns[name];
    if (!this.#mayStart.has(name) || turn.running || this.#nextAtMs(name) > nowMs) return;
    turn.running = true;
    turn.again = false;
    turn.lastStartMs = nowMs;
    turn.dueAtMs = NEVER;
    void this.#runTurn(name, act);
  }

  async #runTurn(name: ControllerName, act: () => Promise<NextRun>): Promise<void> {
    const turn = this.#turns[name];
    let afterMs: number;
    try {
      ({ afterMs } = await act());
      this.#failures.succeeded(name);
    } catch (failure) {
      const nowMs = this.#ports.clock.nowMs();
      turn.notBeforeMs = this.#failures.failed(name, nowMs);
      afterMs = turn.notBeforeMs - nowMs;
      this.#ports.telemetry.log.error({ controller: name, error: String(failure) }, 'controller failed');
      this.#ports.telemetry.metrics.count('cooper_controller_errors_total', { controller: name });
    }
    const nowMs = this.#ports.clock.nowMs();
    turn.running = false;
    turn.dueAtMs = turn.again ? nowMs : Math.min(turn.dueAtMs, nowMs + afterMs);
    if (name === 'provisioning')
      turn.dueAtMs = Math.min(turn.dueAtMs, Math.max(nowMs, this.memory.dueAtMs()));
    this.onWake();
  }
}

const NAMES: readonly ControllerName[] = [
  'lifecycle',
  'provisioning',
  'termination',
  'disruption',
  'drift',
  'replacing',
  'consolidation',
  'interruption',
  'garbage',
  'status',
];
