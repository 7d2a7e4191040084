// Everything around Cooper in one call: control plane, EC2 and SSM, nodes, network, CRDs; and Cooper itself.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2Client } from '@aws-sdk/client-ec2';
import { SSMClient } from '@aws-sdk/client-ssm';
import { Controller } from './controller.ts';
import { type ControlPlane, startControlPlane } from './controlPlane.ts';
import { conditionOf, type Kube, type NodeObject, type PodObject } from './kube.ts';
import { FakeKubelet, type KubeletSettings } from './kubelet.ts';
import { type Moto, type Network, startMoto } from './moto.ts';
import { until, type Wait } from './until.ts';

export interface WorldOptions {
  /** `e2e` by default; tags and user data carry it. */
  readonly cluster?: string;
  readonly region?: string;
  /** a, b and c of the region by default. */
  readonly zones?: readonly string[];
  /** Name of the seeded instance profile; `<cluster>-node` by default. */
  readonly instanceProfile?: string;
  /** Every YAML file in it is applied; none by default. */
  readonly crdFolder?: string;
  readonly namespaces?: readonly string[];
  readonly onDemandPrices?: Readonly<Record<string, number>>;
  /** How long instances stay pending and shutting-down; 1000 and 1000 by default. */
  readonly pendingMs?: number;
  readonly shuttingDownMs?: number;
  readonly kubelet?: Partial<KubeletSettings>;
  /** Environment of the controller on top of the usual. */
  readonly controllerEnv?: Readonly<Record<string, string>>;
  /** EC2's stand-in also knows the IAM policies that AWS itself keeps. */
  readonly managedPolicies?: boolean;
  /** Extra flags of kube-apiserver. */
  readonly apiServerArgs?: readonly string[];
  /** Arguments of the controller; `['run']` by default. */
  readonly controllerArgs?: readonly string[];
}

/** Credentials that the stand-in takes; it checks nothing. */
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

export class World {
  readonly dir: string;
  readonly cluster: string;
  readonly controlPlane: ControlPlane;
  readonly kube: Kube;
  readonly moto: Moto;
  readonly network: Network;
  readonly kubelet: FakeKubelet;
  /** Not started: call `controller.start()`. */
  readonly controller: Controller;
  readonly ec2: EC2Client;
  readonly ssm: SSMClient;

  constructor(
    parts: Pick<World, 'dir' | 'cluster' | 'controlPlane' | 'moto' | 'network'>,
    options: WorldOptions,
  ) {
    this.dir = parts.dir;
    this.cluster = parts.cluster;
    this.controlPlane = parts.controlPlane;
    this.kube = parts.controlPlane.kube;
    this.moto = parts.moto;
    this.network = parts.network;
    this.kubelet = new FakeKubelet({ kube: this.kube, moto: this.moto }, options.kubelet);
    this.controller = new Controller({
      logDir: this.dir,
      env: { ...this.controllerEnv(), ...options.controllerEnv },
      ...(options.controllerArgs === undefined ? {} : { args: options.controllerArgs }),
    });
    const client = { endpoint: this.moto.endpoint, region: this.moto.region, credentials: CREDENTIALS };
    this.ec2 = new EC2Client(client);
    this.ssm = new SSMClient(client);
  }

  /** What a Deployment of Cooper would set; also for a `cooper` command run by hand. */
  controllerEnv(): Record<string, string> {
    return {
      KUBECONFIG: this.controlPlane.kubeconfigPath,
      AWS_ENDPOINT_URL: this.moto.endpoint,
      AWS_REGION: this.moto.region,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
      CLUSTER_NAME: this.cluster,
      CLUSTER_ENDPOINT: this.controlPlane.url,
    };
  }

  kubectl(args: readonly string[], stdin?: string): Promise<string> {
    return this.controlPlane.kubectl(args, stdin);
  }

  /** `kubectl apply` of manifests as text. */
  apply(yaml: string): Promise<string> {
    return this.kubectl(['apply', '-f', '-'], yaml);
  }

  /** `until`, with the state of the world told at a failure. */
  until<T>(look: () => Promise<T> | T, wait: Wait) {
    return until(look, { diagnose: () => this.diagnose(), ...wait });
  }

  /** All pods, or those of one namespace; those being deleted too. */
  pods(namespace?: string): Promise<readonly PodObject[]> {
    return this.kube.list<PodObject>(
      namespace === undefined ? '/api/v1/pods' : `/api/v1/namespaces/${namespace}/pods`,
    );
  }

  nodes(): Promise<readonly NodeObject[]> {
    return this.kube.list<NodeObject>('/api/v1/nodes');
  }

  /** Waits until that many pods of the namespace are Running and Ready, and there are no others. */
  async untilRunning(namespace: string, count: number, timeoutMs: number): Promise<void> {
    const look = async (): Promise<boolean> => {
      const pods = await this.pods(namespace);
      const running = pods.filter(
        (pod) => pod.status.phase === 'Running' && conditionOf(pod, 'Ready') === 'True',
      );
      return running.length === count && pods.length === count;
    };
    await this.until(look, { what: `${count} pods of namespace ${namespace} to be Running`, timeoutMs });
  }

  /** Nodes, pods, instances and the last log lines, for the message of a failed test. */
  async diagnose(): Promise<string> {
    const table = (args: string[]): Promise<string> => this.kubectl(args).catch(String);
    const instances = (await this.moto.instances()).map(
      ({ id, state, instanceType, zone, privateDnsName }) =>
        `${id} ${state} ${instanceType} ${zone} ${privateDnsName}`,
    );
    return [
      '--- nodes',
      await table(['get', 'nodes', '-o', 'wide']),
      '--- pods',
      await table(['get', 'pods', '-A', '-o', 'wide']),
      '--- instances',
      ...instances,
      '--- kubelet problems',
      ...this.kubelet.problems,
      this.controller.logTail(),
    ].join('\n');
  }

  /** Ends every process of this world and removes its folder; with COOPER_KEEP=1 the logs stay. */
  async stop(): Promise<void> {
    await this.controller.kill();
    await this.kubelet.stop();
    this.ec2.destroy();
    this.ssm.destroy();
    await Promise.all([this.moto.stop(), this.controlPlane.stop()]);
    if (process.env.COOPER_KEEP === '1') console.error(`logs kept in ${this.dir}`);
    else rmSync(this.dir, { recursive: true, force: true });
  }
}

/**
 * Brings everything up but the controller: 5 to 10 seconds when built before. Throws, with the tail of the logs, when
 * a part does not start; call `stop()` in `after`.
 */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const cluster = options.cluster ?? 'e2e';
  const region = options.region ?? 'us-east-1';
  const dir = mkdtempSync(join(tmpdir(), 'cooper-e2e-'));
  mkdirSync(join(dir, 'control-plane'));
  const [plane, cloud] = await Promise.allSettled([
    startControlPlane({ dir: join(dir, 'control-plane'), apiServerArgs: options.apiServerArgs ?? [] }),
    startMoto({
      ...{ dir, region, onDemandPrices: options.onDemandPrices ?? {} },
      managedPolicies: options.managedPolicies ?? false,
    }),
  ]);
  if (plane.status === 'rejected' || cloud.status === 'rejected') {
    if (plane.status === 'fulfilled') await plane.value.stop();
    if (cloud.status === 'fulfilled') await cloud.value.stop();
    throw plane.status === 'rejected' ? plane.reason : (cloud as PromiseRejectedResult).reason;
  }
  const controlPlane = plane.value;
  const moto = cloud.value;
  try {
    const network = await furnish(controlPlane, moto, { ...options, cluster, region });
    return new World({ dir, cluster, controlPlane, moto, network }, options);
  } catch (error) {
    await Promise.all([moto.stop(), controlPlane.stop()]);
    throw error;
  }
}

async function furnish(
  controlPlane: ControlPlane,
  moto: Moto,
  options: WorldOptions & { readonly cluster: string; readonly region: string },
): Promise<Network> {
  await moto.setDurations({
    pendingMs: options.pendingMs ?? 1000,
    shuttingDownMs: options.shuttingDownMs ?? 1000,
  });
  for (const name of options.namespaces ?? []) {
    await controlPlane.kube.create('/api/v1/namespaces', { metadata: { name } });
  }
  if (options.crdFolder !== undefined) {
    await controlPlane.kubectl(['apply', '--server-side', '-f', options.crdFolder]);
    await controlPlane.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
  }
  return moto.layNetwork({
    cluster: options.cluster,
    zones: options.zones ?? ['a', 'b', 'c'].map((letter) => `${options.region}${letter}`),
    instanceProfile: options.instanceProfile ?? `${options.cluster}-node`,
  });
}
