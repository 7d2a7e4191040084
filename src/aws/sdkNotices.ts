// NoticeApi over the AWS SDK.
import {
  EC2Client,
  paginateDescribeInstanceStatus,
  paginateDescribeSpotInstanceRequests,
} from '@aws-sdk/client-ec2';
import type { NoticeApi } from './interruptionPolling.ts';
import { CONNECTION } from './sdkEc2.ts';
import { askedForAll } from './sdkFault.ts';
import { RETRY_UNLESS_THROTTLED } from './sdkRetries.ts';

/** Source: EC2 API Reference, DescribeInstanceStatus, filter `event.code`. */
const EVENT_CODES = [
  'instance-reboot',
  'system-reboot',
  'system-maintenance',
  'instance-retirement',
  'instance-stop',
];

/** Endpoint and credentials come from the SDK's own environment (AWS_ENDPOINT_URL, web identity, …). */
export function connectNotices(region: string): NoticeApi {
  const client = new EC2Client({ region, ...CONNECTION, retryStrategy: RETRY_UNLESS_THROTTLED });
  return {
    async describeScheduledEvents() {
      const Filters = [{ Name: 'event.code', Values: EVENT_CODES }];
      const pages = paginateDescribeInstanceStatus({ client, pageSize: 1000 }, { Filters });
      const action = 'ec2:DescribeInstanceStatus';
      const found = await askedForAll(action, pages, (page) => page.InstanceStatuses);
      return found.flatMap(({ InstanceId: instanceId, Events = [] }) =>
        instanceId === undefined
          ? []
          : Events.map(({ Code: code = 'a change', Description: description = '', NotBefore }) => ({
              ...{ instanceId, code, description },
              notBeforeMs: NotBefore?.getTime() ?? null,
            })),
      );
    },
    async describeSpotRequests(statusCodes) {
      const Filters = [{ Name: 'status-code', Values: [...statusCodes] }];
      const pages = paginateDescribeSpotInstanceRequests({ client, pageSize: 1000 }, { Filters });
      const action = 'ec2:DescribeSpotInstanceRequests';
      const found = await askedForAll(action, pages, (page) => page.SpotInstanceRequests);
      return found.flatMap(({ InstanceId: instanceId, Status }) =>
        instanceId === undefined || Status?.Code === undefined
          ? []
          : [{ instanceId, code: Status.Code, updatedAtMs: Status.UpdateTime?.getTime() ?? null }],
      );
    },
  };
}
