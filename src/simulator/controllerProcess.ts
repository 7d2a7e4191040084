// One life of the controller: its own state and manager over the shared world, until it is killed.
import { ControllerManager } from '../controllers/manager.ts';
import type { ControllerSettings } from '../controllers/settings.ts';
import type { CloudProvider } from '../ports/cloudProvider.ts';
import type { KubeApi } from '../ports/kubeApi.ts';
import type { Ports } from '../ports/ports.ts';
import { ClusterState } from '../state/clusterState.ts';
import type { WatchFaults } from './faults.ts';
import type { ObjectStore } from './objectStore.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtualClock.ts';
import { WatchFeed } from './watchFeed.ts';

export interface ProcessWorld {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly random: Random;
  readonly ports: Ports;
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
  #isAlive = true;
  #isAwake = true;

  /** Starts with a full list; `guard` is asked about each call to the API server and the cloud. */
  constructor(
    world: ProcessWorld,
    settings: ControllerSettings,
    options: { guard: CallGuard; watch: WatchFaults },
  ) {
    this.#guard = options.guard;
    const state = new ClusterState();
    const ports: Ports = {
      ...world.ports,
      clock: {
        nowMs: () => world.clock.nowMs(),
        sleep: (durationMs) => this.#whileAlive(() => world.clock.sleep(durationMs)),
      },
      kube: guarded<KubeApi>(world.ports.kube, (method, call) => this.#guardedCall(method, call)),
      cloud: guarded<CloudProvider>(world.ports.cloud, (method, call) => this.#guardedCall(method, call)),
    };
    this.#manager = new ControllerManager(ports, state, settings);
    this.#manager.onWake = () => {
      this.#isAwake = true;
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

  /** True once since something asked for a poll. */
  takeWake(): boolean {
    const isAwake = this.#isAwake && this.#isAlive;
    this.#isAwake = false;
    return isAwake;
  }

  /** Starts what is due; returns when to poll next. */
  poll(): number {
    return this.#isAlive ? this.#manager.poll() : Number.POSITIVE_INFINITY;
  }

  relist(): void {
    if (this.#isAlive) this.#feed.relist();
  }

  holdWatchUntil(atMs: number): void {
    this.#feed.holdUntil(atMs);
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
      return (...parameters: unknown[]) =>
        guard(String(property), () => Reflect.apply(member, target, parameters) as Promise<unknown>);
    },
  });
}
