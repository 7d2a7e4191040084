// Keeps up with one kind of object: a paged list, then a watch from there, and again whenever the watch is lost.
import type { Readable } from 'node:stream';
import { asRaw, numberIn, objectIn, objectsIn, type Raw, textIn } from '../api/objects/raw.ts';
import { failureOf, KubeApiError } from './apiError.ts';
import type { ApiResource } from './apiTarget.ts';
import { KnownObjects, objectVersion } from './knownObjects.ts';
import { backoffMs, type Timing } from './timing.ts';
import { type KubeTransport, parseBody, readText } from './transport.ts';
import { parseWatchEvent, readLines, type WatchEvent } from './watchLines.ts';

export interface ReflectorHandlers {
  /** An object is there, or changed. The raw object is not kept: take from it what is needed. */
  onUpsert(key: string, object: Raw): void;
  onDelete(key: string): void;
  /** Something went wrong; the reflector goes on. */
  onProblem(error: Error): void;
  /** A list is complete: everything on the server has been delivered. */
  onSynced(): void;
}

export interface ReflectorSettings {
  readonly resource: ApiResource;
  /** Objects per page of a list: the smaller, the less memory while listing. */
  readonly pageSize: number;
  readonly timing: Timing;
}

const WATCH_SHORTEST_SECONDS = 300;
/** The server sends a bookmark about every minute; this much silence means that the connection is dead. */
const SILENCE_MOST_MS = 180_000;
/** A watch that ends sooner than this counts as a failure, so that a server that hangs up is not hammered. */
const WATCH_TOO_SHORT_MS = 1_000;
/** A watch that is granted answers its headers at once. */
const HEADERS_WITHIN_MS = 30_000;
const PAGE_GROWTH = 4;

/** The watch has come too far from the server's history: only a new list brings us up to date. */
class Outdated extends Error {}

/** One running list-and-watch. Never throws and never gives up; `stop` ends it. */
export class Reflector {
  readonly #transport: KubeTransport;
  readonly #handlers: ReflectorHandlers;
  readonly #settings: ReflectorSettings;
  readonly #known = new KnownObjects();
  readonly #stopped = new AbortController();
  #resumeFrom = '';
  #pageSize: number;
  #failures = 0;
  #lastContactMs = 0;
  /** Ends the watch that is open; null while none is. */
  #openWatch: AbortController | null = null;
  #onGranted: (() => void)[] = [];

  constructor(transport: KubeTransport, handlers: ReflectorHandlers, settings: ReflectorSettings) {
    this.#transport = transport;
    this.#handlers = handlers;
    this.#settings = settings;
    this.#pageSize = settings.pageSize;
  }

  /** When the server last sent anything for this kind; 0 before it first did. */
  get lastContactMs(): number {
    return this.#lastContactMs;
  }

  /** How many objects are held to be on the server. */
  get size(): number {
    return this.#known.size;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /**
   * Opens the watch anew: its connection may be dead without our knowing. Resolves once the server has granted it, and
   * sends what was missed; not while the server cannot be reached.
   */
  renew(): Promise<void> {
    const granted = new Promise<void>((resolve) => this.#onGranted.push(resolve));
    this.#openWatch?.abort();
    return granted;
  }

  /** Runs until stopped. */
  async run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        if (this.#resumeFrom === '') await this.#list();
        await this.#watch();
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        await this.#recover(error as Error);
      }
    }
  }

  /** One list that has become too old to resume from is no failure: it is made again at once. */
  async #recover(error: Error): Promise<void> {
    this.#failures += 1;
    const outdated = error instanceof Outdated || isExpired(error);
    if (outdated) this.#resumeFrom = '';
    if (outdated && this.#failures === 1) return;
    if (!outdated) this.#report(error);
    await this.#backOff();
  }

  async #list(): Promise<void> {
    this.#known.beginList();
    let continueFrom = '';
    let resourceVersion = '';
    do {
      const page = await this.#page(continueFrom);
      this.#touch();
      for (const object of objectsIn(page, 'items')) this.#upsert(object);
      const metadata = objectIn(page, 'metadata');
      resourceVersion = textIn(metadata, 'resourceVersion');
      continueFrom = textIn(metadata, 'continue');
    } while (continueFrom !== '' && !this.#stopped.signal.aborted);
    if (this.#stopped.signal.aborted) return;
    for (const key of this.#known.endList()) this.#guard(() => this.#handlers.onDelete(key));
    this.#resumeFrom = resourceVersion;
    this.#pageSize = this.#settings.pageSize;
    this.#guard(() => this.#handlers.onSynced());
  }

  /** A list that expires between its pages was too slow: the next try takes larger pages. */
  async #page(continueFrom: string): Promise<Raw> {
    const query: Record<string, string> = { limit: String(this.#pageSize) };
    if (continueFrom !== '') query.continue = continueFrom;
    try {
      const target = this.#settings.resource;
      const { body } = await this.#transport.call({
        verb: 'list',
        target,
        query,
        signal: this.#stopped.signal,
      });
      return asRaw(body) ?? {};
    } catch (error) {
      if (isExpired(error)) this.#pageSize *= PAGE_GROWTH;
      throw error;
    }
  }

  async #watch(): Promise<void> {
    const startedMs = this.#settings.timing.nowMs();
    const timeoutSeconds = WATCH_SHORTEST_SECONDS * (1 + this.#settings.timing.random());
    const ended = new AbortController();
    const signal = AbortSignal.any([this.#stopped.signal, ended.signal]);
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#resumeFrom,
      timeoutSeconds: String(Math.ceil(timeoutSeconds)),
    };
    const call = { verb: 'watch', target: this.#settings.resource, query, signal } as const;
    let silence = setTimeout(() => ended.abort(), HEADERS_WITHIN_MS);
    let granted = false;
    try {
      const response = await this.#transport.open(call);
      const status = response.statusCode ?? 0;
      if (status !== 200) {
        throw new KubeApiError('watch', call.target, failureOf(status, parseBody(await readText(response))));
      }
      granted = true;
      this.#openWatch = ended;
      for (const tell of this.#onGranted.splice(0)) tell();
      this.#touch();
      clearTimeout(silence);
      silence = setTimeout(() => ended.abort(), SILENCE_MOST_MS);
      await this.#follow(response, () => silence.refresh());
    } catch (error) {
      if (error instanceof Outdated || error instanceof KubeApiError) throw error;
      // A granted watch that fell silent, or is renewed, is resumed like one that ended.
      if (!(granted && ended.signal.aborted)) throw this.#transport.unreached(call, error);
    } finally {
      this.#openWatch = null;
      clearTimeout(silence);
      ended.abort();
    }
    const openMs = this.#settings.timing.nowMs() - startedMs;
    if (openMs >= WATCH_TOO_SHORT_MS) this.#failures = 0;
    else if (!this.#stopped.signal.aborted) await this.#rest();
  }

  /** The server closed a fresh watch without a word: it may be going down. */
  async #rest(): Promise<void> {
    this.#failures += 1;
    await this.#backOff();
  }

  #backOff(): Promise<void> {
    const { timing } = this.#settings;
    return timing.pause(backoffMs(this.#failures, timing.random), this.#stopped.signal);
  }

  async #follow(response: Readable, onContact: () => void): Promise<void> {
    let lost: Error | null = null;
    await readLines(response, (line) => {
      if (lost !== null || this.#stopped.signal.aborted) return;
      this.#touch();
      onContact();
      lost = this.#take(line);
      if (lost !== null) response.destroy();
    });
    if (lost !== null) throw lost;
  }

  /** Delivers one line of a watch; the error that ends the watch, or null. */
  #take(line: string): Error | null {
    const event = parseWatchEvent(line);
    if (event === null) {
      // It may have been an event: only a list tells what was in it.
      this.#report(
        new Error(`cannot read a watch event of ${this.#settings.resource.resource}: ${line.slice(0, 120)}`),
      );
      return new Outdated();
    }
    if (event.type === 'ERROR') return this.#errorOf(event);
    if (event.type === 'DELETED') this.#delete(event.object);
    else if (event.type !== 'BOOKMARK') this.#upsert(event.object);
    this.#failures = 0;
    this.#resumeFrom = textIn(objectIn(event.object, 'metadata'), 'resourceVersion') || this.#resumeFrom;
    return null;
  }

  #errorOf({ object }: WatchEvent): Error {
    const status = numberIn(object, 'code') ?? 500;
    const error = new KubeApiError('watch', this.#settings.resource, failureOf(status, object));
    if (status === 429 || status === 503 || status === 504) return error;
    if (status !== 410) this.#report(error);
    return new Outdated();
  }

  #upsert(object: Raw): void {
    const version = objectVersion(object);
    if (version === null) return;
    const verdict = this.#known.put(version);
    if (verdict === 'repeated') return;
    // Another object under the same name: the old one went unseen.
    if (verdict === 'replaced') this.#guard(() => this.#handlers.onDelete(version.key));
    this.#guard(() => this.#handlers.onUpsert(version.key, object));
  }

  #delete(object: Raw): void {
    const version = objectVersion(object);
    if (version === null || !this.#known.remove(version)) return;
    this.#guard(() => this.#handlers.onDelete(version.key));
  }

  #touch(): void {
    this.#lastContactMs = this.#settings.timing.nowMs();
  }

  /** A handler that throws must not end the watch: the fault is reported, the next event is delivered. */
  #guard(deliver: () => void): void {
    try {
      deliver();
    } catch (error) {
      this.#report(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #report(error: Error): void {
    try {
      this.#handlers.onProblem(error);
    } catch {
      // Nowhere left to report to.
    }
  }
}

function isExpired(error: unknown): boolean {
  return error instanceof KubeApiError && (error.status === 410 || error.reason === 'Expired');
}
