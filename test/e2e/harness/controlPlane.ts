// A real Kubernetes control plane on 127.0.0.1: etcd, kube-apiserver, kube-scheduler, kube-controller-manager.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runCommand } from './command.ts';
import { Kube } from './kube.ts';
import { freePorts, type ServerProcess, startServer } from './serverProcess.ts';
import { until } from './until.ts';

export interface ControlPlaneOptions {
  /** Where keys, kubeconfig and logs go; it must exist and should be fresh. */
  readonly dir: string;
  /** Port of the API server; a free one by default. */
  readonly port?: number;
  /** Extra kube-controller-manager flags. */
  readonly controllerManagerArgs?: readonly string[];
  /** Extra kube-apiserver flags. */
  readonly apiServerArgs?: readonly string[];
}

export interface ControlPlane {
  readonly url: string;
  /** Of the administrator (group system:masters). */
  readonly kubeconfigPath: string;
  /** Folder with kubectl, kwok, and helm if it could be built. */
  readonly binDir: string;
  /** PEM of the API server's certificate authority. */
  readonly caPath: string;
  readonly kube: Kube;
  /** kubectl as administrator: gives its standard output, throws with its standard error. */
  kubectl(args: readonly string[], stdin?: string): Promise<string>;
  /** Path of a kubeconfig that speaks as this ServiceAccount, which must exist: RBAC is then checked for real. */
  serviceAccountKubeconfig(namespace: string, name: string): Promise<string>;
  /** Last log lines of all components. */
  logTail(lines?: number): string;
  /** Ends the processes and deletes etcd's data; logs stay in `dir`. */
  stop(): Promise<void>;
}

/** Builds the control plane unless it is in the cache, and gives the folder of its programs. Cold: several minutes. */
export async function buildControlPlane(): Promise<string> {
  const script = join(import.meta.dirname, '..', 'controlplane', 'build.sh');
  return (await runCommand('bash', [script], { showProgress: true })).trim();
}

/** etcd's data folders: this, the test process's id, and something random. */
const DATA_PREFIX = 'cooper-etcd-';

interface Layout {
  readonly binDir: string;
  readonly dir: string;
  readonly pki: string;
  readonly data: string;
  readonly url: string;
  readonly token: string;
  readonly kubeconfigPath: string;
  readonly ports: readonly number[];
}

/** A port that was free can be taken before our server listens on it: then everything is tried anew. */
const ATTEMPTS = 3;

/** Starts the control plane and returns when pods can be created: after 4 to 8 seconds once built. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const binDir = await buildControlPlane();
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await tryStart(options, binDir);
    if (outcome.kind === 'up') return outcome.controlPlane;
    if (attempt === ATTEMPTS || !outcome.log.includes('address already in use')) {
      throw new Error(`the control plane did not start: ${outcome.problem}\n${outcome.log}`);
    }
  }
}

type Start =
  | { readonly kind: 'up'; readonly controlPlane: ControlPlane }
  | { readonly kind: 'failed'; readonly problem: string; readonly log: string };

async function tryStart(options: ControlPlaneOptions, binDir: string): Promise<Start> {
  const layout = await prepare(options, binDir);
  const servers: ServerProcess[] = [];
  const stop = async (): Promise<void> => {
    // Everything is thrown away: no reason to let anybody finish.
    await Promise.all(servers.map((server) => server.kill('SIGKILL')));
    rmSync(layout.data, { recursive: true, force: true });
  };
  const logTail = (lines = 15): string => servers.map((server) => server.logTail(lines)).join('\n');
  try {
    const kube = await bringUp(layout, servers, options);
    return { kind: 'up', controlPlane: controlPlane(layout, kube, { logTail, stop }) };
  } catch (error) {
    const log = logTail();
    await stop();
    return { kind: 'failed', problem: String(error), log };
  }
}

async function prepare(options: ControlPlaneOptions, binDir: string): Promise<Layout> {
  const dir = resolve(options.dir);
  const pki = join(dir, 'pki');
  mkdirSync(pki, { recursive: true });
  const ports = await freePorts(5);
  if (options.port !== undefined) ports[0] = options.port;
  const token = randomBytes(16).toString('hex');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(pki, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  writeFileSync(join(pki, 'tokens.csv'), `${token},admin,admin,system:masters\n`, { mode: 0o600 });
  const memoryDisk = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  sweep(memoryDisk);
  const layout = {
    binDir,
    dir,
    pki,
    data: mkdtempSync(join(memoryDisk, `${DATA_PREFIX}${process.pid}-`)),
    url: `https://127.0.0.1:${ports[0]}`,
    token,
    kubeconfigPath: join(dir, 'kubeconfig'),
    ports,
  };
  writeKubeconfig(layout, layout.kubeconfigPath, token);
  return layout;
}

/** Deletes the data of test runs that were killed before they could: the process in the folder's name is gone. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith(DATA_PREFIX))) {
    const pid = Number(name.slice(DATA_PREFIX.length).split('-')[0]);
    if (Number.isInteger(pid) && !existsSync(`/proc/${pid}`)) rmSync(join(parent, name), { recursive: true });
  }
}

function writeKubeconfig(layout: Pick<Layout, 'url' | 'pki'>, path: string, token: string): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [
      {
        name: 'test',
        cluster: { server: layout.url, 'certificate-authority': join(layout.pki, 'apiserver.crt') },
      },
    ],
    users: [{ name: 'test', user: { token } }],
  };
  writeFileSync(path, JSON.stringify(config, null, 2), { mode: 0o600 }); // JSON is YAML
}

async function bringUp(
  layout: Layout,
  servers: ServerProcess[],
  { controllerManagerArgs: managerArgs = [], apiServerArgs: serverArgs = [] }: ControlPlaneOptions,
): Promise<Kube> {
  const start = (name: string, args: readonly string[]): void => {
    const command = join(layout.binDir, name);
    servers.push(
      startServer({ name, command, args, logDir: layout.dir, env: { COOPER_EXIT_WITH_STDIN: '1' } }),
    );
  };
  const ready = async (what: string, look: () => Promise<unknown>): Promise<void> => {
    const dead = (): ServerProcess | undefined => servers.find((server) => !server.isRunning());
    await until(async () => dead() ?? (await look()), { what, timeoutMs: 60_000, intervalMs: 50 });
    const ended = dead();
    if (ended) throw new Error(`${ended.name} ended by itself`);
  };

  start('etcd', etcdArgs(layout));
  await ready('etcd', () => answers(`http://127.0.0.1:${layout.ports[1]}/health`));
  start('kube-apiserver', [...apiServerArgs(layout), ...serverArgs]);
  await ready('the certificate', async () => existsSync(join(layout.pki, 'apiserver.crt')));
  const kube = await Kube.connect(layout.kubeconfigPath);
  await ready('kube-apiserver', () => kube.list('/api/v1/namespaces/default/services'));
  start('kube-scheduler', schedulerArgs(layout));
  start('kube-controller-manager', [...controllerManagerArgs(layout), ...managerArgs]);
  await ready('the default ServiceAccount', () =>
    kube.get('/api/v1/namespaces/default/serviceaccounts/default'),
  );
  await ready('the scheduler', () => listens(layout.ports[3] ?? 0));
  return kube;
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url).catch(() => null);
  await response?.body?.cancel();
  return response?.ok ?? false;
}

/** The scheduler serves with a certificate of its own making: that it listens is enough. */
function listens(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      settle(true);
    });
    socket.once('error', () => settle(false));
  });
}

function etcdArgs(layout: Layout): string[] {
  const [, client, peer] = layout.ports;
  return [
    '--name=test',
    `--data-dir=${layout.data}`,
    `--listen-client-urls=http://127.0.0.1:${client}`,
    `--advertise-client-urls=http://127.0.0.1:${client}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-cluster=test=http://127.0.0.1:${peer}`,
    '--unsafe-no-fsync', // nothing here outlives the test
    '--log-level=warn',
  ];
}

function apiServerArgs(layout: Layout): string[] {
  const key = join(layout.pki, 'sa.key');
  return [
    `--etcd-servers=http://127.0.0.1:${layout.ports[1]}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${layout.ports[0]}`,
    `--cert-dir=${layout.pki}`,
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--authorization-mode=Node,RBAC',
    `--token-auth-file=${join(layout.pki, 'tokens.csv')}`,
    `--service-account-issuer=${layout.url}`,
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    '--allow-privileged',
    '--profiling=false',
  ];
}

function schedulerArgs(layout: Layout): string[] {
  return [
    ...clientArgs(layout),
    `--secure-port=${layout.ports[3]}`,
    `--cert-dir=${join(layout.pki, 'scheduler')}`,
  ];
}

function controllerManagerArgs(layout: Layout): string[] {
  return [
    ...clientArgs(layout),
    `--secure-port=${layout.ports[4]}`,
    `--cert-dir=${join(layout.pki, 'controller-manager')}`,
    `--service-account-private-key-file=${join(layout.pki, 'sa.key')}`,
    `--root-ca-file=${join(layout.pki, 'apiserver.crt')}`,
    '--allocate-node-cidrs=false',
  ];
}

function clientArgs(layout: Layout): string[] {
  return [
    `--kubeconfig=${layout.kubeconfigPath}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
  ];
}

function controlPlane(
  layout: Layout,
  kube: Kube,
  shell: Pick<ControlPlane, 'logTail' | 'stop'>,
): ControlPlane {
  const kubectl: ControlPlane['kubectl'] = (args, stdin) =>
    runCommand(join(layout.binDir, 'kubectl'), [`--kubeconfig=${layout.kubeconfigPath}`, ...args], {
      ...(stdin === undefined ? {} : { stdin }),
      env: { KUBECACHEDIR: join(layout.dir, 'kubectl-cache') },
    });
  return {
    ...shell,
    url: layout.url,
    kubeconfigPath: layout.kubeconfigPath,
    binDir: layout.binDir,
    caPath: join(layout.pki, 'apiserver.crt'),
    kube,
    kubectl,
    async serviceAccountKubeconfig(namespace, name) {
      const token = await kubectl(['create', 'token', name, `--namespace=${namespace}`, '--duration=24h']);
      const path = join(layout.dir, `kubeconfig-${namespace}-${name}`);
      writeKubeconfig(layout, path, token.trim());
      return path;
    },
  };
}
