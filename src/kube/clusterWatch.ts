// Watches every kind that decisions look at, and hands out events of the model.
import { Interner } from '../api/objects/interner.ts';
import { objectIn, type Raw, textIn } from '../api/objects/raw.ts';
import type { Problem } from '../api/parsed.ts';
import type { ClusterEvent } from '../model/clusterEvent.ts';
import { KubeApiError } from './apiError.ts';
import { Reflector } from './reflector.ts';
import type { Timing } from './timing.ts';
import type { KubeTransport } from './transport.ts';
import { type WatchedKind, watchedKinds } from './watchedKinds.ts';

/** An object that cannot be used as it is written. */
export interface InvalidManifest {
  /** As in manifests: `Provisioner`. */
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly problems: readonly Problem[];
}

export interface ClusterWatchHandlers {
  /** Called in the turn of the event loop in which the event arrived. */
  onEvent(event: ClusterEvent): void;
  onInvalid(object: InvalidManifest): void;
  /** A list or watch failed, or a handler threw; it is tried again. The same trouble is told once in a while only. */
  onProblem(error: Error): void;
}

export interface ClusterWatch {
  /** Resolves once every kind has been listed in full and delivered. */
  readonly synced: Promise<void>;
  /** Kinds not listed yet, for readiness messages. */
  waitingFor(): readonly string[];
  /** How long ago the server last sent anything (bookmarks too) for the quietest kind. Infinite before it did. */
  stalenessMs(nowMs: number): number;
  /** Opens all watches anew, so that nothing which happened before is missing for long. Resolves when all are open. */
  renew(): Promise<void>;
  /** Ends all watches; resolves when they have ended. */
  stop(): Promise<void>;
}

/** The same trouble is told again after this long. */
const REPEAT_PROBLEM_MS = 300_000;

/** Starts one reflector per kind. A kind that cannot be watched (no CRD, no permission) does not hold up the others. */
export function watchCluster(
  transport: KubeTransport,
  handlers: ClusterWatchHandlers,
  timing: Timing,
): ClusterWatch {
  const waiting = new Set<string>();
  const synced = Promise.withResolvers<void>();
  const onProblem = reportedOnce(handlers.onProblem, timing);
  const reflectors = watchedKinds(new Interner()).map((kind) => {
    waiting.add(kind.kind);
    const onSynced = (): void => {
      waiting.delete(kind.kind);
      if (waiting.size === 0) synced.resolve();
    };
    const sinks = { ...deliverTo(handlers, kind), onProblem, onSynced };
    return new Reflector(transport, sinks, { timing, resource: kind.resource, pageSize: kind.pageSize });
  });
  const running = reflectors.map((reflector) => reflector.run());
  return {
    synced: synced.promise,
    waitingFor: () => [...waiting],
    stalenessMs: (nowMs) => {
      const oldestMs = Math.min(...reflectors.map((one) => one.lastContactMs));
      return oldestMs === 0 ? Number.POSITIVE_INFINITY : nowMs - oldestMs;
    },
    async renew() {
      await Promise.all(reflectors.map((one) => one.renew()));
    },
    async stop() {
      for (const reflector of reflectors) reflector.stop();
      await Promise.all(running);
    },
  };
}

interface Sinks {
  onUpsert(key: string, object: Raw): void;
  onDelete(key: string): void;
}

function deliverTo(handlers: ClusterWatchHandlers, kind: WatchedKind): Sinks {
  return {
    onUpsert(key, object) {
      const { events, problems } = kind.upsert(key, object);
      for (const event of events) handlers.onEvent(event);
      if (problems.length > 0) handlers.onInvalid(invalidManifest(kind.kind, object, problems));
    },
    onDelete(key) {
      for (const event of kind.remove(key)) handlers.onEvent(event);
    },
  };
}

function invalidManifest(kind: string, object: Raw, problems: readonly Problem[]): InvalidManifest {
  const metadata = objectIn(object, 'metadata');
  return {
    kind,
    name: textIn(metadata, 'name'),
    namespace: textIn(metadata, 'namespace'),
    uid: textIn(metadata, 'uid'),
    problems,
  };
}

/**
 * Lets each trouble through once in a while. An API server that is down, or refuses our credentials, is one trouble
 * for all kinds.
 */
function reportedOnce(report: (error: Error) => void, timing: Timing): (error: Error) => void {
  const toldMs = new Map<string, number>();
  return (error) => {
    const common = error instanceof KubeApiError && (error.status === 0 || error.status === 401);
    const trouble = common ? `${error.status} ${error.reason}` : error.message;
    const lastMs = toldMs.get(trouble);
    if (lastMs !== undefined && timing.nowMs() - lastMs < REPEAT_PROBLEM_MS) return;
    if (toldMs.size > 100) toldMs.clear();
    toldMs.set(trouble, timing.nowMs());
    report(error);
  };
}
