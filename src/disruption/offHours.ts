// Off-hours (`spec.schedule`): which Provisioners are off and until when, and which of their nodes go for it.
import { ANNOTATION } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { isOpen, nextChangeMs } from '../model/timeWindow.ts';
import { forbidsDisruption, mustLeave, occupiesNode, optOut } from './evictable.ts';
import { EvictionRoom } from './evictionRoom.ts';
import type { Obstacle } from './obstacle.ts';

/** True while one of its windows is open. */
export function isOff({ offHours = [] }: Pick<Provisioner, 'offHours'>, atMs: number): boolean {
  return offHours.some((window) => isOpen(window, atMs));
}

/** When the Provisioner next goes off, or on again; Infinity for never. */
export function nextTurnMs({ offHours = [] }: Pick<Provisioner, 'offHours'>, atMs: number): number {
  return offHours.length === 0 ? Number.POSITIVE_INFINITY : nextChangeMs(offHours, atMs);
}

/** `is off until 2026-11-23T06:00:00Z`, for sentences about a Provisioner that is off. */
export function offUntil(provisioner: Pick<Provisioner, 'offHours'>, atMs: number): string {
  const untilMs = nextTurnMs(provisioner, atMs);
  return Number.isFinite(untilMs) ? `is off until ${instant(untilMs)}` : 'is off for good';
}

/** To the second, in UTC. */
export function instant(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}

export interface OffHoursDecision {
  /** Those that may go, what costs most first. Budgets of nodes have not been looked at. */
  readonly leaving: readonly NodeClaim[];
  readonly kept: readonly (Obstacle & { readonly claim: NodeClaim })[];
  /** When a Provisioner next goes off; Infinity for never. */
  readonly nextAtMs: number;
}

/**
 * Nodes and launches under way of the Provisioners that are off. A node stays while it or a pod on it forbids its
 * disruption, or while a PodDisruptionBudget would stop its drain at the first pod: its pods have nowhere to go before
 * the Provisioner is on again, and until then they are better off where they run.
 */
export function decideOffHours(snapshot: ClusterSnapshot): OffHoursDecision {
  const { takenAtMs, provisioners } = snapshot;
  const asleep = provisioners.filter((one) => !one.suspended && isOff(one, takenAtMs));
  const awake = provisioners.filter((one) => !one.suspended && !isOff(one, takenAtMs));
  const nextAtMs = awake.reduce(
    (soonest, one) => Math.min(soonest, nextTurnMs(one, takenAtMs)),
    Number.POSITIVE_INFINITY,
  );
  if (asleep.length === 0) return { leaving: [], kept: [], nextAtMs };
  const names = new Set(asleep.map(({ name }) => name));
  const claims = snapshot.nodeClaims
    .filter((claim) => names.has(claim.spec.provisioner) && claim.deletionRequestedAtMs === null)
    .sort(dearestFirst);
  const podsByNode = Map.groupBy(snapshot.pods.filter(occupiesNode), (pod) => pod.nodeName);
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  const evictions = new EvictionRoom(snapshot.disruptionBudgets);
  const leaving: NodeClaim[] = [];
  const kept: (Obstacle & { readonly claim: NodeClaim })[] = [];
  for (const claim of claims) {
    const pods = (podsByNode.get(claim.status.nodeName) ?? []).filter(mustLeave);
    const obstacle =
      optOutOf(nodes.get(claim.status.nodeName), pods, takenAtMs) ?? firstObstacle(pods, evictions);
    if (obstacle !== null) kept.push({ claim, ...obstacle });
    else {
      evictions.take(pods);
      leaving.push(claim);
    }
  }
  return { leaving, kept, nextAtMs };
}

function optOutOf(node: Node | undefined, pods: readonly Pod[], nowMs: number): Obstacle | null {
  // That it is not to be consolidated says nothing of the hours in which it is not wanted at all.
  if (node !== undefined && forbidsDisruption(node, nowMs))
    return { message: `the node forbids it by ${ANNOTATION.doNotDisrupt}` };
  for (const pod of pods) {
    const annotation = optOut(pod, nowMs);
    if (annotation === null) continue;
    return { message: `pod ${podKey(pod)} forbids it by ${annotation}`, blockedBy: podKey(pod) };
  }
  return null;
}

/** Each pod by itself: several under one budget go one after the other. */
function firstObstacle(pods: readonly Pod[], evictions: EvictionRoom): Obstacle | null {
  for (const pod of pods) {
    const found = evictions.obstacle([pod]);
    if (found !== null) return found;
  }
  return null;
}

function dearestFirst(left: NodeClaim, right: NodeClaim): number {
  const byPrice = (right.status.usdPerHour ?? 0) - (left.status.usdPerHour ?? 0);
  return byPrice || (left.name < right.name ? -1 : 1);
}
