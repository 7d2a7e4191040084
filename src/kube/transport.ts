// HTTP to the API server: single calls over kept connections, with time limits and safe repeats, and streams.
import http from 'node:http';
import https from 'node:https';
import { asRaw, objectIn, objectsIn, type Raw, textIn } from '../api/objects/raw.ts';
import { type ApiVerb, failureOf, KubeApiError } from './apiError.ts';
import { type ApiTarget, targetPath } from './apiTarget.ts';
import type { KubeConnection } from './connection.ts';
import type { Timing } from './timing.ts';

export interface ApiCall {
  readonly verb: ApiVerb;
  readonly target: ApiTarget;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Patches only: merge patch unless named. */
  readonly contentType?: string;
  /** Failure statuses that the caller handles: they are answered, not thrown, and not repeated. */
  readonly expected?: readonly number[];
  readonly signal?: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface TransportOptions {
  /** How long one try may take, from sending to the last byte. */
  readonly timeoutMs: number;
  readonly timing: Timing;
  readonly userAgent: string;
  /** Called right before each try of a call that changes something; when it rejects, the call is not made. */
  readonly beforeWrite?: () => Promise<void>;
}

const METHODS: Readonly<Record<ApiVerb, string>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
};

const TRIES_MOST = 4;
const REPEAT_AFTER_MS = [100, 400, 1_600];
const RETRY_AFTER_MOST_MS = 5_000;
/** The server was not reached, is overloaded, or lost its own back end: the same call may go through. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([0, 429, 502, 503, 504]);

export class KubeTransport {
  readonly #connection: KubeConnection;
  readonly #options: TransportOptions;

  constructor(connection: KubeConnection, options: TransportOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /**
   * Sends one call, and repeats it when the failure is passing. Every call of ours bears repeating: creates carry
   * fixed names, patches and deletes a precondition or the same end state.
   * @returns the answer, if it succeeded or its status is `expected`
   * @throws KubeApiError, and whatever `beforeWrite` throws
   */
  async call(call: ApiCall): Promise<ApiAnswer> {
    for (let tries = 1; ; tries += 1) {
      if (METHODS[call.verb] !== 'GET') await this.#options.beforeWrite?.();
      const attempt = await this.#attempt(call);
      if (attempt.kind === 'answered') return attempt.answer;
      const { failure, waitMs } = attempt;
      const repeat =
        PASSING_STATUSES.has(failure.status) && tries < TRIES_MOST && call.signal?.aborted !== true;
      if (!repeat) throw failure;
      const jitteredMs = (REPEAT_AFTER_MS[tries - 1] ?? 0) * (0.5 + this.#options.timing.random());
      await this.#options.timing.pause(Math.max(jitteredMs, waitMs), call.signal);
    }
  }

  async #attempt(call: ApiCall): Promise<Attempt> {
    try {
      const response = await this.open({ ...call, signal: this.#limited(call.signal) });
      const status = response.statusCode ?? 0;
      const body = parseBody(await readText(response));
      const answered = status < 300 || (call.expected?.includes(status) ?? false);
      if (answered) return { kind: 'answered', answer: { status, body } };
      const failure = new KubeApiError(call.verb, call.target, failureOf(status, body));
      return { kind: 'failed', failure, waitMs: retryAfterMs(response) };
    } catch (error) {
      return { kind: 'failed', failure: this.unreached(call, error), waitMs: 0 };
    }
  }

  /** Opens a call and answers once headers are there; the body is the caller's to read. Rejects on network errors. */
  async open(call: ApiCall): Promise<http.IncomingMessage> {
    const { server } = this.#connection;
    const { headers, ...credentials } = await this.#connection.credentials();
    const path = server.pathname.replace(/\/$/, '') + targetPath(call.target) + queryText(call.query);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const options: https.RequestOptions = {
      ...credentials,
      host: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port || (server.protocol === 'https:' ? 443 : 80),
      method: METHODS[call.verb],
      path,
      headers: { ...headers, ...this.#headers(call, body) },
      signal: call.signal,
    };
    return new Promise((resolve, reject) => {
      const request = (server.protocol === 'https:' ? https : http).request(options, resolve);
      request.on('error', reject);
      request.end(body);
    });
  }

  /** The error of a call that got no answer at all. */
  unreached(call: ApiCall, error: unknown): KubeApiError {
    if (error instanceof KubeApiError) return error;
    const { name, code, message } = error as NodeJS.ErrnoException;
    const timedOut = name === 'TimeoutError' || (code === 'ABORT_ERR' && call.signal?.aborted !== true);
    const reason = timedOut ? 'Timeout' : (code ?? name ?? 'Error');
    const { origin } = this.#connection.server;
    const because = timedOut ? `no answer within ${this.#options.timeoutMs / 1000} s` : message || reason;
    return new KubeApiError(call.verb, call.target, {
      status: 0,
      reason,
      message: `API server ${origin} (from ${this.#connection.source}) was not reached: ${because}`,
    });
  }

  #limited(signal: AbortSignal | undefined): AbortSignal {
    const limit = AbortSignal.timeout(this.#options.timeoutMs);
    return signal === undefined ? limit : AbortSignal.any([signal, limit]);
  }

  #headers(call: ApiCall, body: string | undefined): Record<string, string | number> {
    const always = { accept: 'application/json', 'user-agent': this.#options.userAgent };
    if (body === undefined) return always;
    const patch = call.verb === 'patch' ? 'application/merge-patch+json' : 'application/json';
    return {
      ...always,
      'content-type': call.contentType ?? patch,
      'content-length': Buffer.byteLength(body),
    };
  }
}

type Attempt =
  | { readonly kind: 'answered'; readonly answer: ApiAnswer }
  /** `waitMs` is how long the server asked to be left alone. */
  | { readonly kind: 'failed'; readonly failure: KubeApiError; readonly waitMs: number };

function queryText(query: Readonly<Record<string, string>> | undefined): string {
  if (query === undefined) return '';
  const text = new URLSearchParams({ ...query }).toString();
  return text === '' ? '' : `?${text}`;
}

/** The whole body as text. */
export async function readText(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** The body as JSON where it is JSON; proxies in front of the server answer in plain text or HTML. */
export function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function retryAfterMs(response: http.IncomingMessage): number {
  const seconds = Number(response.headers['retry-after'] ?? 0);
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, RETRY_AFTER_MOST_MS) : 0;
}

/** Objects in one answer: large enough for few calls, small enough to be parsed in a moment. */
const PAGE_SIZE = 500;

/**
 * All objects of a kind as the server has them now, in pages: no resourceVersion is named, so that the answer holds
 * all that was written before (Kubernetes, "Resource versions in metadata": unset is "most recent").
 * @throws KubeApiError
 */
export async function* listedFresh(transport: KubeTransport, target: ApiTarget): AsyncGenerator<Raw> {
  let continueFrom = '';
  do {
    const query: Record<string, string> = { limit: String(PAGE_SIZE) };
    if (continueFrom !== '') query.continue = continueFrom;
    const { body } = await transport.call({ verb: 'list', target, query });
    const page = asRaw(body);
    yield* objectsIn(page, 'items');
    continueFrom = textIn(objectIn(page, 'metadata'), 'continue');
  } while (continueFrom !== '');
}
