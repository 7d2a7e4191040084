// EC2 and SSM on 127.0.0.1: moto in a Python environment of its own, and the door through which tests steer it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { startServer } from './serverProcess.ts';
import { until } from './until.ts';

const MOTO_DIR = join(import.meta.dirname, '..', 'moto');

export type InstanceState = 'pending' | 'running' | 'shutting-down' | 'terminated';

/** An instance as EC2 has it, user data and history included; terminated ones stay listed. */
export interface InstanceView {
  readonly id: string;
  readonly instanceType: string;
  readonly architecture: 'x86_64' | 'arm64';
  readonly imageId: string;
  readonly zone: string;
  readonly region: string;
  readonly capacityType: 'spot' | 'on-demand';
  readonly state: InstanceState;
  readonly history: readonly { readonly state: InstanceState; readonly atMs: number }[];
  readonly subnetId: string;
  readonly securityGroupIds: readonly string[];
  readonly instanceProfileArn: string | null;
  readonly metadataOptions: {
    readonly httpTokens: string;
    readonly httpPutResponseHopLimit: number;
    readonly httpEndpoint: string;
  };
  readonly blockDevices: readonly {
    readonly deviceName: string;
    readonly sizeGib: number;
    readonly type: string | null;
    readonly encrypted: boolean;
    readonly deleteOnTermination: boolean;
  }[];
  readonly privateDnsName: string;
  readonly privateIp: string;
  readonly fleetId: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly userDataBase64: string;
}

/** Size of an instance type. */
export interface InstanceShape {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly networkInterfaces: number;
  readonly addressesPerInterface: number;
  readonly nvidiaGpus: number;
}

/** One call that reached EC2, SSM or SQS. Times are milliseconds since the Unix epoch; null = not yet. */
export interface AwsCall {
  readonly id: number;
  readonly service: 'ec2' | 'ssm' | 'sqs';
  readonly action: string;
  readonly startedAtMs: number;
  /** When it took effect: from here on a killed caller has bought something. */
  readonly executedAtMs: number | null;
  readonly answeredAtMs: number | null;
  readonly status: number | null;
  readonly errorCode: string | null;
  readonly params: Readonly<Record<string, unknown>>;
}

/** So many are left of an offering (none by default); an absent field stands for all. */
export interface Scarcity {
  readonly capacityType?: 'spot' | 'on-demand';
  readonly instanceType?: string;
  readonly zone?: string;
  readonly remaining?: number;
}

/** The next `times` (1) calls of `action` fail with `code`; or, with `loseAnswer`, take effect and answer HTTP 500. */
export interface Fault {
  readonly action: string;
  readonly code?: string;
  readonly message?: string;
  readonly times?: number;
  readonly loseAnswer?: boolean;
}

export interface Network {
  readonly vpcId: string;
  readonly subnets: readonly { readonly id: string; readonly zone: string }[];
  readonly securityGroupId: string;
  readonly instanceProfile: string;
}

export interface MotoOptions {
  /** For logs; it must exist. */
  readonly dir: string;
  readonly region?: string;
  /** On-demand USD per hour by instance type; types not named get a price by their size. */
  readonly onDemandPrices?: Readonly<Record<string, number>>;
  /** Knows the policies that AWS itself keeps; a second more to start. */
  readonly managedPolicies?: boolean;
}

/** Creates the Python environment unless it is in the cache, and gives the path of its interpreter. */
export async function buildMoto(): Promise<string> {
  return (await runCommand('bash', [join(MOTO_DIR, 'build.sh')], { showProgress: true })).trim();
}

/** The running stand-in. */
export class Moto {
  readonly endpoint: string;
  readonly region: string;
  readonly logTail: (lines?: number) => string;
  readonly stop: () => Promise<void>;

  constructor(endpoint: string, region: string, shell: Pick<Moto, 'logTail' | 'stop'>) {
    this.endpoint = endpoint;
    this.region = region;
    this.logTail = shell.logTail;
    this.stop = shell.stop;
  }

  /** Every instance ever launched, oldest first. */
  instances(): Promise<readonly InstanceView[]> {
    return this.#read('instances');
  }

  /** Those that are paid for: pending or running. */
  async liveInstances(): Promise<readonly InstanceView[]> {
    return (await this.instances()).filter(({ state }) => state === 'pending' || state === 'running');
  }

  async instanceShape(name: string): Promise<InstanceShape> {
    const [shape] = await this.#read<readonly InstanceShape[]>(`instance-types?names=${name}`);
    if (shape === undefined) throw new Error(`no instance type ${name}`);
    return shape;
  }

  /** Calls received so far, oldest first; only those of `action`, only those after the call with id `after`. */
  calls(action?: string, after = 0): Promise<readonly AwsCall[]> {
    return this.#read(`calls?after=${after}${action === undefined ? '' : `&action=${action}`}`);
  }

  /** How long instances launched or terminated from now on stay pending and shutting-down; both 0 at the start. */
  async setDurations(durations: {
    readonly pendingMs?: number;
    readonly shuttingDownMs?: number;
  }): Promise<void> {
    await this.#write('settings', durations);
  }

  /** Replaces what is scarce: CreateFleet answers InsufficientInstanceCapacity for it. [] = plenty of everything. */
  async setScarcities(scarcities: readonly Scarcity[]): Promise<void> {
    await this.#write('scarcities', scarcities);
  }

  /** Holds calls back before they take effect or before they are answered, by action. {} = none. */
  async setDelays(
    delays: Readonly<Record<string, { readonly beforeMs?: number; readonly afterMs?: number }>>,
  ): Promise<void> {
    await this.#write('delays', delays);
  }

  /** Replaces the faults still to come. */
  async setFaults(faults: readonly Fault[]): Promise<void> {
    await this.#write('faults', faults);
  }

  /** Replaces the Spot prices set by tests; others follow from the on-demand price. */
  async setSpotPrices(
    prices: readonly { readonly instanceType: string; readonly zone: string; readonly usdPerHour: number }[],
  ): Promise<void> {
    await this.#write('spot-prices', prices);
  }

  /** Makes VPC, one subnet per zone, security group (tagged `kubernetes.io/cluster/<cluster>=owned`), role, profile. */
  layNetwork(request: {
    readonly cluster: string;
    readonly zones: readonly string[];
    readonly instanceProfile: string;
  }): Promise<Network> {
    return this.#write('network', { ...request, region: this.region });
  }

  /** Takes an instance away as Amazon does: a Spot interruption carried out, or a dead host. */
  async reclaim(instanceId: string): Promise<void> {
    await this.#write('reclaim', { instanceId });
  }

  /** Says on a spot request that its instance is being reclaimed; the instance runs on for its notice. */
  async announceReclaim(instanceId: string): Promise<void> {
    await this.#write('announce-reclaim', { instanceId });
  }

  /** From now on calls need a signature of a user and his policy, or (false) are all allowed again. */
  async enforceIam(isOn: boolean): Promise<void> {
    const body = isOn ? '0' : 'inf';
    const response = await fetch(`${this.endpoint}/moto-api/reset-auth`, { method: 'POST', body });
    if (!response.ok) throw new Error(`EC2 stand-in: reset-auth: ${await response.text()}`);
  }

  /** A user who may do this and nothing else. Actions are judged, resources and conditions are not. */
  makeUser(user: {
    readonly name: string;
    readonly allow: readonly string[];
    readonly deny: readonly string[];
  }): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }> {
    return this.#write('user', user);
  }

  #read<T>(path: string): Promise<T> {
    return this.#ask<T>(path, { method: 'GET' });
  }

  #write<T>(path: string, body: unknown): Promise<T> {
    return this.#ask<T>(path, { method: 'PUT', body: JSON.stringify(body) });
  }

  async #ask<T>(path: string, init: RequestInit): Promise<T> {
    const response = await fetch(`${this.endpoint}/cooper-control/${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`EC2 stand-in: ${init.method} ${path}: ${text}`);
    return JSON.parse(text) as T;
  }
}

/** Starts moto with our additions on a free port: one to two seconds once installed. */
export async function startMoto(options: MotoOptions): Promise<Moto> {
  const python = await buildMoto();
  const region = options.region ?? 'us-east-1';
  const pricesPath = join(options.dir, 'on-demand-prices.json');
  writeFileSync(pricesPath, JSON.stringify(options.onDemandPrices ?? {}));
  const server = startServer({
    name: 'moto',
    command: python,
    args: [join(MOTO_DIR, 'server.py'), '--region', region, '--prices', pricesPath],
    logDir: options.dir,
    env: {
      PYTHONDONTWRITEBYTECODE: '1',
      AWS_DEFAULT_REGION: region,
      ...(options.managedPolicies === true ? { MOTO_IAM_LOAD_MANAGED_POLICIES: 'true' } : {}),
    },
  });
  const port = (): number | null => {
    if (!server.isRunning()) throw new Error('it ended by itself');
    const match = /^\{"port": (\d+)\}$/m.exec(readFileSync(server.logFile, 'utf8'));
    return match ? Number(match[1]) : null;
  };
  const found = await until(port, {
    what: 'the EC2 stand-in to listen',
    timeoutMs: 60_000,
    intervalMs: 50,
    diagnose: () => server.logTail(),
  });
  return new Moto(`http://127.0.0.1:${found}`, region, {
    logTail: server.logTail,
    stop: () => server.kill('SIGKILL'),
  });
}
