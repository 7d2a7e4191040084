// Folds watch events into the cluster as it stands, and hands out snapshots of it.
import type { ClusterEvent, ModelByKind, ObjectKind } from '../model/clusterEvent.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

type ObjectsByKind = { readonly [K in ObjectKind]: Map<string, ModelByKind[K]> };

/** So many deletions are remembered: a late event must not bring a deleted object back. */
const TOMBSTONES_MOST = 10_000;

/**
 * The cluster as the watches have told it so far. Holds the objects themselves, never copies:
 * a snapshot is cheap, and what it hands out never changes.
 */
export class ClusterState {
  readonly #objects: ObjectsByKind = {
    pod: new Map(),
    node: new Map(),
    nodeClaim: new Map(),
    provisioner: new Map(),
    nodeClass: new Map(),
    daemonSet: new Map(),
    namespace: new Map(),
    disruptionBudget: new Map(),
    persistentVolume: new Map(),
    persistentVolumeClaim: new Map(),
    storageClass: new Map(),
    csiNode: new Map(),
  };
  readonly #lists = new Map<ObjectKind, readonly unknown[]>();
  readonly #tombstones = new Set<string>();

  /**
   * Takes one event in. An upsert older than what is held is dropped: our own writes are applied at once,
   * and the watch repeats them later (resource versions are ordered integers, KEP-5504).
   * @returns true when the state changed
   */
  apply(event: ClusterEvent): boolean {
    const changed = event.type === 'delete' ? this.#delete(event) : this.#upsert(event);
    if (changed) this.#lists.delete(event.kind);
    return changed;
  }

  /** The cluster at `nowMs`; lists are shared between snapshots until they change. */
  snapshot(nowMs: number): ClusterSnapshot {
    return {
      takenAtMs: nowMs,
      provisioners: this.#list('provisioner'),
      nodeClasses: this.#list('nodeClass'),
      nodes: this.#list('node'),
      nodeClaims: this.#list('nodeClaim'),
      pods: this.#list('pod'),
      daemonSets: this.#list('daemonSet'),
      namespaces: this.#list('namespace'),
      disruptionBudgets: this.#list('disruptionBudget'),
      persistentVolumes: this.#list('persistentVolume'),
      persistentVolumeClaims: this.#list('persistentVolumeClaim'),
      storageClasses: this.#list('storageClass'),
      csiNodes: this.#list('csiNode'),
    };
  }

  /** One object by kind and key, or undefined. */
  get<K extends ObjectKind>(kind: K, key: string): ModelByKind[K] | undefined {
    return this.#objects[kind].get(key);
  }

  #list<K extends ObjectKind>(kind: K): readonly ModelByKind[K][] {
    const held = this.#lists.get(kind) as readonly ModelByKind[K][] | undefined;
    if (held !== undefined) return held;
    const list = [...this.#objects[kind].values()];
    this.#lists.set(kind, list);
    return list;
  }

  #upsert(event: ClusterEvent & { readonly type: 'upsert' }): boolean {
    const objects = this.#objects[event.kind] as Map<string, unknown>;
    const version = versionOf(event.object);
    if (version !== null) {
      if (this.#tombstones.has(tombstone(event.kind, event.key, uidOf(event.object)))) return false;
      const held = objects.get(event.key);
      if (held !== undefined && uidOf(held) === uidOf(event.object) && (versionOf(held) ?? 0) >= version)
        return false;
    }
    objects.set(event.key, event.object);
    return true;
  }

  #delete(event: ClusterEvent & { readonly type: 'delete' }): boolean {
    const objects = this.#objects[event.kind] as Map<string, unknown>;
    const held = objects.get(event.key);
    if (held === undefined) return false;
    objects.delete(event.key);
    if (versionOf(held) !== null) this.#bury(tombstone(event.kind, event.key, uidOf(held)));
    return true;
  }

  #bury(key: string): void {
    this.#tombstones.add(key);
    if (this.#tombstones.size <= TOMBSTONES_MOST) return;
    const oldest = this.#tombstones.values().next().value;
    if (oldest !== undefined) this.#tombstones.delete(oldest);
  }
}

function tombstone(kind: ObjectKind, key: string, uid: string): string {
  return `${kind} ${key} ${uid}`;
}

/** The integer resource version of kinds that we write ourselves; null for all others. */
function versionOf(object: unknown): number | null {
  const version = (object as { readonly resourceVersion?: string }).resourceVersion;
  return version === undefined || !/^\d+$/.test(version) ? null : Number(version);
}

function uidOf(object: unknown): string {
  return (object as { readonly uid?: string }).uid ?? '';
}
