// EC2 behind a fence: what buys, ends or deletes is asked for only by the replica that may act.
import type { Fence } from '../ports/fence.ts';
import type { Ec2Api } from './ec2Api.ts';

/** The same calls; those that change something check the fence right before they go out, and reject if it does. */
export function fencedEc2(ec2: Ec2Api, fence: Fence): Ec2Api {
  return {
    ...ec2,
    async createLaunchTemplate(draft) {
      await fence.check();
      return ec2.createLaunchTemplate(draft);
    },
    async deleteLaunchTemplate(name) {
      await fence.check();
      return ec2.deleteLaunchTemplate(name);
    },
    async createFleet(request) {
      await fence.check();
      return ec2.createFleet(request);
    },
    async createTags(ids, tags) {
      await fence.check();
      return ec2.createTags(ids, tags);
    },
    async terminateInstances(ids) {
      await fence.check();
      return ec2.terminateInstances(ids);
    },
  };
}
