// The invariants can fail: each planted bug is found by the one that is there for it, within 200 seeds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/controllers/backoff.ts';
import { LaunchFailuresMemory } from '../../src/controllers/launchFailures.ts';
import { parseCron } from '../../src/model/cronSchedule.ts';
import { LABEL } from '../../src/model/labels.ts';
import { hasCondition, type NodeClaim } from '../../src/model/nodeClaim.ts';
import { podKey } from '../../src/model/pod.ts';
import type { KubeApi } from '../../src/ports/kubeApi.ts';
import { ALWAYS_AND_AT_REST } from '../../src/simulator/invariants/all.ts';
import type { Simulation } from '../../src/simulator/simulation.ts';
import { runSeed } from '../fuzz/runSeed.ts';

const SEEDS_MOST = 200;

interface Planted {
  readonly bug: string;
  readonly found: string;
  readonly plant: (simulation: Simulation) => void;
  /** Takes back what was changed outside the simulation. */
  readonly undo?: () => void;
}

/** Launches claims for which `isMeant` says so as the dearest type that there is. */
function launchDear({ cloud }: Simulation, isMeant: (claim: NodeClaim) => boolean): void {
  const launch = cloud.launch.bind(cloud);
  cloud.launch = (claim, nodeClass) => {
    if (!isMeant(claim)) return launch(claim, nodeClass);
    const requirements = claim.spec.requirements.filter(({ key }) => key !== LABEL.instanceType);
    return launch(
      { ...claim, spec: { ...claim.spec, instanceTypes: ['m5.4xlarge'], requirements } },
      nodeClass,
    );
  };
}

/** Does something wrong once a minute. */
function eachMinute(simulation: Simulation, act: () => void): void {
  const again = (): void => {
    act();
    simulation.clock.after(60_000, again);
  };
  simulation.clock.after(60_000, again);
}

const { prune, succeeded } = Backoff.prototype;
const FORGETTING = { prune, succeeded };
const { count } = LaunchFailuresMemory.prototype;
const COUNTING = { count };

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
    plant: (simulation) => launchDear(simulation, ({ spec }) => spec.provisioner === 'second'),
  },
  {
    bug: 'nodes are bought whatever the hour',
    found: 'offHoursHold',
    plant: (simulation) => {
      const schedule = parseCron('10 0 * * *');
      const owner = simulation.setup.provisioners.find(({ name }) => name === 'default');
      assert.ok(schedule && owner);
      const offHours = [{ schedule, durationMs: 20 * 60_000, timeZone: 'UTC' }];
      simulation.store.put('provisioner', owner.name, { ...owner, offHours });
      let spec: NodeClaim['spec'] | null = null;
      eachMinute(simulation, () => {
        const [claim] = simulation.store.values('nodeClaim');
        spec = claim?.spec.provisioner === owner.name ? claim.spec : spec;
        const name = `again-${simulation.clock.nowMs()}`;
        if (spec !== null) void simulation.kube.createNodeClaim({ name, spec, ownerUid: owner.uid });
      });
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
    bug: 'pods of leaving nodes are deleted with no regard to the time that is left',
    found: 'graceHolds',
    plant: (simulation) => {
      const { kube, store } = simulation;
      eachMinute(simulation, () => {
        for (const pod of store.values('pod')) if (pod.ready) void kube.deletePod(pod, 30);
      });
    },
  },
  {
    bug: 'instances end under volumes that are attached still',
    found: 'volumesDetachFirst',
    plant: ({ kube }) => {
      kube.readVolumeAttachments = async () => [];
    },
  },
  {
    bug: 'instances end under volumes that their Node reports, where attachments may not be listed',
    found: 'volumesDetachFirst',
    plant: ({ kube }) => {
      kube.readVolumeAttachments = async () => 'forbidden';
      kube.reportsVolumes = async () => false;
    },
  },
  {
    bug: 'the only pod of a Deployment is evicted without a rollout',
    found: 'surgesKeepReady',
    plant: ({ kube }) => {
      kube.readRollout = async () => null;
    },
  },
  {
    bug: 'pods that run and are not ready are evicted whatever the policy says',
    found: 'budgetsHold',
    plant: (simulation) => {
      const { budgets, store, kube } = simulation;
      const take = budgets.takeDisruption.bind(budgets);
      budgets.takeDisruption = (pod) => !pod.ready || take(pod);
      eachMinute(simulation, () => {
        for (const pod of [...store.values('pod')]) {
          if (!pod.ready) continue;
          store.put('pod', podKey(pod), { ...pod, ready: false });
          void kube.evictPod(pod);
        }
      });
    },
  },
  {
    bug: 'nodes are replaced by dearer ones to save money',
    found: 'consolidationSaves',
    plant: (simulation) => {
      let isReplacing = false;
      launchDear(simulation, () => isReplacing);
      eachMinute(simulation, () => {
        const claims = [...simulation.store.values('nodeClaim')];
        const isSettled = claims.every(
          (one) => hasCondition(one, 'Initialized') && one.deletionRequestedAtMs === null,
        );
        const claim = claims.find(({ status }) => simulation.ledger.get(status.nodeName)?.workloadPods);
        if (claim === undefined || !isSettled) return;
        isReplacing = true;
        const facts = { kind: 'Disrupted', disruption: 'Underutilized', node: claim.status.nodeName };
        simulation.history.note({
          atMs: simulation.clock.nowMs(),
          kind: 'Decision',
          subject: claim.name,
          facts,
        });
        void simulation.kube.deleteNodeClaim(claim.name, claim.uid);
      });
    },
  },
  {
    bug: 'claims are stored two minutes after they were planned',
    found: 'decisionsAreFresh',
    plant: ({ kube, clock }) => {
      const create = kube.createNodeClaim.bind(kube);
      kube.createNodeClaim = async (draft) => {
        await clock.sleep(120_000);
        return create(draft);
      };
    },
  },
  {
    bug: 'what was waited for is never forgotten',
    found: 'memoryStaysFlat',
    plant: (simulation) => {
      Backoff.prototype.prune = () => {};
      Backoff.prototype.succeeded = () => {};
      eachMinute(simulation, () => {
        const [claim] = simulation.store.values('nodeClaim');
        if (claim !== undefined) void simulation.kube.deleteNodeClaim(claim.name, claim.uid);
      });
    },
    undo: () => Object.assign(Backoff.prototype, FORGETTING),
  },
  {
    bug: 'each claim is stored six times under other names',
    found: 'runawayBrakeHolds',
    plant: ({ kube }) => {
      const create = kube.createNodeClaim.bind(kube);
      kube.createNodeClaim = async (draft) => {
        for (const again of 'bcdef') await create({ ...draft, name: `${draft.name}${again}` });
        return create(draft);
      };
    },
  },
  {
    bug: 'nodes that never came up are not counted',
    found: 'launchesStop',
    plant: () => {
      LaunchFailuresMemory.prototype.count = () => false;
    },
    undo: () => Object.assign(LaunchFailuresMemory.prototype, COUNTING),
  },
  {
    bug: 'a restart knows nothing of nodes that never came up',
    found: 'launchesStop',
    plant: ({ kube }) => {
      kube.writeLaunchFailures = async () => 'written';
    },
  },
  {
    bug: 'nodes that are well are replaced as unhealthy',
    found: 'repairsAreDue',
    plant: (simulation) => {
      eachMinute(simulation, () => {
        const { store, kube, history, clock } = simulation;
        const claim = [...store.values('nodeClaim')].find((one) => hasCondition(one, 'Initialized'));
        if (claim === undefined) return;
        const facts = { kind: 'Disrupted', disruption: 'Unhealthy', node: claim.status.nodeName };
        history.note({ atMs: clock.nowMs(), kind: 'Decision', subject: claim.name, facts });
        void kube.deleteNodeClaim(claim.name, claim.uid);
      });
    },
  },
  {
    bug: 'all nodes go at once when they drift',
    found: 'rolloutsHold',
    plant: (simulation) => {
      let isDone = false;
      eachMinute(simulation, () => {
        const claims = [...simulation.store.values('nodeClaim')].filter(
          (claim) => hasCondition(claim, 'Initialized') && claim.deletionRequestedAtMs === null,
        );
        // Once will do: a cluster that is emptied each minute takes long to simulate.
        if (isDone || claims.length < 4) return;
        isDone = true;
        for (const claim of claims) {
          const facts = { kind: 'Disrupted', disruption: 'Drifted', node: claim.status.nodeName };
          const atMs = simulation.clock.nowMs();
          void simulation.kube.deleteNodeClaim(claim.name, claim.uid);
          simulation.history.note({ atMs, kind: 'Decision', subject: claim.name, facts });
        }
      });
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

for (const { bug, found, plant, undo } of PLANTED) {
  test(`${found} finds that ${bug}`, async () => {
    for (let seed = 1; seed <= SEEDS_MOST; seed += 1) {
      const { violations } = await runSeed(seed, plant);
      undo?.();
      if (violations.some(({ invariant }) => invariant === found)) return;
    }
    assert.fail(`not found within ${SEEDS_MOST} seeds`);
  });
}

test('each invariant has a bug that it is there for', () => {
  const found = new Set(PLANTED.map((planted) => planted.found));
  assert.deepEqual([...found].sort(), Object.keys(ALWAYS_AND_AT_REST).sort());
});
