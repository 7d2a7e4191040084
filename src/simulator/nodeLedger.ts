// What is bound to each node and how much room is left, kept pod by pod: no scan finds it out again.

import type { Node } from '../model/node.ts';
import { isOwnedByDaemonSet, isTerminal, type Pod, podKey } from '../model/pod.ts';
import type { ObjectStore } from './objectStore.ts';

export interface LedgerEntry {
  readonly name: string;
  /** null while pods are bound to a name whose Node is not there. */
  node: Node | null;
  readonly pods: Map<string, Pod>;
  /** Pods that are bound nowhere yet and carry this node in `status.nominatedNodeName`. */
  readonly nominated: Map<string, Pod>;
  /** Requests of the pods that are not terminal, by resource. */
  readonly used: Map<string, number>;
  /** How many of them do not say how much CPU or memory they ask for. */
  readonly unsaid: { cpu: number; memory: number };
  /** Pods that are neither daemons nor static. */
  workloadPods: number;
  /** Another number after each change. */
  version: number;
}

export class NodeLedger {
  readonly #entries = new Map<string, LedgerEntry>();
  /** Entries with a Node, in the order they came; the scheduler walks it. */
  readonly #ordered: LedgerEntry[] = [];

  constructor(store: ObjectStore) {
    store.subscribe((event, before) => {
      if (event.kind === 'pod') {
        this.#release(before as Pod | undefined);
        if (event.type === 'upsert') this.#take(event.object);
      } else if (event.kind === 'node') {
        this.#setNode(event.key, event.type === 'upsert' ? event.object : null);
      }
    });
  }

  get(name: string): LedgerEntry | undefined {
    return this.#entries.get(name);
  }

  nodes(): readonly LedgerEntry[] {
    return this.#ordered;
  }

  #setNode(name: string, node: Node | null): void {
    const entry = this.#entry(name);
    if (entry.node === null && node !== null) this.#ordered.push(entry);
    if (entry.node !== null && node === null) this.#ordered.splice(this.#ordered.indexOf(entry), 1);
    entry.node = node;
    entry.version += 1;
    this.#dropIfUnused(entry);
  }

  #take(pod: Pod): void {
    if (isTerminal(pod)) return;
    if (pod.nodeName === '') {
      if (pod.nominatedNodeName !== '') this.#entry(pod.nominatedNodeName).nominated.set(podKey(pod), pod);
      return;
    }
    const entry = this.#entry(pod.nodeName);
    entry.pods.set(podKey(pod), pod);
    addAmounts(entry, pod, 1);
  }

  #release(pod: Pod | undefined): void {
    if (pod === undefined || isTerminal(pod)) return;
    if (pod.nodeName === '') {
      const nominee = this.#entries.get(pod.nominatedNodeName);
      if (nominee?.nominated.delete(podKey(pod)) === true) this.#dropIfUnused(nominee);
      return;
    }
    const entry = this.#entries.get(pod.nodeName);
    if (entry?.pods.delete(podKey(pod)) !== true) return;
    addAmounts(entry, pod, -1);
    this.#dropIfUnused(entry);
  }

  #entry(name: string): LedgerEntry {
    const held = this.#entries.get(name);
    if (held !== undefined) return held;
    const entry: LedgerEntry = {
      name,
      node: null,
      pods: new Map(),
      nominated: new Map(),
      used: new Map(),
      unsaid: { cpu: 0, memory: 0 },
      workloadPods: 0,
      version: 0,
    };
    this.#entries.set(name, entry);
    return entry;
  }

  #dropIfUnused(entry: LedgerEntry): void {
    if (entry.node === null && entry.pods.size + entry.nominated.size === 0) this.#entries.delete(entry.name);
  }
}

function addAmounts(entry: LedgerEntry, pod: Pod, sign: 1 | -1): void {
  const { requests } = pod.spec;
  entry.version += 1;
  if (requests.cpu === undefined) entry.unsaid.cpu += sign;
  if (requests.memory === undefined) entry.unsaid.memory += sign;
  for (const name in requests) {
    entry.used.set(name, (entry.used.get(name) ?? 0) + sign * (requests[name] ?? 0));
  }
  if (!isOwnedByDaemonSet(pod) && !pod.mirror) entry.workloadPods += sign;
}
