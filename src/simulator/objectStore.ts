// The simulated API server's storage: objects by kind and key, versions, finalizers, and who is told of changes.
import type { ClusterEvent, ModelByKind, ObjectKind } from '../model/clusterEvent.ts';

/** What changed, and what was there before; undefined when the object is new. */
export type StoreListener = (event: ClusterEvent, before: ModelByKind[ObjectKind] | undefined) => void;

type Shelf = Map<string, ModelByKind[ObjectKind]>;

/** In the order a relist hands them out: what pods refer to comes before pods. */
const KINDS: readonly ObjectKind[] = [
  'namespace',
  'provisioner',
  'nodeClass',
  'storageClass',
  'persistentVolume',
  'persistentVolumeClaim',
  'csiNode',
  'daemonSet',
  'disruptionBudget',
  'nodeClaim',
  'node',
  'pod',
];

export class ObjectStore {
  readonly #shelves: ReadonlyMap<ObjectKind, Shelf> = new Map(KINDS.map((kind) => [kind, new Map()]));
  readonly #listeners = new Set<StoreListener>();
  #version = 0;

  /** Listeners are told in the order they subscribed, before the write returns. Returns how to stop it. */
  subscribe(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get<K extends ObjectKind>(kind: K, key: string): ModelByKind[K] | undefined {
    return this.#shelf(kind).get(key) as ModelByKind[K] | undefined;
  }

  values<K extends ObjectKind>(kind: K): IterableIterator<ModelByKind[K]> {
    return this.#shelf(kind).values() as IterableIterator<ModelByKind[K]>;
  }

  count(kind: ObjectKind): number {
    return this.#shelf(kind).size;
  }

  /** Stores the object under a new resource version, where its kind shows one, and gives it back as stored. */
  put<K extends ObjectKind>(kind: K, key: string, object: ModelByKind[K]): ModelByKind[K] {
    this.#version += 1;
    const stored = 'resourceVersion' in object ? { ...object, resourceVersion: `${this.#version}` } : object;
    const before = this.#shelf(kind).get(key);
    this.#shelf(kind).set(key, stored);
    this.#tell({ type: 'upsert', kind, key, object: stored } as ClusterEvent, before);
    return stored;
  }

  /** Takes the object out at once, whatever its finalizers say. */
  remove(kind: ObjectKind, key: string): void {
    const before = this.#shelf(kind).get(key);
    if (before === undefined) return;
    this.#version += 1;
    this.#shelf(kind).delete(key);
    this.#tell({ type: 'delete', kind, key }, before);
  }

  /** Everything as upserts: what a new list call gives. */
  relist(): ClusterEvent[] {
    const events: ClusterEvent[] = [];
    for (const kind of KINDS) {
      for (const [key, object] of this.#shelf(kind)) {
        events.push({ type: 'upsert', kind, key, object } as ClusterEvent);
      }
    }
    return events;
  }

  #shelf(kind: ObjectKind): Shelf {
    const shelf = this.#shelves.get(kind);
    if (shelf === undefined) throw new Error(`no shelf for ${kind}`);
    return shelf;
  }

  #tell(event: ClusterEvent, before: ModelByKind[ObjectKind] | undefined): void {
    for (const listener of this.#listeners) listener(event, before);
  }
}
