// Plans for the checker's tables: a valid one with two pods, and what makes others of it.
import type { InstanceType } from '../../src/model/instanceType.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { NodeClaimSpec } from '../../src/model/nodeClaim.ts';
import type { PlannedNodeClaim, SchedulingPlan } from '../../src/model/plan.ts';
import {
  type Pod,
  type PodAffinityTerm,
  type PodSpec,
  podKey,
  type TopologySpreadConstraint,
} from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import {
  aBoundPod,
  aNodeClaim,
  anInstanceType,
  anOwnedNode,
  aPod,
  aProvisioner,
  aSnapshot,
  GIB,
  somePods,
} from '../builders.ts';

export interface Case {
  readonly snapshot: ClusterSnapshot;
  readonly types: readonly InstanceType[];
  readonly pods: readonly Pod[];
  readonly plan: SchedulingPlan;
}

export const inA = { key: LABEL.zone, operator: 'In' as const, values: ['us-east-1a'] };
export const inB = { key: LABEL.zone, operator: 'In' as const, values: ['us-east-1b'] };
export const onDemand = { key: LABEL.capacityType, operator: 'In' as const, values: ['on-demand'] };
export const LARGE = anInstanceType({ name: 'm5.large' });
export const XLARGE = anInstanceType({
  name: 'm5.xlarge',
  cpuMillis: 4000,
  memoryBytes: 16 * GIB,
  pods: 58,
  usdPerHour: 0.192,
});

export function planned(
  pods: readonly Pod[],
  fields: Partial<PlannedNodeClaim> = {},
  spec: Partial<NodeClaimSpec> = {},
): PlannedNodeClaim {
  const claim = aNodeClaim();
  return {
    instanceType: 'm5.large',
    zone: 'us-east-1a',
    capacityType: 'on-demand',
    usdPerHour: 0.096,
    allocatable: LARGE.allocatable,
    pods: pods.map(podKey).sort(),
    ...fields,
    spec: {
      ...claim.spec,
      requirements: [inA, onDemand],
      instanceTypes: ['m5.large', 'm5.xlarge'],
      requests: { cpu: 4000, memory: 8 * GIB, pods: 20 },
      ...spec,
    },
  };
}

export function planOf(
  nodeClaims: readonly PlannedNodeClaim[],
  fields: Partial<SchedulingPlan> = {},
): SchedulingPlan {
  const usdPerHour = nodeClaims.reduce((sum, claim) => sum + claim.usdPerHour, 0);
  return { nodeClaims, nominations: [], refusals: [], usdPerHour, lowerBoundUsdPerHour: 0, ...fields };
}

export const TWO = somePods(2);

export function aCase(fields: Partial<Case> = {}): Case {
  const pods = fields.pods ?? TWO;
  return { snapshot: aSnapshot(), types: [LARGE, XLARGE], plan: planOf([planned(pods)]), ...fields, pods };
}

export function check({ snapshot, types, pods, plan }: Case): readonly string[] {
  const catalogue = new Map(snapshot.provisioners.map(({ name }) => [name, types]));
  return checkPlan(snapshot, catalogue, pods, plan);
}

/** Each pod on a planned node of its own, in the zones given. */
export function apart(pods: readonly Pod[], zones: readonly (typeof inA)[]): SchedulingPlan {
  return planOf(
    pods.map((pod, index) => {
      const zone = zones[index] ?? inA;
      const { values } = zone;
      return planned([pod], { zone: values[0] ?? '' }, { requirements: [zone, onDemand] });
    }),
  );
}

export function nominated(
  pods: readonly Pod[],
  name: string,
  kind: 'node' | 'nodeClaim' = 'node',
): SchedulingPlan {
  return planOf([], { nominations: pods.map((pod) => ({ pod: podKey(pod), target: { kind, name } })) });
}

export const selector = { expressions: [{ key: 'app', operator: 'In' as const, values: ['web'] }] };
export const term = (topologyKey: string, fields: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({
  selector,
  topologyKey,
  namespaces: [],
  namespaceSelector: null,
  ...fields,
});
export const spread = (
  topologyKey: string,
  fields: Partial<TopologySpreadConstraint> = {},
): TopologySpreadConstraint => ({
  topologyKey,
  maxSkew: 1,
  minDomains: 1,
  whenUnsatisfiable: 'DoNotSchedule',
  selector,
  nodeAffinityPolicy: 'Honor',
  nodeTaintsPolicy: 'Ignore',
  ...fields,
});
export const labels = { app: 'web' };
export const web = (count: number, spec: Partial<PodSpec>): Pod[] =>
  somePods(count, { name: 'web', labels, spec });
export const gpu = { key: 'gpu', value: '', effect: 'NoSchedule' as const };
export const port = { ip: '', protocol: 'TCP', port: 80 };
export const ssd = {
  namespace: 'default',
  name: 'data',
  volumeName: 'pv',
  storageClassName: null,
};
export const volumeIn = (zone: string) => ({
  name: 'pv',
  nodeAffinity: [
    { requirements: [{ key: LABEL.zone, operator: 'In' as const, values: [zone] }], matchFields: false },
  ],
  csiDriver: 'ebs.csi.aws.com',
});
export const withVolume = { volumes: [{ kind: 'claim' as const, claimName: 'data' }] };
export const limited = (limits: Readonly<Record<string, number>>): ClusterSnapshot =>
  aSnapshot({ provisioners: [aProvisioner({ limits })] });

export interface Row {
  readonly when: string;
  readonly plan: Case;
  readonly found: RegExp;
}

export const one = (fields: Parameters<typeof aPod>[0]): readonly Pod[] => [aPod(fields)];

export const on = (node: Parameters<typeof anOwnedNode>[0], bound: readonly Pod[] = []): ClusterSnapshot =>
  aSnapshot({ nodes: [anOwnedNode({ name: 'a', ...node })], pods: bound });
export const nomination = (snapshot: ClusterSnapshot, pods: readonly Pod[] = TWO): Case =>
  aCase({ snapshot, pods, plan: nominated(pods, 'a') });

export const lonely = web(2, { podAntiAffinity: [term(LABEL.hostname)] });
export const zonal = web(2, { podAntiAffinity: [term(LABEL.zone)] });
export const runningWeb = aSnapshot({
  nodes: [anOwnedNode({ name: 'a' })],
  pods: [aBoundPod('a', { name: 'w', labels })],
});
export const together = web(2, { podAffinity: [term(LABEL.zone)] });
export const evenly = web(4, { topologySpread: [spread(LABEL.zone)] });
export const perNode = web(3, { topologySpread: [spread(LABEL.hostname)] });
export const open = { requirements: [onDemand] };

/** Two pods spread over zones, all of whose nodes are in one. */
export const spreadInA = (fields: Partial<TopologySpreadConstraint>, spec: Partial<PodSpec>): Pod[] =>
  web(2, { topologySpread: [spread(LABEL.zone, fields)], ...spec });
