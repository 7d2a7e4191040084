// The Terraform module, applied with the real provider; Cooper runs with what it makes, and its calls are judged.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GetQueueUrlCommand, ListQueuesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { runCommand } from '../e2e/harness/command.ts';
import type { AwsCall } from '../e2e/harness/moto.ts';
import { addFullStaticNode, provisioner, startStory, storyManifest } from '../e2e/harness/story.ts';
import type { World } from '../e2e/harness/world.ts';
import { actionsOf, type IamRequest, isAllowed, type PolicyDocument } from './harness/iamPolicy.ts';
import { type Account, iamRequestsOf, permissionFor, tagsIn } from './harness/iamRequests.ts';
import { reasonToSkipInstall, TERRAFORM } from './harness/prerequisites.ts';
import { MODULE, prepareTerraform, rootModule, type Terraform } from './harness/terraform.ts';

/** Made by Terraform, about the queue itself, or by the test that puts a notice into it. */
const NOT_COOPERS: ReadonlySet<string> = new Set([
  ...['CreateQueue', 'TagQueue', 'SetQueueAttributes', 'GetQueueAttributes', 'ListQueueTags', 'DeleteQueue'],
  ...['ListQueues', 'SendMessage'],
]);
/** Calls without which the story was not told. */
const CALLED = [
  ...['CreateFleet', 'CreateLaunchTemplate', 'TerminateInstances', 'GetParameter'],
  ...['GetQueueUrl', 'ReceiveMessage', 'DeleteMessageBatch'],
] as const;
const ROLE = 'karpenter-controller-chris';
const MODULE_ARGUMENTS = `
  cluster_name              = "chris"
  oidc_provider_arn         = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC"
  create_interruption_queue = true
  # The stand-in knows no access entries.
  create_access_entry = false
`;

/** Allowed, and not called by Cooper in this run. */
const EXPLAINED: Readonly<Record<string, string>> = {
  'ec2:RunInstances': 'EC2 calls it for a fleet, in the name of its caller',
  'ec2:CreateTags': 'EC2 asks for it whenever something is made with tags',
  'iam:PassRole': "EC2 asks for it when an instance gets the nodes' role",
  'ec2:DeleteLaunchTemplate': 'templates of configurations that nobody uses any more',
  'ec2:DescribeLaunchTemplates': 'cooper uninstall, and the sweep of old templates',
  'ec2:DescribeCapacityReservations': 'Provisioners that use capacity reservations',
  'ec2:DescribeInstanceStatus': 'interruptions when there is no queue',
  'ec2:DescribeSpotInstanceRequests': 'interruptions when there is no queue',
  'ec2:GetConsoleOutput':
    'only of an instance that never became a Node; shown by test/e2e/neverJoined.test.ts',
  'ec2:DescribeImages': 'AWSNodeTemplates with an amiSelector',
};

interface Outputs {
  readonly node_role_arn: string;
  readonly instance_profile_name: string;
  readonly interruption_queue_name: string;
}

describe('the Terraform module', { skip: await reasonToSkipInstall([TERRAFORM]) }, () => {
  let world: World;
  let terraform: Terraform;
  let scratch: string;
  let root: string;
  let outputs: Outputs;
  let policies: readonly PolicyDocument[];

  before(
    async () => {
      scratch = mkdtempSync(join(tmpdir(), 'cooper-terraform-'));
      world = await startStory({ managedPolicies: true, controllerEnv: { INTERRUPTION_QUEUE: 'chris' } });
      terraform = await prepareTerraform(scratch, world.moto.endpoint);
      root = rootModule(scratch, world.moto.region, MODULE_ARGUMENTS);
    },
    { timeout: 40 * 60_000 },
  );
  after(async () => {
    await world?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  test('it is formatted, valid, and passes its own tests with a mocked provider', async () => {
    assert.equal(await terraform.run(MODULE, 'fmt', '-check', '-recursive'), '');
    assert.match(await terraform.run(MODULE, 'validate', '-no-color'), /Success!/);
    assert.match(await terraform.run(MODULE, 'test', '-no-color'), /Success! \d+ passed, 0 failed/);
  });

  test('tflint finds nothing in it and in the example', async () => {
    const script = join(import.meta.dirname, 'terraformProvider', 'tflint.sh');
    const tflint = (await runCommand('bash', [script], { showProgress: true })).trim();
    for (const folder of [MODULE, join(MODULE, 'examples', 'complete')])
      assert.equal(await runCommand(tflint, [`--chdir=${folder}`]), '');
  });

  test('it is applied, and a second plan finds nothing to do', async () => {
    await terraform.run(root, 'get');
    await terraform.run(root, 'apply', '-auto-approve', '-no-color', '-input=false');
    // Exit code 2, and so an error, if there were something to change.
    const plan = await terraform.run(root, 'plan', '-detailed-exitcode', '-no-color', '-input=false');
    assert.match(plan, /No changes/);
    const told = JSON.parse(await terraform.run(root, 'output', '-json', 'cooper')) as Outputs;
    outputs = told;
    assert.equal(told.instance_profile_name, 'KarpenterNodeInstanceProfile-chris');
  });

  test('the policies as IAM has them are within the size that a role may have', async () => {
    const names = ['read', 'launch', 'terminate', 'queue'];
    const texts = await Promise.all(names.map((name) => rolePolicy(world, name)));
    policies = texts.map((text) => JSON.parse(text) as PolicyDocument);
    const characters = texts.reduce((sum, text) => sum + text.replace(/\s/g, '').length, 0);
    // "IAM and STS quotas": inline policies of a role, without white space.
    assert.ok(characters <= 10_240, `${characters} characters`);
  });

  test('every call that Cooper makes is allowed', async () => {
    await runStory(world, outputs);
    const asked = await allRequests(world, outputs);
    const refused = asked.filter(({ request }) => !isAllowed(policies, request));
    assert.deepEqual(refused, []);
    const actions = new Set(asked.map(({ call }) => call.action));
    for (const action of CALLED) assert.ok(actions.has(action), `${action} was not called`);
  });

  test('with foreign tags, roles, images or regions nothing that changes something is allowed', async () => {
    const asked = await allRequests(world, outputs);
    const changes = asked.filter(({ request: { action } }) => !/:(Describe|Get)/.test(action));
    const allowed = changes.flatMap(({ request }) =>
      FOREIGN.map((make) => make(request)).filter((one) => one !== null && isAllowed(policies, one)),
    );
    assert.deepEqual(allowed, []);
    assert.ok(changes.length > 10);
  });

  test('own instances can be named after their claims, and tagged with nothing else', () => {
    const request: IamRequest = {
      action: 'ec2:CreateTags',
      resource: 'arn:aws:ec2:us-east-1:123456789012:instance/i-0123',
      context: {
        'aws:ResourceTag/kubernetes.io/cluster/chris': 'owned',
        'aws:ResourceTag/karpenter.sh/provisioner-name': 'default',
        'aws:TagKeys': 'karpenter.sh/nodeclaim,karpenter.sh/nodeclaim-uid',
      },
    };
    assert.ok(isAllowed(policies, request));
    const { context } = request;
    const more = { ...context, 'aws:TagKeys': 'karpenter.sh/nodeclaim,kubernetes.io/cluster/chris' };
    const { 'aws:ResourceTag/kubernetes.io/cluster/chris': _, ...foreign } = context;
    const volume = request.resource.replace('instance/i-', 'volume/vol-');
    assert.ok(!isAllowed(policies, { ...request, context: more }));
    assert.ok(!isAllowed(policies, { ...request, context: foreign }));
    assert.ok(!isAllowed(policies, { ...request, resource: volume }));
  });

  test('every action that the policies name is called, or explained', async () => {
    const called = new Set((await ownCalls(world)).map(permissionFor));
    const unused = actionsOf(policies).filter((action) => !called.has(action));
    assert.deepEqual(
      unused.filter((action) => EXPLAINED[action] === undefined),
      [],
    );
  });

  test('destroyed, it leaves nothing', async () => {
    await world.controller.stop();
    await terraform.run(root, 'destroy', '-auto-approve', '-no-color', '-input=false');
    assert.equal((await terraform.run(root, 'state', 'list')).trim(), '');
    await assert.rejects(rolePolicy(world, 'read'), /NoSuchEntity/);
    const sqs = sqsClient(world);
    assert.deepEqual((await sqs.send(new ListQueuesCommand({}))).QueueUrls ?? [], []);
    sqs.destroy();
  });
});

/** The same question about what is not ours; null where the question has no such part. */
type Change = (request: IamRequest) => IamRequest | null;
const CHANGES: readonly Change[] = [
  (request) => withTags(request, 'aws:ResourceTag/', (key) => key.replace('cluster/chris', 'cluster/other')),
  (request) => withTags(request, 'aws:RequestTag/', (key) => key.replace('cluster/chris', 'cluster/other')),
  (request) => withTags(request, 'aws:ResourceTag/karpenter.sh/provisioner-name', () => 'other'),
  ({ action, resource, context }) =>
    action === 'ec2:CreateTags'
      ? { action, resource, context: { ...context, 'ec2:CreateAction': 'CreateTags' } }
      : null,
  (request) =>
    request.action === 'iam:PassRole' ? { ...request, resource: `${request.resource}-admin` } : null,
  (request) =>
    'ec2:Owner' in request.context ? { ...request, context: { 'ec2:Owner': '999999999999' } } : null,
  (request) => ({ ...request, resource: request.resource.replace('us-east-1', 'eu-west-1') }),
];

/** A change that changes nothing is no foreign request. */
const FOREIGN = CHANGES.map(
  (change): Change =>
    (request) => {
      const made = change(request);
      return made === null || JSON.stringify(made) === JSON.stringify(request) ? null : made;
    },
);

function withTags(request: IamRequest, prefix: string, rename: (key: string) => string): IamRequest {
  const renamed = Object.entries(request.context).map(([key, value]) => [
    key.startsWith(prefix) ? rename(key) : key,
    value,
  ]);
  return { ...request, context: Object.fromEntries(renamed) };
}

function sqsClient({ moto: { endpoint, region } }: World): SQSClient {
  return new SQSClient({ endpoint, region, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
}

/** A node comes and goes under the default instance profile that the module has made. */
async function runStory(
  world: World,
  { instance_profile_name, interruption_queue_name }: Outputs,
): Promise<void> {
  world.controller.start({ AWS_DEFAULT_INSTANCE_PROFILE: instance_profile_name });
  await addFullStaticNode(world);
  const selector = { 'kubernetes.io/cluster/chris': '*' };
  const provider = { subnetSelector: selector, securityGroupSelector: selector };
  await world.apply(provisioner({ provider, ttlSecondsAfterEmpty: 5 }));
  await world.apply(storyManifest('elastic-nginx.yaml'));
  await world.untilRunning('web', 1, 60_000);
  await world.kube.scale('web', 'nginx', 10);
  await world.untilRunning('web', 10, 120_000);
  const [instance] = await world.moto.liveInstances();
  assert.match(instance?.instanceProfileArn ?? '', new RegExp(`/${instance_profile_name}$`));
  await world.kube.scale('web', 'nginx', 1);
  await world.until(async () => (await world.moto.liveInstances()).length === 0, {
    what: 'the instance to be terminated',
    timeoutMs: 90_000,
  });
  const sqs = sqsClient(world);
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: interruption_queue_name }));
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: '{"not": "a notice"}' }));
  sqs.destroy();
  await world.until(async () => (await world.moto.calls('DeleteMessageBatch')).length > 0, {
    what: 'what is no notice to be taken out of the queue',
    timeoutMs: 40_000,
  });
}

/** Terraform makes its queue, and the test fills it: all else that EC2, SSM and SQS are asked is Cooper's. */
async function ownCalls(world: World): Promise<readonly AwsCall[]> {
  const calls = await world.moto.calls();
  return calls.filter(({ params, service, action }) =>
    service === 'sqs' ? !NOT_COOPERS.has(action) : params.DryRun !== true && action !== 'DescribeRegions',
  );
}

async function allRequests(
  world: World,
  { node_role_arn }: Outputs,
): Promise<readonly { readonly call: AwsCall; readonly request: IamRequest }[]> {
  const calls = await ownCalls(world);
  const tags = new Map<string, Readonly<Record<string, string>>>();
  for (const { action, params } of calls) {
    if (action === 'CreateLaunchTemplate')
      tags.set(String(params.LaunchTemplateName), tagsIn(params, 'launch-template'));
  }
  for (const { id, tags: own } of await world.moto.instances()) tags.set(id, own);
  const account: Account = {
    id: '123456789012',
    region: world.moto.region,
    nodeRoleArn: node_role_arn,
    tagsOf: (name) => tags.get(name) ?? {},
  };
  return calls.flatMap((call) => iamRequestsOf(call, account).map((request) => ({ call, request })));
}

/** The text of an inline policy of the controller's role, as IAM answers it. */
async function rolePolicy(world: World, name: string): Promise<string> {
  const body = new URLSearchParams({
    Action: 'GetRolePolicy',
    Version: '2010-05-08',
    RoleName: ROLE,
    PolicyName: name,
  });
  const scope = 'Credential=test/20260101/us-east-1/iam/aws4_request';
  const headers = { authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0` };
  const answer = await fetch(world.moto.endpoint, { method: 'POST', headers, body });
  const xml = await answer.text();
  if (!answer.ok) throw new Error(xml);
  const [, document = ''] = /<PolicyDocument>([^<]*)<\/PolicyDocument>/.exec(xml) ?? [];
  return decodeURIComponent(document.replaceAll('&quot;', '"'));
}
