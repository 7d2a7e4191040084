// Why a Provisioner can buy nothing: each cause gives one sentence with object, field and mend, and nothing throws.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { imageQuery } from '../../src/aws/amis.ts';
import { AwsFault } from '../../src/aws/awsFault.ts';
import { selectorFilters } from '../../src/aws/selectors.ts';
import { aNodeClass, aProvisioner } from '../builders.ts';
import { aWorld, PARAMETERS, type World, type WorldFields } from './account.ts';

interface Cause {
  readonly when: string;
  readonly world?: WorldFields;
  readonly nodeClass?: Parameters<typeof aNodeClass>[0];
  readonly arrange?: (world: World) => void;
  readonly reason: string;
  readonly says: RegExp;
}

const CAUSES: readonly Cause[] = [
  {
    when: 'no subnet matches',
    nodeClass: { subnetSelector: { 'kubernetes.io/cluster/chris': '*' }, key: 'Provisioner/default' },
    reason: 'SubnetsNotFound',
    says: /^Provisioner "default": spec\.provider\.subnetSelector: no subnet .*chris: \*\}; tag one/,
  },
  {
    when: 'there is no subnet selector',
    nodeClass: { subnetSelector: {} },
    reason: 'SelectorMissing',
    says: /^AWSNodeTemplate "default": spec\.subnetSelector: missing; write the tags/,
  },
  {
    when: 'no security group matches',
    nodeClass: { securityGroupSelector: { Name: 'nothing*' } },
    reason: 'SecurityGroupsNotFound',
    says: /spec\.securityGroupSelector: no security group in us-east-1 matches \{Name: nothing\*\}/,
  },
  {
    when: 'there is no instance profile',
    nodeClass: { instanceProfile: null },
    reason: 'InstanceProfileMissing',
    says: /spec\.instanceProfile: missing, and there is no default; name the profile/,
  },
  {
    when: 'AL2 is asked for inline on Kubernetes 1.33 and later',
    nodeClass: { amiFamily: 'AL2', key: 'Provisioner/default' },
    reason: 'AmiFamilyUnsupported',
    says: /^Provisioner "default": spec\.provider\.amiFamily: AL2 has no .*; write spec\.provider\.amiFamily: AL2023/,
  },
  {
    when: 'AL2 is asked for in a template on Kubernetes 1.33 and later',
    nodeClass: { amiFamily: 'AL2' },
    reason: 'AmiFamilyUnsupported',
    says: /^AWSNodeTemplate "default": spec\.amiFamily: .* write spec\.amiFamily: AL2023, or leave the field out/,
  },
  {
    when: 'SSM has no image for the version',
    world: { parameters: {} },
    reason: 'AmiNotFound',
    says: /spec\.amiFamily: there is no AL2023 image for Kubernetes 1\.34 \(SSM has no parameter \/aws\/service\/eks/,
  },
  {
    when: 'Custom names no image',
    nodeClass: { amiFamily: 'Custom' },
    reason: 'AmiSelectorMissing',
    says: /Custom needs an image; name one in AWSNodeTemplate "default": spec\.amiSelector/,
  },
  {
    when: 'no image matches amiSelector',
    nodeClass: { amiSelector: { team: 'blue' } },
    reason: 'AmiNotFound',
    says: /spec\.amiSelector: no image matches \{team: blue\}; check ids, tags, owner and region/,
  },
  {
    when: 'the alias is of another family',
    nodeClass: { amiFamily: 'AL2023', amiSelector: { 'aws::alias': 'bottlerocket@1.44.0' } },
    reason: 'AmiAliasInvalid',
    says: /spec\.amiSelector: alias bottlerocket@1\.44\.0 is no image of AL2023; write al2023@<version>/,
  },
  {
    when: 'the alias is not alone',
    nodeClass: { amiSelector: { 'aws::alias': 'al2023@latest', team: 'blue' } },
    reason: 'AmiAliasInvalid',
    says: /aws::alias stands alone/,
  },
  {
    when: 'the family has no versions to pin',
    nodeClass: { amiFamily: 'Windows2022', amiSelector: { 'aws::alias': 'windows2022@v1' } },
    reason: 'AmiAliasInvalid',
    says: /images of Windows2022 cannot be pinned by version; name one by its id in aws::ids/,
  },
  {
    when: 'AL2 is pinned on Kubernetes 1.33 and later',
    nodeClass: { amiFamily: 'AL2', amiSelector: { 'aws::alias': 'al2@v20260801' } },
    reason: 'AmiFamilyUnsupported',
    says: /AL2 has no images/,
  },
  {
    when: 'SSM may not be asked',
    arrange: ({ ssm }) => {
      ssm.fault = new AwsFault('ssm:GetParameter', 'AccessDeniedException', 'no');
    },
    reason: 'PermissionDenied',
    says: /AWS refused ssm:GetParameter: .*"Action":\["ssm:GetParameter"\]/,
  },
  {
    when: 'EC2 may not be asked',
    arrange: ({ ec2 }) =>
      ec2.order({ action: 'describeInstanceTypes', when: 'before', code: 'UnauthorizedOperation' }),
    reason: 'PermissionDenied',
    says: /AWS refused ec2:DescribeInstanceTypes/,
  },
  {
    when: 'EC2 cannot be reached',
    arrange: ({ ec2 }) => ec2.order({ action: 'describeSubnets', when: 'before', code: 'ECONNREFUSED' }),
    reason: 'AwsUnreachable',
    says: /ec2:DescribeSubnets failed: ECONNREFUSED/,
  },
];

describe('a Provisioner that can buy nothing', () => {
  for (const { when, world: fields, nodeClass, arrange, reason, says } of CAUSES) {
    it(`says why when ${when}, to planner and launcher alike`, async () => {
      const world = aWorld(fields);
      arrange?.(world);
      const outcome = await world.cloud.instanceTypes(aProvisioner(), aNodeClass(nodeClass));
      assert.equal(outcome.kind === 'notReady' && outcome.reason, reason);
      assert.match(outcome.kind === 'notReady' ? outcome.message : '', says);
      if (arrange !== undefined) return;
      const launched = await world.cloud.launch(world.claim(), aNodeClass(nodeClass));
      assert.equal(launched.kind === 'rejected' && launched.reason, reason);
      assert.equal(world.ec2.fleets.length, 0);
    });
  }

  it('is served as soon as a subnet has its tag', async () => {
    const world = aWorld();
    const { subnets } = world.ec2.account;
    world.ec2.account = { ...world.ec2.account, subnets: [] };
    assert.equal((await world.cloud.instanceTypes(aProvisioner(), aNodeClass())).kind, 'notReady');
    world.ec2.account = { ...world.ec2.account, subnets };
    assert.equal((await world.cloud.instanceTypes(aProvisioner(), aNodeClass())).kind, 'found');
  });

  it('is served from old answers while EC2 cannot be reached', async () => {
    const world = aWorld();
    await world.cloud.instanceTypes(aProvisioner(), aNodeClass());
    world.clock.pass(120_000);
    for (let count = 0; count < 3; count += 1) {
      world.ec2.order({ action: 'describeSubnets', when: 'before', code: 'ECONNREFUSED' });
      assert.equal((await world.cloud.instanceTypes(aProvisioner(), aNodeClass())).kind, 'found');
    }
  });

  it('buys on demand, and says so in the log, while spot prices are unknown', async () => {
    const world = aWorld();
    world.ec2.order({ action: 'describeSpotPrices', when: 'before', code: 'UnauthorizedOperation' });
    const outcome = await world.cloud.instanceTypes(aProvisioner(), aNodeClass());
    const offerings = outcome.kind === 'found' ? outcome.instanceTypes.flatMap((type) => type.offerings) : [];
    assert.ok(offerings.length > 0 && offerings.every(({ capacityType }) => capacityType === 'on-demand'));
    assert.deepEqual(
      world.logged.map(({ message }) => message),
      ['spot prices unknown, spot left out'],
    );
  });
});

describe('machine images', () => {
  it('drop the types they cannot boot', async () => {
    const onlyAmd64 = Object.fromEntries(
      Object.entries(PARAMETERS).filter(([key]) => key.includes('x86_64/standard')),
    );
    const world = aWorld({ parameters: onlyAmd64 });
    const outcome = await world.cloud.instanceTypes(aProvisioner(), aNodeClass());
    const names = outcome.kind === 'found' ? outcome.instanceTypes.map(({ name }) => name) : [];
    assert.deepEqual(names, ['c5.large', 'm5.large', 'm5.xlarge', 't3.large']);
  });

  it('come from amiSelector: the newest of each architecture, its tags narrowing the types', async () => {
    const image = (id: string, createdAt: string, tags = {}) => ({
      id,
      name: id,
      arch: 'amd64' as const,
      createdAt,
      tags: { team: 'blue', ...tags },
    });
    const images = [
      image('ami-old', '2026-01-01T00:00:00.000Z'),
      image('ami-new', '2026-02-01T00:00:00.000Z'),
      image('ami-xlarge', '2026-03-01T00:00:00.000Z', { 'node.kubernetes.io/instance-type': 'm5.xlarge' }),
    ];
    const world = aWorld({ account: { images } });
    const nodeClass = aNodeClass({ amiFamily: 'Custom', amiSelector: { team: 'blue' }, userData: 'own' });
    const launch = async (instanceType: string): Promise<string> => {
      const claim = world.claim({ name: instanceType, uid: instanceType }, { instanceTypes: [instanceType] });
      const outcome = await world.cloud.launch(claim, nodeClass);
      return outcome.kind === 'launched' ? outcome.instance.imageId : outcome.kind;
    };
    assert.equal(await launch('m5.large'), 'ami-new');
    assert.equal(await launch('m5.xlarge'), 'ami-xlarge');
    assert.equal(await launch('m6g.large'), 'insufficientCapacity');
  });

  it('are asked for with bounded owners, unless ids name them', () => {
    assert.deepEqual(imageQuery({ team: 'blue' }).owners, ['self', 'amazon']);
    assert.deepEqual(imageQuery({ 'aws::owners': 'self, 123456789012' }).owners, ['self', '123456789012']);
    assert.deepEqual(imageQuery({ 'aws-ids': 'ami-1,ami-2' }), {
      filters: [{ name: 'image-id', values: ['ami-1', 'ami-2'] }],
      owners: [],
    });
    assert.deepEqual(imageQuery({ 'aws::name': 'golden-*' }).filters, [
      { name: 'name', values: ['golden-*'] },
    ]);
  });
});

describe('selectors', () => {
  it('become EC2 filters, all of them to hold', () => {
    const selector = { 'aws-ids': 'subnet-1, subnet-2', Name: 'blue-*', owned: '*', list: 'a,b' };
    assert.deepEqual(selectorFilters(selector, 'subnet-id'), [
      { name: 'subnet-id', values: ['subnet-1', 'subnet-2'] },
      { name: 'tag:Name', values: ['blue-*'] },
      { name: 'tag-key', values: ['owned'] },
      { name: 'tag:list', values: ['a,b'] },
    ]);
  });

  it('choose zones', async () => {
    const world = aWorld();
    const outcome = await world.cloud.instanceTypes(
      aProvisioner(),
      aNodeClass({ subnetSelector: { Name: 'blue-?' } }),
    );
    const offerings = outcome.kind === 'found' ? outcome.instanceTypes.flatMap((type) => type.offerings) : [];
    assert.deepEqual([...new Set(offerings.map(({ zone }) => zone))], ['us-east-1b']);
  });
});
