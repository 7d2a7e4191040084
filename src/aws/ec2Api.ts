// The few EC2 calls that are made, in plain data: all the provider knows of the SDK.
import type { CapacityType } from '../model/instanceType.ts';
import type { BlockDevice, MetadataOptions } from '../model/nodeClass.ts';
import type { InstanceTypeFacts } from './instanceTypeFacts.ts';

/** Filters are ANDed, values of one are ORed and may hold `*` and `?`. Source: EC2 API Reference, Filter. */
export interface Filter {
  readonly name: string;
  readonly values: readonly string[];
}

export interface Subnet {
  readonly id: string;
  readonly zone: string;
  readonly freeAddresses: number;
}

export interface Image {
  readonly id: string;
  readonly name: string;
  readonly arch: 'amd64' | 'arm64';
  /** ISO 8601, as EC2 writes it: sorts as text. */
  readonly createdAt: string;
  readonly tags: Readonly<Record<string, string>>;
}

export interface ImageQuery {
  readonly filters: readonly Filter[];
  readonly owners: readonly string[];
}

export interface SpotPrice {
  readonly instanceType: string;
  readonly zone: string;
  readonly usdPerHour: number;
}

export interface TypeInZone {
  readonly instanceType: string;
  readonly zone: string;
}

export interface LaunchTemplateDraft {
  readonly name: string;
  readonly imageId: string;
  /** As the instance will read it, not encoded. */
  readonly userData: string;
  readonly instanceProfile: string;
  readonly securityGroupIds: readonly string[];
  readonly blockDevices: readonly BlockDevice[];
  readonly metadataOptions: MetadataOptions;
  readonly detailedMonitoring: boolean;
  /** Launches go into this reservation and nowhere else; absent: into none in particular. */
  readonly capacityReservationId?: string;
  /** On the template itself and on network interfaces made with it. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface CapacityReservation {
  readonly id: string;
  readonly instanceType: string;
  readonly zone: string;
  /** As EC2 counts them: launches of the last moments may be missing. */
  readonly freeInstances: number;
}

export interface LaunchTemplate {
  readonly name: string;
  readonly createdAtMs: number;
}

export interface FleetOverride {
  readonly instanceType: string;
  readonly subnetId: string;
}

export interface FleetTemplate {
  readonly launchTemplate: string;
  readonly overrides: readonly FleetOverride[];
}

/** An `instant` fleet of one capacity type. */
export interface FleetRequest {
  readonly clientToken: string;
  readonly capacityType: CapacityType;
  readonly count: number;
  readonly templates: readonly FleetTemplate[];
  /** On the fleet, its instances and their volumes. */
  readonly tags: Readonly<Record<string, string>>;
  readonly context: string | null;
}

export interface FleetInstance {
  readonly id: string;
  readonly instanceType: string;
  readonly subnetId: string;
  readonly capacityType: CapacityType;
}

export interface FleetError {
  readonly code: string;
  readonly message: string;
  /** '' when EC2 names none. */
  readonly instanceType: string;
  readonly subnetId: string;
}

export interface FleetResponse {
  readonly fleetId: string;
  readonly instances: readonly FleetInstance[];
  readonly errors: readonly FleetError[];
}

export type InstanceState = 'pending' | 'running' | 'shutting-down' | 'stopping' | 'stopped' | 'terminated';

export interface Ec2Instance {
  readonly id: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly imageId: string;
  readonly launchedAtMs: number;
  readonly state: InstanceState;
  readonly tags: Readonly<Record<string, string>>;
  /** '' for an instance that is going. */
  readonly subnetId: string;
  readonly securityGroupIds: readonly string[];
}

export interface TerminatedInstance {
  readonly id: string;
  readonly state: InstanceState;
}

/** Every method throws `AwsFault` when EC2 refuses or cannot be reached. Describes answer with all pages. */
export interface Ec2Api {
  describeInstanceTypes(): Promise<readonly InstanceTypeFacts[]>;
  describeInstanceTypeZones(): Promise<readonly TypeInZone[]>;
  describeSpotPrices(nowMs: number): Promise<readonly SpotPrice[]>;
  describeSubnets(filters: readonly Filter[]): Promise<readonly Subnet[]>;
  /** Ids. */
  describeSecurityGroups(filters: readonly Filter[]): Promise<readonly string[]>;
  describeImages(query: ImageQuery): Promise<readonly Image[]>;
  createLaunchTemplate(draft: LaunchTemplateDraft): Promise<void>;
  describeCapacityReservations(filters: readonly Filter[]): Promise<readonly CapacityReservation[]>;
  describeLaunchTemplates(filters: readonly Filter[]): Promise<readonly LaunchTemplate[]>;
  deleteLaunchTemplate(name: string): Promise<void>;
  createFleet(request: FleetRequest): Promise<FleetResponse>;
  describeInstances(filters: readonly Filter[]): Promise<readonly Ec2Instance[]>;
  terminateInstances(ids: readonly string[]): Promise<readonly TerminatedInstance[]>;
  /** What the instance has written to its console, decoded: the last 64 KB; '' when EC2 has kept nothing. */
  getConsoleOutput(id: string): Promise<string>;
  /** Adds the tags, or overwrites their values. */
  createTags(ids: readonly string[], tags: Readonly<Record<string, string>>): Promise<void>;
}

/** The same API twice: for what pods wait for, and for sweeps that may wait themselves. */
export interface Ec2ByPriority {
  readonly ec2: Ec2Api;
  readonly background: Ec2Api;
}
