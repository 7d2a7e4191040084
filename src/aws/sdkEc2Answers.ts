// Answers of the AWS SDK cut down to what we use; anything without its id or of no use to Kubernetes is left out.
import type {
  CreateFleetCommandOutput,
  InstanceStateChange,
  InstanceTypeInfo,
  CapacityReservation as SdkCapacityReservation,
  Image as SdkImage,
  Instance as SdkInstance,
  SpotPrice as SdkSpotPrice,
  Subnet as SdkSubnet,
  Tag,
} from '@aws-sdk/client-ec2';
import type { CapacityType } from '../model/instanceType.ts';
import type {
  CapacityReservation,
  Ec2Instance,
  FleetRequest,
  FleetResponse,
  Image,
  InstanceState,
  SpotPrice,
  Subnet,
  TerminatedInstance,
} from './ec2Api.ts';
import type { GpuFacts, InstanceTypeFacts } from './instanceTypeFacts.ts';

const CAPACITY_TYPES: readonly CapacityType[] = ['on-demand', 'spot'];

/** Types that cannot run our images are left out: no hvm, or neither x86_64 nor arm64. */
export function readInstanceType(info: InstanceTypeInfo): readonly InstanceTypeFacts[] {
  const arch = archOf(info.ProcessorInfo?.SupportedArchitectures ?? []);
  const isHvm = info.SupportedVirtualizationTypes?.includes('hvm') ?? false;
  if (info.InstanceType === undefined || arch === null || !isHvm) return [];
  const network = info.NetworkInfo;
  const defaultCard = network?.NetworkCards?.find(
    ({ NetworkCardIndex }) => NetworkCardIndex === (network.DefaultNetworkCardIndex ?? 0),
  );
  const storage = info.InstanceStorageInfo;
  const hasNvme = storage?.NvmeSupport === 'required' || storage?.NvmeSupport === 'supported';
  return [
    {
      name: info.InstanceType,
      arch,
      vcpus: info.VCpuInfo?.DefaultVCpus ?? 0,
      memoryMib: info.MemoryInfo?.SizeInMiB ?? 0,
      hypervisor: info.Hypervisor ?? '',
      bareMetal: info.BareMetal ?? false,
      capacityTypes: CAPACITY_TYPES.filter((one) => info.SupportedUsageClasses?.includes(one) ?? false),
      enis: defaultCard?.MaximumNetworkInterfaces ?? network?.MaximumNetworkInterfaces ?? 0,
      ipv4PerEni: network?.Ipv4AddressesPerInterface ?? 0,
      branchEnis: 0,
      efaInterfaces: network?.EfaInfo?.MaximumEfaInterfaces ?? 0,
      nvmeGb: hasNvme ? (storage?.TotalSizeInGB ?? 0) : 0,
      gpu: gpuOf(info),
      neuron: neuronOf(info),
    },
  ];
}

function archOf(architectures: readonly string[]): InstanceTypeFacts['arch'] | null {
  if (architectures.includes('x86_64')) return 'amd64';
  return architectures.includes('arm64') ? 'arm64' : null;
}

/** A share of a GPU (g6f) counts as the one GPU that its driver shows. */
function gpuOf({ GpuInfo }: InstanceTypeInfo): GpuFacts | null {
  const gpu = GpuInfo?.Gpus?.[0];
  if (gpu === undefined) return null;
  return {
    name: gpu.Name ?? '',
    manufacturer: gpu.Manufacturer ?? '',
    count: gpu.Count || gpu.LogicalGpuCount || 0,
    memoryMib: gpu.MemoryInfo?.SizeInMiB ?? 0,
  };
}

function neuronOf({ NeuronInfo }: InstanceTypeInfo): InstanceTypeFacts['neuron'] {
  const devices = NeuronInfo?.NeuronDevices ?? [];
  if (devices.length === 0) return null;
  return {
    devices: devices.reduce((sum, { Count = 0 }) => sum + Count, 0),
    cores: devices.reduce((sum, { Count = 0, CoreInfo }) => sum + Count * (CoreInfo?.Count ?? 0), 0),
  };
}

export function readSpotPrice(price: SdkSpotPrice): readonly SpotPrice[] {
  const { InstanceType, AvailabilityZone, SpotPrice: text } = price;
  if (InstanceType === undefined || AvailabilityZone === undefined || text === undefined) return [];
  const usdPerHour = Number(text);
  // Nothing is free: a price that says so, or says nothing, is not known.
  return usdPerHour > 0 ? [{ instanceType: InstanceType, zone: AvailabilityZone, usdPerHour }] : [];
}

export function readCapacityReservation(one: SdkCapacityReservation): readonly CapacityReservation[] {
  const { CapacityReservationId: id, InstanceType: instanceType, AvailabilityZone: zone } = one;
  if (id === undefined || instanceType === undefined || zone === undefined) return [];
  return [{ id, instanceType, zone, freeInstances: one.AvailableInstanceCount ?? 0 }];
}

export function readSubnet(subnet: SdkSubnet): readonly Subnet[] {
  const { SubnetId, AvailabilityZone, AvailableIpAddressCount } = subnet;
  if (SubnetId === undefined || AvailabilityZone === undefined) return [];
  return [{ id: SubnetId, zone: AvailabilityZone, freeAddresses: AvailableIpAddressCount ?? 0 }];
}

export function readImage(image: SdkImage): readonly Image[] {
  const arch = archOf([image.Architecture ?? '']);
  if (image.ImageId === undefined || arch === null) return [];
  const { ImageId: id, Name: name = '', CreationDate: createdAt = '' } = image;
  return [{ id, name, arch, createdAt, tags: readTags(image.Tags) }];
}

export function readInstance(instance: SdkInstance): readonly Ec2Instance[] {
  const { InstanceId: id, InstanceType: instanceType, Placement } = instance;
  const zone = Placement?.AvailabilityZone;
  if (id === undefined || instanceType === undefined || zone === undefined) return [];
  return [
    {
      id,
      instanceType,
      zone,
      capacityType: instance.InstanceLifecycle === 'spot' ? 'spot' : 'on-demand',
      imageId: instance.ImageId ?? '',
      launchedAtMs: instance.LaunchTime?.getTime() ?? 0,
      state: readState(instance.State?.Name),
      tags: readTags(instance.Tags),
      subnetId: instance.SubnetId ?? '',
      securityGroupIds: (instance.SecurityGroups ?? []).flatMap(({ GroupId }) => GroupId ?? []),
    },
  ];
}

/** Terminated before the call counts as terminated: nothing brings an instance back. */
export function readTerminated(change: InstanceStateChange): readonly TerminatedInstance[] {
  if (change.InstanceId === undefined) return [];
  const wasTerminated = change.PreviousState?.Name === 'terminated';
  return [
    { id: change.InstanceId, state: wasTerminated ? 'terminated' : readState(change.CurrentState?.Name) },
  ];
}

export function readFleet(answer: CreateFleetCommandOutput, request: FleetRequest): FleetResponse {
  return {
    fleetId: answer.FleetId ?? '',
    instances: (answer.Instances ?? []).flatMap((one) => {
      const { InstanceType, SubnetId } = one.LaunchTemplateAndOverrides?.Overrides ?? {};
      const instanceType = one.InstanceType ?? InstanceType ?? '';
      const capacityType: CapacityType = one.Lifecycle === 'spot' ? 'spot' : request.capacityType;
      const subnetId = SubnetId ?? '';
      return (one.InstanceIds ?? []).map((id) => ({ id, instanceType, subnetId, capacityType }));
    }),
    errors: (answer.Errors ?? []).map(({ ErrorCode, ErrorMessage, LaunchTemplateAndOverrides }) => ({
      code: ErrorCode ?? 'InternalError',
      message: ErrorMessage ?? '',
      instanceType: LaunchTemplateAndOverrides?.Overrides?.InstanceType ?? '',
      subnetId: LaunchTemplateAndOverrides?.Overrides?.SubnetId ?? '',
    })),
  };
}

const STATES: readonly string[] = [
  'pending',
  'running',
  'shutting-down',
  'stopping',
  'stopped',
  'terminated',
];

/** An unknown state counts as running: it still costs money. */
function readState(name: string | undefined): InstanceState {
  return name !== undefined && STATES.includes(name) ? (name as InstanceState) : 'running';
}

function readTags(tags: readonly Tag[] | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries((tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
}
