// The second look at an action, once its replacements are up: it does not go ahead when something forbids it by now.
import { stillPays } from '../../src/disruption/consolidation.ts';
import { decided } from '../../src/disruption/consolidationSearch.ts';
import type { ConsolidationAction } from '../../src/model/consolidation.ts';
import { ANNOTATION } from '../../src/model/labels.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { launched } from '../disruption/consolidated.ts';
import { type FragmentedCluster, withDaemons } from './consolidationClusters.ts';

const LAUNCH_MS = 60_000;

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
  const look = (changed: ClusterSnapshot): string | null =>
    decided(
      stillPays({ ...cluster, snapshot: changed }, { nodeClaims: action.nodeClaims, replacements: names }),
    );
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
    launched(planned, { name: `bought${atMs}-${index}`, atMs, catalogue }),
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
  { nodeClaims, evicted }: ConsolidationAction,
): readonly (readonly [string, ClusterSnapshot])[] {
  const last = nodeClaims.at(-1);
  const nodeName = snapshot.nodeClaims.find(({ name }) => name === last)?.status.nodeName;
  const opted = (pod: Pod): Pod =>
    podKey(pod) === evicted.at(-1) ? { ...pod, annotations: { [ANNOTATION.doNotEvict]: 'true' } } : pod;
  const everything = { namespace: '', name: 'all', selector: { expressions: [] }, disruptionsAllowed: 0 };
  const [namespace = ''] = (evicted[0] ?? '').split('/');
  return [
    ['a pod has opted out', { ...snapshot, pods: snapshot.pods.map(opted) }],
    ['a node is gone', { ...snapshot, nodes: snapshot.nodes.filter(({ name }) => name !== nodeName) }],
    ['a budget forbids it', { ...snapshot, disruptionBudgets: [{ ...everything, namespace }] }],
  ];
}
