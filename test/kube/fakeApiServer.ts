// An API server in this process: lists in pages, watches, bookmarks, expiry, preconditions, and faults on demand.
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeObject {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    finalizers?: string[];
    deletionTimestamp?: string;
    [field: string]: unknown;
  };
  [field: string]: unknown;
}

interface HistoryEvent {
  readonly type: string;
  readonly version: number;
  readonly object: FakeObject;
}

interface Collection {
  readonly objects: Map<string, FakeObject>;
  history: HistoryEvent[];
  /** Watches from before this version are refused with 410. */
  oldestVersion: number;
  readonly watchers: Set<http.ServerResponse>;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly port: number;
}

/** Answers a request in place of the server, or null to let it pass. */
export type Interceptor = (request: SeenRequest) => { status: number; body: unknown } | null;

const SUBRESOURCES = new Set(['status', 'eviction']);

export class FakeApiServer {
  readonly requests: SeenRequest[] = [];
  intercept: Interceptor = () => null;
  /** Resource paths that exist; others answer 404, as without a CRD. null: all. */
  served: Set<string> | null = null;
  readonly #collections = new Map<string, Collection>();
  readonly #pages = new Map<string, { items: FakeObject[]; version: number }>();
  readonly #server = http.createServer((request, response) => void this.#answer(request, response));
  #version = 100;
  #uids = 0;

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  collection(path: string): Collection {
    const held = this.#collections.get(path);
    if (held !== undefined) return held;
    const made = {
      objects: new Map(),
      history: [],
      oldestVersion: 0,
      watchers: new Set<http.ServerResponse>(),
    };
    this.#collections.set(path, made);
    return made;
  }

  /** Creates or replaces an object, and tells the watchers. */
  put(path: string, object: FakeObject): FakeObject {
    const { objects } = this.collection(path);
    const key = keyOf(object);
    const held = objects.get(key);
    const uid = object.metadata.uid ?? held?.metadata.uid ?? `uid-${++this.#uids}`;
    const resourceVersion = String(++this.#version);
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion } };
    objects.set(key, stored);
    this.#record(path, {
      type: held === undefined ? 'ADDED' : 'MODIFIED',
      version: this.#version,
      object: stored,
    });
    return stored;
  }

  remove(path: string, key: string): void {
    const { objects } = this.collection(path);
    const held = objects.get(key);
    if (held === undefined) return;
    objects.delete(key);
    const object = { ...held, metadata: { ...held.metadata, resourceVersion: String(++this.#version) } };
    this.#record(path, { type: 'DELETED', version: this.#version, object });
  }

  /** Forgets the history: whoever resumes from before now gets 410. */
  compact(path: string): void {
    const collection = this.collection(path);
    collection.oldestVersion = ++this.#version;
    collection.history = [];
    this.#pages.clear();
  }

  /** Cuts all watches without a word. */
  dropConnections(path: string): void {
    for (const watcher of this.collection(path).watchers) watcher.destroy();
    this.collection(path).watchers.clear();
  }

  /** Ends all watches the way a server does that reaches its timeout. */
  endWatches(path: string): void {
    for (const watcher of this.collection(path).watchers) watcher.end();
    this.collection(path).watchers.clear();
  }

  bookmark(path: string): void {
    this.#send(path, [
      line('BOOKMARK', { metadata: { name: '', resourceVersion: String(++this.#version) } }),
    ]);
  }

  /** Sends any line down the watches, whatever it is. */
  sendLine(path: string, text: string): void {
    this.#send(path, [`${text}\n`]);
  }

  /** Sends the last events once more, in the order that `order` gives their indices. */
  resend(path: string, order: readonly number[]): void {
    const recent = this.collection(path).history.slice(-order.length);
    this.#send(
      path,
      order.flatMap((index) => {
        const event = recent[index];
        return event === undefined ? [] : [line(event.type, event.object)];
      }),
    );
  }

  /** Makes changes that are sent in another order than they happened. */
  scrambled(path: string, changes: readonly (() => void)[]): void {
    const collection = this.collection(path);
    const watchers = [...collection.watchers];
    collection.watchers.clear();
    const before = collection.history.length;
    for (const change of changes) change();
    for (const watcher of watchers) collection.watchers.add(watcher);
    const events = collection.history.slice(before).reverse();
    this.#send(path, [events.map((event) => line(event.type, event.object)).join('')]);
  }

  watcherCount(path: string): number {
    return this.collection(path).watchers.size;
  }

  #record(path: string, event: HistoryEvent): void {
    this.collection(path).history.push(event);
    this.#send(path, [line(event.type, event.object)]);
  }

  #send(path: string, lines: readonly string[]): void {
    for (const watcher of this.collection(path).watchers) for (const one of lines) watcher.write(one);
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const seen: SeenRequest = {
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      body: text === '' ? null : JSON.parse(text),
      port: request.socket.remotePort ?? 0,
    };
    this.requests.push(seen);
    const intercepted = this.intercept(seen);
    if (intercepted !== null) return reply(response, intercepted.status, intercepted.body);
    if (this.served !== null && ![...this.served].some((path) => seen.path.startsWith(path))) {
      return reply(response, 404, '404 page not found');
    }
    if (seen.query.get('watch') === 'true') return this.#watch(seen, response);
    const { status, body } = this.#handle(seen);
    reply(response, status, body);
  }

  #watch({ path, query }: SeenRequest, response: http.ServerResponse): void {
    const collection = this.collection(path);
    const from = Number(query.get('resourceVersion'));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < collection.oldestVersion) {
      response.end(
        line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old', metadata: {} }),
      );
      return;
    }
    for (const event of collection.history) {
      if (event.version > from) response.write(line(event.type, event.object));
    }
    collection.watchers.add(response);
    response.on('close', () => collection.watchers.delete(response));
  }

  #handle(request: SeenRequest): { status: number; body: unknown } {
    const { method, path } = request;
    if (method === 'GET' && this.#isCollection(path)) return this.#list(request);
    if (method === 'POST') return this.#create(request);
    const { collectionPath, name } = split(path);
    const held = this.#find(collectionPath, name);
    if (held === undefined) return failure(404, 'NotFound', `"${name}" not found`);
    if (method === 'GET') return { status: 200, body: held.object };
    if (method === 'DELETE') return this.#delete(held, request.body);
    return this.#change(held, request);
  }

  #isCollection(path: string): boolean {
    return this.#collections.has(path) || /^\/(api|apis\/[^/]+)\/[^/]+\/[^/]+$/.test(path);
  }

  #list({ path, query }: SeenRequest): { status: number; body: unknown } {
    const limit = Number(query.get('limit') ?? 0) || Number.POSITIVE_INFINITY;
    const token = query.get('continue') ?? '';
    const [pageKey = '', offsetText = '0'] = token.split(':');
    const snapshot =
      token === ''
        ? { items: selected(this.collection(path).objects.values(), query), version: this.#version }
        : this.#pages.get(pageKey);
    if (snapshot === undefined) return failure(410, 'Expired', 'the continue token is too old');
    const offset = Number(offsetText);
    const end = offset + limit;
    const metadata: Record<string, string> = { resourceVersion: String(snapshot.version) };
    if (end < snapshot.items.length) {
      const key = pageKey || `page${snapshot.version}x${this.#pages.size}`;
      this.#pages.set(key, snapshot);
      metadata.continue = `${key}:${end}`;
    }
    return { status: 200, body: { kind: 'List', metadata, items: snapshot.items.slice(offset, end) } };
  }

  #create({ path, body }: SeenRequest): { status: number; body: unknown } {
    if (path.endsWith('/eviction')) {
      const { collectionPath, name } = split(path);
      const held = this.#find(collectionPath, name);
      if (held === undefined) return failure(404, 'NotFound', 'pods not found');
      const uid = (body as { deleteOptions: { preconditions: { uid: string } } }).deleteOptions.preconditions
        .uid;
      if (uid !== held.object.metadata.uid)
        return failure(409, 'Conflict', `Precondition failed: UID in precondition: ${uid}`);
      this.remove(held.collection, held.key);
      return { status: 201, body: { kind: 'Status', status: 'Success' } };
    }
    const object = body as FakeObject;
    if (this.collection(path).objects.has(keyOf(object)))
      return failure(409, 'AlreadyExists', 'already exists');
    return { status: 201, body: this.put(path, object) };
  }

  #delete(held: Found, body: unknown): { status: number; body: unknown } {
    const uid = (body as { preconditions?: { uid?: string } } | null)?.preconditions?.uid;
    if (uid !== undefined && uid !== held.object.metadata.uid)
      return failure(409, 'Conflict', 'Precondition failed: UID');
    if ((held.object.metadata.finalizers ?? []).length > 0) {
      const deletionTimestamp = '2026-01-01T00:00:00Z';
      this.put(held.collection, { ...held.object, metadata: { ...held.object.metadata, deletionTimestamp } });
    } else this.remove(held.collection, held.key);
    return { status: 200, body: {} };
  }

  #change(held: Found, { method, body, path }: SeenRequest): { status: number; body: unknown } {
    if (Array.isArray(body) && body.some((one) => lacksParent(held.object, one)))
      return failure(422, 'Invalid', 'the path to add to does not exist');
    const changed =
      method === 'PUT' || Array.isArray(body) ? replaced(held.object, body, path) : merged(held.object, body);
    const { uid, resourceVersion } = (changed as FakeObject).metadata;
    if (uid !== undefined && uid !== held.object.metadata.uid) {
      return failure(422, 'Invalid', 'immutable', { causes: [{ field: 'metadata.uid' }] });
    }
    if (resourceVersion !== held.object.metadata.resourceVersion) return failure(409, 'Conflict', 'modified');
    const object = changed as FakeObject;
    if (object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0) {
      this.remove(held.collection, held.key);
      return { status: 200, body: object };
    }
    return { status: 200, body: this.put(held.collection, object) };
  }

  #find(collectionPath: string, name: string): Found | undefined {
    const namespaced = /^(.*)\/namespaces\/([^/]+)\/([^/]+)$/.exec(collectionPath);
    const everywhere = namespaced === null ? collectionPath : `${namespaced[1]}/${namespaced[3]}`;
    const candidates: [string, string][] = [[collectionPath, name]];
    if (namespaced !== null) {
      candidates.push([everywhere, `${namespaced[2]}/${name}`], [collectionPath, `${namespaced[2]}/${name}`]);
    }
    for (const [collection, key] of candidates) {
      const object = this.#collections.get(collection)?.objects.get(key);
      if (object !== undefined) return { collection, key, object };
    }
    return undefined;
  }
}

interface Found {
  readonly collection: string;
  readonly key: string;
  readonly object: FakeObject;
}

function keyOf({ metadata: { namespace, name } }: FakeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function split(path: string): { collectionPath: string; name: string } {
  const parts = path.split('/');
  if (SUBRESOURCES.has(parts.at(-1) ?? '')) parts.pop();
  const name = decodeURIComponent(parts.pop() ?? '');
  return { collectionPath: parts.join('/'), name };
}

function line(type: string, object: object): string {
  return `${JSON.stringify({ type, object })}\n`;
}

function failure(
  status: number,
  reason: string,
  message: string,
  details: object = {},
): { status: number; body: unknown } {
  return { status, body: { kind: 'Status', status: 'Failure', code: status, reason, message, details } };
}

function reply(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

interface Addition {
  readonly path: string;
  readonly value: unknown;
}

/** RFC 6902: the object that a value is added to must be there. */
function lacksParent({ status }: FakeObject, { path }: Addition): boolean {
  return path.startsWith('/status/') && status === undefined;
}

/** A status update, or the JSON patches that are used: `add /status` and `add /status/field`. */
function replaced(held: FakeObject, body: unknown, path: string): FakeObject {
  if (Array.isArray(body)) {
    let status = (held.status as Record<string, unknown> | undefined) ?? {};
    for (const { path: to, value } of body as readonly Addition[]) {
      if (to === '/status') status = value as Record<string, unknown>;
      else status = { ...status, [to.slice('/status/'.length)]: value };
    }
    return { ...held, status };
  }
  const sent = body as FakeObject;
  const metadata = {
    ...held.metadata,
    uid: sent.metadata.uid,
    resourceVersion: sent.metadata.resourceVersion,
  };
  if (path.endsWith('/status')) return { ...held, metadata, status: sent.status } as FakeObject;
  return { ...sent, metadata } as FakeObject;
}

/** RFC 7386. */
function merged(held: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof held === 'object' && held !== null && !Array.isArray(held) ? held : {};
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

/** Of all field selectors only the one for the pods of a node. */
function selected<T>(objects: Iterable<T>, query: URLSearchParams): T[] {
  const [field, value] = (query.get('fieldSelector') ?? '').split('=');
  if (field !== 'spec.nodeName') return [...objects];
  return [...objects].filter((one) => (one as { spec?: { nodeName?: string } }).spec?.nodeName === value);
}
