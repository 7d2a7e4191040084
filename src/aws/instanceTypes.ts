// Instance types as the scheduler sees them: what EC2 says of a type, seen through node class, kubelet and prices.
import type { CapacityType, InstanceType, Offering } from '../model/instanceType.ts';
import type { AmiFamily, NodeClass } from '../model/nodeClass.ts';
import type { KubeletConfiguration } from '../model/provisioner.ts';
import type { Resources } from '../model/resources.ts';
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
}

/** A type with all but its offerings, which change more often. */
export type UnpricedType = Omit<InstanceType, 'offerings'>;

/** What a node of this type holds and is labelled with. */
export function unpricedType(
  facts: InstanceTypeFacts,
  { settings, kubelet, nodeClass }: NodeShape,
): UnpricedType {
  const amiFamily = nodeClass.amiFamily ?? DEFAULT_AMI_FAMILY;
  const pods = podCapacity(facts, kubelet, settings);
  const capacity = capacityOf(facts, { pods, nodeClass, amiFamily, settings });
  const burst = burstOf(facts.name, facts.vcpus);
  const os = amiFamily.startsWith('Windows') ? 'windows' : 'linux';
  return {
    name: facts.name,
    requirements: typeRequirements({ facts, region: settings.region, os, pods }),
    capacity,
    allocatable: allocatableOf({ facts, kubelet, amiFamily, capacity }),
    ...(burst === undefined ? {} : { burst }),
  };
}

interface CapacityInput {
  readonly pods: number;
  readonly nodeClass: NodeClass;
  readonly amiFamily: AmiFamily;
  readonly settings: Pick<AwsSettings, 'vmMemoryOverheadPercent' | 'podEni'>;
}

function capacityOf(
  facts: InstanceTypeFacts,
  { pods, nodeClass, amiFamily, settings }: CapacityInput,
): Resources {
  // The hypervisor and the kernel keep a share that EC2 does not state; rounded up to whole MiB.
  const unseenMib = Math.ceil(facts.memoryMib * settings.vmMemoryOverheadPercent);
  const extended: Readonly<Record<string, number>> = {
    ...gpuResources(facts),
    'aws.amazon.com/neuron': facts.neuron?.devices ?? 0,
    'aws.amazon.com/neuroncore': facts.neuron?.cores ?? 0,
    'vpc.amazonaws.com/efa': facts.efaInterfaces,
    'vpc.amazonaws.com/pod-eni': settings.podEni ? facts.branchEnis : 0,
  };
  return {
    cpu: facts.vcpus * 1000,
    memory: (facts.memoryMib - unseenMib) * MIB,
    pods,
    'ephemeral-storage': ephemeralGib(nodeClass, amiFamily) * GIB,
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
