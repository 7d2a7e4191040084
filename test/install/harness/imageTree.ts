// The built image's file tree, and Cooper run from it as a container would: other root, other user, in-cluster token.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from 'esbuild';
import { runCommand } from '../../e2e/harness/command.ts';
import { Controller } from '../../e2e/harness/controller.ts';
import type { ControlPlane } from '../../e2e/harness/controlPlane.ts';

const TOKEN_FOLDER = 'var/run/secrets/kubernetes.io/serviceaccount';
/** In the image, the user that it runs as; in the chart, `runAsUser`. */
const USER = '65532:65532';

export interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Env: readonly string[];
  readonly WorkingDir: string;
}

/** Builds the image unless it is in the cache. */
export async function buildImage(): Promise<{ readonly root: string; readonly config: ImageConfig }> {
  const script = join(import.meta.dirname, '..', 'image', 'build.sh');
  const folder = (await runCommand('bash', [script], { showProgress: true })).trim().split('\n').at(-1) ?? '';
  const inspected = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as {
    readonly OCIv1: { readonly config: ImageConfig };
  };
  return { root: join(folder, 'root'), config: inspected.OCIv1.config };
}

/** A copy of the image's tree that a test may put things into. */
export async function copyOfTree(root: string, folder: string): Promise<string> {
  mkdirSync(dirname(folder), { recursive: true });
  // Hard links where both lie on one disk: the tree is not written to by the user that the program runs as.
  await runCommand('cp', ['-al', root, folder]).catch(() => cpSync(root, folder, { recursive: true }));
  return folder;
}

export interface Container {
  readonly root: string;
  readonly config: ImageConfig;
  readonly controlPlane: ControlPlane;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A controller in the tree at `root`, with the token of its ServiceAccount where a kubelet would mount it. */
export async function containerController(container: Container): Promise<Controller> {
  const { root, config, controlPlane, namespace, serviceAccount, env } = container;
  const token = await controlPlane.kubectl([
    ...['create', 'token', serviceAccount, `--namespace=${namespace}`, '--duration=24h'],
  ]);
  const folder = join(root, TOKEN_FOLDER);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'token'), token.trim(), { mode: 0o644 });
  writeFileSync(join(folder, 'namespace'), namespace);
  writeFileSync(join(folder, 'ca.crt'), readFileSync(controlPlane.caPath));
  const watchdog = join(import.meta.dirname, '..', '..', 'e2e', 'harness', 'exitWithStdin.ts');
  // As JavaScript: what strips types would take 20 MiB in the process whose memory is to be measured.
  writeFileSync(
    join(root, 'watchdog.mjs'),
    transformSync(readFileSync(watchdog, 'utf8'), { loader: 'ts' }).code,
  );
  const logDir = join(dirname(root), 'logs');
  mkdirSync(logDir, { recursive: true });
  const [program = '', ...before] = config.Entrypoint;
  const server = new URL(controlPlane.url);
  return new Controller({
    logDir,
    command: ['chroot', `--userspec=${USER}`, root, program, '--import', '/watchdog.mjs', ...before],
    args: config.Cmd,
    env: {
      ...Object.fromEntries(config.Env.map((pair) => pair.split('=', 2) as [string, string])),
      KUBERNETES_SERVICE_HOST: server.hostname,
      KUBERNETES_SERVICE_PORT: server.port,
      ...env,
    },
  });
}
