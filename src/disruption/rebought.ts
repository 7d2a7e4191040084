// What a consolidation has come to: what its nodes cost, less what was bought again for the pods that they held.
import type { NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { Resources } from '../model/resources.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { occupiesNode } from './evictable.ts';
import { replacedBy } from './replacements.ts';

/** One action as the cluster was right before it. */
export interface ActionTaken {
  /** Names of the claims that go. */
  readonly nodeClaims: readonly string[];
  /** Names of the claims that were ordered in their place. */
  readonly replacements: readonly string[];
  /** Keys of the pods that it evicts. */
  readonly evicted: readonly string[];
}

interface MovedOwner {
  /** Pods that it had on nodes, and those of them that are moved. */
  readonly pods: number;
  readonly moved: number;
}

/** What has to be known of an action to tell later what has come of it. */
export interface ActionLedger {
  /** By name: what the claims that go cost, in USD per hour. */
  readonly goes: ReadonlyMap<string, number>;
  readonly replacements: ReadonlySet<string>;
  /** Names of all other claims that were there. */
  readonly stood: ReadonlySet<string>;
  /** By uid of the owner, of pods that are moved. */
  readonly owners: ReadonlyMap<string, MovedOwner>;
}

/** What all nodes that stay cost together, in USD per hour. */
export function stayingUsdPerHour({ nodeClaims }: ClusterSnapshot): number {
  return nodeClaims.reduce((sum, claim) => sum + (isStaying(claim) ? priceOf(claim) : 0), 0);
}

/** @param snapshot the cluster right before the action */
export function ledgerOf(
  { nodeClaims, pods }: ClusterSnapshot,
  { nodeClaims: names, replacements, evicted }: ActionTaken,
): ActionLedger {
  const goes = new Set(names);
  const isMoved = new Set(evicted);
  const owners = new Map<string, MovedOwner>();
  for (const pod of pods) {
    if (pod.owner !== null && isMoved.has(podKey(pod))) owners.set(pod.owner.uid, { pods: 0, moved: 0 });
  }
  for (const pod of pods) {
    const owner = owners.get(pod.owner?.uid ?? '');
    if (owner === undefined || pod.owner === null || !isOnNode(pod)) continue;
    const moved = owner.moved + (isMoved.has(podKey(pod)) ? 1 : 0);
    owners.set(pod.owner.uid, { pods: owner.pods + 1, moved });
  }
  return {
    goes: new Map(nodeClaims.flatMap((one) => (goes.has(one.name) ? [[one.name, priceOf(one)]] : []))),
    replacements: new Set(replacements),
    stood: new Set(nodeClaims.map(({ name }) => name)),
    owners,
  };
}

/**
 * What the action saves by now, in USD per hour: its nodes, less what replaces them, less what has been bought since
 * for the pods that it has moved. What was bought for others is none of its doing, nor is what has gone by itself.
 */
export function netSavingUsdPerHour(ledger: ActionLedger, snapshot: ClusterSnapshot): number {
  const staying = new Map(snapshot.nodeClaims.flatMap((one) => (isStaying(one) ? [[one.name, one]] : [])));
  let saving = 0;
  for (const [name, usdPerHour] of ledger.goes) if (!staying.has(name)) saving += usdPerHour;
  const bought: NodeClaim[] = [];
  for (const claim of staying.values()) {
    if (ledger.replacements.has(claim.name)) saving -= priceOf(claim);
    else if (!ledger.stood.has(claim.name) && replacedBy(claim).length === 0) bought.push(claim);
  }
  return saving - reboughtUsdPerHour(ledger, snapshot.pods, bought);
}

/** Of what the claims bought since cost, as much as moved pods take of what is used of them. */
function reboughtUsdPerHour(
  { owners }: ActionLedger,
  pods: readonly Pod[],
  bought: readonly NodeClaim[],
): number {
  if (bought.length === 0 || owners.size === 0) return 0;
  const onBought = new Map(bought.map(({ status }) => [status.nodeName, [] as Pod[]]));
  const elsewhere = new Map<string, number>();
  for (const pod of pods) {
    if (!isOnNode(pod)) continue;
    const uid = pod.owner?.uid ?? '';
    const held = onBought.get(pod.nodeName);
    if (held !== undefined) held.push(pod);
    else if (owners.has(uid)) elsewhere.set(uid, (elsewhere.get(uid) ?? 0) + 1);
  }
  const returned = returnedShares(owners, elsewhere, [...onBought.values()].flat());
  return bought.reduce((sum, claim) => {
    const part = returnedPart(onBought.get(claim.status.nodeName) ?? [], claim, returned);
    return sum + priceOf(claim) * part;
  }, 0);
}

/**
 * By uid of the owner: which part of its pods on bought nodes had a place before. As many as it had then are not more
 * than before; those beyond have come since.
 */
function returnedShares(
  owners: ActionLedger['owners'],
  elsewhere: ReadonlyMap<string, number>,
  onBought: readonly Pod[],
): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const [uid, before] of owners) {
    const now = onBought.filter(({ owner }) => owner?.uid === uid).length;
    const returned = Math.min(before.moved, before.pods - (elsewhere.get(uid) ?? 0), now);
    if (returned > 0) shares.set(uid, returned / now);
  }
  return shares;
}

/** Which part of what is used of the node those pods use; 0 of one that holds none. */
function returnedPart(
  pods: readonly Pod[],
  { status }: NodeClaim,
  returned: ReadonlyMap<string, number>,
): number {
  let used = 0;
  let usedByReturned = 0;
  for (const { owner, spec } of pods) {
    const share = dominantShare(spec.requests, status.allocatable);
    used += share;
    usedByReturned += share * (returned.get(owner?.uid ?? '') ?? 0);
  }
  return used === 0 ? 0 : usedByReturned / used;
}

/** How much of a node the pod takes, by what it takes most of. */
function dominantShare(requests: Resources, allocatable: Resources): number {
  let most = 0;
  for (const name in requests) {
    const available = allocatable[name] ?? 0;
    if (available > 0) most = Math.max(most, (requests[name] ?? 0) / available);
  }
  return most;
}

function isOnNode(pod: Pod): boolean {
  return pod.nodeName !== '' && pod.deletionRequestedAtMs === null && occupiesNode(pod);
}

function isStaying({ deletionRequestedAtMs }: NodeClaim): boolean {
  return deletionRequestedAtMs === null;
}

function priceOf({ status }: NodeClaim): number {
  return status.usdPerHour ?? 0;
}
