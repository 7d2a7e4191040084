// Once faults and changes have ended, the cluster comes to rest: nothing leaks, nothing churns, nothing waits.
import { hasCondition } from '../../model/nodeClaim.ts';
import { isOwnedByDaemonSet } from '../../model/pod.ts';
import type { HistoryKind } from '../history.ts';
import { isOwned, type Simulation } from '../simulation.ts';
import type { Invariant } from './invariant.ts';

/** Nothing of this kind may happen in the last minutes. */
const UNREST: ReadonlySet<HistoryKind> = new Set(['FleetRequested', 'ClaimStored', 'ClaimGone', 'Evicted']);
export const QUIET_MS = 10 * 60_000;

export const comesToRest: Invariant = ({ simulation, report }) => {
  let unrest: { readonly atMs: number; readonly text: string } | null = null;
  simulation.history.listen(({ atMs, kind, subject }) => {
    if (UNREST.has(kind)) unrest = { atMs, text: `${kind} ${subject}` };
  });
  return () => {
    const nowMs = simulation.clock.nowMs();
    if (unrest !== null && nowMs - unrest.atMs < QUIET_MS) {
      report(`${unrest.text} happened ${Math.round((nowMs - unrest.atMs) / 1000)} s before the end`);
    }
    for (const sentence of leftOver(simulation)) report(sentence);
  };
};

function leftOver({ cloud, store, ledger, kubelets, clock }: Simulation): readonly string[] {
  const found: string[] = [];
  const claims = new Map([...store.values('nodeClaim')].map((claim) => [claim.uid, claim]));
  for (const { instance, nodeName } of cloud.living()) {
    if (!claims.has(instance.nodeClaimUid)) found.push(`instance ${instance.providerId} has no NodeClaim`);
    else if (!kubelets.isAlive(nodeName)) found.push(`node ${nodeName} is dead, and its instance still there`);
  }
  for (const claim of claims.values()) {
    if (claim.deletionRequestedAtMs !== null) found.push(`NodeClaim ${claim.name} is still going`);
    else if (!hasCondition(claim, 'Initialized')) found.push(`NodeClaim ${claim.name} is not initialized`);
    if (cloud.find(claim.status.providerId) === undefined) found.push(`NodeClaim ${claim.name} has no instance`);
  }
  for (const node of store.values('node')) {
    if (!isOwned(node)) continue;
    if (cloud.find(node.providerId) === undefined) found.push(`Node ${node.name} has no instance`);
    const provisioner = store.get('provisioner', node.labels['karpenter.sh/provisioner-name'] ?? '');
    const isEmpty = (ledger.get(node.name)?.workloadPods ?? 0) === 0;
    const isOld = clock.nowMs() - node.createdAtMs > QUIET_MS;
    if (isEmpty && isOld && typeof provisioner?.ttlAfterEmptyMs === 'number') {
      found.push(`Node ${node.name} is empty, and Provisioner ${provisioner.name} has ttlSecondsAfterEmpty`);
    }
  }
  for (const pod of store.values('pod')) {
    if (pod.nodeName === '' && !isOwnedByDaemonSet(pod)) found.push(`pod ${pod.namespace}/${pod.name} waits`);
  }
  return found;
}
