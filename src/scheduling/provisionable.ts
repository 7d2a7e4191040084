// Which pods ask for capacity at all.
import { isOwnedByDaemonSet, isTerminal, type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

/**
 * True when the kube-scheduler has found no node for the pod. Left out: bound, finished, terminating and gated pods,
 * other schedulers' pods, and daemons and static pods, which only ever run where a node already is.
 * A pod that the scheduler makes room for by preemption passes: what it waits for is seen on its node alone
 * (`awaitingPreemption`).
 */
export function isProvisionable(pod: Pod, schedulerName: string): boolean {
  return (
    pod.unschedulableSinceMs !== null &&
    pod.nodeName === '' &&
    pod.deletionRequestedAtMs === null &&
    pod.spec.schedulerName === schedulerName &&
    !pod.schedulingGated &&
    !pod.mirror &&
    !isTerminal(pod) &&
    !isOwnedByDaemonSet(pod) &&
    pod.owner?.kind !== 'Node'
  );
}

const NOBODY: ReadonlySet<string> = new Set();

/**
 * Keys of those of the pods that the kube-scheduler makes room for: pods of lower priority are terminating on the
 * node that `status.nominatedNodeName` names. That field alone does not say so: we write it too, and it outlives
 * victims and nodes. A nomination to a Node that is gone counts as none.
 * Source: Kubernetes, "Pod Priority and Preemption"; victims always have a lower priority.
 * @param mayBegin true when the nomination may be so fresh that its victims are not terminating yet: since v1.33 the
 *   scheduler asks for their deletion after it has nominated the pod
 */
export function awaitingPreemption(
  pods: readonly Pod[],
  snapshot: Pick<ClusterSnapshot, 'nodes' | 'pods'>,
  mayBegin: (pod: Pod) => boolean,
): ReadonlySet<string> {
  const nominated = pods.filter(({ nominatedNodeName }) => nominatedNodeName !== '');
  if (nominated.length === 0) return NOBODY;
  const names = new Set(nominated.map(({ nominatedNodeName }) => nominatedNodeName));
  const there = snapshot.nodes.filter(({ name }) => names.has(name)).map(({ name }) => name);
  const victims = victimsOn(new Set(there), snapshot.pods);
  const waits = (pod: Pod): boolean => {
    const { bound, terminating } = victims.get(pod.nominatedNodeName) ?? NO_VICTIMS;
    return terminating < pod.spec.priority || (bound < pod.spec.priority && mayBegin(pod));
  };
  return new Set(nominated.filter(waits).map(podKey));
}

/** The lowest priorities of a node's pods: of all, and of those that terminate. */
interface LowestPriorities {
  readonly bound: number;
  readonly terminating: number;
}

const NO_VICTIMS: LowestPriorities = {
  bound: Number.POSITIVE_INFINITY,
  terminating: Number.POSITIVE_INFINITY,
};

function victimsOn(nodes: ReadonlySet<string>, pods: readonly Pod[]): Map<string, LowestPriorities> {
  const lowest = new Map<string, LowestPriorities>();
  if (nodes.size === 0) return lowest;
  for (const { nodeName, spec, deletionRequestedAtMs, phase } of pods) {
    if (!nodes.has(nodeName) || phase === 'Succeeded' || phase === 'Failed') continue;
    const held = lowest.get(nodeName) ?? NO_VICTIMS;
    lowest.set(nodeName, {
      bound: Math.min(held.bound, spec.priority),
      terminating:
        deletionRequestedAtMs === null ? held.terminating : Math.min(held.terminating, spec.priority),
    });
  }
  return lowest;
}
