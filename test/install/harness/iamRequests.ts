// What IAM is asked for a call that was recorded: one question for each kind of resource that the call touches.
// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2" (and SSM, SQS).
import type { AwsCall } from '../../e2e/harness/moto.ts';
import type { IamRequest } from './iamPolicy.ts';

export interface Account {
  readonly id: string;
  readonly region: string;
  readonly nodeRoleArn: string;
  /** Tags that a launch template or an instance carries, by its name or id. */
  readonly tagsOf: (nameOrId: string) => Readonly<Record<string, string>>;
}

type Tags = Readonly<Record<string, string>>;
type Params = Readonly<Record<string, unknown>>;

/** What comes into being with a fleet; the tags of network interfaces stand in the launch template. */
const MADE_BY_FLEET = ['fleet', 'instance', 'volume'] as const;

/** The questions; a call that is not known throws, so that none goes unjudged. */
export function iamRequestsOf(
  call: Pick<AwsCall, 'service' | 'action' | 'params'>,
  account: Account,
): readonly IamRequest[] {
  const action = `${call.service}:${call.action}`;
  const regional = { 'aws:RequestedRegion': account.region };
  if (call.action.startsWith('Describe')) return [{ action, resource: '*', context: regional }];
  switch (action) {
    case 'ssm:GetParameter':
      return [
        {
          action,
          resource: `arn:aws:ssm:${account.region}::parameter${call.params.Name}`,
          context: regional,
        },
      ];
    case 'sqs:GetQueueUrl':
    case 'sqs:ReceiveMessage':
    case 'sqs:DeleteMessageBatch': {
      const queue = String(call.params.QueueName ?? call.params.QueueUrl).replace(/^.*\//, '');
      const resource = `arn:aws:sqs:${account.region}:${account.id}:${queue}`;
      return [{ action: permissionFor(call), resource, context: regional }];
    }
    case 'ec2:CreateLaunchTemplate':
      return made(account, action, { 'launch-template': tagsIn(call.params, 'launch-template') });
    case 'ec2:CreateFleet':
      return fleet(call.params, account);
    case 'ec2:RunInstances':
      return runInstances(call.params, account);
    case 'ec2:TerminateInstances':
      return texts(call.params.InstanceIds).map((id) => onOwn(account, action, `instance/${id}`));
    case 'ec2:GetConsoleOutput':
      return [onOwn(account, action, `instance/${call.params.InstanceId}`)];
    case 'ec2:DeleteLaunchTemplate':
      return [onOwn(account, action, `launch-template/${call.params.LaunchTemplateName}`)];
    default:
      throw new Error(`${action}: say in iamRequests.ts what IAM is asked for it`);
  }
}

/** The action that policies name for a call. Source: Service Authorization Reference, "Amazon SQS". */
export function permissionFor({ service, action }: Pick<AwsCall, 'service' | 'action'>): string {
  return service === 'sqs' ? `sqs:${action.replace(/Batch$/, '')}` : `${service}:${action}`;
}

/** A fleet is judged itself, and EC2 launches its instances in the caller's name. */
function fleet(params: Params, account: Account): readonly IamRequest[] {
  const tags = Object.fromEntries(MADE_BY_FLEET.map((kind) => [kind, tagsIn(params, kind)]));
  const { fleet: fleetTags = {}, ...launched } = tags;
  const used = templatesIn(params).map((name) => `launch-template/${name}`);
  const withTemplates = (action: string): readonly IamRequest[] =>
    used.map((one) => onOwn(account, action, one));
  const interfaceTags = { 'network-interface': account.tagsOf(templatesIn(params)[0] ?? '') };
  return [
    ...made(account, 'ec2:CreateFleet', { fleet: fleetTags, ...launched }),
    ...withTemplates('ec2:CreateFleet'),
    ...shared(account, 'ec2:CreateFleet'),
    ...made(account, 'ec2:RunInstances', { ...launched, ...interfaceTags }),
    ...withTemplates('ec2:RunInstances'),
    ...shared(account, 'ec2:RunInstances'),
    passRole(account),
  ];
}

function runInstances(params: Params, account: Account): readonly IamRequest[] {
  const kinds = ['instance', 'volume', 'network-interface'] as const;
  const tags = Object.fromEntries(kinds.map((kind) => [kind, tagsIn(params, kind)]));
  return [
    ...made(account, 'ec2:RunInstances', tags),
    ...shared(account, 'ec2:RunInstances'),
    passRole(account),
  ];
}

/** Making something, and tagging it while it is made. */
function made(
  account: Account,
  action: string,
  kinds: Readonly<Record<string, Tags>>,
): readonly IamRequest[] {
  return Object.entries(kinds).flatMap(([kind, tags]) => {
    const resource = ec2Arn(account, `${kind}/*`);
    const context = prefixed('aws:RequestTag/', tags);
    const tagging = { ...context, 'ec2:CreateAction': action.replace('ec2:', '') };
    return [
      { action, resource, context },
      { action: 'ec2:CreateTags', resource, context: tagging },
    ];
  });
}

/** What a launch uses and does not make. */
function shared(account: Account, action: string): readonly IamRequest[] {
  const image = `arn:aws:ec2:${account.region}::image/ami-1`;
  return [
    ...['subnet/subnet-1', 'security-group/sg-1', 'spot-instances-request/*'].map((one) => ({
      action,
      resource: ec2Arn(account, one),
      context: {},
    })),
    { action, resource: image, context: { 'ec2:Owner': 'amazon' } },
  ];
}

function onOwn(account: Account, action: string, resource: string): IamRequest {
  const tags = account.tagsOf(resource.replace(/^[^/]*\//, ''));
  return { action, resource: ec2Arn(account, resource), context: prefixed('aws:ResourceTag/', tags) };
}

function passRole({ nodeRoleArn }: Account): IamRequest {
  return {
    action: 'iam:PassRole',
    resource: nodeRoleArn,
    context: { 'iam:PassedToService': 'ec2.amazonaws.com' },
  };
}

function ec2Arn({ region, id }: Account, resource: string): string {
  return `arn:aws:ec2:${region}:${id}:${resource}`;
}

function prefixed(prefix: string, tags: Tags): Tags {
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [`${prefix}${key}`, value]));
}

interface TagSpecification {
  readonly ResourceType: string;
  readonly Tags?: readonly { readonly Key: string; readonly Value: string }[];
  readonly Tag?: readonly { readonly Key: string; readonly Value: string }[];
}

/** The tags that a call asks for on one kind of resource. */
export function tagsIn(params: Params, kind: string): Tags {
  const specifications = (params.TagSpecifications ??
    params.TagSpecification ??
    []) as readonly TagSpecification[];
  const own = specifications.filter(({ ResourceType }) => ResourceType === kind);
  return Object.fromEntries(
    own.flatMap(({ Tags = [], Tag = [] }) => [...Tags, ...Tag].map(({ Key, Value }) => [Key, Value])),
  );
}

function templatesIn(params: Params): readonly string[] {
  const configs = (params.LaunchTemplateConfigs ?? []) as readonly {
    readonly LaunchTemplateSpecification?: { readonly LaunchTemplateName?: string };
  }[];
  return configs.flatMap(
    ({ LaunchTemplateSpecification }) => LaunchTemplateSpecification?.LaunchTemplateName ?? [],
  );
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
