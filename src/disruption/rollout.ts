// Rollouts: drifted nodes of one Provisioner replaced after a canary, and none when what comes is no good.
import { ANNOTATION, CLAIM_ANNOTATION } from '../model/labels.ts';
import { isReady, type Node } from '../model/node.ts';
import { hasCondition, type NodeClaim, type NodeClaimCondition } from '../model/nodeClaim.ts';
import { type NodeClass, type NodeClassTargets, nodeClassKey } from '../model/nodeClass.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { Provisioner } from '../model/provisioner.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { textHash } from '../model/textHash.ts';
import { type DriftDecision, type DriftFacts, decideDrift, madeFrom } from './drift.ts';
import { forbidsDisruption, occupiesNode, optOut } from './evictable.ts';
import { EvictionRoom } from './evictionRoom.ts';
import type { HeldLeaving, Leaving } from './leaving.ts';
import { claimsBeingReplaced } from './replacements.ts';

/** One rollout: everything about it but its name is read off the claims, so that a restart changes nothing. */
export interface Rollout {
  /** The same for the same target, another for any other. */
  readonly id: string;
  readonly phase: 'canary' | 'soaking' | 'going' | 'halted';
  /** How many more drifted nodes may be ordered for now, budgets aside. */
  readonly mayGo: number;
  /** Replacements that are no good; empty for a rollout that was halted before. */
  readonly failed: readonly { readonly claim: NodeClaim; readonly message: string }[];
}

/** A node that is not Ready for less than this may just have restarted its kubelet. */
const UNREADY_MS = 60_000;
/** Times on conditions and of deletions are rounded apart. */
const ROUNDING_MS = 2_000;

/** Names what a Provisioner's nodes are to become. A new annotation `cooper.sh/rollout-attempt` makes it another. */
export function rolloutId(provisioner: Provisioner, nodeClass: NodeClass, targets: NodeClassTargets): string {
  const ids = (list: readonly string[] | null): unknown => list && [...list].sort();
  const network = [ids(targets.subnetIds), ids(targets.securityGroupIds)];
  const requirements = [...provisioner.requirements].sort((left, right) => (left.key < right.key ? -1 : 1));
  // Its replacements may be of another Provisioner: the name tells whose rollout they belong to.
  const target = [
    provisioner.name,
    madeFrom(provisioner, nodeClass),
    ids(targets.imageIds),
    network,
    requirements,
  ];
  return textHash(JSON.stringify([...target, provisioner.rolloutAttempt ?? '']), 8);
}

/**
 * How a rollout stands. It is halted for good once one of its replacements has not come up in time, or has become
 * NotReady within the soak time; that is written on the drifted claims.
 * @param upWithinMs how long a launched replacement may take to be Initialized
 */
export function decideRollout(
  snapshot: ClusterSnapshot,
  provisioner: Provisioner,
  id: string,
  upWithinMs: number,
): Rollout {
  const nowMs = snapshot.takenAtMs;
  const { nodes: canaries, soakMs } = provisioner.disruption.drift.canary;
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  const own = snapshot.nodeClaims.filter(({ spec }) => spec.provisioner === provisioner.name);
  // Pods may be better off with a node of another Provisioner: it counts all the same.
  const members = snapshot.nodeClaims.filter(
    ({ annotations }) => annotations?.[CLAIM_ANNOTATION.rollout] === id,
  );
  const limits = { nowMs, soakMs, upWithinMs };
  const failed = members.flatMap((claim) => {
    const message = failureOf(claim, nodes.get(claim.status.nodeName), limits);
    return message === null ? [] : [{ claim, message }];
  });
  const isHalted = own.some(({ annotations }) => annotations?.[CLAIM_ANNOTATION.rolloutHalted] === id);
  if (isHalted || failed.length > 0) return { id, phase: 'halted', mayGo: 0, failed };
  const standing = members.filter(({ deletionRequestedAtMs }) => deletionRequestedAtMs === null);
  const soaked = standing.filter((claim) => {
    const upSinceMs = sinceMs(claim, 'Initialized');
    const node = nodes.get(claim.status.nodeName);
    return upSinceMs !== null && nowMs - upSinceMs >= soakMs && node !== undefined && isReady(node);
  });
  if (soaked.length >= canaries) return { id, phase: 'going', mayGo: Number.POSITIVE_INFINITY, failed };
  const mayGo = Math.max(0, canaries - standing.length);
  return { id, phase: mayGo > 0 ? 'canary' : 'soaking', mayGo, failed };
}

function sinceMs({ status }: NodeClaim, type: NodeClaimCondition['type']): number | null {
  const condition = status.conditions.find((one) => one.type === type && one.status === 'True');
  return condition?.sinceMs ?? null;
}

/** A launch that was refused costs nothing and is no failure; nor is an end that came before the time was up. */
function failureOf(
  claim: NodeClaim,
  node: Node | undefined,
  {
    nowMs,
    soakMs,
    upWithinMs,
  }: { readonly nowMs: number; readonly soakMs: number; readonly upWithinMs: number },
): string | null {
  const launchedMs = sinceMs(claim, 'Launched');
  if (launchedMs === null) return null;
  const upMs = sinceMs(claim, 'Initialized');
  if (upMs === null) {
    const { deletionRequestedAtMs: endedMs } = claim;
    const waitedMs = endedMs === null ? nowMs - launchedMs : endedMs - launchedMs;
    if (waitedMs < upWithinMs - ROUNDING_MS) return null;
    return `replacement ${claim.name} has not come up within ${Math.round(waitedMs / 1000)} s`;
  }
  if (claim.deletionRequestedAtMs !== null || node === undefined) return null;
  const ready = node.conditions.find(({ type }) => type === 'Ready');
  if (ready === undefined || ready.status === 'True') return null;
  const isEarly = ready.sinceMs - upMs < soakMs;
  if (!isEarly || nowMs - ready.sinceMs < UNREADY_MS) return null;
  return `replacement ${claim.name} has become NotReady ${Math.round((ready.sinceMs - upMs) / 1000)} s after it was up`;
}

/** What keeps a drifted node where it is, in one sentence; null when it may be replaced. */
export function driftKeptBy(snapshot: ClusterSnapshot, claim: NodeClaim): string | null {
  const forbidden = driftForbiddenBy(snapshot, claim);
  if (forbidden !== null) return forbidden;
  const evictions = new EvictionRoom(snapshot.disruptionBudgets);
  for (const pod of podsToMove(snapshot, claim)) {
    const blocked = evictions.obstacle([pod]);
    if (blocked !== null) return blocked.message;
  }
  return null;
}

/**
 * What somebody has said against its going, in one sentence; null when nobody has. Unlike a disruption budget, which
 * the drain waits for, that must be heeded until the node goes.
 */
export function driftForbiddenBy(snapshot: ClusterSnapshot, claim: NodeClaim): string | null {
  const node = snapshot.nodes.find(({ name }) => name === claim.status.nodeName);
  if (node === undefined) return null;
  if (forbidsDisruption(node, snapshot.takenAtMs)) return `the node forbids it by ${ANNOTATION.doNotDisrupt}`;
  for (const pod of podsToMove(snapshot, claim)) {
    const annotation = optOut(pod, snapshot.takenAtMs);
    if (annotation !== null) return `pod ${podKey(pod)} forbids it by ${annotation}`;
    if (pod.owner === null) return `pod ${podKey(pod)} has no owner that would make it again`;
  }
  return null;
}

function podsToMove({ pods, nodes }: ClusterSnapshot, { status }: NodeClaim): readonly Pod[] {
  if (!nodes.some(({ name }) => name === status.nodeName)) return [];
  return pods.filter(
    (pod) => pod.nodeName === status.nodeName && occupiesNode(pod) && pod.deletionRequestedAtMs === null,
  );
}

export interface Drifting extends DriftDecision {
  /** By Provisioner name, of those whose drifted nodes are replaced and that have some. */
  readonly rollouts: ReadonlyMap<string, Rollout>;
  /** Provisioners of which no rollout can be named, since what their launches would use has not been told yet. */
  readonly untold: ReadonlySet<string>;
  /** Drifted nodes of rollouts that are not halted, the oldest first. */
  readonly due: readonly Leaving[];
}

/** All that drift comes to: which nodes, by what, and which of them are to be replaced. */
export function decideDrifting(snapshot: ClusterSnapshot, facts: DriftFacts, upWithinMs: number): Drifting {
  const decision = decideDrift(snapshot, facts);
  const classes = new Map(snapshot.nodeClasses.map((one) => [one.key, one]));
  const rollouts = new Map<string, Rollout>();
  const untold = new Set<string>();
  for (const provisioner of snapshot.provisioners) {
    const nodeClass = classes.get(nodeClassKey(provisioner.nodeClassRef));
    if (nodeClass === undefined || provisioner.suspended) continue;
    if (provisioner.disruption.drift.policy !== 'Replace') continue;
    const targets = facts.targets.get(nodeClass.key);
    const isOfNow = (facts.generations?.get(nodeClass.key) ?? nodeClass.generation) === nodeClass.generation;
    // Named without them it would be another rollout, with neither the canary nor the halt of its own.
    if (targets === undefined || !isOfNow) {
      untold.add(provisioner.name);
      continue;
    }
    const id = rolloutId(provisioner, nodeClass, targets);
    rollouts.set(provisioner.name, decideRollout(snapshot, provisioner, id, upWithinMs));
  }
  const due = snapshot.nodeClaims.flatMap((claim): Leaving[] => {
    const drift = decision.drifted.get(claim.name);
    const rollout = rollouts.get(claim.spec.provisioner);
    if (drift === undefined || rollout === undefined || rollout.phase === 'halted') return [];
    // What is still on its way has pods that wait for it, and no place in the budgets.
    if (!hasCondition(claim, 'Initialized')) return [];
    return [{ claim, reason: 'Drifted', message: `${drift.reason}: ${drift.message}` }];
  });
  due.sort(
    (left, right) =>
      left.claim.createdAtMs - right.claim.createdAtMs || (left.claim.name < right.claim.name ? -1 : 1),
  );
  return { ...decision, rollouts, untold, due };
}

export interface DriftChoice {
  /** As many as their rollouts let go now. */
  readonly may: readonly Leaving[];
  readonly kept: readonly HeldLeaving[];
}

/**
 * Which of the drifted nodes may go now: those that nothing keeps, as many as each rollout has room for.
 * @param isPassedOver by claim name: whether nothing could be bought for it; the next one has its place then
 */
export function chooseDrifted(
  snapshot: ClusterSnapshot,
  { due, rollouts }: Drifting,
  isPassedOver: (claim: string) => boolean,
): DriftChoice {
  const replaced = claimsBeingReplaced(snapshot);
  const left = new Map([...rollouts].map(([name, { mayGo }]) => [name, mayGo]));
  const may: Leaving[] = [];
  const kept: HeldLeaving[] = [];
  for (const one of due) {
    const { provisioner } = one.claim.spec;
    const room = left.get(provisioner) ?? 0;
    if (room < 1 || replaced.has(one.claim.name)) continue;
    const held = driftKeptBy(snapshot, one.claim);
    if (held !== null) kept.push({ ...one, held });
    else {
      may.push(one);
      if (!isPassedOver(one.claim.name)) left.set(provisioner, room - 1);
    }
  }
  return { may, kept };
}
