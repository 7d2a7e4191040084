// Rolling a Deployment of one pod before that pod is evicted, for those that ask for it.
import { asksForSurge, surgeStep } from '../disruption/surge.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { type Pod, podKey } from '../model/pod.ts';
import type { Rollout } from '../model/workloads.ts';
import type { Ports } from '../ports/ports.ts';
import type { DrainStarts } from './drainStarts.ts';
import type { NextRun } from './nextRun.ts';
import type { ControllerSettings } from './settings.ts';

/** How often a rollout that is under way is looked at again. */
const SURGE_AGAIN_MS = 10_000;

export interface Surging {
  readonly settings: ControllerSettings;
  readonly starts: DrainStarts;
  /** True for a claim whose instance EC2 takes back: there is no time for a rollout. */
  readonly isInterrupted: (claimUid: string) => boolean;
}

/** Null when the pod may be evicted now, else when to look again: its Deployment is being rolled. */
export async function surge(
  ports: Ports,
  { settings, starts, isInterrupted }: Surging,
  claim: NodeClaim,
  pod: Pod,
): Promise<NextRun | null> {
  if (!settings.surgeSingleReplicas || !asksForSurge(pod) || isInterrupted(claim.uid)) return null;
  const rollout = await ports.kube.readRollout(pod);
  if (rollout === 'forbidden') {
    const facts = { pod: podKey(pod) };
    ports.telemetry.log.warn(
      facts,
      'pod evicted without a rollout: no right to read Deployments and ReplicaSets',
    );
    return null;
  }
  const nowMs = ports.clock.nowMs();
  const step = surgeStep(rollout, starts.of(claim) ?? nowMs, nowMs);
  if (step.kind === 'evict' || rollout === null) return null;
  if (step.kind === 'wait') return { afterMs: Math.min(SURGE_AGAIN_MS, step.untilMs - nowMs) };
  if ((await ports.kube.restartRollout(rollout, nowMs)) === 'gone') return null;
  await record(ports, pod, rollout);
  return { afterMs: SURGE_AGAIN_MS };
}

async function record(ports: Ports, pod: Pod, rollout: Rollout): Promise<void> {
  const deployment = podKey(rollout);
  const facts = { node: pod.nodeName, deployment };
  ports.telemetry.log.info(
    { pod: podKey(pod), ...facts },
    'deployment rolled before the eviction of its only pod',
  );
  const atMs = ports.clock.nowMs();
  const reason = 'its Deployment is rolled before its node goes';
  ports.journal.append({ atMs, kind: 'Surged', subject: podKey(pod), reason, facts });
  const about = { kind: 'Pod' as const, namespace: pod.namespace, name: pod.name, uid: pod.uid };
  const message =
    `Deployment ${deployment} is rolled, so that another pod is ready before this one leaves ` + pod.nodeName;
  await ports.kube.publishEvent({ about, type: 'Normal', reason: 'Surge', message });
}
