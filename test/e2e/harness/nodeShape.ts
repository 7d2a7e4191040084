// How large a node says it is: what an EKS image makes of an instance type.
import type { InstanceShape } from './moto.ts';
import type { NodeBoot } from './userData.ts';

export interface NodeShape {
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

const MIB = 1024 * 1024;
const UNITS: Readonly<Record<string, number>> = { Ki: 1024, Mi: MIB, Gi: 1024 * MIB, '': 1 };

function millis(quantity: string | undefined): number {
  if (quantity === undefined) return 0;
  return quantity.endsWith('m') ? Number(quantity.slice(0, -1)) : Number(quantity) * 1000;
}

function bytes(quantity: string | undefined): number {
  const [, value, unit = ''] = /^(\d+)(Ki|Mi|Gi|)$/.exec(quantity ?? '') ?? [];
  return Number(value ?? 0) * (UNITS[unit] ?? 1);
}

/** Pods by network addresses: one address per interface is the node's own, two pods use the host's network. */
export function podsByAddresses(type: InstanceShape): number {
  return type.networkInterfaces * (type.addressesPerInterface - 1) + 2;
}

/** CPU kept for the kubelet: 6 % of the first core, 1 % of the second, 0.5 % of two more, 0.25 % of the rest. */
function reservedCpuMillis(vcpus: number): number {
  const shares = Array.from({ length: vcpus }, (_, core) =>
    core === 0 ? 60 : core === 1 ? 10 : core < 4 ? 5 : 2.5,
  );
  return shares.reduce((sum, share) => sum + share, 0);
}

/**
 * Capacity: all vCPUs, memory less 7.5 % for firmware and kernel, pods by the user data's maxPods or by addresses.
 * Allocatable: less the user data's reservations, or else the image's own (255 MiB + 11 MiB per pod, CPU as above;
 * https://github.com/awslabs/amazon-eks-ami), and less the eviction threshold of 100 MiB.
 */
export function eksNodeShape(type: InstanceShape, boot: NodeBoot): NodeShape {
  const pods = boot.maxPods ?? podsByAddresses(type);
  const memoryBytes = Math.floor(type.memoryMib * 0.925) * MIB;
  const kubeCpu = boot.kubeReserved ? millis(boot.kubeReserved.cpu) : reservedCpuMillis(type.vcpus);
  const kubeMemory = boot.kubeReserved
    ? bytes(boot.kubeReserved.memory)
    : (255 + 11 * podsByAddresses(type)) * MIB;
  const cpuMillis = type.vcpus * 1000 - kubeCpu - millis(boot.systemReserved.cpu);
  const evictionBytes = bytes(boot.evictionHard['memory.available'] ?? '100Mi');
  const freeBytes = memoryBytes - kubeMemory - bytes(boot.systemReserved.memory) - evictionBytes;
  const rest: Record<string, string> = { pods: String(pods), 'ephemeral-storage': '20Gi' };
  if (type.nvidiaGpus > 0) rest['nvidia.com/gpu'] = String(type.nvidiaGpus);
  return {
    capacity: { ...rest, cpu: String(type.vcpus), memory: `${memoryBytes / 1024}Ki` },
    allocatable: {
      ...rest,
      'ephemeral-storage': '17Gi',
      cpu: `${Math.floor(cpuMillis)}m`,
      memory: `${Math.floor(freeBytes / 1024)}Ki`,
    },
  };
}
