// The simulated DaemonSet controller: one pod on every node that the DaemonSet may run on.
import type { Node } from '../model/node.ts';
import { type Pod, podKey } from '../model/pod.ts';
import { untoleratedTaint } from '../model/taint.ts';
import type { DaemonSet } from '../model/workloads.ts';
import { type CompiledSpec, compileSpec, hasRoom, matchesAffinity } from './nodeFit.ts';
import type { NodeLedger } from './nodeLedger.ts';
import type { ObjectStore } from './objectStore.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtualClock.ts';

/** How long after a node's change its daemons are looked at again. */
const REACTION_MS = 50;

export interface DaemonParts {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly ledger: NodeLedger;
  readonly random: Random;
}

export class DaemonSets {
  readonly #parts: DaemonParts;
  readonly #sets: { readonly set: DaemonSet; readonly uid: string; readonly compiled: CompiledSpec }[] = [];
  readonly #due = new Set<string>();

  constructor(parts: DaemonParts) {
    this.#parts = parts;
    parts.store.subscribe((event, before) => {
      if (event.kind === 'node' && event.type === 'upsert') this.#syncLater(event.key);
      if (event.kind === 'pod' && event.type === 'delete') this.#podGone(before as Pod);
    });
  }

  /** Adds a DaemonSet, its controller's tolerations in it; nodes get its pods as they next change. */
  add(set: DaemonSet): void {
    this.#sets.push({ set, uid: this.#parts.random.uuid(), compiled: compileSpec(set.spec) });
    this.#parts.store.put('daemonSet', `${set.namespace}/${set.name}`, set);
  }

  #podGone(pod: Pod): void {
    if (pod.owner?.kind === 'DaemonSet') this.#syncLater(pod.nodeName);
  }

  #syncLater(nodeName: string): void {
    if (this.#due.has(nodeName) || this.#sets.length === 0) return;
    this.#due.add(nodeName);
    this.#parts.clock.after(REACTION_MS, () => {
      this.#due.delete(nodeName);
      const node = this.#parts.store.get('node', nodeName);
      if (node !== undefined) this.#sync(node);
    });
  }

  #sync(node: Node): void {
    for (const { set, uid, compiled } of this.#sets) {
      const key = `${set.namespace}/${set.name}-${node.name}`;
      if (this.#parts.store.get('pod', key) !== undefined) continue;
      if (node.deletionRequestedAtMs !== null || !matchesAffinity(compiled, node)) continue;
      if (untoleratedTaint(node.taints, set.spec.tolerations) !== null) continue;
      const entry = this.#parts.ledger.get(node.name);
      if (entry !== undefined && hasRoom(compiled, entry)) this.#createPod(set, uid, node.name);
    }
  }

  #createPod(set: DaemonSet, uid: string, nodeName: string): void {
    const pod: Pod = {
      namespace: set.namespace,
      name: `${set.name}-${nodeName}`,
      uid: this.#parts.random.uuid(),
      labels: set.labels,
      annotations: {},
      spec: set.spec,
      owner: { kind: 'DaemonSet', name: set.name, uid },
      createdAtMs: this.#parts.clock.nowMs(),
      phase: 'Pending',
      ready: false,
      nodeName,
      nominatedNodeName: '',
      unschedulableSinceMs: null,
      schedulingGated: false,
      deletionRequestedAtMs: null,
      mirror: false,
    };
    this.#parts.store.put('pod', podKey(pod), pod);
  }
}
