// CheckApi over the AWS SDK: every call of the controller with DryRun, so that nothing happens.
import {
  CreateFleetCommand,
  CreateLaunchTemplateCommand,
  DescribeImagesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypeOfferingsCommand,
  DescribeInstanceTypesCommand,
  DescribeLaunchTemplatesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSpotInstanceRequestsCommand,
  DescribeSpotPriceHistoryCommand,
  DescribeSubnetsCommand,
  EC2Client,
  RunInstancesCommand,
  type TagSpecification,
} from '@aws-sdk/client-ec2';
import { TAG } from '../model/labels.ts';
import type { CheckApi, DryRun } from './accountChecks.ts';
import { AwsFault } from './awsFault.ts';
import { CONNECTION } from './sdkEc2.ts';
import { asked } from './sdkFault.ts';
import { connectSsm } from './sdkSsm.ts';
import type { AwsSettings } from './settings.ts';
import { clusterTag } from './tags.ts';

/** EC2's way of saying that a dry run would have gone through. */
const WOULD_SUCCEED = 'DryRunOperation';
/** No image is behind it in every region, but the right to ask is the same. */
const PUBLIC_PARAMETER = '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64';
const TRIAL_TYPES = { amd64: 'm5.large', arm64: 'm6g.large' } as const;

export interface CheckSettings extends Pick<AwsSettings, 'region' | 'clusterName'> {
  /** With a queue, EC2 is not polled for interruptions, and need not let us. */
  readonly interruptionQueue: string | null;
}

/** Endpoint and credentials come from the SDK's own environment (AWS_ENDPOINT_URL, web identity, …). */
export function connectChecks(settings: CheckSettings): CheckApi {
  const client = new EC2Client({ region: settings.region, ...CONNECTION });
  const ssm = connectSsm(settings.region);
  const parameter: DryRun = {
    action: 'ssm:GetParameter',
    ask: async () => {
      await ssm.parameter(PUBLIC_PARAMETER);
    },
  };
  return {
    dryRuns: [...reads(client, settings), ...writes(client, settings.clusterName), parameter],
    tryLaunch: ({ imageId, arch, subnetId, securityGroupIds, instanceProfile }) => {
      const command = new RunInstancesCommand({
        DryRun: true,
        MinCount: 1,
        MaxCount: 1,
        ImageId: imageId,
        InstanceType: TRIAL_TYPES[arch],
        SubnetId: subnetId,
        SecurityGroupIds: [...securityGroupIds],
        IamInstanceProfile: { Name: instanceProfile },
        TagSpecifications: launchTags(settings.clusterName),
      });
      return dry('ec2:RunInstances', () => client.send(command));
    },
    subnetVpcs: async (ids) => {
      if (ids.length === 0) return new Map();
      const command = new DescribeSubnetsCommand({ SubnetIds: [...ids] });
      const { Subnets = [] } = await asked('ec2:DescribeSubnets', () => client.send(command));
      return new Map(Subnets.map(({ SubnetId = '', VpcId = '' }) => [SubnetId, VpcId]));
    },
    groupVpcs: async (ids) => {
      if (ids.length === 0) return new Map();
      const command = new DescribeSecurityGroupsCommand({ GroupIds: [...ids] });
      const { SecurityGroups = [] } = await asked('ec2:DescribeSecurityGroups', () => client.send(command));
      return new Map(SecurityGroups.map(({ GroupId = '', VpcId = '' }) => [GroupId, VpcId]));
    },
  };
}

function reads(client: EC2Client, { interruptionQueue }: CheckSettings): readonly DryRun[] {
  const DryRun = true;
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    DescribeInstanceTypes: () => client.send(new DescribeInstanceTypesCommand({ DryRun })),
    DescribeInstanceTypeOfferings: () => client.send(new DescribeInstanceTypeOfferingsCommand({ DryRun })),
    DescribeSpotPriceHistory: () => client.send(new DescribeSpotPriceHistoryCommand({ DryRun })),
    DescribeSubnets: () => client.send(new DescribeSubnetsCommand({ DryRun })),
    DescribeSecurityGroups: () => client.send(new DescribeSecurityGroupsCommand({ DryRun })),
    DescribeImages: () => client.send(new DescribeImagesCommand({ DryRun, Owners: ['self'] })),
    DescribeInstances: () => client.send(new DescribeInstancesCommand({ DryRun })),
    DescribeLaunchTemplates: () => client.send(new DescribeLaunchTemplatesCommand({ DryRun })),
  };
  const polls: typeof calls = {
    DescribeInstanceStatus: () => client.send(new DescribeInstanceStatusCommand({ DryRun })),
    DescribeSpotInstanceRequests: () => client.send(new DescribeSpotInstanceRequestsCommand({ DryRun })),
  };
  const made = { ...calls, ...(interruptionQueue === null ? polls : {}) };
  return Object.entries(made).map(([name, call]) => ({
    action: `ec2:${name}`,
    ask: () => dry(`ec2:${name}`, call),
  }));
}

/**
 * Calls that make something, with the tags that policies ask for. Terminations and deletions are not among them: a
 * policy may allow those of our own instances alone, and there is none to ask about.
 */
function writes(client: EC2Client, clusterName: string): readonly DryRun[] {
  const LaunchTemplateName = `Karpenter-${clusterName}-check`;
  const template = new CreateLaunchTemplateCommand({
    DryRun: true,
    LaunchTemplateName,
    LaunchTemplateData: { InstanceType: TRIAL_TYPES.amd64 },
    TagSpecifications: ownerTags('launch-template', clusterName),
  });
  const fleet = new CreateFleetCommand({
    DryRun: true,
    Type: 'instant',
    LaunchTemplateConfigs: [{ LaunchTemplateSpecification: { LaunchTemplateName, Version: '$Latest' } }],
    TargetCapacitySpecification: { TotalTargetCapacity: 1, DefaultTargetCapacityType: 'on-demand' },
    TagSpecifications: [
      ...ownerTags('fleet', clusterName),
      ...ownerTags('instance', clusterName),
      ...ownerTags('volume', clusterName),
    ],
  });
  return [
    {
      action: 'ec2:CreateLaunchTemplate',
      ask: () => dry('ec2:CreateLaunchTemplate', () => client.send(template)),
    },
    { action: 'ec2:CreateFleet', ask: () => dry('ec2:CreateFleet', () => client.send(fleet)) },
  ];
}

/** On all that a launch brings into being: policies ask for tags on each of them. */
function launchTags(clusterName: string): TagSpecification[] {
  const made = ['instance', 'volume', 'network-interface'] as const;
  return made.flatMap((resource) => ownerTags(resource, clusterName));
}

function ownerTags(
  resource: NonNullable<TagSpecification['ResourceType']>,
  clusterName: string,
): TagSpecification[] {
  const Tags = [
    { Key: clusterTag(clusterName), Value: 'owned' },
    { Key: TAG.provisioner, Value: 'check' },
    { Key: TAG.managedBy, Value: clusterName },
  ];
  return [{ ResourceType: resource, Tags }];
}

async function dry(action: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await asked(action, call);
  } catch (caught) {
    if (!(caught instanceof AwsFault) || caught.code !== WOULD_SUCCEED) throw caught;
  }
}
