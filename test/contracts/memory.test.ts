// The CloudProvider contract over the AWS provider and EC2 in memory, without and with EC2's lag.
import { aWorld } from '../aws/account.ts';
import { aNodeClass, aProvisioner } from '../builders.ts';
import { type CloudHarness, cloudProviderContract } from './cloudProvider.ts';

async function inMemory(lagMs: number): Promise<CloudHarness> {
  const world = aWorld();
  const { clock, ec2, cloud, restarted } = world;
  ec2.lagMs = lagMs;
  return {
    cloud,
    provisioner: aProvisioner(),
    nodeClass: aNodeClass(),
    instanceTypes: ['c5.large', 'm5.large'],
    restarted,
    nowMs: () => clock.nowMs(),
    pass: async (durationMs) => {
      clock.pass(durationMs);
      for (const { id, state } of ec2.everyInstance()) {
        if (state === 'shutting-down') ec2.setState(id, 'terminated');
      }
    },
    living: async () => ec2.livingInstances().length,
    runOutOf: async (instanceType) => {
      ec2.outOfStock.add(`on-demand:${instanceType}:*`);
    },
    loseNextLaunch: async () => {
      ec2.order({ action: 'createFleet', when: 'after', code: 'TimeoutError' });
    },
    close: async () => undefined,
  };
}

cloudProviderContract('AWS over EC2 in memory', () => inMemory(0));
cloudProviderContract('AWS over EC2 in memory that lags 20 s', () => inMemory(20_000));
