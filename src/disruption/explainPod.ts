// Why a pod waits and what would be launched for it, or what keeps it where it runs and where it would go.

import type { Refusal, SchedulingPlan } from '../model/plan.ts';
import { isOwnedByDaemonSet, isTerminal, type Pod, podKey } from '../model/pod.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { checkedPlan } from '../scheduling/checkedPlan.ts';
import { awaitingPreemption, isProvisionable } from '../scheduling/provisionable.ts';
import { FIRST_PLAN_ONLY } from '../scheduling/scheduler.ts';
import { nodeClaimOf } from './claimOfNode.ts';
import { podObstacle } from './consolidationCandidates.ts';
import { displacedPods } from './displaced.ts';
import { mustLeave, occupiesNode } from './evictable.ts';
import { EvictionRoom } from './evictionRoom.ts';
import type {
  PlaceExplanation,
  PodBudgetExplanation,
  PodExplanation,
  ProvisionerRefusal,
} from './explanation.ts';
import type { Obstacle } from './obstacle.ts';
import { proposedNode } from './proposedNode.ts';
import type { RestingProvisioners } from './restingProvisioners.ts';

const SCHEDULER = 'default-scheduler';

export interface PodSurroundings {
  readonly snapshot: ClusterSnapshot;
  /** What may be bought; Provisioners that rest are left out. */
  readonly catalogue: Catalogue;
  readonly resting: RestingProvisioners;
}

/** Explains from the snapshot alone, with the packer and the checks that the controllers use. */
export function explainPod(pod: Pod, around: PodSurroundings): PodExplanation {
  const { snapshot } = around;
  const isBound = pod.nodeName !== '' && !isTerminal(pod);
  const obstacles = isBound ? obstaclesOf(pod, snapshot) : [];
  return {
    takenAtMs: snapshot.takenAtMs,
    pod: podKey(pod),
    phase: pod.phase,
    owner: pod.owner === null ? '' : `${pod.owner.kind}/${pod.owner.name}`,
    requests: pod.spec.requests,
    node: pod.nodeName,
    nodeClaim: nodeClaimOf(pod.nodeName, snapshot)?.name ?? '',
    state: stateOf(pod, snapshot),
    nominated: nominationOf(pod, snapshot),
    budgets: budgetsOf(pod, snapshot),
    obstacles,
    place: isBound ? placeAfter(pod, around) : placeNow(pod, around),
  };
}

function stateOf(pod: Pod, snapshot: ClusterSnapshot): string {
  if (pod.deletionRequestedAtMs !== null) return 'it is terminating';
  if (isTerminal(pod)) return `it has ended (${pod.phase})`;
  if (pod.nodeName !== '') return `it is bound to node ${pod.nodeName}`;
  if (pod.schedulingGated) return 'its scheduling gates hold it back: nobody looks for a node yet';
  if (isOwnedByDaemonSet(pod)) return 'a DaemonSet has made it: it runs where nodes are, and brings none';
  if (pod.spec.schedulerName !== SCHEDULER)
    return `it asks for the scheduler ${pod.spec.schedulerName}; Cooper serves pods of ${SCHEDULER}`;
  if (pod.unschedulableSinceMs === null)
    return 'the kube-scheduler has not said that it is unschedulable: nothing is launched until it does';
  if (awaitingPreemption([pod], snapshot, () => false).size > 0)
    return `the kube-scheduler makes room for it on node ${pod.nominatedNodeName}`;
  return 'the kube-scheduler finds no node for it';
}

function nominationOf(pod: Pod, snapshot: ClusterSnapshot): PodExplanation['nominated'] {
  const name = pod.nominatedNodeName;
  if (name === '' || pod.nodeName !== '') return null;
  const claim = nodeClaimOf(name, snapshot);
  const isThere = snapshot.nodes.some((node) => node.name === name);
  const message = isThere
    ? 'the kube-scheduler was told to try this node first'
    : 'the node that it was sent to is gone; it is planned for again';
  return { node: name, nodeClaim: claim?.name ?? '', message };
}

function budgetsOf(pod: Pod, { disruptionBudgets }: ClusterSnapshot): readonly PodBudgetExplanation[] {
  return new EvictionRoom(disruptionBudgets).covering(pod).map((budget) => ({
    name: podKey(budget),
    disruptionsAllowed: budget.disruptionsAllowed,
    currentHealthy: budget.currentHealthy ?? null,
    desiredHealthy: budget.desiredHealthy ?? null,
  }));
}

function obstaclesOf(pod: Pod, snapshot: ClusterSnapshot): readonly Obstacle[] {
  const own = podObstacle(pod, snapshot.takenAtMs);
  const ofBudgets = new EvictionRoom(snapshot.disruptionBudgets).obstacle([pod]);
  return occupiesNode(pod) ? [own, ofBudgets].filter((one) => one !== null) : [];
}

/** Where the pod goes if all pods that wait are planned for now, as the controller does. */
function placeNow(pod: Pod, around: PodSurroundings): PlaceExplanation {
  const { snapshot } = around;
  // A pod that the scheduler has not tried yet is planned for as if it had: that is what will happen if it fails.
  const asked = { ...pod, unschedulableSinceMs: pod.unschedulableSinceMs ?? snapshot.takenAtMs };
  if (!isProvisionable(asked, SCHEDULER)) return { kind: 'none', message: 'nothing is planned for it' };
  const displaced = displacedPods(snapshot);
  const others = snapshot.pods.filter(
    (one) => isProvisionable(one, SCHEDULER) && podKey(one) !== podKey(pod),
  );
  const preempting = awaitingPreemption(others, snapshot, () => false);
  const waiting = others.filter((one) => !preempting.has(podKey(one)));
  const pods = [asked, ...waiting, ...displaced.pods];
  return placeIn(pod, { ...around, snapshot: displaced.snapshot, pods });
}

/** Where the pod goes if its node goes now, with all other pods of that node. */
function placeAfter(pod: Pod, around: PodSurroundings): PlaceExplanation {
  const { snapshot } = around;
  if (!occupiesNode(pod)) return { kind: 'none', message: 'it belongs to its node, and ends with it' };
  if (!mustLeave(pod))
    return { kind: 'none', message: 'it tolerates the taint of leaving nodes, and ends with its node' };
  if (pod.owner === null) return { kind: 'none', message: 'nobody would make it again' };
  const { nodeName } = pod;
  const gone = withoutNode(snapshot, nodeName);
  const leaving = snapshot.pods.filter(
    (one) =>
      one.nodeName === nodeName && mustLeave(one) && one.owner !== null && one.deletionRequestedAtMs === null,
  );
  const pods = leaving.map((one): Pod => {
    return {
      ...one,
      nodeName: '',
      nominatedNodeName: '',
      phase: 'Pending',
      unschedulableSinceMs: snapshot.takenAtMs,
    };
  });
  if (!pods.some((one) => podKey(one) === podKey(pod)))
    return { kind: 'none', message: 'it is terminating; its owner makes another one' };
  return placeIn(pod, { ...around, snapshot: gone, pods });
}

function withoutNode(snapshot: ClusterSnapshot, nodeName: string): ClusterSnapshot {
  return {
    ...snapshot,
    nodes: snapshot.nodes.filter(({ name }) => name !== nodeName),
    nodeClaims: snapshot.nodeClaims.filter(({ status }) => status.nodeName !== nodeName),
    pods: snapshot.pods.filter((pod) => pod.nodeName !== nodeName),
  };
}

interface Placing extends PodSurroundings {
  readonly pods: readonly Pod[];
}

function placeIn(pod: Pod, placing: Placing): PlaceExplanation {
  const key = podKey(pod);
  const plan = planOf(placing);
  if (plan === null)
    return { kind: 'none', message: 'no plan with it passes its check; this is a fault of Cooper' };
  const nomination = plan.nominations.find((one) => one.pod === key);
  if (nomination !== undefined) {
    const { kind, name } = nomination.target;
    return { kind: 'existing', target: `${kind === 'node' ? 'node' : 'nodeclaim'}/${name}` };
  }
  const planned = plan.nodeClaims.find(({ pods }) => pods.includes(key));
  if (planned !== undefined) return { kind: 'newNode', node: proposedNode(planned) };
  const told = plan.refusals.find((one) => one.pod === key);
  return { kind: 'refused', provisioners: refusalsOf(pod, placing, told) };
}

function planOf({ snapshot, catalogue, pods }: Placing): SchedulingPlan | null {
  const { plan, violations } = checkedPlan(snapshot, catalogue, pods, FIRST_PLAN_ONLY);
  return violations.length === 0 ? plan : null;
}

/** Each Provisioner is asked by itself, so that each says what it is that it cannot give. */
function refusalsOf(pod: Pod, placing: Placing, told: Refusal | undefined): readonly ProvisionerRefusal[] {
  const { provisioners } = placing.snapshot;
  if (provisioners.length === 0 && told !== undefined) return [refusalText('', told)];
  return provisioners.map((one) => {
    const resting = placing.resting.get(one.name);
    if (resting !== undefined) return { provisioner: one.name, code: 'NoCapacity', ...resting };
    const alone = refusalBy(one, pod, placing) ?? told;
    return alone === undefined ? notPlanned(one) : refusalText(one.name, alone);
  });
}

/** Null when the Provisioner would serve the pod if it were the only one that waits: others come first. */
function refusalBy({ name }: Provisioner, pod: Pod, { snapshot, catalogue, pods }: Placing): Refusal | null {
  const provisioners = snapshot.provisioners.filter((one) => one.name === name);
  const key = podKey(pod);
  const asked = pods.filter((one) => podKey(one) === key);
  const { plan } = checkedPlan({ ...snapshot, provisioners }, catalogue, asked, FIRST_PLAN_ONLY);
  return plan.refusals.find((one) => one.pod === key) ?? null;
}

function refusalText(provisioner: string, { code, reason, nearest }: Refusal): ProvisionerRefusal {
  return { provisioner, code, reason, nearest };
}

function notPlanned({ name }: Provisioner): ProvisionerRefusal {
  const reason = 'would serve it by itself, but not beside the other pods that wait';
  return { provisioner: name, code: 'NotPlanned', reason, nearest: '' };
}
