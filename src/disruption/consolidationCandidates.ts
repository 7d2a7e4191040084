// Which nodes may be consolidated at all, in the order in which they are tried, and what keeps each other one.
import type { ConsolidationView, Kept } from '../model/consolidation.ts';
import type { MinimumSavings } from '../model/disruptionPolicy.ts';
import { isReady, type Node } from '../model/node.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { BudgetRoom } from './budgets.ts';
import { consolidationOptOut, mustLeave, nodeOptOut, occupiesNode } from './evictable.ts';
import { EvictionRoom } from './evictionRoom.ts';
import type { Obstacle } from './obstacle.ts';

export interface Candidate {
  readonly claim: NodeClaim;
  /** Those that a drain evicts. */
  readonly pods: readonly Pod[];
  readonly usdPerHour: number;
  readonly minimumSavings: MinimumSavings;
  /** How much its eviction hurts: 1 for a plain pod. */
  readonly hurt: number;
}

export interface CandidateSelection {
  /** The most to be saved for the least hurt first; well-used nodes last. */
  readonly candidates: readonly Candidate[];
  readonly kept: readonly Kept[];
}

/** Nodes whose pods may all be evicted, one node at a time. Empty nodes are left to emptiness. */
export function selectCandidates(snapshot: ClusterSnapshot, view: ConsolidationView): CandidateSelection {
  const provisioners = new Map(snapshot.provisioners.map((one) => [one.name, one]));
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  const podsByNode = Map.groupBy(snapshot.pods.filter(occupiesNode), (pod) => pod.nodeName);
  const evictions = new EvictionRoom(snapshot.disruptionBudgets);
  const budgets = new BudgetRoom(snapshot);
  const found: { readonly candidate: Candidate; readonly rank: number }[] = [];
  const kept: Kept[] = [];
  for (const claim of snapshot.nodeClaims) {
    const provisioner = provisioners.get(claim.spec.provisioner);
    const node = nodes.get(claim.status.nodeName);
    const pods = podsByNode.get(claim.status.nodeName) ?? [];
    if (provisioner === undefined || node === undefined || pods.length === 0) continue;
    if (provisioner.disruption.consolidation !== 'WhenEmptyOrUnderutilized') continue;
    if (claim.deletionRequestedAtMs !== null || !hasCondition(claim, 'Initialized')) continue;
    const keeps =
      obstacle(keepsNode({ claim, node, provisioner }, snapshot.takenAtMs, view)) ??
      firstPodObstacle(pods, snapshot.takenAtMs) ??
      evictions.obstacle(pods) ??
      obstacle(budgets.left(provisioner.name, 'Underutilized') < 1 ? outOfBudget(provisioner.name) : null);
    const usdPerHour = claim.status.usdPerHour ?? 0;
    if (keeps !== null) kept.push({ nodeClaim: claim.name, ...keeps });
    else {
      const hurt = pods.reduce((sum, pod) => sum + hurtOf(pod), 0);
      const { minimumSavings } = provisioner.disruption;
      const rank = (usdPerHour * Math.sqrt(1 - usedShare(node, pods))) / hurt;
      found.push({ candidate: { claim, pods, usdPerHour, minimumSavings, hurt }, rank });
    }
  }
  found.sort(
    (left, right) =>
      right.rank - left.rank || (left.candidate.claim.name < right.candidate.claim.name ? -1 : 1),
  );
  return { candidates: found.map(({ candidate }) => candidate), kept };
}

export function outOfBudget(provisioner: string): string {
  return `spec.disruption.budgets of Provisioner ${provisioner} let no more nodes go as Underutilized now`;
}

interface ClaimedNode {
  readonly claim: NodeClaim;
  readonly node: Node;
  readonly provisioner: Provisioner;
}

function keepsNode(
  { claim, node, provisioner }: ClaimedNode,
  nowMs: number,
  { nominatedUntilMs, podsChangedAtMs, leftAlone }: ConsolidationView,
): string | null {
  const { minimumNodeAgeMs, consolidateAfterMs } = provisioner.disruption;
  if (provisioner.suspended) return `Provisioner ${provisioner.name} is suspended`;
  const annotation = nodeOptOut(node, nowMs);
  if (annotation !== null) return `the node forbids it by ${annotation}`;
  if (!isReady(node) || node.unschedulable || node.deletionRequestedAtMs !== null)
    return 'the node is not ready for pods';
  if (claim.status.usdPerHour === null || claim.status.usdPerHour <= 0) return 'its price is not known';
  if (nowMs - node.createdAtMs < minimumNodeAgeMs) return 'the node is younger than minimumNodeAge';
  if (nowMs - (podsChangedAtMs.get(node.name) ?? 0) < consolidateAfterMs)
    return 'its pods have changed within consolidateAfter';
  if (Math.max(nominatedUntilMs.get(claim.name) ?? 0, nominatedUntilMs.get(node.name) ?? 0) > nowMs)
    return 'pods are on their way to it';
  return leftAlone?.get(claim.name) ?? null;
}

/** Why this pod keeps its node from being consolidated, disruption budgets aside; null when it does not. */
export function podObstacle(pod: Pod, nowMs: number): Obstacle | null {
  const blockedBy = podKey(pod);
  const name = `pod ${blockedBy}`;
  if (pod.deletionRequestedAtMs !== null) return { message: `${name} is terminating`, blockedBy };
  const annotation = consolidationOptOut(pod, nowMs);
  if (annotation !== null) return { message: `${name} forbids it by ${annotation}`, blockedBy };
  if (pod.owner === null) return { message: `${name} has no owner that would make it again`, blockedBy };
  if (mustLeave(pod)) return null;
  return { message: `${name} tolerates the taint of leaving nodes and would end with its node`, blockedBy };
}

function firstPodObstacle(pods: readonly Pod[], nowMs: number): Obstacle | null {
  for (const pod of pods) {
    const found = podObstacle(pod, nowMs);
    if (found !== null) return found;
  }
  return null;
}

function obstacle(message: string | null): Obstacle | null {
  return message === null ? null : { message };
}

/** Where the two annotations of Kubernetes that rank pods end: beyond, they count no more. */
const HURT_MOST = 10;

/** 1 for a plain pod, more for costly and important ones, never less than a tenth (the scale of Karpenter v0.16). */
function hurtOf({ annotations, spec }: Pod): number {
  const deletionCost = Number(annotations['controller.kubernetes.io/pod-deletion-cost'] ?? 0);
  const cost = Number.isFinite(deletionCost) ? deletionCost / 2 ** 27 : 0;
  return Math.min(HURT_MOST, Math.max(0.1, 1 + cost + spec.priority / 2 ** 25));
}

/** The larger share of CPU and memory that is asked for. */
function usedShare({ allocatable }: Node, pods: readonly Pod[]): number {
  const share = (resource: string): number => {
    const whole = allocatable[resource] ?? 0;
    if (whole <= 0) return 1;
    return pods.reduce((sum, { spec }) => sum + (spec.requests[resource] ?? 0), 0) / whole;
  };
  return Math.min(1, Math.max(share('cpu'), share('memory')));
}
