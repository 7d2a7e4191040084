// One simulated cluster and account with the real controllers in it, and the loop that moves its time on.
import { inlinePlanner } from '../controllers/inlinePlanner.ts';
import { type ControllerSettings, DEFAULT_SETTINGS } from '../controllers/settings.ts';
import type { InstanceType } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../model/volumes.ts';
import type { DaemonSet, Namespace } from '../model/workloads.ts';
import type { Ports } from '../ports/ports.ts';
import type { BadImage, Shortage } from './cloudMarket.ts';
import { ControllerProcess } from './controllerProcess.ts';
import { DaemonSets } from './daemonSets.ts';
import { type BudgetSpec, DisruptionBudgets } from './disruptionBudgets.ts';
import type { FaultPlan } from './faults.ts';
import { History } from './history.ts';
import { Kubelets, type KubeletTimings } from './kubelets.ts';
import { KubeScheduler } from './kubeScheduler.ts';
import type { ImageRelease } from './launchTargets.ts';
import { connectMachines, joinStaticNode, type StaticNode } from './machines.ts';
import { listeningTelemetry, MemoryJournal } from './memoryTelemetry.ts';
import { Mishaps } from './mishaps.ts';
import { NodeLedger } from './nodeLedger.ts';
import { NodeLifecycle } from './nodeLifecycle.ts';
import { ObjectStore } from './objectStore.ts';
import { Random } from './random.ts';
import { Recorder } from './recorder.ts';
import { type CloudTimings, SimulatedCloud } from './simulatedCloud.ts';
import { SimulatedKube } from './simulatedKube.ts';
import { VirtualClock } from './virtualClock.ts';
import { VolumeAttachments } from './volumeAttachments.ts';
import { type WorkloadSpec, Workloads } from './workloads.ts';

/** All that a simulation starts from. Times are since the epoch. */
export interface SimulationSetup {
  readonly seed: string;
  readonly startMs: number;
  readonly instanceTypes: readonly InstanceType[];
  readonly cloudTimings: CloudTimings;
  readonly kubeletTimings: KubeletTimings;
  readonly settings: Partial<ControllerSettings>;
  readonly faults: FaultPlan;
  /** Mishaps end then, so that the cluster can come to rest. */
  readonly faultsUntilMs: number;
  readonly shortages: readonly Shortage[];
  /** Absent: what is launched joins, but for the faults. */
  readonly badImages?: readonly BadImage[];
  readonly provisioners: readonly Provisioner[];
  readonly nodeClasses: readonly NodeClass[];
  readonly namespaces: readonly Namespace[];
  readonly staticNodes: readonly StaticNode[];
  readonly daemonSets: readonly DaemonSet[];
  readonly budgets: readonly BudgetSpec[];
  readonly workloads: readonly WorkloadSpec[];
  /** Bound claims and their volumes; absent when no pod has any. */
  readonly volumes?: {
    readonly persistentVolumes: readonly PersistentVolume[];
    readonly persistentVolumeClaims: readonly PersistentVolumeClaim[];
  };
  /** What somebody applies later; absent when nobody does. */
  readonly changes?: readonly AppliedChange[];
  /** Images that come out later; absent when none does. */
  readonly images?: readonly (ImageRelease & { readonly atMs: number })[];
  /** History entries kept in memory. */
  readonly keepEntries: number;
}

/** Objects that are stored at a time, in place of those of the same name. */
export interface AppliedChange {
  readonly atMs: number;
  readonly provisioners: readonly Provisioner[];
  readonly nodeClasses: readonly NodeClass[];
}

/** Waits, on the wall clock, until the simulated time may be shown; absent when it need not be waited for. */
export type Pace = (virtualMs: number) => Promise<void>;

/** As users run it: work bounds the improvement of plans, not time alone, so a clock that stands still will do. */
const SIMULATED_SETTINGS: ControllerSettings = { ...DEFAULT_SETTINGS, clusterName: 'simulated' };
/** Polls without progress at one instant, after which something runs in a circle. */
const POLLS_MOST = 10_000;

export class Simulation {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly ledger: NodeLedger;
  readonly budgets: DisruptionBudgets;
  readonly attachments: VolumeAttachments;
  readonly kube: SimulatedKube;
  readonly cloud: SimulatedCloud;
  readonly kubelets: Kubelets;
  readonly lifecycle: NodeLifecycle;
  readonly workloads: Workloads;
  readonly history: History;
  readonly random: Random;
  readonly setup: SimulationSetup;
  readonly #mishaps: Mishaps;
  readonly #ports: Ports;
  #clockErrorMs = 0;
  #processes: ControllerProcess[] = [];
  #isDown = false;
  #starts = 0;
  #stepListeners: (() => void)[] = [];

  constructor(setup: SimulationSetup) {
    this.setup = setup;
    this.random = new Random(setup.seed);
    const clock = new VirtualClock(setup.startMs);
    const store = new ObjectStore();
    this.clock = clock;
    this.store = store;
    const ledger = new NodeLedger(store);
    this.ledger = ledger;
    this.budgets = new DisruptionBudgets(store);
    this.history = new History(setup.keepEntries);
    const recorder = new Recorder({ clock, store, ledger, history: this.history });
    const fork = (concern: string): Random => this.random.fork(concern);
    this.attachments = new VolumeAttachments({ clock, store, ledger, random: fork('attachments') });
    this.workloads = new Workloads({ clock, store, budgets: this.budgets, random: fork('workloads') });
    const { budgets, attachments, workloads } = this;
    this.kube = new SimulatedKube({
      ...{ clock, store, budgets, attachments, workloads },
      random: fork('kube'),
    });
    const { instanceTypes, cloudTimings: timings, badImages = [] } = setup;
    this.cloud = new SimulatedCloud({ clock, instanceTypes, timings, badImages, random: fork('cloud') });
    this.kubelets = new Kubelets(
      { clock, store, ledger, random: fork('kubelets') },
      setup.kubeletTimings,
      (pod) => this.workloads.runTimeOf(pod),
    );
    this.lifecycle = new NodeLifecycle({ clock, store, ledger, kubelets: this.kubelets });
    new KubeScheduler({ clock, store, ledger });
    recorder.recordCloud(this.cloud);
    recorder.recordKube(this.kube);
    connectMachines({ clock, store, cloud: this.cloud, kubelets: this.kubelets, lifecycle: this.lifecycle });
    this.#populate();
    this.cloud.observe({
      noticed: () => {
        for (const process of this.#processes) process.noteNotice();
      },
    });
    this.#ports = this.#makePorts();
    this.#mishaps = new Mishaps(this, setup.faults, setup.faultsUntilMs);
    this.#processes = [this.#startProcess()];
    this.#mishaps.start();
  }

  /** Called after each step: when all that happens at one instant has happened. */
  onStep(listener: () => void): void {
    this.#stepListeners.push(listener);
  }

  /** The controllers that are alive: one, none after a crash, two while a new leader and the old one both act. */
  get processes(): readonly ControllerProcess[] {
    return this.#processes;
  }

  get clockErrorMs(): number {
    return this.#clockErrorMs;
  }

  /** The time of day jumps on the controllers' machine. */
  set clockErrorMs(errorMs: number) {
    for (const process of this.#processes) process.readClock();
    this.#clockErrorMs = errorMs;
  }

  /** Kills the controllers, and starts one anew after `downMs`, or once the API server can be asked. */
  crash(downMs: number): void {
    if (this.#isDown) return;
    for (const process of this.#processes) process.kill();
    this.#processes = [];
    this.#isDown = true;
    this.clock.at(Math.max(this.clock.nowMs() + downMs, this.#mishaps.apiAwayUntilMs), () => {
      this.#isDown = false;
      this.#processes = [this.#startProcess()];
    });
  }

  /** Another leader starts; the one that there is has not noticed, and acts on for `leaseMs`. */
  supersede(leaseMs: number): void {
    if (this.#isDown || this.clock.nowMs() < this.#mishaps.apiAwayUntilMs) return;
    const before = this.#processes;
    this.#processes = [...before, this.#startProcess()];
    this.clock.after(leaseMs, () => {
      for (const process of before) process.kill();
      this.#processes = this.#processes.filter((process) => process.isAlive);
    });
  }

  /** Moves time on to `untilMs`, action by action. */
  async run(untilMs: number, pace?: Pace): Promise<void> {
    for (;;) {
      const pollAtMs = await this.#settle();
      for (const listener of this.#stepListeners) listener();
      const nextMs = Math.min(this.clock.nextAtMs(), Math.max(Math.ceil(pollAtMs), this.clock.nowMs() + 1));
      if (pace !== undefined) await pace(Math.min(nextMs, untilMs));
      if (nextMs > untilMs) break;
      this.clock.advanceTo(nextMs);
    }
    this.clock.advanceTo(untilMs);
  }

  /** Polls until nothing more happens at this instant; returns when to poll next. */
  async #settle(): Promise<number> {
    let pollAtMs = Number.POSITIVE_INFINITY;
    for (let polls = 0; polls < POLLS_MOST; polls += 1) {
      pollAtMs = this.#poll();
      // One turn of the event loop runs every promise that can run; nothing here waits for anything but this clock.
      if (this.#processes.some((process) => process.isBusy)) await new Promise(setImmediate);
      if (!this.#processes.some((process) => process.isAwake)) return pollAtMs;
    }
    throw new Error(`controllers ran ${POLLS_MOST} times at one instant`);
  }

  #poll(): number {
    let pollAtMs = Number.POSITIVE_INFINITY;
    for (const process of this.#processes) pollAtMs = Math.min(pollAtMs, process.poll());
    return pollAtMs;
  }

  #startProcess(): ControllerProcess {
    this.#starts += 1;
    const life = {
      clock: this.clock,
      store: this.store,
      random: this.random.fork(`watch/${this.#starts}`),
      ports: this.#ports,
      clockErrorMs: () => this.#clockErrorMs,
      notices: () => this.cloud.interruptionNotices(),
    };
    const settings = { ...SIMULATED_SETTINGS, ...this.setup.settings };
    return new ControllerProcess(life, settings, {
      guard: (method, call) => this.#mishaps.guard(method, call),
      watch: this.setup.faults.watch,
    });
  }

  #makePorts(): Ports {
    const { clock, history } = this;
    const journal = new MemoryJournal(1000, ({ kind, subject, reason, facts }) =>
      history.note({ atMs: clock.nowMs(), kind: 'Decision', subject, facts: { kind, reason, ...facts } }),
    );
    const telemetry = listeningTelemetry((level, message, fields) => {
      if (level === 'debug' || level === 'info') return;
      history.note({ atMs: clock.nowMs(), kind: 'Log', subject: message, facts: { level, ...fields } });
    });
    const planner = inlinePlanner(clock, telemetry);
    return { clock, cloud: this.cloud, kube: this.kube, planner, journal, telemetry };
  }

  #populate(): void {
    const { setup, store } = this;
    for (const shortage of setup.shortages) this.cloud.addShortage(shortage);
    for (const namespace of setup.namespaces) store.put('namespace', namespace.name, namespace);
    for (const one of setup.volumes?.persistentVolumes ?? []) store.put('persistentVolume', one.name, one);
    for (const one of setup.volumes?.persistentVolumeClaims ?? [])
      store.put('persistentVolumeClaim', `${one.namespace}/${one.name}`, one);
    this.#apply(setup);
    for (const image of setup.images ?? [])
      this.clock.at(image.atMs, () => this.cloud.targets.release(image));
    for (const change of setup.changes ?? []) this.clock.at(change.atMs, () => this.#apply(change));
    const daemonSets = new DaemonSets({
      clock: this.clock,
      store,
      ledger: this.ledger,
      random: this.random.fork('daemons'),
    });
    for (const set of setup.daemonSets) daemonSets.add(set);
    for (const node of setup.staticNodes) joinStaticNode(this.kubelets, setup.instanceTypes, node);
    for (const budget of setup.budgets) this.budgets.add(budget);
    for (const workload of setup.workloads) this.workloads.add(workload);
  }

  /** As the API server does: a change counts the generation up and leaves the status alone. */
  #apply({ nodeClasses, provisioners }: Omit<AppliedChange, 'atMs'>): void {
    for (const nodeClass of nodeClasses) {
      const held = this.store.get('nodeClass', nodeClass.key);
      const generation = held === undefined ? nodeClass.generation : held.generation + 1;
      this.store.put('nodeClass', nodeClass.key, { ...nodeClass, generation });
    }
    for (const provisioner of provisioners) {
      const held = this.store.get('provisioner', provisioner.name);
      if (held === undefined) {
        this.store.put('provisioner', provisioner.name, provisioner);
        continue;
      }
      const { launchFailures } = held;
      const status = launchFailures === undefined ? {} : { launchFailures };
      const generation = held.generation + 1;
      this.store.put('provisioner', provisioner.name, { ...provisioner, ...status, generation });
    }
  }
}

/** True for nodes that a Provisioner has launched. */
export function isOwned(node: { readonly labels: Readonly<Record<string, string>> }): boolean {
  return node.labels[LABEL.provisioner] !== undefined;
}
