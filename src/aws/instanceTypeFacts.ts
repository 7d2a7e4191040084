// What EC2 says of an instance type, cut down to what a node made from it depends on.
import type { CapacityType } from '../model/instanceType.ts';

export interface GpuFacts {
  /** As EC2 writes it: `H100`, `RTX PRO 4500`. */
  readonly name: string;
  readonly manufacturer: string;
  readonly count: number;
  /** Of one GPU. */
  readonly memoryMib: number;
}

/** The same record from the live answers of EC2 and from the shipped catalogue. */
export interface InstanceTypeFacts {
  readonly name: string;
  readonly arch: 'amd64' | 'arm64';
  readonly vcpus: number;
  readonly memoryMib: number;
  /** '' for bare metal. */
  readonly hypervisor: string;
  readonly bareMetal: boolean;
  readonly capacityTypes: readonly CapacityType[];
  /** Network interfaces that the default network card takes. */
  readonly enis: number;
  readonly ipv4PerEni: number;
  /** Branch interfaces for pods with their own security group; 0 when the type cannot have them. */
  readonly branchEnis: number;
  readonly efaInterfaces: number;
  /** Instance store on NVMe, all disks together; 0 for none. */
  readonly nvmeGb: number;
  readonly gpu: GpuFacts | null;
  readonly neuron: { readonly devices: number; readonly cores: number } | null;
}
