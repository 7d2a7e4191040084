// The CloudProvider contract over the simulated EC2 account.
import type { CloudProvider } from '../../src/ports/cloudProvider.ts';
import { CALM } from '../../src/simulator/faults.ts';
import { Random } from '../../src/simulator/random.ts';
import { SimulatedCloud, USUAL_TIMINGS } from '../../src/simulator/simulatedCloud.ts';
import { VirtualClock } from '../../src/simulator/virtualClock.ts';
import { driven } from '../aws/driven.ts';
import { aNodeClass, anInstanceType, aProvisioner, GIB } from '../builders.ts';
import { type CloudHarness, cloudProviderContract } from './cloudProvider.ts';

async function simulated(): Promise<CloudHarness> {
  const clock = new VirtualClock(0);
  const allocatable = { cpu: 1930, memory: 7 * GIB, pods: 29 };
  const instanceTypes = ['c5.large', 'm5.large'].map((name) => anInstanceType({ name, allocatable }));
  const account = new SimulatedCloud({
    clock,
    instanceTypes,
    timings: USUAL_TIMINGS,
    random: new Random('contract'),
  });
  const cloud: CloudProvider = {
    instanceTypes: (provisioner, nodeClass) => driven(clock, account.instanceTypes(provisioner, nodeClass)),
    launch: async (claim, nodeClass) => {
      const outcome = await driven(clock, account.launch(claim, nodeClass));
      account.setFaults(CALM.cloud);
      return outcome;
    },
    nodeClassTargets: () => driven(clock, account.nodeClassTargets()),
    list: () => driven(clock, account.list()),
    terminate: (providerId) => driven(clock, account.terminate(providerId)),
    consoleTail: (providerId) => driven(clock, account.consoleTail(providerId)),
  };
  return {
    cloud,
    provisioner: aProvisioner(),
    nodeClass: aNodeClass(),
    instanceTypes: ['c5.large', 'm5.large'],
    restarted: () => cloud,
    nowMs: () => clock.nowMs(),
    pass: async (durationMs) => clock.advanceTo(clock.nowMs() + durationMs),
    living: async () =>
      [...account.living()].filter(({ instance }) => instance.state !== 'shutting-down').length,
    runOutOf: async (instanceType) => {
      const always = { fromMs: 0, untilMs: Number.POSITIVE_INFINITY };
      account.addShortage({ instanceType, zone: null, capacityType: 'on-demand', ...always });
    },
    loseNextLaunch: async () => account.setFaults({ ...CALM.cloud, answerLost: 1 }),
    close: async () => undefined,
  };
}

cloudProviderContract('the simulated account', simulated);
