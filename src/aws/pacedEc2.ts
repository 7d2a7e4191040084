// EC2 and SSM within their request limits: every call waits for its tokens.
import type { Ec2Api, FleetResponse } from './ec2Api.ts';
import type { NoticeApi } from './interruptionPolling.ts';
import { isThrottle } from './launchRefusals.ts';
import type { Priority, RequestPacer } from './requestPacer.ts';
import type { SsmApi } from './ssmApi.ts';

/** The same API, each call paced and, when EC2 throttles it, repeated. */
export function pacedEc2(ec2: Ec2Api, pacer: RequestPacer, priority: Priority): Ec2Api {
  const paced = <T>(action: string, call: () => Promise<T>, resources = 0): Promise<T> =>
    pacer.paced({ action, priority, resources }, call);
  return {
    describeInstanceTypes: () => paced('ec2:DescribeInstanceTypes', () => ec2.describeInstanceTypes()),
    describeInstanceTypeZones: () =>
      paced('ec2:DescribeInstanceTypeOfferings', () => ec2.describeInstanceTypeZones()),
    describeSpotPrices: (nowMs) => paced('ec2:DescribeSpotPriceHistory', () => ec2.describeSpotPrices(nowMs)),
    describeSubnets: (filters) => paced('ec2:DescribeSubnets', () => ec2.describeSubnets(filters)),
    describeSecurityGroups: (filters) =>
      paced('ec2:DescribeSecurityGroups', () => ec2.describeSecurityGroups(filters)),
    describeImages: (query) => paced('ec2:DescribeImages', () => ec2.describeImages(query)),
    describeInstances: (filters) => paced('ec2:DescribeInstances', () => ec2.describeInstances(filters)),
    createLaunchTemplate: (draft) => paced('ec2:CreateLaunchTemplate', () => ec2.createLaunchTemplate(draft)),
    deleteLaunchTemplate: (name) => paced('ec2:DeleteLaunchTemplate', () => ec2.deleteLaunchTemplate(name)),
    describeCapacityReservations: (filters) =>
      paced('ec2:DescribeCapacityReservations', () => ec2.describeCapacityReservations(filters)),
    describeLaunchTemplates: (filters) =>
      paced('ec2:DescribeLaunchTemplates', () => ec2.describeLaunchTemplates(filters)),
    getConsoleOutput: (id) => paced('ec2:GetConsoleOutput', () => ec2.getConsoleOutput(id)),
    createTags: (ids, tags) => paced('ec2:CreateTags', () => ec2.createTags(ids, tags)),
    terminateInstances: (ids) =>
      paced('ec2:TerminateInstances', () => ec2.terminateInstances(ids), ids.length),
    createFleet: (request) =>
      pacer.paced(
        { action: 'ec2:CreateFleet', priority, resources: request.count },
        () => ec2.createFleet(request),
        throttleWithin,
      ),
  };
}

/** Interruptions are asked for again within seconds: they make way for launches. */
export function pacedNotices(notices: NoticeApi, pacer: RequestPacer): NoticeApi {
  const paced = <T>(action: string, call: () => Promise<T>): Promise<T> =>
    pacer.paced({ action, priority: 'background', resources: 0 }, call);
  return {
    describeScheduledEvents: () =>
      paced('ec2:DescribeInstanceStatus', () => notices.describeScheduledEvents()),
    describeSpotRequests: (statusCodes) =>
      paced('ec2:DescribeSpotInstanceRequests', () => notices.describeSpotRequests(statusCodes)),
  };
}

/** Images are looked up before a first launch. */
export function pacedSsm(ssm: SsmApi, pacer: RequestPacer): SsmApi {
  const call = { action: 'ssm:GetParameter', priority: 'urgent', resources: 0 } as const;
  return { parameter: (name) => pacer.paced(call, () => ssm.parameter(name)) };
}

/** An instant fleet that was throttled half-way answers with what it got, and the throttle among its errors. */
function throttleWithin({ errors }: FleetResponse): string | null {
  return errors.find(({ code }) => isThrottle(code))?.message ?? null;
}
