// Fleets as a test asks for them directly through the SDK, and the nodeadm user data that makes an instance join.
import {
  CreateFleetCommand,
  type CreateFleetCommandInput,
  type CreateFleetCommandOutput,
  CreateLaunchTemplateCommand,
  type FleetLaunchTemplateOverridesRequest,
  type RequestLaunchTemplateData,
} from '@aws-sdk/client-ec2';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import type { World } from './world.ts';

export interface NodeadmRequest {
  readonly cluster: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  readonly maxPods?: number;
}

/** Complete AL2023 user data, base64, as one MIME part. */
export function nodeadmUserData(request: NodeadmRequest): string {
  const labels = Object.entries(request.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const config = {
    apiVersion: 'node.eks.aws/v1alpha1',
    kind: 'NodeConfig',
    spec: {
      cluster: {
        name: request.cluster,
        apiServerEndpoint: 'https://127.0.0.1',
        certificateAuthority: 'Y2E=',
        cidr: '10.96.0.0/16',
      },
      kubelet: {
        config: {
          registerWithTaints: request.taints ?? [],
          ...(request.maxPods === undefined ? {} : { maxPods: request.maxPods }),
        },
        flags: labels.length > 0 ? [`--node-labels=${labels.join(',')}`] : [],
      },
    },
  };
  const lines = [
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="BOUNDARY"',
    '',
    '--BOUNDARY',
    'Content-Type: application/node.eks.aws',
    '',
    JSON.stringify(config, null, 2), // JSON is YAML
    '',
    '--BOUNDARY--',
    '',
  ];
  return Buffer.from(lines.join('\r\n')).toString('base64');
}

/** The recommended AL2023 image of a Kubernetes version. */
export async function al2023Image(world: World, arch: 'x86_64' | 'arm64', version = '1.34'): Promise<string> {
  const name = `/aws/service/eks/optimized-ami/${version}/amazon-linux-2023/${arch}/standard/recommended/image_id`;
  const { Parameter } = await world.ssm.send(new GetParameterCommand({ Name: name }));
  if (Parameter?.Value === undefined) throw new Error(`SSM has no ${name}`);
  return Parameter.Value;
}

/** Creates a launch template with the world's security group, instance profile and the given fields. */
export async function makeLaunchTemplate(
  world: World,
  name: string,
  data: RequestLaunchTemplateData,
): Promise<string> {
  const command = new CreateLaunchTemplateCommand({
    LaunchTemplateName: name,
    LaunchTemplateData: {
      ImageId: await al2023Image(world, 'x86_64'),
      SecurityGroupIds: [world.network.securityGroupId],
      IamInstanceProfile: { Name: world.network.instanceProfile },
      UserData: nodeadmUserData({ cluster: world.cluster }),
      ...data,
    },
  });
  await world.ec2.send(command);
  return name;
}

export interface FleetRequest {
  readonly template: string;
  readonly overrides: readonly FleetLaunchTemplateOverridesRequest[];
  readonly token?: string;
  readonly capacityType?: 'spot' | 'on-demand';
  readonly count?: number;
}

/** CreateFleet of type instant, as Cooper calls it. */
export function createFleet(world: World, request: FleetRequest): Promise<CreateFleetCommandOutput> {
  const input: CreateFleetCommandInput = {
    Type: 'instant',
    ...(request.token === undefined ? {} : { ClientToken: request.token }),
    LaunchTemplateConfigs: [
      {
        LaunchTemplateSpecification: { LaunchTemplateName: request.template, Version: '$Latest' },
        Overrides: [...request.overrides],
      },
    ],
    TargetCapacitySpecification: {
      TotalTargetCapacity: request.count ?? 1,
      DefaultTargetCapacityType: request.capacityType ?? 'on-demand',
    },
    TagSpecifications: [
      { ResourceType: 'instance', Tags: [{ Key: `kubernetes.io/cluster/${world.cluster}`, Value: 'owned' }] },
    ],
  };
  return world.ec2.send(new CreateFleetCommand(input));
}
