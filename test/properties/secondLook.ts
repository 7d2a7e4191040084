// The second look at an action, once its replacements are up: it does not go ahead when something forbids it by now.
import { stillPays } from '../../src/disruption/consolidation.ts';
import { decided } from '../../src/disruption/consolidationSearch.ts';
import { nominationsWith } from '../../src/disruption/replacements.ts';
import type { ConsolidationAction } from '../../src/model/consolidation.ts';
import { ANNOTATION } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { PodDisruptionBudget } from '../../src/model/workloads.ts';
import { aPod } from '../builders.ts';
import { launched } from '../disruption/consolidated.ts';
import { type FragmentedCluster, withDaemons } from './consolidationClusters.ts';

const LAUNCH_MS = 60_000;
const BOUGHT = 'bought';

/**
 * Faults in sentences.
 * @param again true to tell as well when it is given up though nothing has changed
 */
export function secondLookFaults(
  cluster: FragmentedCluster,
  action: ConsolidationAction,
  again: boolean,
): string[] {
  const { snapshot, names } = withReplacements(cluster, action);
  const nominations = nominationsWith(action.nominations, action.replacements, names);
  const ordered = { nodeClaims: action.nodeClaims, replacements: names, nominations };
  const look = (changed: ClusterSnapshot): string | null =>
    decided(stillPays({ ...cluster, snapshot: changed }, ordered));
  const faults: string[] = [];
  const changed = again ? look(snapshot) : null;
  if (changed !== null) faults.push(`nothing has changed, but an action is given up: ${changed}`);
  for (const [what, other] of troubles(snapshot, action))
    if (look(other) === null) faults.push(`an action goes ahead though ${what}`);
  return faults;
}

/** The cluster a minute on: new nodes are up, and nothing has moved yet. */
function withReplacements(
  { snapshot, catalogue }: FragmentedCluster,
  { replacements }: ConsolidationAction,
): { readonly snapshot: ClusterSnapshot; readonly names: readonly string[] } {
  const atMs = snapshot.takenAtMs;
  const made = replacements.map((planned, index) =>
    launched(planned, { name: `${BOUGHT}${atMs}-${index}`, atMs, catalogue }),
  );
  const nodes = [...snapshot.nodes, ...made.map(({ node }) => node)];
  const nodeClaims = [...snapshot.nodeClaims, ...made.map(({ claim }) => claim)];
  const grown = { ...snapshot, nodes, nodeClaims, takenAtMs: atMs + LAUNCH_MS };
  return {
    snapshot: { ...grown, pods: withDaemons(grown) },
    names: made.map(({ claim }) => claim.name),
  };
}

/** What may have happened meanwhile, each in words and as the cluster that it makes. */
function troubles(
  snapshot: ClusterSnapshot,
  action: ConsolidationAction,
): readonly (readonly [string, ClusterSnapshot])[] {
  const { pods, provisioners, takenAtMs } = snapshot;
  const going = snapshot.nodeClaims.filter(({ name }) => action.nodeClaims.includes(name));
  const goingNodes = new Set(going.map(({ status }) => status.nodeName));
  const last = going.at(-1)?.status.nodeName;
  const owner = going[0]?.spec.provisioner;
  const opted = (pod: Pod): Pod =>
    podKey(pod) === action.evicted.at(-1)
      ? { ...pod, annotations: { [ANNOTATION.doNotEvict]: 'true' } }
      : pod;
  const owned = going.filter(({ spec }) => spec.provisioner === owner).length;
  const oneLess = { nodes: { kind: 'count', amount: owned - 1 } as const, reasons: null, window: null };
  const strict = (one: Provisioner): Provisioner =>
    one.name === owner ? { ...one, disruption: { ...one.disruption, budgets: [oneLess] } } : one;
  return [
    ['a pod has opted out', { ...snapshot, pods: pods.map(opted) }],
    ['a node is gone', { ...snapshot, nodes: snapshot.nodes.filter(({ name }) => name !== last) }],
    ['a pod waits', { ...snapshot, pods: [...pods, aPod({ name: 'late', createdAtMs: takenAtMs })] }],
    ['its pods may not be evicted', { ...snapshot, disruptionBudgets: [oneTooMany(action)] }],
    ['its nodes may not go', { ...snapshot, provisioners: provisioners.map(strict) }],
    ['no other node takes pods', { ...snapshot, nodes: cordonedBut(goingNodes, snapshot.nodes) }],
    ...dearer(snapshot),
  ];
}

/** Allows one eviction less than the action needs in the namespace of its first pod. */
function oneTooMany({ evicted }: ConsolidationAction): PodDisruptionBudget {
  const [namespace = ''] = (evicted[0] ?? '').split('/');
  const needed = evicted.filter((key) => key.startsWith(`${namespace}/`)).length;
  return { namespace, name: 'all', selector: { expressions: [] }, disruptionsAllowed: needed - 1 };
}

function cordonedBut(names: ReadonlySet<string>, nodes: readonly Node[]): readonly Node[] {
  return nodes.map((node) => (names.has(node.name) ? node : { ...node, unschedulable: true }));
}

/** Where new nodes were bought, they have turned out to cost more than anything that goes. */
function dearer(snapshot: ClusterSnapshot): readonly (readonly [string, ClusterSnapshot])[] {
  const isBought = ({ name }: NodeClaim): boolean => name.startsWith(`claim-${BOUGHT}`);
  if (!snapshot.nodeClaims.some(isBought)) return [];
  const nodeClaims = snapshot.nodeClaims.map((claim) =>
    isBought(claim) ? { ...claim, status: { ...claim.status, usdPerHour: 100 } } : claim,
  );
  return [['what was bought is too dear', { ...snapshot, nodeClaims }]];
}
