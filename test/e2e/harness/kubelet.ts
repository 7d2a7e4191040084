// A fake kubelet for every instance that the EC2 stand-in runs, and the cloud controller's part of a node's life.
import type { Kube } from './kube.ts';
import { KubeError } from './kube.ts';
import type { InstanceView, Moto } from './moto.ts';
import {
  type NodeSpec,
  ownLabels,
  registerNode,
  removeTaints,
  renewLease,
  reportReadiness,
} from './nodeRegistration.ts';
import { eksNodeShape, type NodeShape } from './nodeShape.ts';
import { type PodRunner, type PodTimings, runPods } from './podRunner.ts';
import { type NodeBoot, readUserData, type Taint } from './userData.ts';

/** May be changed while the kubelet runs: nodes, and pods, that come later go by the new values. */
export interface KubeletSettings extends PodTimings {
  /** From `running` to the Node object; 500 by default. */
  bootDelayMs: number;
  /** From the Node object to Ready; 200. Infinity = never. */
  readyDelayMs: number;
  /** Whether the instance's kubelet ever reaches the API server. Asked again as long as it has not: late joiners. */
  registers: (instance: InstanceView) => boolean;
  podStartMs: number;
  podStopMs: number;
  /** Taints that a daemon (CNI, GPU driver) takes off so long after the node is Ready; null leaves all. */
  startupTaints: { readonly keys: readonly string[]; readonly removeAfterMs: number } | null;
  /** From the instance's end to the deletion of its Node by the cloud controller; null = never. 2000. */
  nodeDeletionDelayMs: number | null;
  /** What the node reports, beyond EKS's own arithmetic. */
  reshape: (shape: NodeShape, instance: InstanceView) => NodeShape;
}

const DEFAULTS: KubeletSettings = {
  bootDelayMs: 500,
  readyDelayMs: 200,
  registers: () => true,
  podStartMs: 200,
  podStopMs: 200,
  startupTaints: null,
  nodeDeletionDelayMs: 2000,
  reshape: (shape) => shape,
};

const POLL_MS = 250;
const LEASE_RENEWAL_MS = 10_000;

export interface StaticNode {
  readonly name: string;
  readonly cpu: string;
  readonly memory: string;
  readonly pods?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly zone?: string;
  readonly instanceType?: string;
  /** `aws:///<zone>/i-static-<name>` by default. */
  readonly providerId?: string;
}

type Phase = 'booting' | 'broken' | 'joined' | 'ready' | 'complete' | 'ended' | 'forgotten';

interface Machine {
  readonly boot: NodeBoot;
  phase: Phase;
  /** When the phase began. */
  sinceMs: number;
}

export class FakeKubelet {
  readonly settings: KubeletSettings;
  /** What went wrong in booting instances and running pods; a test that expects none asserts it is empty. */
  readonly problems: string[] = [];
  readonly #kube: Kube;
  readonly #moto: Moto;
  readonly #machines = new Map<string, Machine>();
  readonly #served = new Set<string>();
  readonly #leaseTimer: NodeJS.Timeout;
  readonly #pods: PodRunner;
  #stopped = false;
  #working: Promise<void>;

  constructor(
    cluster: { readonly kube: Kube; readonly moto: Moto },
    settings: Partial<KubeletSettings> = {},
  ) {
    this.settings = { ...DEFAULTS, ...settings };
    this.#kube = cluster.kube;
    this.#moto = cluster.moto;
    this.#pods = runPods({
      kube: this.#kube,
      serves: (name) => this.#served.has(name),
      timings: () => this.settings,
      report: (problem) => this.problems.push(problem),
    });
    this.#leaseTimer = setInterval(() => void this.#renewLeases(), LEASE_RENEWAL_MS);
    this.#working = this.#work();
  }

  /** A node that was always there (a managed node group): no instance, no end, Ready at once. */
  async addStaticNode(node: StaticNode): Promise<void> {
    const zone = node.zone ?? 'us-east-1a';
    const place = {
      zone,
      region: zone.slice(0, -1),
      instanceType: node.instanceType ?? 'm5.large',
      arch: 'amd64',
    } as const;
    const size = {
      cpu: node.cpu,
      memory: node.memory,
      pods: String(node.pods ?? 110),
      'ephemeral-storage': '20Gi',
    };
    await this.#join({
      name: node.name,
      providerId: node.providerId ?? `aws:///${zone}/i-static-${node.name}`,
      labels: { ...ownLabels(node.name, place), ...node.labels },
      taints: node.taints ?? [],
      capacity: size,
      allocatable: size,
      ready: true,
    });
  }

  /** The machine dies without a word: no heartbeat, no pods run or end, the Node stays as it is. */
  silence(nodeName: string): void {
    this.#served.delete(nodeName);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#leaseTimer);
    this.#pods.stop();
    await this.#working;
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      try {
        const instances = await this.#moto.instances();
        await Promise.all(instances.map((instance) => this.#advance(instance)));
      } catch (error) {
        if (!this.#stopped) this.problems.push(`kubelet: ${String(error)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** One step of an instance's life as a node. */
  async #advance(instance: InstanceView): Promise<void> {
    const machine = this.#machineOf(instance);
    if (machine === null) return;
    if (instance.state !== 'running') await this.#end(instance, machine);
    else await this.#live(instance, machine);
  }

  #machineOf(instance: InstanceView): Machine | null {
    const known = this.#machines.get(instance.id);
    if (known !== undefined || instance.state !== 'running') return known ?? null;
    const running = instance.history.find(({ state }) => state === 'running');
    const boot = readUserData(instance.userDataBase64);
    const machine: Machine = { boot, phase: 'booting', sinceMs: running?.atMs ?? Date.now() };
    if (boot.problems.length > 0) {
      machine.phase = 'broken';
      this.problems.push(...boot.problems.map((problem) => `${instance.id} never joins: ${problem}`));
    }
    this.#machines.set(instance.id, machine);
    return machine;
  }

  async #live(instance: InstanceView, machine: Machine): Promise<void> {
    const waitedMs = Date.now() - machine.sinceMs;
    const { bootDelayMs, readyDelayMs, startupTaints, registers } = this.settings;
    const name = instance.privateDnsName;
    if (machine.phase === 'booting' && waitedMs >= bootDelayMs && registers(instance)) {
      await this.#join(await this.#nodeOf(instance, machine.boot));
      enter(machine, 'joined');
    } else if (machine.phase === 'joined' && waitedMs >= readyDelayMs) {
      await ignoreGone(reportReadiness(this.#kube, name, true));
      enter(machine, 'ready');
    } else if (
      machine.phase === 'ready' &&
      startupTaints !== null &&
      waitedMs >= startupTaints.removeAfterMs
    ) {
      await ignoreGone(removeTaints(this.#kube, name, startupTaints.keys));
      enter(machine, 'complete');
    }
  }

  /** The kubelet stops with its machine; a while later the cloud controller finds the instance gone. */
  async #end(instance: InstanceView, machine: Machine): Promise<void> {
    if (machine.phase === 'forgotten') return;
    if (machine.phase !== 'ended') {
      this.#served.delete(instance.privateDnsName);
      enter(machine, 'ended');
    }
    const delayMs = this.settings.nodeDeletionDelayMs;
    if (instance.state !== 'terminated' || delayMs === null || Date.now() - machine.sinceMs < delayMs) return;
    await this.#kube.delete(`/api/v1/nodes/${instance.privateDnsName}`);
    enter(machine, 'forgotten');
  }

  async #nodeOf(instance: InstanceView, boot: NodeBoot): Promise<NodeSpec> {
    const name = instance.privateDnsName;
    const arch = instance.architecture === 'arm64' ? 'arm64' : 'amd64';
    const type = await this.#moto.instanceShape(instance.instanceType);
    const place = {
      zone: instance.zone,
      region: instance.region,
      instanceType: instance.instanceType,
      arch,
    } as const;
    return {
      name,
      providerId: `aws:///${instance.zone}/${instance.id}`,
      labels: { ...boot.labels, ...ownLabels(name, place) },
      taints: boot.taints,
      ...this.settings.reshape(eksNodeShape(type, boot), instance),
      ready: false,
    };
  }

  async #join(node: NodeSpec): Promise<void> {
    await registerNode(this.#kube, node);
    this.#served.add(node.name);
    this.#pods.review();
  }

  async #renewLeases(): Promise<void> {
    await Promise.all([...this.#served].map((name) => renewLease(this.#kube, name).catch(() => undefined)));
  }
}

function enter(machine: Machine, phase: Phase): void {
  machine.phase = phase;
  machine.sinceMs = Date.now();
}

/** A kubelet whose Node object was deleted goes on without it. */
async function ignoreGone(write: Promise<unknown>): Promise<void> {
  await write.catch((error: unknown) => {
    if (!(error instanceof KubeError && error.status === 404)) throw error;
  });
}
