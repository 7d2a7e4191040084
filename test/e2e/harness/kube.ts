// A small Kubernetes client for tests: plain JSON in and out, errors by status, one watch.
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { createInterface } from 'node:readline';
import { KubeConfig } from '@kubernetes/client-node';

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
}

export interface KubeObject {
  readonly metadata: ObjectMeta;
}

export interface PodObject extends KubeObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly { readonly name: string; readonly image: string }[];
  };
  readonly status: { readonly phase: string; readonly conditions?: readonly Condition[] };
}

export interface NodeObject extends KubeObject {
  readonly spec: {
    readonly providerID?: string;
    readonly unschedulable?: boolean;
    readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  };
  readonly status: {
    readonly capacity?: Readonly<Record<string, string>>;
    readonly allocatable?: Readonly<Record<string, string>>;
    readonly conditions?: readonly Condition[];
  };
}

export interface KubeList<T> {
  readonly items: readonly T[];
  readonly metadata: { readonly resourceVersion: string };
}

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: T;
}

/** An answer of the API server other than success. */
export class KubeError extends Error {
  readonly status: number;
  constructor(status: number, method: string, path: string, text: string) {
    super(`${method} ${path}: HTTP ${status}: ${text.slice(0, 2000)}`);
    this.status = status;
  }
}

const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
} as const;

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
}

/** The API server that a kubeconfig names, spoken to as the user that it names. Paths are URL paths: `/api/v1/pods`. */
export class Kube {
  readonly #base: URL;
  readonly #options: RequestOptions;

  private constructor(base: URL, options: RequestOptions) {
    this.#base = base;
    this.#options = options;
  }

  static async connect(kubeconfigPath: string): Promise<Kube> {
    const config = new KubeConfig();
    config.loadFromString(readFileSync(kubeconfigPath, 'utf8'));
    const server = config.getCurrentCluster()?.server;
    if (server === undefined) throw new Error(`${kubeconfigPath} names no current cluster`);
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    return new Kube(new URL(server), { ...options, agent: new Agent({ keepAlive: true, maxSockets: 64 }) });
  }

  /** The object, or null when there is none. */
  async get<T extends object = KubeObject>(path: string): Promise<T | null> {
    try {
      return await this.#call<T>({ method: 'GET', path });
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return null;
      throw error;
    }
  }

  /** All objects under a collection path, in one reply. */
  async list<T = KubeObject>(path: string): Promise<readonly T[]> {
    return (await this.listWithVersion<T>(path)).items;
  }

  listWithVersion<T>(path: string): Promise<KubeList<T>> {
    return this.#call<KubeList<T>>({ method: 'GET', path });
  }

  create<T extends object = KubeObject>(path: string, body: unknown): Promise<T> {
    return this.#call<T>({ method: 'POST', path, body });
  }

  replace<T extends object = KubeObject>(path: string, body: unknown): Promise<T> {
    return this.#call<T>({ method: 'PUT', path, body });
  }

  patch<T extends object = KubeObject>(
    path: string,
    body: unknown,
    type: keyof typeof PATCH_TYPES = 'merge',
  ): Promise<T> {
    return this.#call<T>({ method: 'PATCH', path, body, contentType: PATCH_TYPES[type] });
  }

  /** Asks for deletion; an object that is not there is fine. */
  async delete(path: string, options: object = {}): Promise<void> {
    try {
      await this.#call({ method: 'DELETE', path, body: options });
    } catch (error) {
      if (!(error instanceof KubeError && error.status === 404)) throw error;
    }
  }

  /** Sets `spec.replicas` through the scale subresource, as an autoscaler does. */
  async scale(namespace: string, deployment: string, replicas: number): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment}/scale`;
    await this.patch(path, { spec: { replicas } });
  }

  /**
   * Tells every object there is and every change of it, across broken connections: after one the objects are listed
   * again and told as ADDED (those that went meanwhile are told as DELETED).
   */
  watch<T extends KubeObject>(path: string, tell: (event: WatchEvent<T>) => void): { stop(): void } {
    const stopped = new AbortController();
    void this.#follow(path, tell, stopped.signal);
    return { stop: () => stopped.abort() };
  }

  async #follow<T extends KubeObject>(
    path: string,
    tell: (event: WatchEvent<T>) => void,
    stopped: AbortSignal,
  ): Promise<void> {
    let known = new Map<string, T>();
    while (!stopped.aborted) {
      try {
        const list = await this.listWithVersion<T>(path);
        const now = new Map(list.items.map((item) => [item.metadata.uid, item]));
        for (const [uid, object] of known) if (!now.has(uid)) tell({ type: 'DELETED', object });
        for (const object of now.values()) tell({ type: 'ADDED', object });
        known = now;
        await this.#stream(path, list.metadata.resourceVersion, stopped, (event: WatchEvent<T>) => {
          if (event.type === 'DELETED') known.delete(event.object.metadata.uid);
          else known.set(event.object.metadata.uid, event.object);
          tell(event);
        });
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }

  async #stream<T>(
    path: string,
    resourceVersion: string,
    stopped: AbortSignal,
    tell: (event: WatchEvent<T>) => void,
  ): Promise<void> {
    const query = `watch=1&resourceVersion=${resourceVersion}`;
    const url = `${path}${path.includes('?') ? '&' : '?'}${query}`;
    const response = await this.#send({ method: 'GET', path: url }, stopped);
    if (response.statusCode !== 200) throw new Error(`watch of ${path}: HTTP ${response.statusCode}`);
    for await (const line of createInterface({ input: response })) {
      const event = JSON.parse(line) as { readonly type: string; readonly object: T };
      if (event.type === 'ERROR') return;
      if (event.type !== 'BOOKMARK') tell(event as WatchEvent<T>);
    }
  }

  async #call<T>(call: Call): Promise<T> {
    const response = await this.#send(call);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    const status = response.statusCode ?? 0;
    if (status >= 300) throw new KubeError(status, call.method, call.path, text);
    return JSON.parse(text) as T;
  }

  #send(call: Call, signal?: AbortSignal): Promise<IncomingMessage> {
    const body = call.body === undefined ? '' : JSON.stringify(call.body);
    const headers = {
      ...(this.#options.headers as Record<string, string> | undefined),
      'Content-Type': call.contentType ?? 'application/json',
      'Content-Length': String(Buffer.byteLength(body)),
    };
    return new Promise((resolve, reject) => {
      const options = { ...this.#options, method: call.method, headers, ...(signal ? { signal } : {}) };
      const sent = request(new URL(call.path, this.#base), options, resolve);
      sent.once('error', reject);
      sent.end(body);
    });
  }
}

/** The status of a condition, 'Unknown' when the object has none of that type. */
export function conditionOf(
  object: { readonly status: { readonly conditions?: readonly Condition[] } },
  type: string,
): Condition['status'] {
  return object.status.conditions?.find((condition) => condition.type === type)?.status ?? 'Unknown';
}
