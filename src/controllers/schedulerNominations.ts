// Telling the kube-scheduler the plan: each pod's node goes into its `status.nominatedNodeName`.
import { type Pod, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { Ports } from '../ports/ports.ts';
import { awaitingPreemption } from '../scheduling/provisionable.ts';
import { nodesByProviderId } from './claimNodes.ts';
import { independently } from './concurrently.ts';
import type { LiveState } from './liveState.ts';
import type { ProvisioningMemory } from './provisioningMemory.ts';
import type { ControllerSettings } from './settings.ts';

/** A pod by its key, and the node or NodeClaim that the plan has it on; '' when the plan has no place for it. */
export interface SentPod {
  readonly pod: string;
  readonly target: string;
}

/** What telling works with. */
export interface Telling {
  readonly live: LiveState;
  readonly memory: ProvisioningMemory;
  readonly settings: ControllerSettings;
}

/** One field to write; no node's name takes it off. */
export interface PodNomination {
  readonly pod: Pod;
  readonly nodeName: string;
}

/**
 * Tells the kube-scheduler where these pods are to go. It then tries that node before all others, and keeps the
 * pods' room on it free from others of the same or a lower priority; untold it spreads pods, and one that the plan has
 * a place for may stay pending. Failures do no harm: the scheduler goes by its own scores then.
 * Source: kube-scheduler's evaluateNominatedNode and RunFilterPluginsWithNominatedPods; KEP-5278.
 */
export async function tellScheduler(
  { clock, kube, telemetry }: Pick<Ports, 'clock' | 'kube' | 'telemetry'>,
  telling: Telling,
  sent: readonly SentPod[],
): Promise<void> {
  if (sent.length === 0) return;
  const { log, metrics } = telemetry;
  const wanted = nominationsToWrite(telling, sent, clock.nowMs());
  const write = async ({ pod, nodeName }: PodNomination): Promise<void> => {
    const key = podKey(pod);
    // Others were written first: meanwhile it may have been bound.
    if (telling.live.get('pod', key)?.uid !== pod.uid || !telling.memory.waiting().has(key)) return;
    telling.memory.noteTold(key, nodeName, clock.nowMs());
    const outcome = await kube.nominatePod(pod, nodeName);
    metrics.count('cooper_pod_nominations_total', { outcome });
  };
  const failures: { readonly pod: string; readonly node: string; readonly error: string }[] = [];
  const notWritten = ({ pod, nodeName }: PodNomination, failure: unknown): void => {
    metrics.count('cooper_pod_nominations_total', { outcome: 'failed' });
    failures.push({ pod: podKey(pod), node: nodeName, error: String(failure) });
  };
  // Two pods that are nominated where there is room for one keep each other out: who has to leave goes first.
  const [leaving, coming] = [wanted.filter(isTakenOff), wanted.filter((one) => !isTakenOff(one))];
  for (const writes of [leaving, coming]) {
    await independently(writes, telling.settings.writesAtOnce, write, notWritten);
  }
  const [first] = failures;
  if (first === undefined) return;
  // One line, not one for each of ten thousand pods.
  const facts = { pods: failures.length, ...first };
  log.warn(facts, 'the kube-scheduler was not told the planned nodes of pods; it chooses by itself');
}

function isTakenOff({ nodeName }: PodNomination): boolean {
  return nodeName === '';
}

/**
 * What has to be written so that the pods' nominations are as planned, for those that still wait and were not told so
 * already. Where the plan has no Node for a pod yet, an older nomination is taken off: it would keep the room for
 * nobody. A nomination that the scheduler preempts others for is its own.
 */
export function nominationsToWrite(
  { live, memory }: Pick<Telling, 'live' | 'memory'>,
  sent: readonly SentPod[],
  nowMs: number,
): readonly PodNomination[] {
  const waiting = memory.waiting();
  const nodeNames = new Map<string, string>();
  const found: PodNomination[] = [];
  for (const { pod: key, target } of sent) {
    const pod = waiting.has(key) ? live.get('pod', key) : undefined;
    if (pod === undefined) continue;
    const nodeName = nodeNames.get(target) ?? stayingNodeName(target, live);
    nodeNames.set(target, nodeName);
    const isTold = pod.nominatedNodeName === nodeName || memory.toldJustNow(key, nodeName, nowMs);
    if (!isTold) found.push({ pod, nodeName });
  }
  // Most often all has been told: then nobody pays for the lists of a large cluster.
  if (found.length === 0) return found;
  const pods = found.map(({ pod }) => pod);
  const left = awaitingPreemption(pods, live.snapshot(), (pod) => memory.mayPreempt(pod, nowMs));
  return found.filter(({ pod }) => !left.has(podKey(pod)));
}

/** The Node that stands for the target and does not leave; '' when there is none. */
function stayingNodeName(target: string, live: LiveState): string {
  const node = live.get('node', nodeNameOf(target, live, () => live.snapshot()) ?? '');
  return node === undefined || node.deletionRequestedAtMs !== null ? '' : node.name;
}

/** The Node of that name, or the one that the NodeClaim of that name has become; null while there is none. */
function nodeNameOf(
  target: string,
  live: LiveState,
  snapshotOf: () => Pick<ClusterSnapshot, 'nodes'>,
): string | null {
  const claim = live.get('nodeClaim', target);
  if (claim === undefined) return live.get('node', target)?.name ?? null;
  const { providerId } = claim.status;
  return providerId === '' ? null : (nodesByProviderId(snapshotOf().nodes).get(providerId)?.name ?? null);
}

/**
 * Where these pods were sent before, so that a new plan sends them there again while they fit: as remembered, or,
 * after a restart, as they carry it themselves. A claim that has its Node goes by the Node's name, as in plans.
 */
export function targetsBefore(
  { live, memory }: Pick<Telling, 'live' | 'memory'>,
  snapshot: ClusterSnapshot,
  pods: readonly Pod[],
): ReadonlyMap<string, string> {
  const remembered = memory.nominations.targetsOf(pods.map(podKey));
  const targets = new Map<string, string>();
  for (const pod of pods) {
    const key = podKey(pod);
    const target = remembered.get(key) ?? pod.nominatedNodeName;
    if (target !== '') targets.set(key, nodeNameOf(target, live, () => snapshot) ?? target);
  }
  return targets;
}
