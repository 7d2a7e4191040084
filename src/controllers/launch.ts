// Launching one stored claim: exactly one instance, whatever fails in between.
import type { NodeClaim, NodeClaimStatus } from '../model/nodeClaim.ts';
import { nodeClassKey } from '../model/nodeClass.ts';
import type { LaunchedInstance, LaunchOutcome } from '../ports/cloudProvider.ts';
import type { Ports } from '../ports/ports.ts';
import type { Backoff } from './backoff.ts';
import { withCondition } from './claimConditions.ts';
import { tellClaim } from './claimEvents.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import { tellLaunchRefused } from './provisioningEvents.ts';
import type { ProvisioningMemory } from './provisioningMemory.ts';
import type { ControllerSettings } from './settings.ts';
import type { SharedRead } from './sharedRead.ts';

/** What launches work with. `underWay` holds uids; a claim in it is not launched again, and not released. */
export interface Launching {
  readonly live: LiveState;
  readonly memory: ProvisioningMemory;
  readonly settings: ControllerSettings;
  readonly underWay: Set<string>;
  /** Uids of claims whose deletion went through, though the watch may not show it yet: they are not launched again. */
  readonly givenUp: Set<string>;
  /** Uids of claims whose end is being decided from the server's own word. */
  readonly givingBack: Set<string>;
  /** By claim uid: the server has said otherwise than the watch, or could not be asked; it is asked again later. */
  readonly doubts: Backoff;
  /** Provider ids of all Nodes as the server has them: a thousand launches of one plan may fail at once. */
  readonly joined: SharedRead<ReadonlySet<string>>;
  /** By claim uid: since when a registered claim's Node is missing. */
  readonly nodeLosses: Map<string, number>;
  /** Claims, as they stand, whose Node's memory the cloud was told of since the start. */
  readonly notedNodes: WeakSet<NodeClaim>;
  /** By claim name: pauses between tries of a launch that may yet go through. */
  readonly retries: Backoff;
  /** Asks for another run of the lifecycle. */
  readonly wake: () => void;
}

/** Starts the launch of a claim that has no instance yet, and does not wait for it. */
export function launchClaim(ports: Ports, launching: Launching, claim: NodeClaim): NextRun {
  if (launching.underWay.has(claim.uid) || launching.givenUp.has(claim.uid)) return WHEN_CHANGED;
  const waitMs = launching.retries.waitMs(claim.name, ports.clock.nowMs());
  if (waitMs > 0) return { afterMs: waitMs };
  launching.underWay.add(claim.uid);
  void attempt(ports, launching, claim).finally(() => {
    launching.underWay.delete(claim.uid);
    launching.wake();
  });
  return WHEN_CHANGED;
}

async function attempt(ports: Ports, launching: Launching, claim: NodeClaim): Promise<void> {
  const startedAtMs = ports.clock.nowMs();
  try {
    const outcome = await ask(ports, launching, claim);
    const seconds = (ports.clock.nowMs() - startedAtMs) / 1000;
    const labels = { method: 'Create', outcome: outcome.kind };
    ports.telemetry.metrics.observe('karpenter_cloudprovider_duration_seconds', labels, seconds);
    await settle(ports, launching, claim, outcome);
  } catch (failure) {
    launching.retries.failed(claim.name, ports.clock.nowMs());
    ports.telemetry.log.error({ nodeClaim: claim.name, error: String(failure) }, 'launch failed');
  }
}

async function ask(ports: Ports, { live }: Launching, claim: NodeClaim): Promise<LaunchOutcome> {
  const key = nodeClassKey(claim.spec.nodeClassRef);
  const nodeClass = live.get('nodeClass', key);
  if (nodeClass !== undefined) return ports.cloud.launch(claim, nodeClass, () => takenInstances(live));
  return { kind: 'rejected', reason: 'NodeClassMissing', message: `${key} is gone; create it again` };
}

function takenInstances(live: LiveState): ReadonlySet<string> {
  return new Set(live.snapshot().nodeClaims.map(({ status }) => status.providerId));
}

async function settle(
  ports: Ports,
  launching: Launching,
  claim: NodeClaim,
  outcome: LaunchOutcome,
): Promise<void> {
  const nowMs = ports.clock.nowMs();
  switch (outcome.kind) {
    case 'launched':
      launching.memory.rejections.succeeded(claim.spec.provisioner);
      return storeInstance(ports, launching, claim, outcome.instance);
    case 'retryable':
      launching.retries.failed(claim.name, nowMs);
      ports.telemetry.log.warn({ nodeClaim: claim.name, error: outcome.message }, 'launch to be repeated');
      return;
    case 'insufficientCapacity':
      await tell(ports, launching, claim, { reason: 'InsufficientCapacity', message: outcome.message });
      return giveUp(ports, launching, claim);
    case 'rejected':
      launching.memory.rejections.failed(claim.spec.provisioner, nowMs);
      await tell(ports, launching, claim, { reason: outcome.reason, message: outcome.message });
      return giveUp(ports, launching, claim);
  }
}

async function storeInstance(
  ports: Ports,
  { live, retries }: Launching,
  claim: NodeClaim,
  instance: LaunchedInstance,
): Promise<void> {
  const nowMs = ports.clock.nowMs();
  const { providerId, instanceType, zone, capacityType, imageId, usdPerHour, capacity, allocatable } =
    instance;
  // The claim may have been touched since (an annotation, a deletion): its instance must be noted all the same.
  const current = live.get('nodeClaim', claim.name) ?? claim;
  const known: NodeClaimStatus = {
    ...current.status,
    ...{ providerId, instanceType, zone, capacityType, imageId, usdPerHour, capacity, allocatable },
  };
  const launched = {
    type: 'Launched',
    status: 'True',
    reason: 'InstanceLaunched',
    message: '',
    sinceMs: nowMs,
  } as const;
  const status = withCondition(known, launched);
  const written = await ports.kube.writeNodeClaimStatus(current, status);
  live.recordNodeClaim(claim, written);
  if (written.kind === 'conflict') {
    retries.failed(claim.name, nowMs);
    return;
  }
  retries.succeeded(claim.name);
  if (written.kind === 'gone') return; // garbage collection finds the instance by its tag
  const facts = {
    instanceType,
    zone,
    capacityType,
    providerId,
    usdPerHour,
    seconds: (nowMs - claim.createdAtMs) / 1000,
  };
  ports.telemetry.log.info({ nodeClaim: claim.name, ...facts }, 'node claim launched');
  ports.journal.append({
    atMs: nowMs,
    kind: 'Launched',
    subject: claim.name,
    reason: 'instance is coming',
    facts,
  });
}

/** The claim goes, and its pods are planned for again: elsewhere, or later. */
async function giveUp(ports: Ports, launching: Launching, claim: NodeClaim): Promise<void> {
  launching.retries.succeeded(claim.name);
  // Nothing was bought for them: their next plan may be carried out at once.
  for (const pod of launching.memory.nominations.podsOf(claim.name)) launching.memory.brakes.succeeded(pod);
  const outcome = await ports.kube.deleteNodeClaim(claim.name, claim.uid);
  launching.givenUp.add(claim.uid);
  if (outcome === 'gone') launching.live.record({ type: 'delete', kind: 'nodeClaim', key: claim.name });
}

async function tell(
  ports: Ports,
  { live, memory }: Launching,
  claim: NodeClaim,
  { reason, message }: { readonly reason: string; readonly message: string },
): Promise<void> {
  const { name, spec } = claim;
  ports.telemetry.log.warn(
    { nodeClaim: name, provisioner: spec.provisioner, reason, error: message },
    'launch refused',
  );
  const facts = { provisioner: spec.provisioner };
  ports.journal.append({
    atMs: ports.clock.nowMs(),
    kind: 'LaunchFailed',
    subject: name,
    reason: message,
    facts,
  });
  tellLaunchRefused(ports, live, memory, { claim: name, message: `${reason}: ${message}` });
  await tellClaim(ports, live, claim, { type: 'Warning', reason, message });
}
