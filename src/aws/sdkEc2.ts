// Ec2Api over the AWS SDK: requests written, answers read; every call has its own small function.
import {
  CreateFleetCommand,
  CreateLaunchTemplateCommand,
  CreateTagsCommand,
  DeleteLaunchTemplateCommand,
  EC2Client,
  GetConsoleOutputCommand,
  paginateDescribeCapacityReservations,
  paginateDescribeImages,
  paginateDescribeInstances,
  paginateDescribeInstanceTypeOfferings,
  paginateDescribeInstanceTypes,
  paginateDescribeLaunchTemplates,
  paginateDescribeSecurityGroups,
  paginateDescribeSpotPriceHistory,
  paginateDescribeSubnets,
  type Filter as SdkFilter,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Ec2Api, Filter } from './ec2Api.ts';
import {
  readCapacityReservation,
  readFleet,
  readImage,
  readInstance,
  readInstanceType,
  readSpotPrice,
  readSubnet,
  readTerminated,
} from './sdkEc2Answers.ts';
import { fleetInput, launchTemplateInput, reservationQuestion, sdkTags } from './sdkEc2Requests.ts';
import { asked, askedForAll, sdkFault } from './sdkFault.ts';
import { RETRY_UNLESS_THROTTLED } from './sdkRetries.ts';

/** A call that has not been answered by then is given up; fleets answer in a few seconds. */
export const CONNECTION = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000 },
} as const;

/** Where EC2 cannot tell the console as it is now. Source: EC2 API Reference, "Error codes". */
const LATEST_UNKNOWN: ReadonlySet<string> = new Set([
  'UnsupportedOperation',
  'IncorrectInstanceState',
  'InvalidParameterCombination',
  'InvalidParameterValue',
]);

/** Endpoint and credentials come from the SDK's own environment (AWS_ENDPOINT_URL, web identity, …). */
export function connectEc2(region: string): Ec2Api {
  const client = new EC2Client({ region, ...CONNECTION, retryStrategy: RETRY_UNLESS_THROTTLED });
  return {
    ...describes(client),
    async createLaunchTemplate(draft) {
      const command = new CreateLaunchTemplateCommand(launchTemplateInput(draft));
      await asked('ec2:CreateLaunchTemplate', () => client.send(command));
    },
    async describeCapacityReservations(filters) {
      const question = reservationQuestion(filters);
      const asking = { Filters: sdkFilters(question.filters) };
      const pages = paginateDescribeCapacityReservations({ client, pageSize: 100 }, asking);
      const action = 'ec2:DescribeCapacityReservations';
      const found = await askedForAll(action, pages, (page) => page.CapacityReservations);
      return found.flatMap(readCapacityReservation).filter(({ id }) => question.ids?.has(id) ?? true);
    },
    async describeLaunchTemplates(filters) {
      const pages = paginateDescribeLaunchTemplates(
        { client, pageSize: 200 },
        { Filters: sdkFilters(filters) },
      );
      const found = await askedForAll('ec2:DescribeLaunchTemplates', pages, (page) => page.LaunchTemplates);
      return found.flatMap(({ LaunchTemplateName: name, CreateTime }) =>
        name === undefined ? [] : [{ name, createdAtMs: CreateTime?.getTime() ?? 0 }],
      );
    },
    async getConsoleOutput(InstanceId) {
      const { Output = '' } = await asked('ec2:GetConsoleOutput', async () => {
        try {
          return await client.send(new GetConsoleOutputCommand({ InstanceId, Latest: true }));
        } catch (thrown) {
          // Instances that are not of the Nitro system have only what they wrote when they started.
          if (!LATEST_UNKNOWN.has(sdkFault('ec2:GetConsoleOutput', thrown).code)) throw thrown;
          return client.send(new GetConsoleOutputCommand({ InstanceId }));
        }
      });
      return Buffer.from(Output, 'base64').toString('utf8');
    },
    async createTags(ids, tags) {
      const command = new CreateTagsCommand({ Resources: [...ids], Tags: sdkTags(tags) });
      await asked('ec2:CreateTags', () => client.send(command));
    },
    async deleteLaunchTemplate(name) {
      const command = new DeleteLaunchTemplateCommand({ LaunchTemplateName: name });
      await asked('ec2:DeleteLaunchTemplate', () => client.send(command));
    },
    async createFleet(request) {
      const command = new CreateFleetCommand(fleetInput(request));
      return readFleet(await asked('ec2:CreateFleet', () => client.send(command)), request);
    },
    async terminateInstances(ids) {
      const command = new TerminateInstancesCommand({ InstanceIds: [...ids] });
      const answer = await asked('ec2:TerminateInstances', () => client.send(command));
      return (answer.TerminatingInstances ?? []).flatMap(readTerminated);
    },
  };
}

type Describes = Pick<
  Ec2Api,
  Exclude<
    Extract<keyof Ec2Api, `describe${string}`>,
    'describeLaunchTemplates' | 'describeCapacityReservations'
  >
>;

function describes(client: EC2Client): Describes {
  return {
    async describeInstanceTypes() {
      const pages = paginateDescribeInstanceTypes({ client, pageSize: 100 }, {});
      const found = await askedForAll('ec2:DescribeInstanceTypes', pages, (page) => page.InstanceTypes);
      return found.flatMap(readInstanceType);
    },
    async describeInstanceTypeZones() {
      const pages = paginateDescribeInstanceTypeOfferings(
        { client, pageSize: 1000 },
        { LocationType: 'availability-zone' },
      );
      const action = 'ec2:DescribeInstanceTypeOfferings';
      const found = await askedForAll(action, pages, (page) => page.InstanceTypeOfferings);
      return found.flatMap(({ InstanceType, Location }) =>
        InstanceType === undefined || Location === undefined
          ? []
          : [{ instanceType: InstanceType, zone: Location }],
      );
    },
    async describeSpotPrices(nowMs) {
      // From now on: EC2 then answers with the price that holds now, one per type and zone.
      const StartTime = new Date(nowMs);
      const ProductDescriptions = ['Linux/UNIX', 'Linux/UNIX (Amazon VPC)'];
      const pages = paginateDescribeSpotPriceHistory(
        { client, pageSize: 1000 },
        { StartTime, ProductDescriptions },
      );
      const found = await askedForAll('ec2:DescribeSpotPriceHistory', pages, (page) => page.SpotPriceHistory);
      return found.flatMap(readSpotPrice);
    },
    async describeSubnets(filters) {
      const pages = paginateDescribeSubnets({ client }, { Filters: sdkFilters(filters) });
      return (await askedForAll('ec2:DescribeSubnets', pages, (page) => page.Subnets)).flatMap(readSubnet);
    },
    async describeSecurityGroups(filters) {
      const pages = paginateDescribeSecurityGroups({ client }, { Filters: sdkFilters(filters) });
      const found = await askedForAll('ec2:DescribeSecurityGroups', pages, (page) => page.SecurityGroups);
      return found.flatMap(({ GroupId }) => GroupId ?? []);
    },
    async describeImages({ filters, owners }) {
      const usable = [...filters, { name: 'state', values: ['available'] }];
      const asking = { Filters: sdkFilters(usable), ...(owners.length === 0 ? {} : { Owners: [...owners] }) };
      const pages = paginateDescribeImages({ client }, asking);
      return (await askedForAll('ec2:DescribeImages', pages, (page) => page.Images)).flatMap(readImage);
    },
    async describeInstances(filters) {
      const pages = paginateDescribeInstances({ client, pageSize: 1000 }, { Filters: sdkFilters(filters) });
      const found = await askedForAll('ec2:DescribeInstances', pages, (page) => page.Reservations);
      return found.flatMap(({ Instances = [] }) => Instances.flatMap(readInstance));
    },
  };
}

function sdkFilters(filters: readonly Filter[]): SdkFilter[] {
  return filters.map(({ name, values }) => ({ Name: name, Values: [...values] }));
}
