// Our requests as the AWS SDK takes them.
import type {
  CreateFleetCommandInput,
  CreateLaunchTemplateCommandInput,
  LaunchTemplateBlockDeviceMappingRequest,
  Tag,
  VolumeType,
} from '@aws-sdk/client-ec2';
import type { BlockDevice } from '../model/nodeClass.ts';
import type { Filter, FleetRequest, LaunchTemplateDraft } from './ec2Api.ts';

export function launchTemplateInput(draft: LaunchTemplateDraft): CreateLaunchTemplateCommandInput {
  const { metadataOptions, tags, capacityReservationId } = draft;
  return {
    LaunchTemplateName: draft.name,
    TagSpecifications: [{ ResourceType: 'launch-template', Tags: sdkTags(tags) }],
    LaunchTemplateData: {
      ImageId: draft.imageId,
      UserData: Buffer.from(draft.userData).toString('base64'),
      IamInstanceProfile: { Name: draft.instanceProfile },
      SecurityGroupIds: [...draft.securityGroupIds],
      BlockDeviceMappings: draft.blockDevices.map(blockDeviceInput),
      Monitoring: { Enabled: draft.detailedMonitoring },
      MetadataOptions: {
        HttpEndpoint: metadataOptions.httpEndpoint,
        HttpProtocolIpv6: metadataOptions.httpProtocolIpv6,
        HttpPutResponseHopLimit: metadataOptions.httpPutResponseHopLimit,
        HttpTokens: metadataOptions.httpTokens,
      },
      ...(capacityReservationId === undefined
        ? {}
        : {
            CapacityReservationSpecification: {
              CapacityReservationTarget: { CapacityReservationId: capacityReservationId },
            },
          }),
      TagSpecifications: [{ ResourceType: 'network-interface', Tags: sdkTags(tags) }],
    },
  };
}

function blockDeviceInput(device: BlockDevice): LaunchTemplateBlockDeviceMappingRequest {
  const ebs = {
    VolumeSize: device.volumeSizeGib ?? undefined,
    VolumeType: (device.volumeType as VolumeType | null) ?? undefined,
    Iops: device.iops ?? undefined,
    Throughput: device.throughput ?? undefined,
    Encrypted: device.encrypted ?? undefined,
    KmsKeyId: device.kmsKeyId ?? undefined,
    DeleteOnTermination: device.deleteOnTermination ?? undefined,
    SnapshotId: device.snapshotId ?? undefined,
  };
  return { DeviceName: device.deviceName, Ebs: ebs };
}

/** On-demand goes by price alone; spot weighs price against the chance of being interrupted, as AWS advises. */
export function fleetInput(request: FleetRequest): CreateFleetCommandInput {
  const isSpot = request.capacityType === 'spot';
  return {
    Type: 'instant',
    ClientToken: request.clientToken,
    Context: request.context ?? undefined,
    TargetCapacitySpecification: {
      TotalTargetCapacity: request.count,
      DefaultTargetCapacityType: request.capacityType,
    },
    ...(isSpot
      ? { SpotOptions: { AllocationStrategy: 'price-capacity-optimized' } }
      : { OnDemandOptions: { AllocationStrategy: 'lowest-price' } }),
    LaunchTemplateConfigs: request.templates.map(({ launchTemplate, overrides }) => ({
      LaunchTemplateSpecification: { LaunchTemplateName: launchTemplate, Version: '$Latest' },
      Overrides: overrides.map(({ instanceType, subnetId }) => ({
        InstanceType: instanceType as never,
        SubnetId: subnetId,
      })),
    })),
    TagSpecifications: (['fleet', 'instance', 'volume'] as const).map((resource) => ({
      ResourceType: resource,
      Tags: sdkTags(request.tags),
    })),
  };
}

/** What EC2 filters reservations by, and the ids that are left to us; null for any id. */
export interface ReservationQuestion {
  readonly filters: readonly Filter[];
  readonly ids: ReadonlySet<string> | null;
}

/**
 * DescribeCapacityReservations knows no filter on ids, and refuses a list of ids that names one which is gone: so
 * answers are picked by id here. Source: Amazon EC2 API Reference, DescribeCapacityReservations.
 */
export function reservationQuestion(filters: readonly Filter[]): ReservationQuestion {
  const byId = filters.filter(({ name }) => name === 'capacity-reservation-id');
  return {
    filters: filters.filter((one) => !byId.includes(one)),
    ids: byId.length === 0 ? null : new Set(byId.flatMap(({ values }) => values)),
  };
}

/** Sorted by key, so that the same tags are the same request. */
export function sdkTags(tags: Readonly<Record<string, string>>): Tag[] {
  return Object.keys(tags)
    .sort()
    .map((key) => ({ Key: key, Value: tags[key] ?? '' }));
}
