// Instance types as the scheduler sees them: what EC2 says of a type, seen through node class, kubelet and prices.
import type { CapacityType, InstanceType, Offering } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import type { AmiFamily, NodeClass } from '../model/nodeClass.ts';
import type { KubeletConfiguration } from '../model/provisioner.ts';
import type { Requirement } from '../model/requirement.ts';
import type { Resources } from '../model/resources.ts';
import { bottlerocketHugePages } from './bottlerocket.ts';
import { burstOf } from './burst.ts';
import type { InstanceTypeFacts } from './instanceTypeFacts.ts';
import { typeRequirements } from './instanceTypeLabels.ts';
import { allocatableOf, podCapacity } from './overhead.ts';
import type { AwsSettings } from './settings.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Root volume when a node class maps none. */
export const DEFAULT_VOLUME_GIB = 20;
/** AL2 images have no living version (EKS ended them in November 2025), so AL2023 where a manifest names none. */
export const DEFAULT_AMI_FAMILY: AmiFamily = 'AL2023';

export interface NodeShape {
  readonly settings: Omit<AwsSettings, 'clusterName' | 'clusterEndpoint' | 'kubernetesVersion'>;
  readonly kubelet: KubeletConfiguration;
  readonly nodeClass: NodeClass;
  /** What a machine of this type and image has reported; absent: what EC2 says less the usual share. */
  readonly learnedMemoryBytes?: number;
}

/** A type with all but its offerings, which change more often. */
export type UnpricedType = Omit<InstanceType, 'offerings'>;

/** What a node of this type holds and is labelled with. */
export function unpricedType(
  facts: InstanceTypeFacts,
  { settings, kubelet, nodeClass, learnedMemoryBytes }: NodeShape,
): UnpricedType {
  const amiFamily = nodeClass.amiFamily ?? DEFAULT_AMI_FAMILY;
  const os = amiFamily.startsWith('Windows') ? 'windows' : 'linux';
  // The VPC CNI gives Windows pods secondary addresses by itself: its limits are not those of Linux nodes.
  const density = os === 'windows' ? { ...settings, eniLimitedPodDensity: false } : settings;
  const pods = podCapacity(facts, kubelet, density);
  const memoryBytes = learnedMemoryBytes ?? guessedMemoryBytes(facts, settings);
  const capacity = capacityOf(facts, { pods, memoryBytes, nodeClass, amiFamily, settings });
  const burst = burstOf(facts.name, facts.vcpus);
  return {
    name: facts.name,
    requirements: [
      ...typeRequirements({ facts, region: settings.region, os, pods }),
      ...windowsBuild(amiFamily),
    ],
    capacity,
    allocatable: allocatableOf({ facts, kubelet, amiFamily, capacity }),
    ...(burst === undefined ? {} : { burst }),
  };
}

/** Builds of the Windows Server releases, which a pod's image must match. Source: Kubernetes, "Windows containers". */
const WINDOWS_BUILDS: Readonly<Partial<Record<AmiFamily, string>>> = {
  Windows2019: '10.0.17763',
  Windows2022: '10.0.20348',
  Windows2025: '10.0.26100',
};

function windowsBuild(amiFamily: AmiFamily): readonly Requirement[] {
  const build = WINDOWS_BUILDS[amiFamily];
  return build === undefined ? [] : [{ key: LABEL.windowsBuild, operator: 'In', values: [build] }];
}

/** The hypervisor and the kernel keep a share that EC2 does not state; rounded up to whole MiB. */
function guessedMemoryBytes(
  { memoryMib }: InstanceTypeFacts,
  { vmMemoryOverheadPercent }: Pick<AwsSettings, 'vmMemoryOverheadPercent'>,
): number {
  return (memoryMib - Math.ceil(memoryMib * vmMemoryOverheadPercent)) * MIB;
}

interface CapacityInput {
  readonly pods: number;
  readonly memoryBytes: number;
  readonly nodeClass: NodeClass;
  readonly amiFamily: AmiFamily;
  readonly settings: Pick<AwsSettings, 'podEni'>;
}

function capacityOf(
  facts: InstanceTypeFacts,
  { pods, memoryBytes, nodeClass, amiFamily, settings }: CapacityInput,
): Resources {
  const extended: Readonly<Record<string, number>> = {
    ...gpuResources(facts),
    'aws.amazon.com/neuron': facts.neuron?.devices ?? 0,
    'aws.amazon.com/neuroncore': facts.neuron?.cores ?? 0,
    'vpc.amazonaws.com/efa': facts.efaInterfaces,
    'vpc.amazonaws.com/pod-eni': settings.podEni ? facts.branchEnis : 0,
    // Windows pods ask for their address by name. Source: Amazon EKS User Guide, "Deploy Windows nodes".
    'vpc.amazonaws.com/PrivateIPv4Address': amiFamily.startsWith('Windows') ? facts.ipv4PerEni - 1 : 0,
    'hugepages-2Mi': amiFamily === 'Bottlerocket' ? bottlerocketHugePages(nodeClass) : 0,
  };
  return {
    cpu: facts.vcpus * 1000,
    memory: memoryBytes,
    pods,
    'ephemeral-storage': ephemeralBytes(facts, nodeClass, amiFamily),
    ...Object.fromEntries(Object.entries(extended).filter(([, amount]) => amount > 0)),
  };
}

const GPU_RESOURCES: Readonly<Record<string, string>> = {
  nvidia: 'nvidia.com/gpu',
  amd: 'amd.com/gpu',
  habana: 'habana.ai/gaudi',
};

function gpuResources({ gpu }: InstanceTypeFacts): Resources {
  const resource = gpu === null ? undefined : GPU_RESOURCES[gpu.manufacturer.toLowerCase()];
  return resource === undefined || gpu === null ? {} : { [resource]: gpu.count };
}

/** Where pods' files go: Bottlerocket's second volume, a Custom image's last one, the root volume of all others. */
export function ephemeralDeviceName(nodeClass: NodeClass, amiFamily: AmiFamily): string {
  if (amiFamily === 'Custom') return nodeClass.blockDevices.at(-1)?.deviceName ?? '';
  if (amiFamily === 'Bottlerocket') return '/dev/xvdb';
  return amiFamily === 'AL2' || amiFamily === 'AL2023' ? '/dev/xvda' : '/dev/sda1';
}

/** With RAID0 the local disks hold what pods write; EC2 counts them in decimal gigabytes. */
function ephemeralBytes(facts: InstanceTypeFacts, nodeClass: NodeClass, amiFamily: AmiFamily): number {
  const isJoined = nodeClass.instanceStorePolicy === 'RAID0' && facts.nvmeGb > 0;
  return isJoined ? facts.nvmeGb * 1e9 : ephemeralGib(nodeClass, amiFamily) * GIB;
}

function ephemeralGib(nodeClass: NodeClass, amiFamily: AmiFamily): number {
  const device = ephemeralDeviceName(nodeClass, amiFamily);
  const mapped = nodeClass.blockDevices.find(({ deviceName }) => deviceName === device);
  const fallback = amiFamily.startsWith('Windows') ? 50 : DEFAULT_VOLUME_GIB;
  return mapped?.volumeSizeGib ?? fallback;
}

/** What is on sale: where a type exists, what it costs there, and whether EC2 is known to be out of it. */
export interface Market {
  /** Zones that sell the type. */
  zonesOf(instanceType: string): readonly string[];
  /** null when no price is known: such an offering cannot be compared, so it is not offered. */
  usdPerHour(instanceType: string, zone: string, capacityType: CapacityType): number | null;
  isOutOfStock(instanceType: string, zone: string, capacityType: CapacityType): boolean;
}

/** Every offering of a type in the given zones whose price is known; those out of stock are marked. */
export function offeringsOf(
  facts: InstanceTypeFacts,
  zones: ReadonlySet<string>,
  market: Market,
): readonly Offering[] {
  const offering = (zone: string, capacityType: CapacityType): readonly Offering[] => {
    const usdPerHour = market.usdPerHour(facts.name, zone, capacityType);
    if (usdPerHour === null) return [];
    return [
      { zone, capacityType, usdPerHour, available: !market.isOutOfStock(facts.name, zone, capacityType) },
    ];
  };
  const sold = market.zonesOf(facts.name).filter((zone) => zones.has(zone));
  return sold.flatMap((zone) => facts.capacityTypes.flatMap((capacityType) => offering(zone, capacityType)));
}
