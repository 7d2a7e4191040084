// Which pods ask for capacity at all.
import { isOwnedByDaemonSet, isTerminal, type Pod } from '../model/pod.ts';

/**
 * True when the kube-scheduler has found no node for the pod and nobody else will make room for it.
 * Left out: bound, finished, terminating and gated pods, those that preempt others (they have a nominated node),
 * other schedulers' pods, and daemons and static pods, which only ever run where a node already is.
 */
export function isProvisionable(pod: Pod, schedulerName: string): boolean {
  return (
    pod.unschedulableSinceMs !== null &&
    pod.nodeName === '' &&
    pod.nominatedNodeName === '' &&
    pod.deletionRequestedAtMs === null &&
    pod.spec.schedulerName === schedulerName &&
    !pod.schedulingGated &&
    !pod.mirror &&
    !isTerminal(pod) &&
    !isOwnedByDaemonSet(pod) &&
    pod.owner?.kind !== 'Node'
  );
}
