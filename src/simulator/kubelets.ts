// The simulated kubelets: they register a Node once the instance has booted, run what is bound to it, and stop it.
import type { Node, NodeCondition } from '../model/node.ts';
import { graceSecondsOf, isTerminal, type Pod, podKey } from '../model/pod.ts';
import type { Resources } from '../model/resources.ts';
import type { Taint } from '../model/taint.ts';
import { withTaints } from './kubeWrites.ts';
import type { NodeLedger } from './nodeLedger.ts';
import type { ObjectStore } from './objectStore.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtualClock.ts';

export const NOT_READY_TAINT: Taint = {
  key: 'node.kubernetes.io/not-ready',
  value: '',
  effect: 'NoSchedule',
};
/** How long containers take to stop when asked to; less if their grace is shorter. */
const STOP_POD_MS = 1500;

/** What a machine says of itself when it joins. */
export interface MachineDescription {
  readonly nodeName: string;
  readonly providerId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly startupTaints: readonly Taint[];
  readonly capacity: Resources;
  readonly allocatable: Resources;
}

export interface KubeletTimings {
  /** From registration to Ready: the network plugin starts. */
  readonly readyMs: number;
  /** From Ready until the daemon that owns the startup taints has taken them off. */
  readonly startupTaintsMs: number;
  /** First pull of an image on a node, and the start of a container whose image is there. */
  readonly pullMs: number;
  readonly startMs: number;
}

export interface KubeletParts {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly ledger: NodeLedger;
  readonly random: Random;
}

/** How long a workload's pods run before they succeed, by owner uid; null for those that never end. */
export type RunTimeOf = (pod: Pod) => number | null;

interface Machine {
  readonly description: MachineDescription;
  /** Pulled already, named by the owner of the pods that run it. */
  readonly images: Set<string>;
  alive: boolean;
  /** False when something on it is broken for good: its network plugin never starts. */
  readonly becomesReady: boolean;
}

export class Kubelets {
  readonly #parts: KubeletParts;
  readonly #timings: KubeletTimings;
  readonly #runTimeOf: RunTimeOf;
  readonly #machines = new Map<string, Machine>();

  constructor(parts: KubeletParts, timings: KubeletTimings, runTimeOf: RunTimeOf) {
    this.#parts = parts;
    this.#timings = timings;
    this.#runTimeOf = runTimeOf;
    parts.store.subscribe((event, before) => {
      if (event.kind === 'pod' && event.type === 'upsert')
        this.#podChanged(event.object, before as Pod | undefined);
    });
  }

  /** The machine registers now; it becomes Ready, if it ever does, and loses its startup taints, a little later. */
  join(description: MachineDescription, { becomesReady }: { readonly becomesReady: boolean }): void {
    this.#machines.set(description.nodeName, { description, images: new Set(), alive: true, becomesReady });
    this.#register(description);
    this.#parts.clock.after(this.#timings.readyMs, () => this.#becomeReady(description.nodeName));
  }

  /** A machine that is there and Ready from the start. */
  joinReady(description: MachineDescription): void {
    this.#machines.set(description.nodeName, {
      description,
      images: new Set(),
      alive: true,
      becomesReady: true,
    });
    this.#register(description);
    this.#setReady(description.nodeName);
  }

  /** The machine stops at once: its kubelet writes nothing any more, its containers no longer run. */
  halt(nodeName: string): void {
    const machine = this.#machines.get(nodeName);
    if (machine !== undefined) machine.alive = false;
  }

  /** A silent kubelet speaks again. */
  resume(nodeName: string): void {
    const machine = this.#machines.get(nodeName);
    if (machine === undefined || machine.alive) return;
    machine.alive = true;
    this.#becomeReady(nodeName);
    for (const pod of this.#parts.ledger.get(nodeName)?.pods.values() ?? []) this.#podChanged(pod, undefined);
  }

  isAlive(nodeName: string): boolean {
    return this.#machines.get(nodeName)?.alive === true;
  }

  /** The machine no longer exists. */
  forget(nodeName: string): void {
    this.halt(nodeName);
    this.#machines.delete(nodeName);
  }

  #register(description: MachineDescription): void {
    const { clock, store, random } = this.#parts;
    const nowMs = clock.nowMs();
    store.put('node', description.nodeName, {
      name: description.nodeName,
      uid: random.uuid(),
      resourceVersion: '',
      providerId: description.providerId,
      labels: description.labels,
      annotations: {},
      taints: [...description.taints, ...description.startupTaints, NOT_READY_TAINT],
      unschedulable: false,
      capacity: description.capacity,
      allocatable: description.allocatable,
      conditions: [{ type: 'Ready', status: 'False', sinceMs: nowMs }],
      finalizers: [],
      createdAtMs: nowMs,
      deletionRequestedAtMs: null,
    });
  }

  #becomeReady(nodeName: string): void {
    if (!this.isAlive(nodeName) || this.#machines.get(nodeName)?.becomesReady !== true) return;
    this.#setReady(nodeName);
    const startupTaints = this.#machines.get(nodeName)?.description.startupTaints ?? [];
    if (startupTaints.length === 0) return;
    this.#parts.clock.after(this.#timings.startupTaintsMs, () => {
      this.#changeNode(nodeName, (node) => ({ ...node, taints: withTaints(node.taints, [], startupTaints) }));
    });
  }

  #setReady(nodeName: string): void {
    this.#changeNode(nodeName, (node) => ({
      ...node,
      taints: node.taints.filter((taint) => taint.key !== NOT_READY_TAINT.key),
      conditions: withReady(node, 'True', this.#parts.clock.nowMs()),
    }));
  }

  #changeNode(nodeName: string, change: (node: Node) => Node): void {
    const node = this.#parts.store.get('node', nodeName);
    if (node !== undefined) this.#parts.store.put('node', nodeName, change(node));
  }

  #podChanged(pod: Pod, before: Pod | undefined): void {
    if (pod.nodeName === '' || isTerminal(pod)) return;
    if (pod.deletionRequestedAtMs !== null) {
      if (before === undefined || before.deletionRequestedAtMs === null) this.#stopLater(pod);
    } else if (pod.phase === 'Pending' && (before === undefined || before.nodeName === '')) {
      this.#startLater(pod);
    }
  }

  #startLater(pod: Pod): void {
    const machine = this.#machines.get(pod.nodeName);
    const image = pod.owner?.uid ?? pod.uid;
    const pullMs = machine?.images.has(image) === true ? 0 : this.#timings.pullMs;
    const jitterMs = this.#parts.random.integer(0, 200);
    this.#parts.clock.after(this.#timings.startMs + pullMs + jitterMs, () => this.#start(pod, image));
  }

  #start(pod: Pod, image: string): void {
    const current = this.#current(pod);
    if (current === null || current.phase !== 'Pending' || current.deletionRequestedAtMs !== null) return;
    this.#machines.get(pod.nodeName)?.images.add(image);
    this.#parts.store.put('pod', podKey(pod), { ...current, phase: 'Running', ready: true });
    const runTimeMs = this.#runTimeOf(pod);
    if (runTimeMs !== null) this.#parts.clock.after(runTimeMs, () => this.#succeed(pod));
  }

  #succeed(pod: Pod): void {
    const current = this.#current(pod);
    if (current === null || current.phase !== 'Running') return;
    this.#parts.store.put('pod', podKey(pod), { ...current, phase: 'Succeeded', ready: false });
  }

  #stopLater(pod: Pod): void {
    const graceMs = Math.min(graceSecondsOf(pod) * 1000, STOP_POD_MS);
    this.#parts.clock.after(graceMs, () => {
      if (this.#current(pod) !== null) this.#parts.store.remove('pod', podKey(pod));
    });
  }

  /** The same pod as stored now; null when it is gone or its machine no longer answers. */
  #current(pod: Pod): Pod | null {
    if (!this.isAlive(pod.nodeName)) return null;
    const current = this.#parts.store.get('pod', podKey(pod));
    return current?.uid === pod.uid ? current : null;
  }
}

/** The node's conditions with Ready as given, keeping since when if it is no change. */
export function withReady(
  node: Node,
  status: NodeCondition['status'],
  nowMs: number,
): readonly NodeCondition[] {
  const held = node.conditions.find((condition) => condition.type === 'Ready');
  const ready = held?.status === status ? held : { type: 'Ready', status, sinceMs: nowMs };
  return [...node.conditions.filter((condition) => condition.type !== 'Ready'), ready];
}
