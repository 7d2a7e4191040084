// Faults that happen by themselves, at times drawn from the seed, and the fate of single calls.
import { podKey } from '../model/pod.ts';
import type { ControllerProcess } from './controllerProcess.ts';
import { CALM, type FaultPlan } from './faults.ts';
import type { History } from './history.ts';
import type { Kubelets } from './kubelets.ts';
import type { NodeLifecycle } from './nodeLifecycle.ts';
import type { ObjectStore } from './objectStore.ts';
import type { Random } from './random.ts';
import type { SimulatedCloud } from './simulatedCloud.ts';
import type { VirtualClock } from './virtualClock.ts';

/** What mishaps befall. */
export interface MishapTarget {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly cloud: SimulatedCloud;
  readonly kubelets: Kubelets;
  readonly lifecycle: NodeLifecycle;
  readonly history: History;
  readonly random: Random;
  /** Those that are alive: more than one while two lead. */
  readonly processes: readonly ControllerProcess[];
  /** By how much the controllers' machine errs about the time of day. */
  clockErrorMs: number;
  crash(downMs: number): void;
  /** A second process takes over while the first goes on for `leaseMs`. */
  supersede(leaseMs: number): void;
}

/** `leaseDuration` of kube-style leader election. */
const LEASE_MS = 15_000;
const CLOCK_ERROR_MOST_MS = 600_000;

/** Writes whose outcome may be a conflict. */
const VERSIONED_WRITES: ReadonlySet<string> = new Set([
  'patchNode',
  'writeNodeClaimStatus',
  'writeEmptySince',
  'annotateNodeClaim',
]);
/** Kinds whose watch may stand still: what irreversible steps rest on. */
const WATCHED = ['pod', 'node', 'nodeClaim'] as const;
const CLOUD_CALLS: ReadonlySet<string> = new Set([
  'instanceTypes',
  'launch',
  'list',
  'nodeClassTargets',
  'terminate',
  'consoleTail',
]);

export class Mishaps {
  readonly #target: MishapTarget;
  readonly #plan: FaultPlan;
  readonly #untilMs: number;
  readonly #random: Random;
  /** No controller starts before: without a list it knows nothing. */
  apiAwayUntilMs = 0;
  #crashOnCall = false;

  constructor(target: MishapTarget, plan: FaultPlan, untilMs: number) {
    this.#target = target;
    this.#plan = plan;
    this.#untilMs = untilMs;
    this.#random = target.random.fork('mishaps');
  }

  start(): void {
    const { mishaps, cloud } = this.#plan;
    const { clock } = this.#target;
    this.#target.cloud.setFaults(cloud);
    clock.at(this.#untilMs, () => this.#target.cloud.setFaults(CALM.cloud));
    this.#repeat('crash', mishaps.crashMs, (random) => {
      if (random.chance(0.5)) this.#crash();
      else this.#crashOnCall = true;
    });
    this.#repeat('relist', mishaps.relistMs, () => {
      for (const process of this.#target.processes) process.relist();
    });
    this.#repeat('interruption', mishaps.interruptionMs, (random) => this.#interrupt(random));
    this.#repeat('hostFailure', mishaps.hostFailureMs, (random) => this.#failHost(random));
    this.#repeat('silence', mishaps.silenceMs, (random) => this.#silence(random));
    this.#repeat('unreadyPod', mishaps.unreadyPodMs, (random) => this.#makeUnready(random));
    this.#repeat('shortage', mishaps.shortageMs, (random) => this.#runShort(random));
    this.#repeat('apiOutage', mishaps.apiOutageMs, (random) => {
      const endsAtMs = Math.min(clock.nowMs() + random.integer(5000, 300_000), this.#untilMs);
      this.apiAwayUntilMs = Math.max(this.apiAwayUntilMs, endsAtMs);
      for (const process of this.#target.processes) process.holdWatchUntil(this.apiAwayUntilMs);
    });
    this.#repeat('clockJump', mishaps.clockJumpMs, (random) => this.#jumpClock(random));
    this.#repeat('staleWatch', mishaps.staleWatchMs, (random) => this.#holdWatch(random));
    this.#repeat('twoLeaders', mishaps.twoLeadersMs, () => this.#target.supersede(LEASE_MS));
  }

  /** The fate of one call to the API server or the cloud. */
  async guard(method: string, call: () => Promise<unknown>): Promise<unknown> {
    if (this.#crashOnCall) return this.#crashAround(call);
    const isCalm = this.#target.clock.nowMs() >= this.#untilMs;
    if (isCalm || method === 'publishEvent') return call();
    if (CLOUD_CALLS.has(method)) return this.#perhapsTwice(this.#plan.cloud.repeated, call);
    const { kube } = this.#plan;
    const random = this.#random;
    const isAway = this.#target.clock.nowMs() < this.apiAwayUntilMs;
    const fails = random.chance(kube.failed) || isAway;
    const isAnswerLost = random.chance(kube.answerLost);
    const conflicts = random.chance(kube.conflict) && VERSIONED_WRITES.has(method);
    if (fails) {
      await this.#target.clock.sleep(20);
      throw new Error('connection refused: simulated');
    }
    if (conflicts) {
      await this.#target.clock.sleep(5);
      return { kind: 'conflict' };
    }
    const answer = await this.#perhapsTwice(kube.repeated, call);
    if (isAnswerLost) throw new Error('connection reset: simulated');
    return answer;
  }

  async #perhapsTwice(rate: number, call: () => Promise<unknown>): Promise<unknown> {
    if (this.#random.chance(rate)) await call().catch(() => undefined);
    return call();
  }

  /** The process dies before the call, or after it went through and before its answer came. */
  async #crashAround(call: () => Promise<unknown>): Promise<unknown> {
    this.#crashOnCall = false;
    if (this.#random.chance(0.5)) {
      this.#crash();
      return undefined;
    }
    const answer = await call().catch(() => undefined);
    this.#crash();
    return answer;
  }

  #crash(): void {
    this.#target.crash(this.#random.integer(500, 20_000));
  }

  #interrupt(random: Random): void {
    const { cloud } = this.#target;
    const spot = [...cloud.living()].filter(({ instance }) => instance.capacityType === 'spot');
    if (spot.length > 0) cloud.interrupt(random.pick(spot).instance.providerId);
  }

  #failHost(random: Random): void {
    const running = [...this.#target.cloud.living()];
    if (running.length > 0) this.#target.cloud.takeBack(random.pick(running).instance.providerId);
  }

  #holdWatch(random: Random): void {
    const { clock, processes } = this.#target;
    const kind = random.pick(WATCHED);
    const untilMs = Math.min(clock.nowMs() + random.integer(5000, 300_000), this.#untilMs);
    for (const process of processes) process.holdKindUntil(kind, untilMs);
  }

  #jumpClock(random: Random): void {
    const { clock } = this.#target;
    const errorMs = random.integer(-CLOCK_ERROR_MOST_MS, CLOCK_ERROR_MOST_MS);
    this.#target.clockErrorMs = errorMs;
    const lastsMs = Math.min(random.integer(1000, 900_000), Math.max(0, this.#untilMs - clock.nowMs()));
    clock.after(lastsMs, () => {
      if (this.#target.clockErrorMs === errorMs) this.#target.clockErrorMs = 0;
    });
  }

  #silence(random: Random): void {
    const { cloud, kubelets, lifecycle, clock } = this.#target;
    const names = [...cloud.living()]
      .map(({ nodeName }) => nodeName)
      .filter((name) => kubelets.isAlive(name));
    if (names.length === 0) return;
    const name = random.pick(names);
    kubelets.halt(name);
    lifecycle.fellSilent(name);
    const silentMs = Math.min(random.integer(10_000, 600_000), Math.max(0, this.#untilMs - clock.nowMs()));
    clock.after(silentMs, () => {
      const isStillThere = [...cloud.living()].some(
        ({ nodeName, instance }) => nodeName === name && instance.state === 'running',
      );
      if (isStillThere) lifecycle.cameBack(name);
    });
  }

  #makeUnready(random: Random): void {
    const { store, clock } = this.#target;
    const running = [...store.values('pod')].filter(({ ready, phase }) => ready && phase === 'Running');
    if (running.length === 0) return;
    const picked = random.pick(running);
    const key = podKey(picked);
    store.put('pod', key, { ...picked, ready: false });
    const lastsMs = Math.min(random.integer(5000, 300_000), Math.max(0, this.#untilMs - clock.nowMs()));
    clock.after(lastsMs, () => {
      const current = store.get('pod', key);
      if (current?.uid === picked.uid && current.phase === 'Running')
        store.put('pod', key, { ...current, ready: true });
    });
  }

  #runShort(random: Random): void {
    const { cloud, clock } = this.#target;
    const known = [...cloud.living()];
    const nowMs = clock.nowMs();
    const untilMs = Math.min(nowMs + random.integer(60_000, 900_000), this.#untilMs);
    const kind = random.integer(0, 2);
    const instance = known.length > 0 ? random.pick(known).instance : null;
    cloud.addShortage({
      instanceType: kind === 0 ? (instance?.instanceType ?? null) : null,
      zone: kind === 1 ? (instance?.zone ?? null) : null,
      capacityType: kind === 2 ? 'spot' : null,
      fromMs: nowMs,
      untilMs,
    });
  }

  /** Times between two are exponential, so that any spacing may come. */
  #repeat(name: string, meanMs: number, act: (random: Random) => void): void {
    if (meanMs === Number.POSITIVE_INFINITY) return;
    const random = this.#random.fork(name);
    const again = (): void => {
      const pauseMs = Math.ceil(-Math.log(1 - random.fraction()) * meanMs);
      const { clock, history } = this.#target;
      if (clock.nowMs() + pauseMs >= this.#untilMs) return;
      clock.after(pauseMs, () => {
        history.note({ atMs: clock.nowMs(), kind: 'Mishap', subject: name, facts: {} });
        act(random);
        again();
      });
    };
    again();
  }
}
