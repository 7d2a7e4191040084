// Finding what has lost its other half: instances without a claim, claims and nodes without an instance.

import { LABEL, TERMINATION_FINALIZER } from '../model/labels.ts';
import { isReady, type Node } from '../model/node.ts';
import { hasCondition, type NodeClaim } from '../model/nodeClaim.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { Instance } from '../ports/cloudProvider.ts';
import type { StoredNodeClaims } from '../ports/kubeApi.ts';
import type { Ports } from '../ports/ports.ts';
import { deleteAndTell } from './claimEvents.ts';
import { nodesByProviderId } from './claimNodes.ts';
import { independently } from './concurrently.ts';
import type { LiveState } from './liveState.ts';
import type { NextRun } from './nextRun.ts';
import type { ControllerSettings } from './settings.ts';
import { removeNode } from './termination.ts';

/** The first sweeps after a start come this fast: a crash is when things get lost (Karpenter v1). */
const EARLY_SWEEPS = 20;
const EARLY_EVERY_MS = 10_000;
/** EC2's answers lag behind: an instance must be missing from this many sweeps in a row. */
const MISSES_MOST = 2;
/** An instance launched less than this ago may not be listed yet. */
const LISTED_AFTER_MS = 60_000;
/** A Node whose machine has come back under another name is believed to be abandoned after this long in silence. */
const SILENT_MS = 300_000;

export interface Collecting {
  readonly live: LiveState;
  readonly settings: ControllerSettings;
  /** By claim uid: in how many sweeps in a row its instance was missing. */
  readonly misses: Map<string, number>;
  /** Provider ids found gone; termination then skips the drain. */
  readonly goneInstances: Set<string>;
  readonly sweeps: { count: number };
  /** Uids of stored claims that cannot be read: their instances are not for us to judge. */
  readonly unreadableClaims: () => readonly string[];
}

/** One sweep over EC2's list and the claims. */
export async function collectGarbage(ports: Ports, collecting: Collecting): Promise<NextRun> {
  const instances = await ports.cloud.list();
  // Claims are read after the instances: a claim is always stored before its instance is launched.
  const snapshot = collecting.live.snapshot();
  const { settings } = collecting;
  const known = knownToClaims(snapshot.nodeClaims, collecting.unreadableClaims());
  const times = { nowMs: snapshot.takenAtMs, graceMs: settings.garbageGraceMs };
  const seeming = orphanedInstances(instances, known, times);
  const orphans = seeming.length === 0 ? [] : await trulyOrphaned(ports, seeming, times);
  // One that EC2 or Kubernetes will not let go must not keep the others.
  const failed = (facts: Readonly<Record<string, string>>, failure: unknown): void => {
    ports.telemetry.log.error({ ...facts, error: String(failure) }, 'garbage not collected');
    ports.telemetry.metrics.count('cooper_controller_errors_total', { controller: 'garbage' });
  };
  await independently(
    orphans,
    settings.writesAtOnce,
    (instance) => collectInstance(ports, instance),
    ({ providerId }, failure) => failed({ providerId }, failure),
  );
  await independently(
    lostClaims(instances, snapshot, collecting.misses),
    settings.writesAtOnce,
    (claim) => collectClaim(ports, collecting, claim),
    (claim, failure) => failed({ nodeClaim: claim.name }, failure),
  );
  await independently(
    // A claim that cannot be read may be the one that is to drain the node.
    known.hasUnreadable ? [] : ownerlessNodes(snapshot),
    1,
    (node) => freeNode(ports, collecting, node),
    (node, failure) => failed({ node: node.name }, failure),
  );
  await independently(
    abandonedNodes(snapshot),
    1,
    (node) => removeNode(ports, collecting.live, node),
    (node, failure) => failed({ node: node.name }, failure),
  );
  for (const [providerId, claim] of unnamedOwners(instances, snapshot.nodeClaims)) {
    ports.cloud.noteOwner?.(providerId, { name: claim.name, uid: claim.uid });
  }
  ports.telemetry.metrics.gauge('cooper_leaked_instances', {}, orphans.length);
  collecting.sweeps.count += 1;
  return { afterMs: collecting.sweeps.count <= EARLY_SWEEPS ? EARLY_EVERY_MS : settings.garbageEveryMs };
}

/** By what claims an instance may be known. */
export interface KnownToClaims {
  readonly uids: ReadonlySet<string>;
  readonly providerIds: ReadonlySet<string>;
  /** Launch groups of which a claim still waits for an instance: it may get any that was bought for the group. */
  readonly waitingGroups: ReadonlySet<string>;
  /** Claims that cannot be read: any instance of any group may be one of theirs. */
  readonly hasUnreadable: boolean;
}

export function knownToClaims(claims: readonly NodeClaim[], unreadable: readonly string[]): KnownToClaims {
  const waiting = claims.filter(({ status }) => status.providerId === '');
  return {
    uids: new Set([...claims.map(({ uid }) => uid), ...unreadable]),
    providerIds: new Set(claims.map(({ status }) => status.providerId)),
    waitingGroups: new Set(waiting.flatMap(({ spec }) => spec.launchGroup?.id ?? [])),
    hasUnreadable: unreadable.length > 0,
  };
}

/** Instances older than the grace time that no claim knows, by uid, by provider id or as one of its launch group. */
export function orphanedInstances(
  instances: readonly Instance[],
  known: KnownToClaims,
  { nowMs, graceMs }: { readonly nowMs: number; readonly graceMs: number },
): readonly Instance[] {
  return instances.filter(
    (instance) =>
      isOurs(instance) &&
      !isKnown(instance, known) &&
      instance.state !== 'shutting-down' &&
      instance.state !== 'terminated' &&
      nowMs - instance.launchedAtMs >= graceMs,
  );
}

/** Ending an instance cannot be taken back, and the watch may be behind: the server says which claims exist. */
async function trulyOrphaned(
  { kube, telemetry }: Ports,
  seeming: readonly Instance[],
  times: { readonly nowMs: number; readonly graceMs: number },
): Promise<readonly Instance[]> {
  let stored: StoredNodeClaims;
  try {
    stored = await kube.readNodeClaims();
  } catch (failure) {
    const facts = { instances: seeming.length, error: String(failure) };
    telemetry.log.error(facts, 'instances kept: the API server cannot be asked whose they are');
    return [];
  }
  const { claims, unreadable } = stored;
  const orphans = orphanedInstances(seeming, knownToClaims(claims, unreadable), times);
  const kept = seeming.length - orphans.length;
  if (kept > 0)
    telemetry.log.warn({ instances: kept }, 'instances kept: the watch is behind, their claims are there');
  return orphans;
}

/**
 * Instances whose tags name no claim or another than the one that has them, with that claim: a crash between the
 * launch of a shared fleet and the naming of its instances leaves such tags.
 */
export function unnamedOwners(
  instances: readonly Instance[],
  claims: readonly NodeClaim[],
): readonly (readonly [string, NodeClaim])[] {
  const owners = new Map(claims.map((claim) => [claim.status.providerId, claim]));
  return instances.flatMap(({ providerId, nodeClaimUid, launchGroup, state }) => {
    const owner = providerId === '' ? undefined : owners.get(providerId);
    const isGoing = state === 'shutting-down' || state === 'terminated';
    if (owner === undefined || launchGroup === undefined || isGoing || owner.uid === nodeClaimUid) return [];
    return [[providerId, owner] as const];
  });
}

function isOurs({ nodeClaimUid, launchGroup = '' }: Instance): boolean {
  return nodeClaimUid !== '' || launchGroup !== '';
}

function isKnown(
  { nodeClaimUid, providerId, launchGroup }: Instance,
  { uids, providerIds, waitingGroups, hasUnreadable }: KnownToClaims,
): boolean {
  if (uids.has(nodeClaimUid) || providerIds.has(providerId)) return true;
  return nodeClaimUid === '' && (hasUnreadable || waitingGroups.has(launchGroup ?? ''));
}

/**
 * Claims whose instance was missing from several lists in a row, or is shutting down without our doing. A node that
 * reports Ready has an instance, whatever the list says: its tags may have been changed, or the region is wrong.
 */
export function lostClaims(
  instances: readonly Instance[],
  snapshot: ClusterSnapshot,
  misses: Map<string, number>,
): readonly NodeClaim[] {
  const alive = new Set(
    instances
      .filter(({ state }) => state !== 'shutting-down' && state !== 'terminated')
      .map(({ providerId }) => providerId),
  );
  const ending = new Set(instances.map(({ providerId }) => providerId).filter((id) => !alive.has(id)));
  const reporting = new Set(snapshot.nodes.filter(isReady).map(({ providerId }) => providerId));
  const uids = new Set(snapshot.nodeClaims.map((claim) => claim.uid));
  for (const uid of misses.keys()) if (!uids.has(uid)) misses.delete(uid);
  return snapshot.nodeClaims.filter((claim) => {
    const { providerId, conditions } = claim.status;
    const launched = conditions.find((condition) => condition.type === 'Launched');
    const settled = launched !== undefined && snapshot.takenAtMs - launched.sinceMs >= LISTED_AFTER_MS;
    const isThere = alive.has(providerId) || (reporting.has(providerId) && !ending.has(providerId));
    if (providerId === '' || !settled || isThere) {
      misses.delete(claim.uid);
      return false;
    }
    const count = (misses.get(claim.uid) ?? 0) + 1;
    misses.set(claim.uid, count);
    return count >= MISSES_MOST;
  });
}

async function collectInstance(ports: Ports, instance: Instance): Promise<void> {
  const { providerId, nodeClaim, instanceType } = instance;
  await ports.cloud.terminate(providerId);
  const facts = { providerId, instanceType };
  ports.telemetry.log.warn({ nodeClaim, ...facts }, 'instance without a claim terminated');
  const reason = 'no NodeClaim knows it';
  ports.journal.append({ atMs: ports.clock.nowMs(), kind: 'Collected', subject: providerId, reason, facts });
}

async function collectClaim(
  ports: Ports,
  { live, goneInstances }: Collecting,
  claim: NodeClaim,
): Promise<void> {
  goneInstances.add(claim.status.providerId);
  if (claim.deletionRequestedAtMs !== null) return;
  const message = `instance ${claim.status.providerId} is gone, and not by Cooper`;
  const facts = { providerId: claim.status.providerId, registered: hasCondition(claim, 'Registered') };
  await deleteAndTell(ports, live, claim, { type: 'Warning', reason: 'InstanceGone', message, facts });
  ports.telemetry.log.warn({ nodeClaim: claim.name, ...facts }, 'claim without an instance deleted');
}

/** Nodes that were ours, are being deleted, and have no claim left to finish it (someone removed it by force). */
function ownerlessNodes({ nodeClaims, nodes }: ClusterSnapshot): readonly Node[] {
  const known = new Set(nodeClaims.map((claim) => claim.status.providerId));
  return nodes.filter((node) => {
    const ours =
      node.labels[LABEL.provisioner] !== undefined && node.finalizers.includes(TERMINATION_FINALIZER);
    return ours && node.deletionRequestedAtMs !== null && !known.has(node.providerId);
  });
}

async function freeNode(ports: Ports, { live }: Collecting, node: Node): Promise<void> {
  if ((await ports.cloud.terminate(node.providerId)) === 'gone') await removeNode(ports, live, node);
}

/** Nodes of ours that are silent for long, and whose machine reports under another name now. */
export function abandonedNodes({ nodes, takenAtMs }: ClusterSnapshot): readonly Node[] {
  const current = nodesByProviderId(nodes);
  return nodes.filter((node) => {
    const ready = node.conditions.find((condition) => condition.type === 'Ready');
    const isSilent =
      ready?.status !== 'True' && takenAtMs - (ready?.sinceMs ?? node.createdAtMs) >= SILENT_MS;
    const isOurs = node.labels[LABEL.provisioner] !== undefined && node.providerId !== '';
    return isOurs && isSilent && current.get(node.providerId) !== node;
  });
}
