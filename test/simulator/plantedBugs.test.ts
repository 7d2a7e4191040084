// The invariants can fail: each planted bug is found by the one that is there for it, within 200 seeds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import { podKey } from '../../src/model/pod.ts';
import type { KubeApi } from '../../src/ports/kubeApi.ts';
import type { Simulation } from '../../src/simulator/simulation.ts';
import { runSeed } from '../fuzz/runSeed.ts';

const SEEDS_MOST = 200;

interface Planted {
  readonly bug: string;
  readonly found: string;
  readonly plant: (simulation: Simulation) => void;
}

/** Does something wrong once a minute. */
function eachMinute(simulation: Simulation, act: () => void): void {
  const again = (): void => {
    act();
    simulation.clock.after(60_000, again);
  };
  simulation.clock.after(60_000, again);
}

const PLANTED: readonly Planted[] = [
  {
    bug: 'terminations are forgotten',
    found: 'instancesHaveClaims',
    plant: ({ cloud }) => {
      cloud.terminate = async () => 'gone';
    },
  },
  {
    bug: 'claims are launched as the largest type, whatever the limits',
    found: 'limitsHold',
    plant: ({ cloud }) => {
      const launch = cloud.launch.bind(cloud);
      cloud.launch = (claim, nodeClass) => {
        if (claim.spec.provisioner !== 'second') return launch(claim, nodeClass);
        const requirements = claim.spec.requirements.filter(({ key }) => key !== LABEL.instanceType);
        return launch(
          { ...claim, spec: { ...claim.spec, instanceTypes: ['m5.4xlarge'], requirements } },
          nodeClass,
        );
      };
    },
  },
  {
    bug: 'pods are evicted without a look at their annotations',
    found: 'optOutsHold',
    plant: (simulation) => {
      eachMinute(simulation, () => {
        for (const pod of simulation.store.values('pod')) if (pod.ready) void simulation.kube.evictPod(pod);
      });
    },
  },
  {
    bug: 'instances are terminated without a drain',
    found: 'drainsComeFirst',
    plant: (simulation) => {
      eachMinute(simulation, () => {
        for (const { instance } of simulation.cloud.living()) {
          void simulation.cloud.terminate(instance.providerId).catch(() => undefined);
        }
      });
    },
  },
  {
    bug: 'evictions ignore budgets',
    found: 'budgetsHold',
    plant: ({ budgets }) => {
      budgets.takeDisruption = () => true;
    },
  },
  {
    bug: 'pods are bound to nodes that have no room',
    found: 'nodesHoldTheirPods',
    plant: (simulation) => {
      eachMinute(simulation, () => {
        const node = simulation.store.values('node').next().value;
        const waiting = [...simulation.store.values('pod')].filter((pod) => pod.nodeName === '');
        for (const pod of waiting) {
          if (node !== undefined) simulation.store.put('pod', podKey(pod), { ...pod, nodeName: node.name });
        }
      });
    },
  },
  {
    bug: 'a write throws what nobody expects',
    found: 'controllersDoNotFail',
    plant: ({ kube }) => {
      const patch = kube.patchNode.bind(kube);
      let calls = 0;
      kube.patchNode = (node, change) => {
        calls += 1;
        return calls % 10 === 0
          ? Promise.reject(new TypeError('undefined is not a node'))
          : patch(node, change);
      };
    },
  },
  {
    bug: 'claims are never released',
    found: 'comesToRest',
    plant: ({ kube }) => {
      kube.releaseNodeClaim = async () => 'released';
    },
  },
  {
    bug: 'emptiness is not noticed',
    found: 'comesToRest',
    plant: ({ kube }) => {
      kube.writeEmptySince = async (claim) => ({ kind: 'written', object: claim });
    },
  },
  {
    bug: 'a launched instance is never heard of again',
    found: 'comesToRest',
    plant: ({ kube }) => {
      const write = kube.writeNodeClaimStatus.bind(kube);
      const lossy: KubeApi['writeNodeClaimStatus'] = (claim, status) =>
        status.nodeName === '' ? write(claim, status) : Promise.resolve({ kind: 'conflict' });
      kube.writeNodeClaimStatus = lossy;
    },
  },
];

for (const { bug, found, plant } of PLANTED) {
  test(`${found} finds that ${bug}`, async () => {
    for (let seed = 1; seed <= SEEDS_MOST; seed += 1) {
      const { violations } = await runSeed(seed, plant);
      if (violations.some(({ invariant }) => invariant === found)) return;
    }
    assert.fail(`not found within ${SEEDS_MOST} seeds`);
  });
}
