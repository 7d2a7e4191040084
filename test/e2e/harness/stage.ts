// A control plane without kubelets: nodes are what a test says they are, pods go where the real kube-scheduler binds.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClusterWatch, watchCluster } from '../../../src/kube/clusterWatch.ts';
import { connectKube } from '../../../src/kube/connect.ts';
import { ServerKubeApi } from '../../../src/kube/kubeApi.ts';
import { REAL_TIMING } from '../../../src/kube/timing.ts';
import { KubeTransport } from '../../../src/kube/transport.ts';
import type { KubeApi } from '../../../src/ports/kubeApi.ts';
import { ClusterState } from '../../../src/state/clusterState.ts';
import { type ControlPlane, startControlPlane } from './controlPlane.ts';
import type { Kube } from './kube.ts';
import { creationOf, type RawObject } from './rawObjects.ts';
import { until } from './until.ts';
import { provisionVolumes } from './volumeProvisioner.ts';

const CRD_FOLDER = join(import.meta.dirname, '..', '..', '..', 'charts', 'cooper-crd', 'templates');

/** Nothing may judge nodes that have no heartbeat, nor pods on nodes that have no kubelet. */
const OFF = ['node-lifecycle', 'taint-eviction', 'pod-garbage-collector', 'horizontal-pod-autoscaler'];

/** Nodes get exactly the taints that they are written with. */
const API_SERVER_ARGS = ['--disable-admission-plugins=TaintNodesByCondition'];

/** So many calls are under way at a time: the machine is shared with the servers that answer them. */
const CALLS_AT_ONCE = 24;

interface ClaimObject {
  readonly spec: { readonly volumeName?: string };
  readonly status: { readonly phase?: string };
}

export class Stage {
  readonly kube: Kube;
  /** Cooper's own writes. */
  readonly api: KubeApi;
  /** The cluster as Cooper's own watches tell it. */
  readonly state: ClusterState;
  readonly problems: string[];
  readonly #plane: ControlPlane;
  readonly #dir: string;
  readonly #stops: readonly (() => unknown)[];

  constructor(
    plane: ControlPlane,
    parts: Pick<Stage, 'api' | 'state' | 'problems'> & {
      readonly dir: string;
      readonly stops: readonly (() => unknown)[];
    },
  ) {
    this.kube = plane.kube;
    this.api = parts.api;
    this.state = parts.state;
    this.problems = parts.problems;
    this.#plane = plane;
    this.#dir = parts.dir;
    this.#stops = parts.stops;
  }

  /** Creates the objects, in no order. */
  async create(objects: readonly RawObject[]): Promise<void> {
    await eachOf(objects, async (object) => {
      const { path, body } = creationOf(object);
      await this.kube.create(path, body);
    });
  }

  async delete(paths: readonly string[]): Promise<void> {
    await eachOf(paths, (path) => this.kube.delete(path, { gracePeriodSeconds: 0 }));
  }

  /** Namespaces with these labels, ready for pods. */
  async createNamespaces(labels: ReadonlyMap<string, Readonly<Record<string, string>>>): Promise<void> {
    await this.create(
      [...labels].map(([name, own]) => ({ kind: 'Namespace', metadata: { name, labels: own } })),
    );
    await this.until('the ServiceAccounts', async () => {
      const accounts = await this.kube.list('/api/v1/serviceaccounts');
      const ready = new Set(accounts.map(({ metadata }) => metadata.namespace));
      return [...labels.keys()].every((name) => ready.has(name));
    });
  }

  /** Waits until the watches have seen what `look` is about. */
  async until(what: string, look: () => unknown, timeoutMs = 30_000): Promise<void> {
    await until(async () => Boolean(await look()), { what, timeoutMs, intervalMs: 20 });
  }

  /** Waits until claims that name their volume are bound to it: before that the scheduler knows no place for them. */
  async untilClaimsBound(): Promise<void> {
    await this.until('claims to be bound to their volumes', async () => {
      const claims = await this.kube.list<ClaimObject>('/api/v1/persistentvolumeclaims');
      return claims.every(({ spec, status }) => spec.volumeName === undefined || status.phase === 'Bound');
    });
  }

  logTail(): string {
    return this.#plane.logTail();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) await stop();
    await this.#plane.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Starts the control plane, Cooper's watches and a volume provisioner: 5 to 10 seconds. */
export async function startStage(): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), 'cooper-stage-'));
  const off = OFF.map((name) => `-${name}-controller`).join(',');
  const controllerManagerArgs = [`--controllers=*,${off}`];
  const plane = await startControlPlane({ dir, apiServerArgs: API_SERVER_ARGS, controllerManagerArgs });
  await plane.kubectl(['apply', '--server-side', '-f', CRD_FOLDER]);
  await plane.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
  const problems: string[] = [];
  const state = new ClusterState();
  const transport = await transportTo(plane);
  const watch = watchAll(transport, state, problems);
  await watch.synced;
  const onProblem = (error: Error): void => void problems.push(error.message);
  const api = new ServerKubeApi(transport, { timing: REAL_TIMING, onProblem });
  const volumes = provisionVolumes(plane.kube, problems);
  return new Stage(plane, { api, state, problems, dir, stops: [volumes.stop, () => watch.stop()] });
}

async function transportTo(plane: ControlPlane): Promise<KubeTransport> {
  const connection = await connectKube({ kubeconfig: plane.kubeconfigPath, env: {} });
  return new KubeTransport(connection, { timeoutMs: 30_000, timing: REAL_TIMING, userAgent: 'cooper' });
}

function watchAll(transport: KubeTransport, state: ClusterState, problems: string[]): ClusterWatch {
  const handlers = {
    onEvent: (event: Parameters<ClusterState['apply']>[0]) => void state.apply(event),
    onInvalid: (object: object) => void problems.push(`invalid: ${JSON.stringify(object)}`),
    onProblem: (_error: Error) => {}, // a CRD may not be served yet; `synced` tells when all are
  };
  return watchCluster(transport, handlers, REAL_TIMING);
}

/** Some at a time, all in the end. */
export async function eachOf<T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const work = async (): Promise<void> => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
}
