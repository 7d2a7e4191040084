// A small AWS account in memory, and a provider over it, for the tests of src/aws.
import type { Ec2Api } from '../../src/aws/ec2Api.ts';
import { AwsCloudProvider } from '../../src/aws/provider.ts';
import { RequestPacer } from '../../src/aws/requestPacer.ts';
import { type AwsSettings, DEFAULT_AWS_SETTINGS } from '../../src/aws/settings.ts';
import { shippedFacts, shippedPrices } from '../../src/aws/shippedCatalogue.ts';
import type { NodeClaim, NodeClaimSpec } from '../../src/model/nodeClaim.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Log } from '../../src/ports/telemetry.ts';
import { aNodeClaim } from '../builders.ts';
import { type MemoryAccount, MemoryEc2, MemorySsm } from '../contracts/memoryEc2.ts';

export const SETTINGS: AwsSettings = {
  ...DEFAULT_AWS_SETTINGS,
  clusterName: 'test',
  clusterEndpoint: 'https://api.example.com',
  clusterCaBundle: 'Y2VydGlmaWNhdGU=',
  serviceCidr: '10.100.0.0/16',
  kubernetesVersion: '1.34',
  region: 'us-east-1',
};

const AL2023 = '/aws/service/eks/optimized-ami/1.34/amazon-linux-2023';

export const PARAMETERS = {
  [`${AL2023}/x86_64/standard/recommended/image_id`]: 'ami-amd64',
  [`${AL2023}/arm64/standard/recommended/image_id`]: 'ami-arm64',
  [`${AL2023}/x86_64/nvidia/recommended/image_id`]: 'ami-nvidia',
  [`${AL2023}/x86_64/neuron/recommended/image_id`]: 'ami-neuron',
};

const ZONES = ['us-east-1a', 'us-east-1b', 'us-east-1c'];
const TYPES = ['m5.large', 'm5.xlarge', 'c5.large', 'm6g.large', 't3.large', 'g5.xlarge', 'inf2.xlarge'];

/** Two subnets in zone a, one each in b and c; seven types; spot at 40 % of on-demand, in zone b at twice it. */
export function anAccount(): MemoryAccount {
  const discovery = { 'karpenter.sh/discovery': 'test' };
  const { facts, zones } = shippedFacts();
  const prices = shippedPrices().onDemand;
  const sold = facts.filter(({ name }) => TYPES.includes(name));
  const offers = sold.flatMap(({ name }) =>
    (zones.get(name) ?? [])
      .filter((zone) => ZONES.includes(zone))
      .map((zone) => ({ instanceType: name, zone })),
  );
  return {
    facts: sold,
    zones: offers,
    spotPrices: offers.map(({ instanceType, zone }) => ({
      instanceType,
      zone,
      usdPerHour: (prices.get(instanceType) ?? 0) * (zone === 'us-east-1b' ? 2 : 0.4),
    })),
    subnets: [
      { id: 'subnet-a1', zone: 'us-east-1a', freeAddresses: 100, tags: discovery },
      { id: 'subnet-a2', zone: 'us-east-1a', freeAddresses: 120, tags: discovery },
      { id: 'subnet-b1', zone: 'us-east-1b', freeAddresses: 200, tags: { ...discovery, Name: 'blue-1' } },
      { id: 'subnet-c1', zone: 'us-east-1c', freeAddresses: 200, tags: discovery },
    ],
    groups: [
      { id: 'sg-2', tags: discovery },
      { id: 'sg-1', tags: discovery },
    ],
    images: [],
  };
}

/** A clock that stands still until told. */
export class StillClock implements Clock {
  #nowMs = 1_800_000_000_000;

  nowMs(): number {
    return this.#nowMs;
  }

  sleep(durationMs: number): Promise<void> {
    this.pass(durationMs);
    return Promise.resolve();
  }

  pass(durationMs: number): void {
    this.#nowMs += durationMs;
  }
}

export interface LoggedLine {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export interface World<C extends Clock = StillClock> {
  readonly clock: C;
  readonly ec2: MemoryEc2;
  readonly ssm: MemorySsm;
  readonly cloud: AwsCloudProvider;
  readonly logged: LoggedLine[];
  /** A provider over the same account that remembers nothing. */
  restarted(over?: Ec2Api): AwsCloudProvider;
  /** A claim made just now. */
  claim(fields?: Partial<NodeClaim>, spec?: Partial<NodeClaimSpec>): NodeClaim;
}

export interface WorldFields<C extends Clock = Clock> {
  /** Stands still when left out. */
  readonly clock?: C;
  readonly settings?: Partial<AwsSettings>;
  readonly account?: Partial<MemoryAccount>;
  readonly parameters?: Readonly<Record<string, string>>;
}

export function aWorld(fields?: Omit<WorldFields, 'clock'>): World;
export function aWorld<C extends Clock>(fields: WorldFields<C> & { readonly clock: C }): World<C>;
export function aWorld(fields: WorldFields = {}): World<Clock> {
  const clock = fields.clock ?? new StillClock();
  const ec2 = new MemoryEc2(clock, { ...anAccount(), ...fields.account });
  const ssm = new MemorySsm(fields.parameters ?? PARAMETERS);
  const logged: LoggedLine[] = [];
  const write = (line: Readonly<Record<string, unknown>>, message: string): void => {
    logged.push({ fields: line, message });
  };
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const restarted = (over: Ec2Api = ec2): AwsCloudProvider =>
    new AwsCloudProvider({
      ...{ ec2: over, ssm, clock, log },
      pacer: new RequestPacer(clock),
      chance: () => 0.5,
      settings: { ...SETTINGS, ...fields.settings },
      onDemandPrices: shippedPrices().onDemand,
    });
  const claim = (claimFields: Partial<NodeClaim> = {}, spec: Partial<NodeClaimSpec> = {}): NodeClaim => {
    const base = aNodeClaim({ createdAtMs: clock.nowMs(), ...claimFields });
    const open = { requirements: [], instanceTypes: ['c5.large', 'm5.large', 'm5.xlarge'] };
    return { ...base, spec: { ...base.spec, ...open, ...spec } };
  };
  return { clock, ec2, ssm, cloud: restarted(), logged, restarted, claim };
}
