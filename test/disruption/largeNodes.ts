// Clusters of m5.large nodes that consolidation looks at: a table of nodes and what runs on them.
import { type DisruptionPolicy, NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { LABEL } from '../../src/model/labels.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { Catalogue, ClusterSnapshot } from '../../src/model/snapshot.ts';
import {
  aBoundPod,
  aNodeClaim,
  anInstanceType,
  anOwnedNode,
  aProvisioner,
  aSnapshot,
  GIB,
  type PodFields,
} from '../builders.ts';

export const NOW_MS = 10_000_000;
export const LARGE = anInstanceType();
export const SMALL = anInstanceType({
  name: 't3.small',
  cpuMillis: 1000,
  memoryBytes: 2 * GIB,
  usdPerHour: 0.02,
});
export const XLARGE = anInstanceType({
  name: 'm5.xlarge',
  cpuMillis: 4000,
  memoryBytes: 16 * GIB,
  usdPerHour: 0.192,
});
export const INITIALIZED = {
  type: 'Initialized',
  status: 'True',
  reason: '',
  message: '',
  sinceMs: 0,
} as const;
const OWNER = { kind: 'ReplicaSet', name: 'app', uid: 'app' };

/** What runs on one node of m5.large: CPU of each pod, or more of it. */
export type NodePods = readonly (number | PodFields)[];

export interface Cluster {
  readonly nodes: Readonly<Record<string, NodePods>>;
  readonly policy?: Partial<DisruptionPolicy>;
  readonly provisioner?: Partial<Provisioner>;
  readonly catalogue?: Catalogue;
  readonly spot?: boolean;
  readonly snapshot?: (snapshot: ClusterSnapshot) => Partial<ClusterSnapshot>;
}

export const ONLY_LARGE: Catalogue = new Map([['default', [LARGE]]]);
export const ALL: Catalogue = new Map([['default', [SMALL, LARGE, XLARGE]]]);

export function aCluster({ nodes, policy, provisioner, spot = false, snapshot }: Cluster): ClusterSnapshot {
  const names = Object.keys(nodes);
  const capacityType = spot ? ('spot' as const) : ('on-demand' as const);
  const usdPerHour = spot ? 0.0384 : 0.096;
  const pods = names.flatMap((node) =>
    (nodes[node] ?? []).map((one, index) => {
      const fields = typeof one === 'number' ? { cpuMillis: one } : one;
      return aBoundPod(node, { name: `${node}-${index}`, owner: OWNER, labels: { app: 'a' }, ...fields });
    }),
  );
  const base = aSnapshot({
    takenAtMs: NOW_MS,
    provisioners: [
      aProvisioner({
        requirements: [{ key: LABEL.capacityType, operator: 'In', values: [capacityType] }],
        disruption: {
          ...NO_CONSOLIDATION,
          consolidation: 'WhenEmptyOrUnderutilized',
          budgets: [{ nodes: { kind: 'percent', amount: 100 }, reasons: null, window: null }],
          ...policy,
        },
        ...provisioner,
      }),
    ],
    nodes: names.map((name) => anOwnedNode({ name, labels: { [LABEL.capacityType]: capacityType } })),
    nodeClaims: names.map((name) =>
      aNodeClaim({
        name: `c-${name}`,
        status: {
          ...NO_STATUS,
          ...{ instanceType: 'm5.large', zone: 'us-east-1a', capacityType, usdPerHour },
          ...{ nodeName: name, providerId: `aws:///us-east-1a/i-${name}`, conditions: [INITIALIZED] },
        },
      }),
    ),
    pods,
  });
  return { ...base, ...snapshot?.(base) };
}
