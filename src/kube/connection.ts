// A way to the API server, wherever its settings came from.
import type http from 'node:http';
import type https from 'node:https';

/** Credentials as options of one HTTP request: TLS material and headers. */
export type Credentials = https.RequestOptions;

export interface KubeConnection {
  readonly server: URL;
  /** Keeps connections open between calls. */
  readonly agent: http.Agent;
  /** Fresh for each request: tokens and certificates are renewed on disk while we run. */
  credentials(): Promise<Credentials>;
  /** Certificate authority of the API server, base64 of PEM; null when none is configured. */
  readonly clusterCa: string | null;
  /** Where the settings came from, for messages. */
  readonly source: string;
}

/** Options of an agent that keeps its connections. */
export const KEPT_OPEN = { keepAlive: true, keepAliveMsecs: 30_000, scheduling: 'lifo' } as const;
