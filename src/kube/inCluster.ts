// The API server and the credentials for it, as a kubelet gives them to the pod that Cooper runs in.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { KEPT_OPEN, type KubeConnection } from './connection.ts';

export interface PodSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the kubelet mounts `token` and `ca.crt` of the ServiceAccount. */
  readonly folder: string;
  readonly nowMs: () => number;
}

/** Kubelets renew a token long before it ends. client-go, too, reads it once a minute. */
const FRESH_MS = 60_000;

/**
 * The connection of a pod to its own cluster.
 * @throws Error when the files of the ServiceAccount cannot be read, with the mend
 */
export function inClusterConnection({ env, folder, nowMs }: PodSurroundings): KubeConnection {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = env;
  const agent = new https.Agent(KEPT_OPEN);
  const first = readAccount(folder);
  let account = first;
  let readAtMs = nowMs();
  return {
    server: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    agent,
    clusterCa: first.ca.toString('base64'),
    source: "the pod's service account",
    async credentials() {
      if (nowMs() - readAtMs > FRESH_MS) {
        account = readAccount(folder);
        readAtMs = nowMs();
      }
      const { ca, token } = account;
      return { agent, ca, headers: { Authorization: `Bearer ${token}` } };
    },
  };
}

function readAccount(folder: string): { readonly token: string; readonly ca: Buffer } {
  try {
    const token = readFileSync(join(folder, 'token'), 'utf8').trim();
    return { token, ca: readFileSync(join(folder, 'ca.crt')) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the pod's service account cannot be read: ${reason}; mount its token and ca.crt, or pass --kubeconfig`,
    );
  }
}
