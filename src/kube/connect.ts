// Finds the API server and the credentials for it: in a kubeconfig, or in the pod that Cooper runs in.
import { accessSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, KubeConfig } from '@kubernetes/client-node';

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

export interface ConnectOptions {
  /** Path of a kubeconfig; absent: `KUBECONFIG`, the pod's service account, `~/.kube/config`, in this order. */
  readonly kubeconfig?: string | undefined;
  /** A context of the kubeconfig other than its current one. */
  readonly context?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount/token';
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Loads the connection settings; nothing is sent yet.
 * @throws Error that names the file or setting at fault and the mend
 */
export function connectKube(options: ConnectOptions): KubeConnection {
  const { config, source } = loadConfig(options);
  if (options.context !== undefined) config.setCurrentContext(options.context);
  const cluster = currentCluster(config, source);
  const server = serverUrl(cluster, source);
  if (server.protocol === 'http:') allowPlainHttp(config, server, source);
  const plain = server.protocol === 'http:';
  const proxied = cluster.proxyUrl !== undefined && cluster.proxyUrl !== '';
  const keepAlive = { keepAlive: true, keepAliveMsecs: 30_000, scheduling: 'lifo' } as const;
  const agent = plain ? new http.Agent(keepAlive) : new https.Agent(keepAlive);
  return {
    server,
    agent,
    source,
    clusterCa: readClusterCa(cluster, source),
    async credentials() {
      const found: Credentials = {};
      await config.applyToHTTPSOptions(found);
      // The package's own agent opens a connection per request; it is kept only where it goes through a proxy.
      return proxied ? found : { ...found, agent };
    },
  };
}

function loadConfig({ kubeconfig, env }: ConnectOptions): { config: KubeConfig; source: string } {
  const config = new KubeConfig();
  if (kubeconfig !== undefined && kubeconfig !== '') return loadFiles(config, [kubeconfig], 'kubeconfig');
  const listed = (env.KUBECONFIG ?? '').split(':').filter((path) => path !== '');
  if (listed.length > 0) return loadFiles(config, listed, 'KUBECONFIG');
  if (env.KUBERNETES_SERVICE_HOST !== undefined && isReadable(TOKEN_PATH)) {
    config.loadFromCluster();
    return { config, source: "the pod's service account" };
  }
  const home = join(env.HOME ?? homedir(), '.kube', 'config');
  if (isReadable(home)) return loadFiles(config, [home], 'kubeconfig');
  throw new Error(
    'no Kubernetes cluster is configured; pass --kubeconfig, set KUBECONFIG, or run inside the cluster',
  );
}

function loadFiles(
  config: KubeConfig,
  paths: readonly string[],
  setting: string,
): { config: KubeConfig; source: string } {
  for (const [index, path] of paths.entries()) {
    try {
      const part = index === 0 ? config : new KubeConfig();
      part.loadFromFile(path);
      if (index > 0) config.mergeConfig(part, true);
    } catch (error) {
      throw new Error(
        `${setting} ${JSON.stringify(path)} cannot be read: ${reasonOf(error)}; name a valid kubeconfig`,
      );
    }
  }
  return { config, source: `${setting} ${paths.join(':')}` };
}

function currentCluster(config: KubeConfig, source: string): Cluster {
  const context = config.getCurrentContext();
  const cluster = config.getCurrentCluster();
  if (cluster !== null) return cluster;
  const known = config.getContexts().map((one) => one.name);
  const names = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
  const fault = `${source}: context ${JSON.stringify(context ?? '')} names no cluster`;
  throw new Error(`${fault}; set current-context to one of its contexts (${names})`);
}

function serverUrl({ server }: Cluster, source: string): URL {
  if (URL.canParse(server) && /^https?:/.test(server)) return new URL(server);
  throw new Error(`${source}: server ${JSON.stringify(server)} is no URL; write it as https://host:port`);
}

/** The package refuses plain HTTP unless told that there is no certificate to verify. */
function allowPlainHttp(config: KubeConfig, server: URL, source: string): void {
  if (!LOOPBACK.has(server.hostname)) {
    throw new Error(`${source}: server ${server.origin} would send credentials in clear text; use https`);
  }
  config.clusters = config.clusters.map((one) => ({ ...one, skipTLSVerify: true }));
}

function readClusterCa({ caData, caFile }: Cluster, source: string): string | null {
  if (caData !== undefined && caData !== '') return caData;
  if (caFile === undefined || caFile === '') return null;
  try {
    return readFileSync(caFile).toString('base64');
  } catch (error) {
    throw new Error(
      `${source}: certificate authority ${caFile} cannot be read: ${reasonOf(error)}; mend its path`,
    );
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
