// What EC2 sells: instance types and their offerings by zone and capacity type.
import type { Requirement } from './requirement.ts';
import type { Resources } from './resources.ts';

export type CapacityType = 'spot' | 'on-demand';

export interface Offering {
  readonly zone: string;
  readonly capacityType: CapacityType;
  /** What a node of this offering costs, discounts and surcharges applied. */
  readonly usdPerHour: number;
  /** False while EC2 has said it has none, or the price is not known. */
  readonly available: boolean;
}

export interface InstanceType {
  readonly name: string;
  /** Labels of the node it becomes, as requirements; zone and capacity type come from the offerings. */
  readonly requirements: readonly Requirement[];
  /** All resources that the node reports. */
  readonly capacity: Resources;
  /** Capacity less what kubelet, system and eviction thresholds keep: what pods (daemons too) may take. */
  readonly allocatable: Resources;
  readonly offerings: readonly Offering[];
  /** Burstable families only: CPU that is included in the price, in millicores, and the price of more. */
  readonly burst?: { readonly baselineMillis: number; readonly usdPerVcpuHour: number };
}
