// The edge to the AWS SDK: which code an error carries, what is sent, and what is read from answers.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { faultKind } from '../../src/aws/awsFault.ts';
import type { FleetRequest, LaunchTemplateDraft } from '../../src/aws/ec2Api.ts';
import { launchTemplateDraft } from '../../src/aws/launchTemplates.ts';
import {
  readFleet,
  readInstance,
  readInstanceType,
  readSpotPrice,
  readTerminated,
} from '../../src/aws/sdkEc2Answers.ts';
import { fleetInput, launchTemplateInput, reservationQuestion } from '../../src/aws/sdkEc2Requests.ts';
import { sdkFault } from '../../src/aws/sdkFault.ts';
import { aNodeClass } from '../builders.ts';
import { SETTINGS } from './account.ts';

function thrown(fields: object): Error {
  return Object.assign(new Error('said EC2'), fields);
}

describe('errors of the SDK', () => {
  const CASES = [
    {
      thrown: thrown({ name: 'InsufficientInstanceCapacity' }),
      code: 'InsufficientInstanceCapacity',
      kind: 'capacity',
    },
    { thrown: thrown({ name: 'UnauthorizedOperation' }), code: 'UnauthorizedOperation', kind: 'permission' },
    { thrown: thrown({ name: 'RequestLimitExceeded' }), code: 'RequestLimitExceeded', kind: 'transient' },
    { thrown: thrown({ code: 'ECONNREFUSED' }), code: 'ECONNREFUSED', kind: 'transient' },
    {
      thrown: thrown({ name: 'AggregateError', code: 'ECONNREFUSED' }),
      code: 'ECONNREFUSED',
      kind: 'transient',
    },
    { thrown: thrown({ name: 'TimeoutError' }), code: 'TimeoutError', kind: 'transient' },
    {
      thrown: thrown({ name: 'SyntaxError', $metadata: { httpStatusCode: 403 } }),
      code: 'AccessDenied',
      kind: 'permission',
    },
    {
      thrown: thrown({ name: 'SyntaxError', $metadata: { httpStatusCode: 502 } }),
      code: 'InternalError',
      kind: 'transient',
    },
    {
      thrown: thrown({ name: 'UnknownError', $metadata: { httpStatusCode: 429 } }),
      code: 'TooManyRequestsException',
      kind: 'transient',
    },
    {
      thrown: thrown({ name: 'Unknown', $metadata: { httpStatusCode: 418 } }),
      code: 'Http418',
      kind: 'other',
    },
    {
      thrown: thrown({ name: 'CredentialsProviderError' }),
      code: 'CredentialsProviderError',
      kind: 'permission',
    },
    {
      thrown: thrown({ name: 'IdempotentParameterMismatch' }),
      code: 'IdempotentParameterMismatch',
      kind: 'tokenReused',
    },
    { thrown: 'a string', code: 'InternalError', kind: 'transient' },
  ];
  for (const { thrown: error, code, kind } of CASES) {
    it(`${code} is ${kind}`, () => {
      const fault = sdkFault('ec2:CreateFleet', error);
      assert.deepEqual([fault.action, fault.code, faultKind(fault.code)], ['ec2:CreateFleet', code, kind]);
    });
  }
});

const REQUEST: FleetRequest = {
  clientToken: 'token',
  capacityType: 'on-demand',
  count: 1,
  templates: [{ launchTemplate: 'lt', overrides: [{ instanceType: 'm5.large', subnetId: 'subnet-1' }] }],
  tags: { b: '2', a: '1' },
  context: null,
};

describe('requests', () => {
  it('ask for an instant fleet, by price on demand and by price and capacity on spot', () => {
    const input = fleetInput(REQUEST);
    assert.deepEqual(input, {
      Type: 'instant',
      ClientToken: 'token',
      Context: undefined,
      TargetCapacitySpecification: { TotalTargetCapacity: 1, DefaultTargetCapacityType: 'on-demand' },
      OnDemandOptions: { AllocationStrategy: 'lowest-price' },
      LaunchTemplateConfigs: [
        {
          LaunchTemplateSpecification: { LaunchTemplateName: 'lt', Version: '$Latest' },
          Overrides: [{ InstanceType: 'm5.large', SubnetId: 'subnet-1' }],
        },
      ],
      TagSpecifications: ['fleet', 'instance', 'volume'].map((ResourceType) => ({
        ResourceType,
        Tags: [
          { Key: 'a', Value: '1' },
          { Key: 'b', Value: '2' },
        ],
      })),
    });
    const spot = fleetInput({ ...REQUEST, capacityType: 'spot' });
    assert.deepEqual(spot.SpotOptions, { AllocationStrategy: 'price-capacity-optimized' });
    assert.equal(spot.OnDemandOptions, undefined);
  });

  it('ask for capacity reservations by filters that EC2 has, and pick ids from the answer', () => {
    const tagged = { name: 'tag:team', values: ['blue'] };
    const byId = { name: 'capacity-reservation-id', values: ['cr-1', 'cr-2'] };
    assert.deepEqual(reservationQuestion([byId, tagged]), {
      filters: [tagged],
      ids: new Set(['cr-1', 'cr-2']),
    });
    assert.deepEqual(reservationQuestion([tagged]), { filters: [tagged], ids: null });
  });

  it('send a launch into a reservation by its template, and into none unless one is named', () => {
    const input = (reserved: object): unknown =>
      launchTemplateInput({ ...draftOf(), ...reserved }).LaunchTemplateData?.CapacityReservationSpecification;
    assert.deepEqual(input({ capacityReservationId: 'cr-1' }), {
      CapacityReservationTarget: { CapacityReservationId: 'cr-1' },
    });
    assert.equal(input({}), undefined);
  });

  const draftOf = (
    fields: Parameters<typeof aNodeClass>[0] = {},
    groups = ['sg-2', 'sg-1'],
  ): LaunchTemplateDraft =>
    launchTemplateDraft(
      {
        provisioner: 'default',
        nodeClass: aNodeClass(fields),
        imageId: 'ami-1',
        userData: 'hello',
        instanceProfile: 'nodes',
        securityGroupIds: groups,
        capacityReservationId: null,
      },
      SETTINGS,
    );

  it('name a launch template after its content, whatever the order it was written in', () => {
    assert.match(draftOf().name, /^Karpenter-test-[0-9a-f]{16}$/);
    assert.equal(draftOf({}, ['sg-1', 'sg-2']).name, draftOf().name);
    assert.equal(draftOf({ tags: { a: '1', b: '2' } }).name, draftOf({ tags: { b: '2', a: '1' } }).name);
    const names = new Set([
      draftOf().name,
      draftOf({ tags: { a: '1' } }).name,
      draftOf({ detailedMonitoring: true }).name,
      draftOf({ amiFamily: 'Bottlerocket' }).name,
      draftOf({}, ['sg-1']).name,
    ]);
    assert.equal(names.size, 5);
  });

  it('write a launch template with encrypted gp3, IMDSv2 and one hop by default', () => {
    const { LaunchTemplateData: data } = launchTemplateInput(draftOf());
    assert.equal(data?.UserData, Buffer.from('hello').toString('base64'));
    assert.deepEqual(data?.SecurityGroupIds, ['sg-1', 'sg-2']);
    assert.deepEqual(data?.MetadataOptions, {
      HttpEndpoint: 'enabled',
      HttpProtocolIpv6: 'disabled',
      HttpPutResponseHopLimit: 1,
      HttpTokens: 'required',
    });
    const [disk] = data?.BlockDeviceMappings ?? [];
    assert.deepEqual(
      [disk?.DeviceName, disk?.Ebs?.VolumeSize, disk?.Ebs?.VolumeType, disk?.Ebs?.Encrypted],
      ['/dev/xvda', 20, 'gp3', true],
    );
    const bottlerocket = launchTemplateInput(draftOf({ amiFamily: 'Bottlerocket' })).LaunchTemplateData;
    assert.deepEqual(
      bottlerocket?.BlockDeviceMappings?.map(({ DeviceName }) => DeviceName),
      ['/dev/xvda', '/dev/xvdb'],
    );
    assert.deepEqual(
      launchTemplateInput(draftOf({ amiFamily: 'Custom' })).LaunchTemplateData?.BlockDeviceMappings,
      [],
    );
  });
});

describe('answers', () => {
  it('of a fleet are instances and errors, each with the override it came from', () => {
    const answer = {
      $metadata: {},
      FleetId: 'fleet-1',
      Instances: [
        {
          InstanceIds: ['i-1'],
          InstanceType: 'm5.large' as const,
          Lifecycle: 'spot' as const,
          LaunchTemplateAndOverrides: {
            Overrides: { InstanceType: 'm5.large' as const, SubnetId: 'subnet-1' },
          },
        },
      ],
      Errors: [
        {
          ErrorCode: 'InsufficientInstanceCapacity',
          ErrorMessage: 'none left',
          LaunchTemplateAndOverrides: {
            Overrides: { InstanceType: 'c5.large' as const, SubnetId: 'subnet-2' },
          },
        },
        {},
      ],
    };
    assert.deepEqual(readFleet(answer, { ...REQUEST, capacityType: 'spot' }), {
      fleetId: 'fleet-1',
      instances: [{ id: 'i-1', instanceType: 'm5.large', subnetId: 'subnet-1', capacityType: 'spot' }],
      errors: [
        {
          code: 'InsufficientInstanceCapacity',
          message: 'none left',
          instanceType: 'c5.large',
          subnetId: 'subnet-2',
        },
        { code: 'InternalError', message: '', instanceType: '', subnetId: '' },
      ],
    });
  });

  it('leave out types that run none of our images', () => {
    const info = { InstanceType: 'm5.large' as const, SupportedVirtualizationTypes: ['hvm' as const] };
    const arch = (name: string) => ({ ProcessorInfo: { SupportedArchitectures: [name as never] } });
    assert.equal(readInstanceType({ ...info, ...arch('x86_64') })[0]?.arch, 'amd64');
    assert.equal(readInstanceType({ ...info, ...arch('arm64') })[0]?.arch, 'arm64');
    assert.deepEqual(readInstanceType({ ...info, ...arch('arm64_mac') }), []);
    assert.deepEqual(
      readInstanceType({ ...info, ...arch('x86_64'), SupportedVirtualizationTypes: ['paravirtual'] }),
      [],
    );
  });

  it('leave out spot prices that are none', () => {
    const read = ['0.0312', '0', 'none'].map((SpotPrice) =>
      readSpotPrice({ InstanceType: 'm5.large', AvailabilityZone: 'us-east-1a', SpotPrice }),
    );
    assert.deepEqual(read, [[{ instanceType: 'm5.large', zone: 'us-east-1a', usdPerHour: 0.0312 }], [], []]);
  });

  it('count an instance of unknown state as running, and one terminated before as terminated', () => {
    const instance = {
      InstanceId: 'i-1',
      InstanceType: 'm5.large' as const,
      Placement: { AvailabilityZone: 'a' },
    };
    assert.equal(readInstance(instance)[0]?.state, 'running');
    const change = { InstanceId: 'i-1', CurrentState: { Name: 'shutting-down' as const } };
    assert.equal(readTerminated(change)[0]?.state, 'shutting-down');
    assert.equal(
      readTerminated({ ...change, PreviousState: { Name: 'terminated' } })[0]?.state,
      'terminated',
    );
  });
});
