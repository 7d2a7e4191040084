// What the checks of an account make of its answers: each refusal is one finding, and one cause hides no other.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CheckApi, checkAccount, checkPermissions, type Finding } from '../../src/aws/accountChecks.ts';
import { AwsFault } from '../../src/aws/awsFault.ts';
import { connectChecks } from '../../src/aws/sdkChecks.ts';
import { aNodeClass } from '../builders.ts';
import { aWorld, SETTINGS } from './account.ts';

const VPC = 'vpc-1';

interface Planted {
  readonly dryRuns?: Readonly<Record<string, string>>;
  readonly launch?: { readonly code: string; readonly message: string };
  readonly groupVpc?: string;
  readonly subnetVpcs?: readonly string[];
}

/** An account's answers; `dryRuns` names actions and the codes that refuse them. */
function answers({ dryRuns = {}, launch, groupVpc = VPC, subnetVpcs = [VPC] }: Planted): CheckApi {
  const actions = ['ec2:DescribeSubnets', 'ec2:CreateFleet', ...Object.keys(dryRuns)];
  return {
    dryRuns: [...new Set(actions)].map((action) => ({
      action,
      ask: async () => {
        const code = dryRuns[action];
        if (code !== undefined) throw new AwsFault(action, code, 'refused');
      },
    })),
    tryLaunch: async () => {
      if (launch !== undefined) throw new AwsFault('ec2:RunInstances', launch.code, launch.message);
    },
    subnetVpcs: async (ids) =>
      new Map(ids.map((id, index) => [id, subnetVpcs[index % subnetVpcs.length] ?? VPC])),
    groupVpcs: async (ids) => new Map(ids.map((id) => [id, groupVpc])),
  };
}

async function findings(planted: Planted, nodeClass = aNodeClass()): Promise<readonly Finding[]> {
  const { ec2, ssm, clock } = aWorld();
  return checkAccount({ ec2, ssm, clock, settings: SETTINGS, checks: answers(planted) }, [nodeClass]);
}

const CASES: readonly {
  readonly when: string;
  readonly planted: Planted;
  readonly found: readonly (readonly [string, RegExp])[];
}[] = [
  { when: 'nothing is wrong', planted: {}, found: [] },
  {
    when: 'two actions are refused',
    planted: {
      dryRuns: { 'ec2:CreateFleet': 'UnauthorizedOperation', 'ec2:DescribeImages': 'AccessDenied' },
    },
    found: [
      ['PermissionMissing', /refused ec2:CreateFleet/],
      ['PermissionMissing', /refused ec2:DescribeImages/],
    ],
  },
  {
    when: 'there are no credentials, which is said once and alone',
    planted: {
      dryRuns: { 'ec2:CreateFleet': 'AuthFailure', 'ec2:DescribeSubnets': 'AuthFailure' },
      groupVpc: 'vpc-2',
    },
    found: [['CredentialsRefused', /AuthFailure.*EKS Pod Identity/]],
  },
  {
    when: 'a dry run names a template that is not there',
    planted: { dryRuns: { 'ec2:CreateFleet': 'InvalidLaunchTemplateName.NotFoundException' } },
    found: [],
  },
  {
    when: 'the group is in another VPC',
    planted: { groupVpc: 'vpc-2' },
    found: [
      ['SecurityGroupInOtherVpc', /sg-2 is in vpc-2, the subnets are in vpc-1/],
      ['SecurityGroupInOtherVpc', /sg-1 is in vpc-2/],
    ],
  },
  {
    when: 'the subnets are of two VPCs',
    planted: { subnetVpcs: ['vpc-1', 'vpc-2'] },
    found: [['SubnetsInManyVpcs', /finds subnets of 2 VPCs/]],
  },
  {
    when: 'the instance profile is unknown',
    planted: { launch: { code: 'InvalidParameterValue', message: 'Invalid IAM Instance Profile name' } },
    found: [['InstanceProfileUnknown', /IAM has no instance profile/]],
  },
  {
    when: 'the role may not be passed',
    planted: { launch: { code: 'UnauthorizedOperation', message: 'encoded' } },
    found: [['PermissionMissing', /ec2:RunInstances/]],
  },
  {
    when: 'EC2 refuses the launch for a reason of its own',
    planted: { launch: { code: 'InvalidKeyPair', message: 'no key' } },
    found: [
      ['LaunchRefused', /AWSNodeTemplate\/default: EC2 would refuse a launch \(InvalidKeyPair: no key\)/],
    ],
  },
];

describe('the checks of an account', () => {
  for (const { when, planted, found } of CASES) {
    it(`find ${found.length === 0 ? 'nothing' : found.map(([code]) => code).join(', ')} when ${when}`, async () => {
      const said = await findings(planted);
      assert.deepEqual(
        said.map(({ code }) => code),
        found.map(([code]) => code),
      );
      for (const [index, [, message]] of found.entries()) assert.match(said[index]?.message ?? '', message);
    });
  }

  it('say of a node class what it lacks', async () => {
    const said = await findings({}, aNodeClass({ subnetSelector: { Name: 'nothing' } }));
    assert.deepEqual(
      said.map(({ code }) => code),
      ['SubnetsNotFound'],
    );
  });

  it('say of a selector of reservations that it finds none, or that nobody may ask', async () => {
    const nodeClass = aNodeClass({ capacityReservationSelector: { team: 'blue' } });
    const [none] = await findings({}, nodeClass);
    assert.equal(none?.code, 'ReservationsNotFound');
    assert.match(
      none?.message ?? '',
      /spec\.capacityReservationSelector: no active .* \{team: blue\}; tag one/,
    );
    const { ec2, ssm, clock } = aWorld();
    ec2.reservations.push({
      ...{ id: 'cr-1', instanceType: 'm5.large', zone: 'us-east-1a', freeInstances: 1 },
      tags: { team: 'blue' },
    });
    const account = { ec2, ssm, clock, settings: SETTINGS, checks: answers({}) };
    assert.deepEqual(await checkAccount(account, [nodeClass]), []);
    ec2.order({ action: 'describeCapacityReservations', when: 'before', code: 'UnauthorizedOperation' });
    const [refused] = await checkAccount(account, [nodeClass]);
    assert.match(refused?.message ?? '', /"Action":\["ec2:DescribeCapacityReservations"\]/);
  });

  it('ask about each call that cooper run makes, and about polling only where there is no queue', () => {
    const asked = (interruptionQueue: string | null): readonly string[] =>
      connectChecks({ region: 'us-east-1', clusterName: 'test', interruptionQueue }).dryRuns.map(
        ({ action }) => action.replace(/^ec2:/, ''),
      );
    const always = [
      ...['CreateFleet', 'CreateLaunchTemplate', 'DescribeImages', 'DescribeInstanceTypeOfferings'],
      ...['DescribeInstanceTypes', 'DescribeInstances', 'DescribeLaunchTemplates', 'DescribeSecurityGroups'],
      ...['DescribeSpotPriceHistory', 'DescribeSubnets', 'ssm:GetParameter'],
    ];
    const polling = ['DescribeInstanceStatus', 'DescribeSpotInstanceRequests'];
    assert.deepEqual(asked('queue').toSorted(), always.toSorted());
    assert.deepEqual(asked(null).toSorted(), [...always, ...polling].toSorted());
  });

  it('of permissions alone touch nothing else, and throw what is a bug', async () => {
    assert.deepEqual(await checkPermissions(answers({})), []);
    const broken: CheckApi = {
      ...answers({}),
      dryRuns: [{ action: 'x', ask: () => Promise.reject(new TypeError('a bug')) }],
    };
    await assert.rejects(checkPermissions(broken), /a bug/);
  });
});
