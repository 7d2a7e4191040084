// Clusters that consolidation works on: nodes made from plans, and decisions carried out on paper, step by step.
import type { ConsolidationAction, ConsolidationView } from '../../src/model/consolidation.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { PlannedNodeClaim, SchedulingPlan } from '../../src/model/plan.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aNodeClaim, anOwnedNode } from '../builders.ts';

const INITIALIZED = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;

/** Nothing is on its way, and no pod has come or gone as far as anybody knows. */
export const QUIET: ConsolidationView = { nominatedUntilMs: new Map(), podsChangedAtMs: new Map() };

/** What a planned node becomes once it is up. */
export function launched(
  planned: PlannedNodeClaim,
  { name, atMs, catalogue }: { readonly name: string; readonly atMs: number; readonly catalogue: Catalogue },
): { readonly node: Node; readonly claim: NodeClaim } {
  const { spec, instanceType, zone, capacityType, usdPerHour } = planned;
  const type = catalogue.get(spec.provisioner)?.find((one) => one.name === instanceType);
  if (type === undefined) throw new Error(`no type ${instanceType}`);
  const ofType = type.requirements.flatMap(({ key, values: [value] }) =>
    value === undefined ? [] : [[key, value] as const],
  );
  const labels = {
    ...Object.fromEntries(ofType),
    ...spec.labels,
    [LABEL.zone]: zone,
    [LABEL.capacityType]: capacityType,
    [LABEL.instanceType]: instanceType,
  };
  const { capacity, allocatable } = type;
  const providerId = `aws:///${zone}/${name}`;
  const node = anOwnedNode({
    name,
    labels,
    capacity,
    allocatable,
    providerId,
    createdAtMs: atMs,
    taints: spec.taints,
  });
  const facts = { instanceType, zone, capacityType, usdPerHour, capacity, allocatable };
  const status = { ...NO_STATUS, ...facts, providerId, nodeName: name, conditions: [INITIALIZED] };
  return { node, claim: aNodeClaim({ name: `claim-${name}`, createdAtMs: atMs, spec, status }) };
}

/** The cluster after the plan: its nodes are up, its pods run where it has put them. */
export function carriedOut(
  snapshot: ClusterSnapshot,
  catalogue: Catalogue,
  plan: Pick<SchedulingPlan, 'nodeClaims' | 'nominations'>,
): ClusterSnapshot {
  const homes = new Map(plan.nominations.map(({ pod, target }) => [pod, target.name]));
  const made = plan.nodeClaims.map((planned, index) => {
    const name = `n${snapshot.takenAtMs}-${index}`;
    for (const pod of planned.pods) homes.set(pod, name);
    return launched(planned, { name, atMs: snapshot.takenAtMs, catalogue });
  });
  const settled = (pod: Pod): Pod => {
    const nodeName = homes.get(podKey(pod));
    if (nodeName === undefined) return pod;
    return { ...pod, nodeName, phase: 'Running', ready: true, unschedulableSinceMs: null };
  };
  return {
    ...snapshot,
    nodes: [...snapshot.nodes, ...made.map(({ node }) => node)],
    nodeClaims: [...snapshot.nodeClaims, ...made.map(({ claim }) => claim)],
    pods: snapshot.pods.map(settled),
  };
}

/** The cluster after the action: its nodes are gone, and their pods run where it has put them. */
export function consolidated(
  snapshot: ClusterSnapshot,
  catalogue: Catalogue,
  { nodeClaims, replacements, nominations }: ConsolidationAction,
): ClusterSnapshot {
  const going = new Set(nodeClaims);
  const nodes = new Set(
    snapshot.nodeClaims.filter(({ name }) => going.has(name)).map(({ status }) => status.nodeName),
  );
  const without = {
    ...snapshot,
    nodes: snapshot.nodes.filter(({ name }) => !nodes.has(name)),
    nodeClaims: snapshot.nodeClaims.filter(({ name }) => !going.has(name)),
  };
  return carriedOut(without, catalogue, { nodeClaims: replacements, nominations });
}

/** Price of all nodes together. */
export function totalUsdPerHour({ nodeClaims }: ClusterSnapshot): number {
  return nodeClaims.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
}
