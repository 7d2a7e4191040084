// One life of the controller: its own state and manager over the shared world, until it is killed.
import { ControllerManager } from '../controllers/manager.ts';
import type { ControllerSettings } from '../controllers/settings.ts';
import { FASTEST_PACE, steadyClock } from '../controllers/steadyClock.ts';
import type { ObjectKind } from '../model/clusterEvent.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloudProvider } from '../ports/cloudProvider.ts';
import type { KubeApi } from '../ports/kubeApi.ts';
import type { Ports } from '../ports/ports.ts';
import { ClusterState } from '../state/clusterState.ts';
import type { WatchFaults } from './faults.ts';
import type { ObjectStore } from './objectStore.ts';
import type { Random } from './random.ts';
import type { SpotNotice } from './simulatedCloud.ts';
import { SimulatedInterruptions } from './simulatedInterruptions.ts';
import type { VirtualClock } from './virtualClock.ts';
import { WatchFeed } from './watchFeed.ts';

export interface ProcessWorld {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly random: Random;
  readonly ports: Ports;
  /** By how much the machine errs about the time of day. */
  readonly clockErrorMs: () => number;
  /** Spot notices that stand just now. */
  readonly notices: () => readonly SpotNotice[];
}

/** Decides the fate of one port call: does it, fails it, or never answers. */
export type CallGuard = (method: string, call: () => Promise<unknown>) => Promise<unknown>;

/** A new one each time: what waits on it can be collected. */
function noAnswer(): Promise<never> {
  return new Promise(() => {});
}

export class ControllerProcess {
  readonly #feed: WatchFeed;
  readonly #manager: ControllerManager;
  readonly #guard: CallGuard;
  readonly #clock: Clock;
  readonly #world: ProcessWorld;
  readonly #interruptions: SimulatedInterruptions;
  #isAlive = true;
  #hasWoken = true;

  /** Starts with a full list; `guard` is asked about each call to the API server and the cloud. */
  constructor(
    world: ProcessWorld,
    settings: ControllerSettings,
    options: { guard: CallGuard; watch: WatchFaults },
  ) {
    this.#guard = options.guard;
    this.#world = world;
    this.#interruptions = new SimulatedInterruptions(world.notices);
    this.#clock = steadyClock(
      {
        wallMs: () => world.clock.nowMs() + world.clockErrorMs(),
        monotonicMs: () => world.clock.nowMs(),
      },
      (durationMs) => this.#whileAlive(() => world.clock.sleep(durationMs)),
    );
    const state = new ClusterState();
    const ports: Ports = {
      ...world.ports,
      clock: this.#clock,
      kube: guarded<KubeApi>(world.ports.kube, (method, call) => this.#guardedCall(method, call)),
      cloud: guarded<CloudProvider>(world.ports.cloud, (method, call) => this.#guardedCall(method, call)),
      interruptions: this.#interruptions,
    };
    this.#manager = new ControllerManager(ports, state, settings);
    this.#manager.onWake = () => {
      this.#hasWoken = true;
    };
    this.#feed = new WatchFeed(
      {
        clock: world.clock,
        store: world.store,
        random: world.random,
        deliver: (event) => {
          if (state.apply(event)) this.#manager.noteEvent(event);
        },
      },
      options.watch,
    );
    this.#feed.relist();
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** True while calls are under way. */
  get isBusy(): boolean {
    return this.#isAlive && !this.#manager.idle;
  }

  /** True when something has asked for a poll since the last one. */
  get isAwake(): boolean {
    return this.#hasWoken && this.#isAlive;
  }

  /** Starts what is due; returns when to poll next, in the world's time. */
  poll(): number {
    if (!this.#isAlive) return Number.POSITIVE_INFINITY;
    this.#hasWoken = false;
    const dueInMs = this.#manager.poll() - this.#clock.nowMs();
    const { clock, clockErrorMs } = this.#world;
    const isCatchingUp = this.#clock.nowMs() !== clock.nowMs() + clockErrorMs();
    // Too early does no harm: nothing starts, and the rest is reckoned anew. The clock is told in whole milliseconds.
    return clock.nowMs() + (isCatchingUp ? (dueInMs - 1) / FASTEST_PACE : dueInMs);
  }

  /** What has passed so far passed by the time of day as it was: to be called before that jumps. */
  readClock(): void {
    this.#clock.nowMs();
  }

  /** All that was written before then has reached this process. */
  knownUpToMs(): number {
    return this.#feed.knownUpToMs();
  }

  /** How much the controllers remember, by concern. */
  memorySizes(): Readonly<Record<string, number>> {
    return this.#manager.memorySizes();
  }

  /** A spot notice has come. */
  noteNotice(): void {
    if (this.#isAlive) this.#interruptions.onNotice();
  }

  relist(): void {
    if (this.#isAlive) this.#feed.relist();
  }

  holdWatchUntil(atMs: number): void {
    this.#feed.holdUntil(atMs);
  }

  /** The watch of one kind stands still, and writes go through. */
  holdKindUntil(kind: ObjectKind, atMs: number): void {
    this.#feed.holdKindUntil(kind, atMs);
  }

  /** As SIGKILL: calls that are under way may still take effect, but their answers reach nobody. */
  kill(): void {
    this.#isAlive = false;
    this.#feed.close();
  }

  #guardedCall(method: string, call: () => Promise<unknown>): Promise<unknown> {
    return this.#whileAlive(() => this.#guard(method, call));
  }

  async #whileAlive<T>(call: () => Promise<T>): Promise<T> {
    if (!this.#isAlive) return noAnswer();
    try {
      const answer = await call();
      return this.#isAlive ? answer : await noAnswer();
    } catch (failure) {
      if (!this.#isAlive) return noAnswer();
      throw failure;
    }
  }
}

/** The same port with each method asking the guard first: one place for all methods, those to come included. */
function guarded<T extends object>(port: T, guard: CallGuard): T {
  return new Proxy(port, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      if (String(property).startsWith('note')) return member.bind(target); // takes note, and asks nobody
      return (...parameters: unknown[]) =>
        guard(String(property), () => Reflect.apply(member, target, parameters) as Promise<unknown>);
    },
  });
}
