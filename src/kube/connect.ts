// Finds the API server and the credentials for it: in a kubeconfig, or in the pod that Cooper runs in.
import { accessSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { KubeConnection } from './connection.ts';
import { inClusterConnection } from './inCluster.ts';

export interface ConnectOptions {
  /** Path of a kubeconfig; absent: `KUBECONFIG`, the pod's service account, `~/.kube/config`, in this order. */
  readonly kubeconfig?: string | undefined;
  /** A context of the kubeconfig other than its current one. */
  readonly context?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a kubelet mounts the ServiceAccount; only tests name another folder. */
  readonly serviceAccountFolder?: string;
}

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Loads the connection settings; nothing is sent yet.
 * @throws Error that names the file or setting at fault and the mend
 */
export async function connectKube(options: ConnectOptions): Promise<KubeConnection> {
  const { kubeconfig = '', env, serviceAccountFolder: folder = SERVICE_ACCOUNT_FOLDER } = options;
  if (kubeconfig !== '') return byKubeconfig([kubeconfig], 'kubeconfig', options);
  const listed = (env.KUBECONFIG ?? '').split(':').filter((path) => path !== '');
  if (listed.length > 0) return byKubeconfig(listed, 'KUBECONFIG', options);
  if (env.KUBERNETES_SERVICE_HOST !== undefined && isReadable(join(folder, 'token'))) {
    return inClusterConnection({ env, folder, nowMs: () => performance.now() });
  }
  const home = join(env.HOME ?? homedir(), '.kube', 'config');
  if (isReadable(home)) return byKubeconfig([home], 'kubeconfig', options);
  throw new Error(
    'no Kubernetes cluster is configured; pass --kubeconfig, set KUBECONFIG, or run inside the cluster',
  );
}

/** What reads kubeconfigs knows all of Kubernetes and takes 20 MiB: in a pod it is never loaded. */
async function byKubeconfig(
  paths: readonly string[],
  setting: string,
  { context }: ConnectOptions,
): Promise<KubeConnection> {
  const { kubeconfigConnection } = await import('./kubeconfig.ts');
  return kubeconfigConnection(paths, setting, context);
}

function isReadable(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
