// Once faults and changes have ended, the cluster comes to rest: nothing leaks, nothing churns, nothing waits.
import { ANNOTATION, LABEL } from '../../model/labels.ts';
import { hasCondition } from '../../model/nodeClaim.ts';
import { isOwnedByDaemonSet } from '../../model/pod.ts';
import type { HistoryKind } from '../history.ts';
import type { LedgerEntry } from '../nodeLedger.ts';
import { isOwned, type Simulation } from '../simulation.ts';
import { endOf } from './graceHolds.ts';
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
    const expires = simulation.setup.provisioners.some(({ ttlUntilExpiredMs }) => ttlUntilExpiredMs !== null);
    if (!expires && unrest !== null && nowMs - unrest.atMs < QUIET_MS) {
      report(`${unrest.text} happened ${Math.round((nowMs - unrest.atMs) / 1000)} s before the end`);
    }
    for (const sentence of leftOver(simulation)) report(sentence);
  };
};

/** What has been as it should not stay for longer than anything takes by itself. */
function leftOver(simulation: Simulation): readonly string[] {
  const isLong = (sinceMs: number): boolean => simulation.clock.nowMs() - sinceMs > QUIET_MS;
  return [
    ...leftInstances(simulation, isLong),
    ...leftClaims(simulation, isLong),
    ...leftNodes(simulation, isLong),
  ];
}

type IsLong = (sinceMs: number) => boolean;

function leftInstances({ cloud, store, kubelets }: Simulation, isLong: IsLong): readonly string[] {
  const claimUids = new Set([...store.values('nodeClaim')].map(({ uid }) => uid));
  const found: string[] = [];
  for (const { instance, nodeName } of cloud.living()) {
    if (!isLong(instance.launchedAtMs) || instance.state === 'shutting-down') continue;
    if (!claimUids.has(instance.nodeClaimUid)) found.push(`instance ${instance.providerId} has no NodeClaim`);
    else if (!kubelets.isAlive(nodeName))
      found.push(`node ${nodeName} is dead, and its instance still there`);
  }
  return found;
}

function leftClaims(simulation: Simulation, isLong: IsLong): readonly string[] {
  const { cloud, store, ledger } = simulation;
  const found: string[] = [];
  for (const claim of store.values('nodeClaim')) {
    const { name, status, createdAtMs, deletionRequestedAtMs } = claim;
    if (deletionRequestedAtMs !== null) {
      const isHeld = endOf(claim) === null && isHeldByPods(ledger.get(status.nodeName), simulation);
      if (isLong(deletionRequestedAtMs) && !isHeld) found.push(`NodeClaim ${name} is still going`);
    } else if (isLong(createdAtMs)) {
      if (!hasCondition(claim, 'Initialized')) {
        found.push(`NodeClaim ${name} is not initialized`);
      }
      if (cloud.find(status.providerId) === undefined) found.push(`NodeClaim ${name} has no instance`);
    }
  }
  return found;
}

/** A drain waits for as long as a pod, or a budget over it, forbids it. */
function isHeldByPods(entry: LedgerEntry | undefined, { budgets, store }: Simulation): boolean {
  const pods = [...(entry?.pods.values() ?? [])];
  return pods.some(
    (pod) =>
      pod.annotations[ANNOTATION.doNotEvict] === 'true' ||
      budgets
        .covering(pod)
        .some(
          ({ namespace, name }) =>
            store.get('disruptionBudget', `${namespace}/${name}`)?.disruptionsAllowed === 0,
        ),
  );
}

/** For each pod that a held drain may yet move, a node may be kept ready: the next plan puts it there. */
function podsHeldOn(nodeNames: ReadonlySet<string>, simulation: Simulation): number {
  let pods = 0;
  for (const name of nodeNames) {
    const entry = simulation.ledger.get(name);
    if (isHeldByPods(entry, simulation)) pods += entry?.workloadPods ?? 0;
  }
  return pods;
}

function leftNodes(simulation: Simulation, isLong: IsLong): readonly string[] {
  const { cloud, store, ledger } = simulation;
  const found: string[] = [];
  const going = [...store.values('nodeClaim')].filter((claim) => claim.deletionRequestedAtMs !== null);
  const goingNodes = new Set(going.map(({ status }) => status.nodeName));
  let awaited = podsHeldOn(goingNodes, simulation);
  for (const node of store.values('node')) {
    if (!isOwned(node) || !isLong(node.createdAtMs) || node.deletionRequestedAtMs !== null) continue;
    if (goingNodes.has(node.name)) continue;
    if (cloud.find(node.providerId) === undefined) found.push(`Node ${node.name} has no instance`);
    const provisioner = store.get('provisioner', node.labels[LABEL.provisioner] ?? '');
    const isEmpty = (ledger.get(node.name)?.workloadPods ?? 0) === 0;
    if (isEmpty && typeof provisioner?.ttlAfterEmptyMs === 'number') {
      awaited -= 1;
      if (awaited >= 0) continue;
      found.push(`Node ${node.name} is empty, and Provisioner ${provisioner.name} has ttlSecondsAfterEmpty`);
    }
  }
  for (const pod of store.values('pod')) {
    if (pod.nodeName === '' && !isOwnedByDaemonSet(pod) && isLong(pod.createdAtMs)) {
      found.push(`pod ${pod.namespace}/${pod.name} waits`);
    }
  }
  return found;
}
