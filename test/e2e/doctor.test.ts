// `cooper doctor` finds what a person has got wrong: each misconfiguration is planted, found, and named with its mend.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateTagsCommand,
  CreateVpcCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { reasonToSkip } from './harness/prerequisites.ts';
import { CHRIS, provisioner, startStory } from './harness/story.ts';
import type { World } from './harness/world.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
/** Nothing listens there: port 1 is reserved, and tests listen on high ones. */
const DEAD = 'http://127.0.0.1:1';
const SELECTOR = { 'kubernetes.io/cluster/chris': '*' };

interface Verdict {
  readonly code: number;
  readonly lines: readonly string[];
}

interface Planted {
  readonly name: string;
  /** Changes of the environment; undefined removes. */
  readonly env?: (world: World) => Promise<Record<string, string | undefined>>;
  /** `provider` of the story's Provisioner, or a whole Provisioner in its place. */
  readonly provider?: (world: World) => Promise<Record<string, unknown>>;
  readonly manifest?: string;
  readonly says: RegExp;
}

const CASES: readonly Planted[] = [
  {
    name: 'clusterName is not set',
    env: async () => ({ CLUSTER_NAME: undefined }),
    says: /^SettingInvalid: clusterName is missing; set --cluster-name/,
  },
  {
    name: 'the prices file is no JSON',
    env: async (world) => {
      const file = join(world.dir, 'prices.json');
      writeFileSync(file, '{"onDemand": ');
      return { PRICES_FILE: file };
    },
    says: /^PricesInvalid: pricesFile .*prices\.json: prices: is no JSON; write/,
  },
  {
    name: 'the API server cannot be reached',
    env: async (world) => {
      const file = join(world.dir, 'dead.kubeconfig');
      const cluster = `{name: c, cluster: {server: 'https://127.0.0.1:1'}}`;
      const context = `{name: c, context: {cluster: c, user: u}}`;
      const user = `{name: u, user: {token: t}}`;
      const text = `apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [${cluster}]\n`;
      writeFileSync(file, `${text}contexts: [${context}]\nusers: [${user}]\n`);
      return { KUBECONFIG: file };
    },
    says: /^KubernetesUnreachable: .*; check kubeconfig/,
  },
  {
    name: 'the cluster endpoint for nodes does not answer',
    env: async () => ({ CLUSTER_ENDPOINT: 'https://127.0.0.1:1' }),
    says: /^ClusterEndpointUnreachable: setting clusterEndpoint: https:\/\/127\.0\.0\.1:1 does not answer/,
  },
  {
    name: 'the AWS endpoint cannot be reached',
    env: async () => ({ AWS_ENDPOINT_URL: DEAD, AWS_MAX_ATTEMPTS: '1' }),
    says: /^AwsUnreachable: AWS cannot be reached \(.*ECONNREFUSED.*\); check region, AWS_ENDPOINT_URL/,
  },
  {
    name: 'there are no credentials',
    env: async () => ({
      ...{ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
      ...{ AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' },
    }),
    says: /^CredentialsRefused: AWS takes no credentials of ours .*; give the pod a role/,
  },
  {
    name: 'the right to ec2:CreateFleet is missing',
    env: (world) => asUser(world, 'no-fleets', ['ec2:CreateFleet']),
    says: /^PermissionMissing: AWS refused ec2:CreateFleet: .*"Action":\["ec2:CreateFleet"/,
  },
  {
    name: 'the right to ssm:GetParameter is missing',
    env: (world) => asUser(world, 'no-parameters', ['ssm:GetParameter']),
    says: /^PermissionMissing: AWS refused ssm:GetParameter: .*"Action":\["ssm:GetParameter"\]/,
  },
  {
    name: 'no subnet has the tag',
    provider: async () => ({ subnetSelector: { 'karpenter.sh/discovery': 'nowhere' } }),
    says: /^SubnetsNotFound: Provisioner "default": spec\.provider\.subnetSelector: no subnet in us-east-1/,
  },
  {
    name: 'a subnet has no free address',
    provider: async (world) => ({ subnetSelector: { 'aws-ids': await fullSubnet(world) } }),
    says: /^SubnetFull: .*subnetSelector: subnet-\w+ in us-east-1a has no free address; add a subnet/,
  },
  {
    name: 'no security group has the tag',
    provider: async () => ({ securityGroupSelector: { Name: 'nobody' } }),
    says: /^SecurityGroupsNotFound: .*securityGroupSelector: no security group .*Name: nobody.*; tag one/,
  },
  {
    name: 'the security group is in another VPC',
    provider: async (world) => ({ securityGroupSelector: { 'aws-ids': await foreignGroup(world) } }),
    says: /^SecurityGroupInOtherVpc: .*: sg-\w+ is in vpc-\w+, the subnets are in vpc-\w+; select a group/,
  },
  {
    name: 'no instance profile is named',
    provider: async () => ({ instanceProfile: undefined }),
    says: /^InstanceProfileMissing: .*spec\.provider\.instanceProfile: missing, and there is no default/,
  },
  {
    name: 'the instance profile does not exist',
    provider: async () => ({ instanceProfile: 'no-such-profile' }),
    says: /^InstanceProfileUnknown: .*instanceProfile: IAM has no instance profile no-such-profile; make/,
  },
  {
    name: 'AL2 is asked for, which has no image any more',
    provider: async () => ({ amiFamily: 'AL2' }),
    says: /^AmiFamilyUnsupported: .*amiFamily: AL2 has no images .*write spec\.provider\.amiFamily: AL2023/,
  },
  {
    name: 'the AWSNodeTemplate that is referred to is missing',
    manifest: provisioner({ provider: undefined, providerRef: { name: 'absent' } }),
    says: /^NodeTemplateMissing: Provisioner "default": spec\.providerRef names AWSNodeTemplate "absent"/,
  },
  {
    name: 'the interruption queue does not exist',
    env: async () => ({ INTERRUPTION_QUEUE: 'no-such-queue' }),
    says: /^QueueMissing: setting interruptionQueue: SQS has no queue no-such-queue in us-east-1 .*; create it/,
  },
];

/** Credentials of a user who may do all but this. IAM is enforced until `CASES` are done with it. */
async function asUser(world: World, name: string, deny: readonly string[]): Promise<Record<string, string>> {
  const { accessKeyId, secretAccessKey } = await world.moto.makeUser({ name, allow: ['*'], deny });
  await world.moto.enforceIam(true);
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
}

/** A /28 has 11 addresses to give, and all are taken. */
async function fullSubnet(world: World): Promise<string> {
  const { vpcId } = world.network;
  const made = await world.ec2.send(
    new CreateSubnetCommand({ VpcId: vpcId, CidrBlock: '10.0.255.0/28', AvailabilityZone: 'us-east-1a' }),
  );
  const SubnetId = made.Subnet?.SubnetId ?? assert.fail('no subnet');
  await world.ec2.send(
    new RunInstancesCommand({ ImageId: 'ami-12c6146b', MinCount: 11, MaxCount: 11, SubnetId }),
  );
  return SubnetId;
}

async function foreignGroup(world: World): Promise<string> {
  const vpc = await world.ec2.send(new CreateVpcCommand({ CidrBlock: '10.9.0.0/16' }));
  const VpcId = vpc.Vpc?.VpcId ?? assert.fail('no VPC');
  const group = new CreateSecurityGroupCommand({
    GroupName: 'foreign',
    Description: 'of another VPC',
    VpcId,
  });
  const GroupId = (await world.ec2.send(group)).GroupId ?? assert.fail('no group');
  await world.ec2.send(new CreateTagsCommand({ Resources: [GroupId], Tags: [{ Key: 'a', Value: 'b' }] }));
  return GroupId;
}

describe('cooper doctor', { skip: await reasonToSkip() }, () => {
  let world: World;

  before(async () => {
    world = await startStory({ namespaces: ['web'] });
  });
  after(() => world.stop());

  function doctor(changes: Record<string, string | undefined> = {}): Promise<Verdict> {
    const wanted = { PATH: process.env.PATH, ...world.controllerEnv(), ...changes };
    const env = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
    return new Promise((resolve) => {
      execFile(process.execPath, [MAIN, 'doctor'], { env, timeout: 120_000 }, (failure, stdout, stderr) => {
        const lines = `${stdout}${stderr}`.trimEnd().split('\n');
        resolve({ code: failure === null ? 0 : Number(failure.code ?? -1), lines });
      });
    });
  }

  test('finds nothing where nothing is wrong', async () => {
    await world.apply(provisioner({}));
    const { code, lines } = await doctor();
    assert.deepEqual([code, lines.length], [0, 1], lines.join('\n'));
    assert.match(lines[0] ?? '', /^no problems found/);
  });

  for (const { name, env, provider, manifest, says } of CASES) {
    test(`finds that ${name}`, async () => {
      const changed = {
        ...{ subnetSelector: SELECTOR, securityGroupSelector: SELECTOR },
        ...{ instanceProfile: CHRIS.instanceProfile, ...(await provider?.(world)) },
      };
      await world.apply(manifest ?? provisioner({ provider: changed }));
      try {
        const { code, lines } = await doctor(await env?.(world));
        assert.equal(code, 1, lines.join('\n'));
        const found = lines.filter((line) => says.test(line));
        assert.equal(found.length, 1, lines.join('\n'));
        assert.equal(lines.length, 2, `more than what was planted:\n${lines.join('\n')}`);
        assert.equal(lines.at(-1), '1 problem found');
      } finally {
        await world.moto.enforceIam(false);
        await world.kubectl(['delete', 'provisioner', 'default']);
      }
    });
  }

  test('finds that a CRD is missing', async () => {
    await world.kubectl(['delete', 'crd', 'awsnodetemplates.karpenter.k8s.aws']);
    await world.apply(provisioner({}));
    const { code, lines } = await doctor();
    assert.equal(code, 1);
    assert.match(
      lines[0] ?? '',
      /^CrdMissing: the API server knows no awsnodetemplates\..*; install the chart/,
    );
  });
});
