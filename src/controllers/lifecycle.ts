// The life of a NodeClaim up to the moment its node takes pods: launched, registered, initialized.
import { LABEL } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import { hasCondition, type NodeClaim, type NodeClaimStatus } from '../model/nodeClaim.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import { labelsFromRequirements } from '../model/requirement.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { Ports } from '../ports/ports.ts';
import { withCondition } from './claimConditions.ts';
import { deleteAndTell } from './claimEvents.ts';
import { nodesByProviderId } from './claimNodes.ts';
import { independently } from './concurrently.ts';
import { giveBack } from './giveBack.ts';
import { type Launching, launchClaim } from './launch.ts';
import { noteUp } from './launchFailures.ts';
import { type NextRun, sooner, WHEN_CHANGED } from './nextRun.ts';
import { notInitializedBecause, registrationPatch } from './registration.ts';
import { tellScheduler } from './schedulerNominations.ts';

/** A claim whose step failed is tried again after this long. */
const FAILED_AGAIN_MS = 2_000;
/** A Node may be missing from the watch for a moment; it is not believed to be gone before this. */
const NODE_LOST_MS = 60_000;

/**
 * Moves every claim that is not being deleted one step on. Launches are started and not waited for:
 * a slow fleet call delays no registration.
 */
export async function advanceNodeClaims(ports: Ports, launching: Launching): Promise<NextRun> {
  const { live, settings } = launching;
  const snapshot = live.snapshot();
  const nodes = nodesByProviderId(snapshot.nodes);
  forgetGone(launching, snapshot);
  forgetLosses(launching, snapshot);
  launching.memory.failures.look(snapshot);
  let next = WHEN_CHANGED;
  const unfinished = snapshot.nodeClaims.filter(
    (claim) =>
      claim.deletionRequestedAtMs === null &&
      !isFinished(launching, claim, nodes.get(claim.status.providerId)),
  );
  await independently(
    unfinished,
    settings.writesAtOnce,
    async (claim) => {
      // Not in one expression: `next` would be read before the wait, and what others found meanwhile lost.
      const again = await advance(ports, launching, claim, nodes.get(claim.status.providerId));
      next = sooner(next, again);
    },
    (claim, failure) => {
      next = sooner(next, { afterMs: FAILED_AGAIN_MS });
      ports.telemetry.log.error({ nodeClaim: claim.name, error: String(failure) }, 'node claim not advanced');
    },
  );
  return next;
}

/** What is remembered of launches goes with the claim. */
function forgetGone({ retries, givenUp, doubts }: Launching, { nodeClaims }: ClusterSnapshot): void {
  if (doubts.size > 0) doubts.keepOnly(new Set(nodeClaims.map(({ uid }) => uid)));
  if (retries.size > 0) retries.keepOnly(new Set(nodeClaims.map(({ name }) => name)));
  if (givenUp.size === 0) return;
  const there = new Set(nodeClaims.map(({ uid }) => uid));
  for (const uid of givenUp) if (!there.has(uid)) givenUp.delete(uid);
}

/** Claims that leave are not looked at here any more, whoever has deleted them. */
function forgetLosses({ nodeLosses }: Launching, { nodeClaims }: ClusterSnapshot): void {
  if (nodeLosses.size === 0) return;
  const staying = new Set(
    nodeClaims.flatMap(({ uid, deletionRequestedAtMs }) => (deletionRequestedAtMs === null ? [uid] : [])),
  );
  for (const uid of nodeLosses.keys()) if (!staying.has(uid)) nodeLosses.delete(uid);
}

/** Nothing is left to do for most claims of a large cluster: told apart before any of them costs a promise. */
function isFinished(
  { nodeLosses, notedNodes }: Launching,
  claim: NodeClaim,
  node: Node | undefined,
): boolean {
  return (
    node !== undefined &&
    node.deletionRequestedAtMs === null &&
    isRegistered(claim, node) &&
    isInitialized(claim, node) &&
    !nodeLosses.has(claim.uid) &&
    notedNodes.has(claim)
  );
}

async function advance(
  ports: Ports,
  launching: Launching,
  read: NodeClaim,
  node: Node | undefined,
): Promise<NextRun> {
  // A run over many claims takes time: what was read at its start may have been launched or deleted since.
  const claim = launching.live.get('nodeClaim', read.name);
  if (claim === undefined || claim.uid !== read.uid || claim.deletionRequestedAtMs !== null)
    return WHEN_CHANGED;
  if (claim.status.providerId === '') return launchInTime(ports, launching, claim);
  if (node === undefined) return awaitNode(ports, launching, claim);
  launching.nodeLosses.delete(claim.uid);
  if (node.deletionRequestedAtMs !== null) {
    const message = `Node ${node.name} is being deleted; its instance is given back`;
    await deleteAndTell(ports, launching.live, claim, { type: 'Normal', reason: 'NodeDeleted', message });
    return WHEN_CHANGED;
  }
  noteNode(ports, launching, claim, node);
  await tellPodsOf(ports, launching, claim, node);
  const registered = isRegistered(claim, node) ? claim : await register(ports, launching, claim, node);
  if (registered === null) return { afterMs: FAILED_AGAIN_MS };
  const fresh = launching.live.get('node', node.name) ?? node;
  if (isInitialized(registered, fresh)) return WHEN_CHANGED;
  return initializeInTime(ports, launching, registered, fresh);
}

/** Before the node takes pods: registering takes a taint off, and the last of them goes when it is Ready. */
function tellPodsOf(ports: Ports, launching: Launching, claim: NodeClaim, node: Node): Promise<void> {
  const { nominations } = launching.memory;
  const pods = [...nominations.podsOf(claim.name), ...nominations.podsOf(node.name)];
  return tellScheduler(
    ports,
    launching,
    pods.map((pod) => ({ pod, target: node.name })),
  );
}

/** Tells the cloud what the machine has. After a start each node is told of again, so that nothing is forgotten. */
function noteNode(ports: Ports, { notedNodes }: Launching, claim: NodeClaim, node: Node): void {
  const { instanceType, imageId } = claim.status;
  ports.cloud.noteNode?.({ instanceType, imageId, memoryBytes: node.capacity.memory ?? 0 });
  notedNodes.add(claim);
}

/** A Node that was deleted under its kubelet, or comes under another name, has to be registered once more. */
function isRegistered(claim: NodeClaim, node: Node): boolean {
  const { nodeName } = claim.status;
  const isKnown = hasCondition(claim, 'Registered') && nodeName === node.name;
  return isKnown && node.labels[LABEL.registered] === 'true';
}

function isInitialized(claim: NodeClaim, node: Node): boolean {
  return hasCondition(claim, 'Initialized') && node.labels[LABEL.initialized] === 'true';
}

/** A launch that has not gone through in time is given up: its pods are planned again, with fresh stock and prices. */
async function launchInTime(ports: Ports, launching: Launching, claim: NodeClaim): Promise<NextRun> {
  const leftMs = claim.createdAtMs + launching.settings.launchTtlMs - ports.clock.nowMs();
  if (leftMs > 0 || launching.underWay.has(claim.uid)) {
    return sooner(launchClaim(ports, launching, claim), { afterMs: Math.max(leftMs, 1000) });
  }
  const minutes = Math.round(launching.settings.launchTtlMs / 60_000);
  const message = `launch has not gone through within ${minutes} min; the pods are planned for again`;
  await deleteAndTell(ports, launching.live, claim, { type: 'Warning', reason: 'LaunchTimeout', message });
  return WHEN_CHANGED;
}

/** A launched instance that does not become a Node in time is given back; its pods are planned again. */
function awaitNode(ports: Ports, launching: Launching, claim: NodeClaim): NextRun {
  const { settings } = launching;
  if (hasCondition(claim, 'Registered')) return awaitLostNode(ports, launching, claim);
  const launchedAtMs =
    claim.status.conditions.find((condition) => condition.type === 'Launched')?.sinceMs ?? claim.createdAtMs;
  const leftMs = launchedAtMs + settings.registrationTtlMs - ports.clock.nowMs();
  if (leftMs > 0) return { afterMs: leftMs };
  const minutes = Math.round(settings.registrationTtlMs / 60_000);
  const cause = 'check its user data, instance profile and access entry (or aws-auth)';
  const message = `instance did not become a Node within ${minutes} min; ${cause}`;
  return giveBack(ports, launching, claim, { reason: 'NeverRegistered', message, because: 'no Node joined' });
}

/** A registered Node that stays away was removed by force: its instance is of no use any more. */
function awaitLostNode(ports: Ports, launching: Launching, claim: NodeClaim): NextRun {
  const { nodeLosses } = launching;
  const nowMs = ports.clock.nowMs();
  const sinceMs = nodeLosses.get(claim.uid) ?? nowMs;
  nodeLosses.set(claim.uid, sinceMs);
  const leftMs = sinceMs + NODE_LOST_MS - nowMs;
  if (leftMs > 0) return { afterMs: leftMs };
  const message = `Node ${claim.status.nodeName} is gone while its instance may be there; the instance is given back`;
  return giveBack(ports, launching, claim, { reason: 'NodeGone', message, because: 'Node gone' });
}

/** The claim as registered; null when another write came in between, whose event may be here already: retried then. */
async function register(
  ports: Ports,
  launching: Launching,
  claim: NodeClaim,
  node: Node,
): Promise<NodeClaim | null> {
  const { live } = launching;
  const patch = registrationPatch(claim, node, await typeLabels(ports, launching, claim));
  const patched = live.recordNode(node, await ports.kube.patchNode(node, patch));
  if (patched?.labels[LABEL.registered] !== 'true') return null;
  const nowMs = ports.clock.nowMs();
  const status: NodeClaimStatus = withCondition(
    { ...claim.status, nodeName: node.name },
    { type: 'Registered', status: 'True', reason: 'NodeFound', message: '', sinceMs: nowMs },
  );
  const stored = live.recordNodeClaim(claim, await ports.kube.writeNodeClaimStatus(claim, status));
  if (stored === null || !hasCondition(stored, 'Registered')) return null;
  const seconds = (nowMs - claim.createdAtMs) / 1000;
  ports.telemetry.log.info({ nodeClaim: claim.name, node: node.name, seconds }, 'node registered');
  const facts = { node: node.name, seconds };
  ports.journal.append({
    atMs: nowMs,
    kind: 'Registered',
    subject: claim.name,
    reason: 'node joined',
    facts,
  });
  return stored;
}

/** Labels of the launched type (family, size, …), as its Provisioner's catalogue has them; none once that is gone. */
async function typeLabels(
  ports: Ports,
  { live }: Launching,
  { spec, status }: NodeClaim,
): Promise<Readonly<Record<string, string>>> {
  const provisioner = live.get('provisioner', spec.provisioner);
  const nodeClass = live.get('nodeClass', nodeClassKey(spec.nodeClassRef));
  if (provisioner === undefined || nodeClass === undefined) return {};
  const outcome = await ports.cloud.instanceTypes(provisioner, nodeClass);
  const types = outcome.kind === 'found' ? outcome.instanceTypes : [];
  return labelsFromRequirements(types.find(({ name }) => name === status.instanceType)?.requirements ?? []);
}

/** A Node that does not become ready for pods in time is given back: pods would be sent to it for ever. */
async function initializeInTime(
  ports: Ports,
  launching: Launching,
  claim: NodeClaim,
  node: Node,
): Promise<NextRun> {
  const because = notInitializedBecause(claim, node);
  if (because === null) return initialize(ports, launching, claim, node);
  const registeredAtMs =
    claim.status.conditions.find((condition) => condition.type === 'Registered')?.sinceMs ??
    claim.createdAtMs;
  const { registrationTtlMs } = launching.settings;
  const leftMs = Math.max(registeredAtMs, node.createdAtMs) + registrationTtlMs - ports.clock.nowMs();
  if (leftMs > 0) return { afterMs: leftMs };
  const minutes = Math.round(registrationTtlMs / 60_000);
  const what = `Node ${node.name} is not ready for pods ${minutes} min after it joined`;
  const message = `${what}: ${because}; it is given back`;
  return giveBack(ports, launching, claim, { reason: 'NeverInitialized', message, because });
}

async function initialize(
  ports: Ports,
  { live, memory }: Launching,
  claim: NodeClaim,
  node: Node,
): Promise<NextRun> {
  await noteUp(ports, { live, failures: memory.failures }, claim);
  const patch = { labels: { [LABEL.initialized]: 'true' } };
  const patched = live.recordNode(node, await ports.kube.patchNode(node, patch));
  // Another write came in between, and its event may be here already: none may come that brings us back.
  if (patched?.labels[LABEL.initialized] !== 'true') return { afterMs: FAILED_AGAIN_MS };
  const nowMs = ports.clock.nowMs();
  const status = withCondition(
    { ...claim.status, capacity: node.capacity, allocatable: node.allocatable },
    { type: 'Initialized', status: 'True', reason: 'NodeReady', message: '', sinceMs: nowMs },
  );
  const stored = live.recordNodeClaim(claim, await ports.kube.writeNodeClaimStatus(claim, status));
  if (stored === null || !hasCondition(stored, 'Initialized')) return { afterMs: FAILED_AGAIN_MS };
  const seconds = (nowMs - claim.createdAtMs) / 1000;
  ports.telemetry.log.info({ nodeClaim: claim.name, node: node.name, seconds }, 'node initialized');
  const facts = { node: node.name, seconds };
  ports.journal.append({
    atMs: nowMs,
    kind: 'Initialized',
    subject: claim.name,
    reason: 'node ready',
    facts,
  });
  return WHEN_CHANGED;
}
