// Reads a cluster once, by lists alone: every kind that decisions look at, and the events about one object.

import { Interner } from '../api/objects/interner.ts';
import { asRaw, numberIn, objectIn, objectsIn, type Raw, textIn, timeMsIn } from '../api/objects/raw.ts';
import { KubeApiError } from './apiError.ts';
import { type ApiResource, RESOURCE } from './apiTarget.ts';
import { recordedObject } from './recordedObjects.ts';
import type { KubeTransport } from './transport.ts';
import { watchedKinds } from './watchedKinds.ts';

export interface ListedCluster {
  /** Manifests, with kind and apiVersion, which lists leave out. */
  readonly objects: readonly Raw[];
  /** Kinds that could not be read, each with the reason and the mend. */
  readonly problems: readonly string[];
}

/** No permission for this kind, or no such kind here: the others can be read all the same. */
const LEFT_OUT: ReadonlySet<number> = new Set([403, 404]);

/** Lists every kind. Throws KubeApiError when the server cannot be reached or lets nobody in. */
export async function listCluster(transport: KubeTransport): Promise<ListedCluster> {
  const lists = await Promise.all(
    watchedKinds(new Interner()).map(async ({ kind, resource, pageSize }): Promise<ListedCluster> => {
      const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
      try {
        // Pods by the ten thousand would not fit whole; of all else the conditions' messages are shown.
        const cut = (item: Raw): Raw =>
          kind === 'Pod' ? recordedObject(kind, apiVersion, item) : { ...item, apiVersion, kind };
        const objects = await listAll(transport, resource, { query: { limit: String(pageSize) }, cut });
        return { objects, problems: [] };
      } catch (failure) {
        if (!(failure instanceof KubeApiError) || !LEFT_OUT.has(failure.status)) throw failure;
        return { objects: [], problems: [`${kind}: not looked at, ${failure.message}`] };
      }
    }),
  );
  return {
    objects: lists.flatMap(({ objects }) => objects),
    problems: lists.flatMap(({ problems }) => problems),
  };
}

interface Listing {
  readonly query: Readonly<Record<string, string>>;
  /** What is kept of each object: applied page by page. */
  readonly cut: (item: Raw) => Raw;
}

async function listAll(
  transport: KubeTransport,
  target: ApiResource,
  { query, cut }: Listing,
): Promise<readonly Raw[]> {
  const items: Raw[] = [];
  for (let next = ''; ; ) {
    const more = next === '' ? {} : { continue: next };
    const { body } = await transport.call({ verb: 'list', target, query: { ...query, ...more } });
    const page = asRaw(body);
    for (const item of objectsIn(page, 'items')) items.push(cut(item));
    next = textIn(objectIn(page, 'metadata'), 'continue');
    if (next === '') return items;
  }
}

/** An event as people see it. */
export interface ToldEvent {
  readonly atMs: number;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  /** Component that has published it. */
  readonly by: string;
}

/** What events are about; the namespace is '' for kinds without one. */
export interface EventSubject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Events about one object, the newest first; none when they may not be read. */
export async function listEvents(
  transport: KubeTransport,
  { kind, namespace, name }: EventSubject,
): Promise<readonly ToldEvent[]> {
  const place = namespace === '' ? '' : `,involvedObject.namespace=${namespace}`;
  const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name}${place}`;
  try {
    const query = { limit: '500', fieldSelector };
    const items = await listAll(transport, RESOURCE.events, { query, cut: (item) => item });
    return items.map(readEvent).sort((left, right) => right.atMs - left.atMs);
  } catch (failure) {
    if (failure instanceof KubeApiError && LEFT_OUT.has(failure.status)) return [];
    throw failure;
  }
}

function readEvent(raw: Raw): ToldEvent {
  const series = objectIn(raw, 'series');
  const createdMs = timeMsIn(objectIn(raw, 'metadata'), 'creationTimestamp');
  const lastMs = timeMsIn(series, 'lastObservedTime') ?? timeMsIn(raw, 'lastTimestamp');
  return {
    atMs: lastMs ?? timeMsIn(raw, 'eventTime') ?? createdMs ?? 0,
    reason: textIn(raw, 'reason'),
    message: textIn(raw, 'message'),
    count: numberIn(series, 'count') ?? numberIn(raw, 'count') ?? 1,
    by: textIn(raw, 'reportingComponent') || textIn(objectIn(raw, 'source'), 'component'),
  };
}
