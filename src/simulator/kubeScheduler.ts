// The simulated kube-scheduler: binds pods class by class, and marks the ones that fit nowhere Unschedulable.
import type { Node } from '../model/node.ts';
import { isTerminal, type Pod, type PodSpec, podKey } from '../model/pod.ts';
import { type CompiledSpec, compileSpec, hasRoom, nodeAdmits } from './nodeFit.ts';
import type { LedgerEntry, NodeLedger } from './nodeLedger.ts';
import type { ObjectStore } from './objectStore.ts';
import { Placing, type RankedNode, RuleSightings } from './placing.ts';
import type { VirtualClock } from './virtualClock.ts';
import { provisionClaims } from './volumeFit.ts';

/** From a pod's creation to its binding or its mark. */
const ATTEMPT_DELAY_MS = 5;
/** How often at most classes that depend on other pods are tried again. */
const RETRY_PODS_MS = 1000;
/**
 * A pod that was tried in vain is not tried again before this (`podInitialBackoffSeconds`). Here that goes for pods
 * that lost a nomination with it: whoever made that has the time to make it again. Others need no such pause.
 */
const BACK_OFF_MS = 1000;
/** The real scheduler stops looking after this many feasible nodes, or a share of a large cluster. */
const FEASIBLE_LEAST = 100;

/** Pods that are alike to the scheduler, in the order they came. */
interface PodClass {
  readonly key: string;
  readonly compiled: CompiledSpec;
  /** True when room is not all: what other pods or volumes do can make a node possible. */
  readonly isEntangled: boolean;
  readonly waiting: Map<string, Pod>;
  /** Nodes that may have become possible since a pod of the class fitted nowhere; null: any node may do. */
  candidates: Set<string> | null;
}

export interface SchedulerParts {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly ledger: NodeLedger;
}

export class KubeScheduler {
  readonly #parts: SchedulerParts;
  readonly #classes = new Map<string, PodClass>();
  readonly #compiled = new Map<PodSpec, { readonly id: number; readonly compiled: CompiledSpec }>();
  readonly #active = new Set<PodClass>();
  readonly #sightings = new RuleSightings();
  /** By uid: pods that are not to be tried now, and whether something has happened meanwhile that may let them in. */
  readonly #backingOff = new Map<string, 'quiet' | 'wanted'>();
  #isAttemptDue = false;
  #isRetryDue = false;
  #nextStart = 0;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    parts.store.subscribe((event, before) => {
      if (event.kind === 'pod') {
        if (event.type === 'upsert') this.#podChanged(event.object, before as Pod | undefined);
        else this.#podGone(before as Pod);
      } else if (event.kind === 'node' && event.type === 'upsert') {
        this.#nodeChanged(event.object, before as Node | undefined);
      }
    });
  }

  /** Every node that would take the pod now, with what the scheduler makes of it. */
  rank(pod: Pod): readonly RankedNode[] {
    return this.#placing(pod, this.#compile(pod.spec).compiled).rank(this.#parts.ledger.nodes(), pod);
  }

  #podChanged(pod: Pod, before: Pod | undefined): void {
    this.#sightings.note(pod);
    const isWaiting = pod.nodeName === '' && !isTerminal(pod) && !pod.schedulingGated;
    if (isWaiting) this.#enqueue(pod);
    else if (before !== undefined && before.nodeName === '') this.#dequeue(pod);
    if (pod.nodeName !== '' && before?.nodeName === '') this.#retryPodRules();
    if (before !== undefined) this.#nominationEnded(before, pod);
    if (isTerminal(pod) && before !== undefined && !isTerminal(before)) this.#roomFreed(pod.nodeName);
  }

  #podGone(pod: Pod): void {
    this.#dequeue(pod);
    if (pod.nodeName === '') this.#nominationEnded(pod, null);
    if (pod.nodeName !== '' && !isTerminal(pod)) this.#roomFreed(pod.nodeName);
    this.#retryPodRules();
  }

  /** Room that was kept for the pod is free again where it has not gone. */
  #nominationEnded(before: Pod, now: Pod | null): void {
    const held = before.nodeName === '' ? before.nominatedNodeName : '';
    const isHeldStill = now?.nodeName === '' && now.nominatedNodeName === held;
    if (held !== '' && !isHeldStill && now?.nodeName !== held) this.#roomFreed(held);
  }

  #enqueue(pod: Pod): void {
    const podClass = this.#classOf(pod);
    const isNew = !podClass.waiting.has(podKey(pod));
    podClass.waiting.set(podKey(pod), pod);
    if (isNew) this.#activate(podClass);
  }

  #dequeue(pod: Pod): void {
    const key = this.#classKey(pod);
    const podClass = this.#classes.get(key);
    if (podClass?.waiting.delete(podKey(pod)) === true && podClass.waiting.size === 0) {
      this.#classes.delete(key);
      this.#active.delete(podClass);
    }
  }

  #nodeChanged(node: Node, before: Node | undefined): void {
    const isSame =
      before !== undefined &&
      before.taints === node.taints &&
      before.labels === node.labels &&
      before.unschedulable === node.unschedulable &&
      before.allocatable === node.allocatable;
    if (!isSame) this.#roomFreed(node.name);
  }

  /** Only that node can have become possible, so only that node is tried, by every class that waits. */
  #roomFreed(nodeName: string): void {
    const entry = this.#parts.ledger.get(nodeName);
    if (entry === undefined || entry.node === null) return;
    for (const podClass of this.#classes.values()) {
      if (podClass.candidates === null || !nodeAdmits(podClass.compiled, entry.node)) continue;
      if (!hasRoom(podClass.compiled, entry)) continue;
      podClass.candidates.add(nodeName);
      this.#activate(podClass);
    }
  }

  #retryPodRules(): void {
    if (this.#isRetryDue) return;
    const waiting = [...this.#classes.values()].filter((one) => one.isEntangled && one.candidates !== null);
    if (waiting.length === 0) return;
    this.#isRetryDue = true;
    this.#parts.clock.after(RETRY_PODS_MS, () => {
      this.#isRetryDue = false;
      for (const podClass of waiting) {
        if (podClass.waiting.size === 0) continue;
        podClass.candidates = null;
        this.#activate(podClass);
      }
    });
  }

  #activate(podClass: PodClass): void {
    this.#active.add(podClass);
    if (this.#isAttemptDue) return;
    this.#isAttemptDue = true;
    this.#parts.clock.after(ATTEMPT_DELAY_MS, () => this.#attempt());
  }

  #attempt(): void {
    this.#isAttemptDue = false;
    const classes = [...this.#active].sort(
      (left, right) => right.compiled.spec.priority - left.compiled.spec.priority,
    );
    this.#active.clear();
    for (const podClass of classes) this.#placeClass(podClass);
  }

  /** Once one pod of the class fits nowhere, none of its siblings does. */
  #placeClass(podClass: PodClass): void {
    if (podClass.isEntangled) podClass.candidates = null;
    let placing: Placing | null = null;
    let isBlocked = false;
    let hasBound = false;
    for (const pod of [...podClass.waiting.values()]) {
      if (this.#backingOff.has(pod.uid)) {
        this.#backingOff.set(pod.uid, 'wanted');
        continue;
      }
      // Claims are each pod's own.
      if (pod.spec.volumes.length > 0) placing = null;
      placing ??= this.#placing(pod, podClass.compiled);
      const node =
        this.#nominatedNode(pod, placing) ?? (isBlocked ? null : this.#bestNode(podClass, placing, pod));
      if (node === null) {
        isBlocked = pod.spec.volumes.length === 0;
        this.#markUnschedulable(pod);
        continue;
      }
      const bound = { ...pod, nodeName: node.name, nominatedNodeName: '', unschedulableSinceMs: null };
      this.#parts.store.put('pod', podKey(pod), bound);
      provisionClaims(this.#parts.store, bound, node);
      placing.noteBound(bound, node);
      hasBound = true;
    }
    if (podClass.waiting.size === 0) return;
    podClass.candidates = new Set();
    // A nominated sibling that came after one without a place may have made one for it.
    if (hasBound) this.#retryPodRules();
  }

  #placing(pod: Pod, compiled: CompiledSpec): Placing {
    return new Placing(pod, compiled, this.#sightings, this.#parts);
  }

  /** The node that the pod is nominated to, if it takes it: no other is looked at then (evaluateNominatedNode). */
  #nominatedNode(pod: Pod, placing: Placing): Node | null {
    if (pod.nominatedNodeName === '') return null;
    const entry = this.#parts.ledger.get(pod.nominatedNodeName);
    return entry !== undefined && placing.admits(entry, pod) ? entry.node : null;
  }

  #bestNode(podClass: PodClass, placing: Placing, pod: Pod): Node | null {
    const nodes = this.#nodesToTry(podClass);
    const wanted = feasibleWanted(nodes.length);
    const feasible: LedgerEntry[] = [];
    for (let step = 0; step < nodes.length && feasible.length < wanted; step += 1) {
      const entry = nodes[(this.#nextStart + step) % nodes.length];
      if (entry === undefined || !placing.admits(entry, pod)) continue;
      feasible.push(entry);
      if (feasible.length === wanted) this.#nextStart = (this.#nextStart + step + 1) % nodes.length;
    }
    return placing.best(feasible)?.node ?? null;
  }

  #nodesToTry({ candidates }: PodClass): readonly LedgerEntry[] {
    const { ledger } = this.#parts;
    if (candidates === null) return ledger.nodes();
    return [...candidates].flatMap((name) => ledger.get(name) ?? []);
  }

  #backOff({ uid, namespace, name }: Pod): void {
    this.#backingOff.set(uid, 'quiet');
    this.#parts.clock.after(BACK_OFF_MS, () => {
      const isWanted = this.#backingOff.get(uid) === 'wanted';
      this.#backingOff.delete(uid);
      if (!isWanted) return;
      const pod = this.#parts.store.get('pod', podKey({ namespace, name }));
      const podClass = pod === undefined ? undefined : this.#classes.get(this.#classKey(pod));
      if (podClass === undefined) return;
      podClass.candidates = null;
      this.#activate(podClass);
    });
  }

  /** A failed attempt takes the nomination off, whoever made it (kubernetes/kubernetes#135007). */
  #markUnschedulable(pod: Pod): void {
    if (pod.unschedulableSinceMs !== null && pod.nominatedNodeName === '') return;
    const { clock, store } = this.#parts;
    const unschedulableSinceMs = pod.unschedulableSinceMs ?? clock.nowMs();
    if (pod.nominatedNodeName !== '') this.#backOff(pod);
    store.put('pod', podKey(pod), { ...pod, nominatedNodeName: '', unschedulableSinceMs });
  }

  #classOf(pod: Pod): PodClass {
    const key = this.#classKey(pod);
    const held = this.#classes.get(key);
    if (held !== undefined) return held;
    const podClass: PodClass = {
      key,
      compiled: this.#compile(pod.spec).compiled,
      isEntangled: this.#sightings.bind(pod) || pod.spec.volumes.length > 0,
      waiting: new Map(),
      candidates: null,
    };
    this.#classes.set(key, podClass);
    return podClass;
  }

  #classKey(pod: Pod): string {
    return `${this.#compile(pod.spec).id} ${pod.namespace} ${pod.owner?.uid ?? pod.name}`;
  }

  #compile(spec: PodSpec): { readonly id: number; readonly compiled: CompiledSpec } {
    const held = this.#compiled.get(spec);
    if (held !== undefined) return held;
    const made = { id: this.#compiled.size, compiled: compileSpec(spec) };
    this.#compiled.set(spec, made);
    return made;
  }
}

/** Source: kube-scheduler's percentageOfNodesToScore: 50 % less one for each 125 nodes, at least 5 % and 100 nodes. */
function feasibleWanted(nodes: number): number {
  const percentage = Math.max(5, 50 - Math.floor(nodes / 125));
  return nodes <= FEASIBLE_LEAST ? nodes : Math.max(FEASIBLE_LEAST, Math.floor((nodes * percentage) / 100));
}
