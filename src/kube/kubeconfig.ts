// The way to an API server that kubeconfigs describe, with all their ways to authenticate.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { type Cluster, KubeConfig } from '@kubernetes/client-node';
import { type Credentials, KEPT_OPEN, type KubeConnection } from './connection.ts';

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * The connection that kubeconfigs describe; the first that names something wins. Nothing is sent yet.
 * @param setting what named the files, for messages
 * @param context other than the current one
 * @throws Error that names the file or setting at fault and the mend
 */
export function kubeconfigConnection(
  paths: readonly string[],
  setting: string,
  context: string | undefined,
): KubeConnection {
  const config = loadFiles(paths, setting);
  const source = `${setting} ${paths.join(':')}`;
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = currentCluster(config, source);
  const server = serverUrl(cluster, source);
  if (server.protocol === 'http:') allowPlainHttp(config, server, source);
  const proxied = cluster.proxyUrl !== undefined && cluster.proxyUrl !== '';
  const agent = server.protocol === 'http:' ? new http.Agent(KEPT_OPEN) : new https.Agent(KEPT_OPEN);
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

function loadFiles(paths: readonly string[], setting: string): KubeConfig {
  const config = new KubeConfig();
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
  return config;
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

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
