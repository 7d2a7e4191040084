// The instance types and on-demand prices that ship with Cooper: for work without AWS, and as price table with it.
import { readFileSync } from 'node:fs';
import type { CapacityType, InstanceType } from '../model/instanceType.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import type { KubeletConfiguration } from '../model/provisioner.ts';
import type { GpuFacts, InstanceTypeFacts } from './instanceTypeFacts.ts';
import { type Market, offeringsOf, unpricedType } from './instanceTypes.ts';
import type { PriceTable } from './prices.ts';
import { DEFAULT_AWS_SETTINGS } from './settings.ts';

/** Ours to ship: facts are us-east-1's, where every current type is sold. */
export const SHIPPED_REGION = 'us-east-1';

interface CatalogueEntry {
  readonly arch: 'amd64' | 'arm64';
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly enis: number;
  readonly ipv4PerEni: number;
  readonly hypervisor?: string;
  readonly bareMetal?: boolean;
  readonly spot?: false;
  readonly onDemand?: false;
  readonly branchEnis?: number;
  readonly efaInterfaces?: number;
  readonly nvmeGb?: number;
  readonly gpu?: GpuFacts;
  readonly neuron?: { readonly devices: number; readonly cores: number };
  /** Letters of the zones that sell it: `abd`. */
  readonly zones: string;
}

interface CatalogueFile {
  readonly asOf: string;
  readonly instanceTypes: Readonly<Record<string, CatalogueEntry>>;
}

interface PriceFile {
  readonly asOf: string;
  readonly onDemand: Readonly<Record<string, number>>;
}

function readData<T>(path: string): T {
  // Written by our own refresh and checked by a test, so its shape is trusted here.
  return JSON.parse(readFileSync(new URL(`../../data/${path}`, import.meta.url), 'utf8')) as T;
}

/** On-demand prices as shipped, Linux, shared tenancy, USD per hour. */
export function shippedPrices(): { readonly asOf: string; readonly onDemand: PriceTable } {
  const { asOf, onDemand } = readData<PriceFile>(`prices/${SHIPPED_REGION}.json`);
  return { asOf, onDemand: new Map(Object.entries(onDemand)) };
}

export interface ShippedFacts {
  readonly asOf: string;
  readonly facts: readonly InstanceTypeFacts[];
  /** By instance type. */
  readonly zones: ReadonlyMap<string, readonly string[]>;
}

/** What EC2 says of all current types and the zones that sell them, zones named after the given region. */
export function shippedFacts(region: string = SHIPPED_REGION): ShippedFacts {
  const { asOf, instanceTypes } = readData<CatalogueFile>(`catalogue/${SHIPPED_REGION}.json`);
  const entries = Object.entries(instanceTypes);
  const zonesOf = ({ zones }: CatalogueEntry): readonly string[] =>
    [...zones].map((letter) => `${region}${letter}`);
  return {
    asOf,
    facts: entries.map(([name, entry]) => factsOf(name, entry)),
    zones: new Map(entries.map(([name, entry]) => [name, zonesOf(entry)])),
  };
}

function factsOf(name: string, entry: CatalogueEntry): InstanceTypeFacts {
  const capacityTypes: CapacityType[] = [];
  if (entry.onDemand !== false) capacityTypes.push('on-demand');
  if (entry.spot !== false) capacityTypes.push('spot');
  return {
    name,
    arch: entry.arch,
    vcpus: entry.vcpus,
    memoryMib: entry.memoryMib,
    hypervisor: entry.hypervisor ?? '',
    bareMetal: entry.bareMetal ?? false,
    capacityTypes,
    enis: entry.enis,
    ipv4PerEni: entry.ipv4PerEni,
    branchEnis: entry.branchEnis ?? 0,
    efaInterfaces: entry.efaInterfaces ?? 0,
    nvmeGb: entry.nvmeGb ?? 0,
    gpu: entry.gpu ?? null,
    neuron: entry.neuron ?? null,
  };
}

export interface ShippedCatalogueOptions {
  readonly kubelet?: KubeletConfiguration;
  readonly nodeClass?: NodeClass;
  /** Zones to offer; all that sell a type when absent. */
  readonly zones?: readonly string[];
  /** Made-up spot prices, as a fraction of on-demand, for simulations only; without it there are no spot offerings. */
  readonly simulatedSpotFraction?: number;
}

/**
 * Instance types as a Provisioner would see them, without asking AWS: on-demand only, nothing out of stock.
 * @param region names the zones; types and prices are us-east-1's whatever it says
 */
export function shippedCatalogue(
  region: string = SHIPPED_REGION,
  options: ShippedCatalogueOptions = {},
): readonly InstanceType[] {
  const { facts, zones } = shippedFacts(region);
  const { onDemand } = shippedPrices();
  const spotFraction = options.simulatedSpotFraction ?? null;
  const market: Market = {
    zonesOf: (instanceType) => zones.get(instanceType) ?? [],
    usdPerHour: (instanceType, _zone, capacityType) => {
      const price = onDemand.get(instanceType) ?? null;
      if (price === null || capacityType === 'on-demand') return price;
      return spotFraction === null ? null : price * spotFraction;
    },
    isOutOfStock: () => false,
  };
  const allowed = new Set(options.zones ?? [...zones.values()].flat());
  const shape = {
    settings: { ...DEFAULT_AWS_SETTINGS, region },
    kubelet: options.kubelet ?? {},
    nodeClass: options.nodeClass ?? PLAIN_NODE_CLASS,
  };
  return facts
    .map(
      (one): InstanceType => ({ ...unpricedType(one, shape), offerings: offeringsOf(one, allowed, market) }),
    )
    .filter((type) => type.offerings.length > 0);
}

/** A node class that leaves everything to the defaults. */
export const PLAIN_NODE_CLASS: NodeClass = {
  key: 'AWSNodeTemplate/default',
  generation: 1,
  subnetSelector: {},
  securityGroupSelector: {},
  instanceProfile: null,
  amiFamily: null,
  amiSelector: {},
  userData: null,
  launchTemplate: null,
  tags: {},
  metadataOptions: null,
  blockDevices: [],
  detailedMonitoring: false,
  context: null,
};
