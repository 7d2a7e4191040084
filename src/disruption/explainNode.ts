// All there is to say of one node or NodeClaim: what it is, what may happen to it and why, what it waits for.
import { LABEL } from '../model/labels.ts';
import { isReady, type Node } from '../model/node.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import { isTerminal, type Pod, podKey } from '../model/pod.ts';
import { addResources, NO_RESOURCES } from '../model/resources.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { podObstacle } from './consolidationCandidates.ts';
import { mustLeave, occupiesNode } from './evictable.ts';
import { EvictionRoom } from './evictionRoom.ts';
import { explainBudgets } from './explainBudgets.ts';
import { explainConsolidation } from './explainConsolidation.ts';
import { explainDrain } from './explainDrain.ts';
import { explainDrift } from './explainDrift.ts';
import { type ExplainedClaim, explainEmptiness } from './explainEmptiness.ts';
import { explainLaunch } from './explainLaunch.ts';
import { explainExpiration } from './explainLeaving.ts';
import { explainOffHours } from './explainOffHours.ts';
import { explainRepair } from './explainRepair.ts';
import type { NodeExplanation, OrderExplanation, PodOnNode, ReasonExplanation } from './explanation.ts';
import { openReplacements } from './replacements.ts';
import { snapshotView } from './snapshotView.ts';

/** A node with its claim; one of the two may be missing: a claim that has not joined, a node that is not Cooper's. */
export type Explainable =
  | { readonly claim: NodeClaim; readonly node: Node | undefined }
  | { readonly claim: undefined; readonly node: Node };

/**
 * Explains from the snapshot alone: nothing is asked, nothing is changed, and the same functions decide as in the
 * controllers.
 * @param catalogue what each Provisioner may buy, for what consolidation would put in the node's place
 */
export function explainNode(
  one: Explainable,
  snapshot: ClusterSnapshot,
  catalogue: Catalogue,
): NodeExplanation {
  const { claim, node } = one;
  const onNode = node === undefined ? [] : snapshot.pods.filter((pod) => pod.nodeName === node.name);
  const pods = onNode.filter((pod) => !isTerminal(pod));
  const provisionerName = claim?.spec.provisioner ?? node?.labels[LABEL.provisioner] ?? '';
  const provisioner = snapshot.provisioners.find(({ name }) => name === provisionerName);
  const isStaying = claim !== undefined && claim.deletionRequestedAtMs === null;
  const reasons =
    isStaying && provisioner !== undefined
      ? explainReasons({ claim, provisioner, snapshot, view: snapshotView(snapshot) }, catalogue)
      : [];
  const budgets =
    isStaying && provisioner !== undefined
      ? explainBudgets(
          provisioner,
          snapshot,
          reasons.filter(isAsked).flatMap(({ reason }) => (reason === 'Unhealthy' ? [] : [reason])),
        )
      : [];
  return {
    takenAtMs: snapshot.takenAtMs,
    ...identity(one),
    provisioner: provisionerName,
    state: stateOf(one, provisioner === undefined),
    requested: pods.reduce((sum, { spec }) => addResources(sum, spec.requests), NO_RESOURCES),
    allocatable: node?.allocatable ?? claim?.status.allocatable ?? NO_RESOURCES,
    pods: podsOnNode(pods, snapshot),
    reasons,
    budgets,
    orders: claim === undefined ? [] : ordersOf(claim, snapshot),
    drain: claim === undefined ? null : explainDrain(claim, snapshot),
    launch: claim === undefined ? [] : explainLaunch(claim, node),
    nextChangeAtMs: earliest([...reasons, ...budgets], snapshot.takenAtMs),
  };
}

function explainReasons(one: ExplainedClaim, catalogue: Catalogue): readonly ReasonExplanation[] {
  const offHours = (one.provisioner.offHours ?? []).length > 0 ? [explainOffHours(one)] : [];
  const node = one.snapshot.nodes.find(({ name }) => name === one.claim.status.nodeName);
  const isPaused = (name: string): boolean => !catalogue.has(name);
  const repair = node === undefined ? null : explainRepair(one, node, isPaused);
  return [
    explainEmptiness(one),
    explainExpiration(one, catalogue),
    explainDrift(one, catalogue),
    ...offHours,
    explainConsolidation(one, catalogue),
    ...(repair === null ? [] : [repair]),
  ];
}

function ordersOf({ name }: NodeClaim, snapshot: ClusterSnapshot): readonly OrderExplanation[] {
  return openReplacements(snapshot).filter(
    ({ nodeClaims, replacements }) => nodeClaims.includes(name) || replacements.includes(name),
  );
}

function isAsked({ standing }: ReasonExplanation): boolean {
  return standing !== 'off';
}

function identity({ claim, node }: Explainable) {
  const status = claim?.status;
  const label = (key: string): string => node?.labels[key] ?? '';
  return {
    node: node?.name ?? '',
    nodeClaim: claim?.name ?? '',
    instanceType: status?.instanceType || label(LABEL.instanceType),
    zone: status?.zone || label(LABEL.zone),
    capacityType: status?.capacityType ?? label(LABEL.capacityType),
    usdPerHour: status?.usdPerHour ?? null,
    bornAtMs: node?.createdAtMs ?? claim?.createdAtMs ?? 0,
  };
}

function stateOf({ claim, node }: Explainable, isOrphan: boolean): string {
  if (claim === undefined) return "it has no NodeClaim: it is not Cooper's, and Cooper leaves it alone";
  if (claim.deletionRequestedAtMs !== null) return 'it is leaving';
  if (claim.status.providerId === '') return 'it waits for its launch';
  if (node === undefined) return 'its instance was launched and has not joined the cluster yet';
  if (!hasCondition(claim, 'Initialized')) return 'it has joined and does not take pods yet';
  if (!isReady(node)) return 'its kubelet does not report Ready';
  if (isOrphan) return 'its Provisioner is gone: nothing is decided about it any more';
  return node.unschedulable ? 'it is up, and closed to new pods (cordoned)' : 'it is up and takes pods';
}

function podsOnNode(pods: readonly Pod[], snapshot: ClusterSnapshot): readonly PodOnNode[] {
  const room = new EvictionRoom(snapshot.disruptionBudgets);
  const described = pods.map((pod): PodOnNode => {
    const owner = pod.owner === null ? '' : `${pod.owner.kind}/${pod.owner.name}`;
    const common = { pod: podKey(pod), owner, requests: pod.spec.requests };
    if (!occupiesNode(pod)) return { ...common, standing: 'ends', message: '' };
    const obstacle = podObstacle(pod, snapshot.takenAtMs) ?? room.obstacle([pod]);
    if (obstacle !== null) return { ...common, standing: 'keeps', message: obstacle.message };
    return { ...common, standing: mustLeave(pod) ? 'moves' : 'ends', message: '' };
  });
  return described.sort((left, right) => (left.pod < right.pod ? -1 : 1));
}

function earliest(
  changing: readonly { readonly changesAtMs: number | null }[],
  nowMs: number,
): number | null {
  const times = changing.flatMap(({ changesAtMs }) =>
    changesAtMs !== null && changesAtMs > nowMs ? [changesAtMs] : [],
  );
  return times.length === 0 ? null : Math.min(...times);
}
