// The cluster of the tests of single faults: small, quiet by itself, and at rest long before the end.
import { LABEL } from '../../src/model/labels.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import { CALM, type FaultPlan } from '../../src/simulator/faults.ts';
import { Simulation, type SimulationSetup } from '../../src/simulator/simulation.ts';
import type { ReplicaStep } from '../../src/simulator/workloads.ts';
import { aPodSpec, aProvisioner, GIB } from '../builders.ts';
import { drawSetup, START_MS } from '../fuzz/drawSetup.ts';
import { FUZZ_CATALOGUE } from '../fuzz/runSeed.ts';

/** Pods of 1.5 CPUs, six of them unless told otherwise, one a spot node, with these faults for forty minutes. */
export function aSmallCluster(
  faults: Partial<FaultPlan>,
  steps: readonly ReplicaStep[] = [{ atMs: START_MS, replicas: 6 }],
  provisioner: Partial<Provisioner> = {},
  setup: Partial<SimulationSetup> = {},
): Simulation {
  return new Simulation({
    ...drawSetup(1, FUZZ_CATALOGUE),
    faults: { ...CALM, ...faults },
    badImages: [],
    daemonSets: [],
    budgets: [],
    provisioners: [
      aProvisioner({
        requirements: [
          { key: LABEL.capacityType, operator: 'In', values: ['spot'] },
          { key: LABEL.instanceSize, operator: 'In', values: ['large'] },
        ],
        ttlAfterEmptyMs: 30_000,
        ...provisioner,
      }),
    ],
    workloads: [
      {
        kind: 'Deployment',
        namespace: 'default',
        name: 'web',
        labels: { app: 'web' },
        annotations: {},
        pod: aPodSpec({ requests: { cpu: 1500, memory: GIB, pods: 1 } }),
        steps,
        runTimeMs: null,
      },
    ],
    ...setup,
  });
}
