// When the pods of each node last changed, as far as looks at the cluster have shown.
import { occupiesNode } from '../disruption/evictable.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

interface Seen {
  readonly pods: number;
  readonly newestMs: number;
  readonly changedAtMs: number;
}

/** In memory only: after a restart the newest pod of a node says when it last changed. */
export class PodChanges {
  #seen: ReadonlyMap<string, Seen> = new Map();

  /** How many nodes are remembered. */
  get size(): number {
    return this.#seen.size;
  }

  /** Compares with the last look; forgets nodes that have gone. */
  look({ takenAtMs, nodes, pods }: ClusterSnapshot): void {
    const counts = new Map<string, { pods: number; newestMs: number }>();
    for (const { name } of nodes) counts.set(name, { pods: 0, newestMs: 0 });
    for (const pod of pods) {
      const count = occupiesNode(pod) ? counts.get(pod.nodeName) : undefined;
      if (count === undefined) continue;
      count.pods += 1;
      count.newestMs = Math.max(count.newestMs, pod.createdAtMs);
    }
    const seen = new Map<string, Seen>();
    for (const [name, count] of counts) {
      const before = this.#seen.get(name);
      const isSame = before?.pods === count.pods && before.newestMs === count.newestMs;
      const changedAtMs = before === undefined ? count.newestMs : takenAtMs;
      seen.set(name, isSame ? before : { ...count, changedAtMs });
    }
    this.#seen = seen;
  }

  /** By node name: when a pod last came to the node or left it; nodes that were never seen are left out. */
  changes(): ReadonlyMap<string, number> {
    return new Map([...this.#seen].map(([name, { changedAtMs }]) => [name, changedAtMs]));
  }
}
