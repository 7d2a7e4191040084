// Records a cluster: every kind that decisions look at, stripped as it comes in, and how pods came and went.
import { Interner } from '../api/objects/interner.ts';
import { isLivingPod } from '../api/objects/pod.ts';
import type { Raw } from '../api/objects/raw.ts';
import { KubeApiError } from './apiError.ts';
import { recordedObject } from './recordedObjects.ts';
import { Reflector } from './reflector.ts';
import type { Timing } from './timing.ts';
import type { KubeTransport } from './transport.ts';
import { watchedKinds } from './watchedKinds.ts';

/** A pod that came or went after the snapshot; one that has ended or is terminating has gone. */
export interface PodChange {
  readonly atMs: number;
  /** `namespace/name`. */
  readonly key: string;
  /** The pod that came, or as it went; null when it was deleted. */
  readonly pod: Raw | null;
}

export interface Recording {
  /** When every kind had been listed. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Manifests as they were at the start, in the order of dependence. */
  readonly objects: readonly Raw[];
  /** In the order they came. */
  readonly podChanges: readonly PodChange[];
  /** Kinds that could not be read, each with the reason and the mend. */
  readonly problems: readonly string[];
}

export interface RecordingOptions {
  /** How long to go on after the snapshot; 0 for the snapshot alone. */
  readonly durationMs: number;
  /** A kind that is not listed within this time ends the recording. */
  readonly listWithinMs: number;
  readonly timing: Timing;
  /** Ends the recording early, with what there is. */
  readonly stop?: AbortSignal;
  /** Told how many changes there are, when the snapshot is there (0) and after each. */
  readonly onProgress?: (podChanges: number) => void;
}

/** No permission for this kind, or no such kind here: the others can be recorded all the same. */
const LEFT_OUT: ReadonlySet<number> = new Set([403, 404]);
/** Not reached, after the repeats of the transport, or not let in: no kind can be recorded. */
const HOPELESS: ReadonlySet<number> = new Set([0, 401]);

/**
 * Lists and watches; writes nothing to the cluster, and asks for no Secret and no ConfigMap.
 * @throws Error when the API server cannot be reached, or a kind is not listed in time
 */
export async function recordCluster(transport: KubeTransport, options: RecordingOptions): Promise<Recording> {
  const { timing, durationMs, listWithinMs } = options;
  const podChanges: PodChange[] = [];
  let isWatching = false;
  const living = new Set<string>();
  // A pod changes many times in its life; a recording of days keeps that it came and that it went.
  const onPodChange = (key: string, pod: Raw | null): void => {
    const isLiving = pod !== null && isLivingPod(pod);
    if (living.has(key) === isLiving) return;
    if (isLiving) living.add(key);
    else living.delete(key);
    if (!isWatching) return;
    podChanges.push({ atMs: timing.nowMs(), key, pod });
    options.onProgress?.(podChanges.length);
  };
  const shelves = watchedKinds(new Interner()).map(({ kind, resource, pageSize }) => {
    const shelf = new KindShelf(kind, resource, kind === 'Pod' ? onPodChange : null);
    const reflector = new Reflector(transport, shelf.handlers(), { timing, resource, pageSize });
    return { shelf, reflector, running: reflector.run() };
  });
  const listing = new AbortController();
  try {
    const listed = Promise.all(shelves.map(({ shelf }) => shelf.listed)).then(() => true);
    const limit = AbortSignal.any([listing.signal, ...(options.stop === undefined ? [] : [options.stop])]);
    const inTime = await Promise.race([listed, timing.pause(listWithinMs, limit).then(() => false)]);
    if (!inTime) throw new Error(notListed(shelves.map(({ shelf }) => shelf)));
    const startedAtMs = timing.nowMs();
    const objects = shelves.flatMap(({ shelf }) => shelf.freeze());
    isWatching = true;
    options.onProgress?.(0);
    if (durationMs > 0) await timing.pause(durationMs, options.stop);
    const problems = shelves.flatMap(({ shelf }) => shelf.problem ?? []);
    return { startedAtMs, endedAtMs: timing.nowMs(), objects, podChanges, problems };
  } finally {
    listing.abort();
    for (const { reflector } of shelves) reflector.stop();
    await Promise.all(shelves.map(({ running }) => running));
  }
}

function notListed(shelves: readonly KindShelf[]): string {
  const waiting = shelves.filter((shelf) => !shelf.isListed);
  const reason =
    waiting.map((shelf) => shelf.lastTrouble).find((one) => one !== '') ?? 'the list takes too long';
  const kinds = waiting.map((shelf) => shelf.kind).join(', ');
  return `${kinds} could not be listed: ${reason}`;
}

/** The objects of one kind, stripped. */
class KindShelf {
  readonly kind: string;
  readonly listed: Promise<void>;
  isListed = false;
  lastTrouble = '';
  problem: string | null = null;
  readonly #apiVersion: string;
  readonly #objects = new Map<string, Raw>();
  readonly #onChange: ((key: string, object: Raw | null) => void) | null;
  readonly #settle: () => void;
  readonly #giveUp: (error: Error) => void;
  #isFrozen = false;

  constructor(
    kind: string,
    { group, version }: { readonly group: string; readonly version: string },
    onChange: ((key: string, object: Raw | null) => void) | null,
  ) {
    this.kind = kind;
    this.#apiVersion = group === '' ? version : `${group}/${version}`;
    this.#onChange = onChange;
    const settled = Promise.withResolvers<void>();
    this.listed = settled.promise;
    this.#giveUp = settled.reject;
    this.#settle = () => {
      this.isListed = true;
      settled.resolve();
    };
  }

  handlers(): ConstructorParameters<typeof Reflector>[1] {
    return {
      onUpsert: (key, object) => {
        const recorded = recordedObject(this.kind, this.#apiVersion, object);
        if (!this.#isFrozen) this.#objects.set(key, recorded);
        this.#onChange?.(key, recorded);
      },
      onDelete: (key) => {
        if (!this.#isFrozen) this.#objects.delete(key);
        this.#onChange?.(key, null);
      },
      onSynced: () => this.#settle(),
      onProblem: (error) => {
        this.lastTrouble = error.message;
        if (this.isListed || !(error instanceof KubeApiError)) return;
        if (HOPELESS.has(error.status)) this.#giveUp(error);
        if (!LEFT_OUT.has(error.status)) return;
        this.problem = `${this.kind}: left out of the recording, ${error.message}`;
        this.#settle();
      },
    };
  }

  /** What is there now; later changes are told to the listener alone. */
  freeze(): readonly Raw[] {
    this.#isFrozen = true;
    const objects = [...this.#objects.values()];
    this.#objects.clear();
    return objects;
  }
}
