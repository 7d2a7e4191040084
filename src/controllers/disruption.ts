// Carrying out what disruption decides: stamps on claims, and deletion of those whose time is up.
import { disrupt, type HeldDisruption } from '../disruption/disruptor.ts';
import type { EmptinessChange } from '../disruption/emptiness.ts';
import { occupiesNode } from '../disruption/evictable.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { DisruptionPlan } from '../model/plan.ts';
import { podKey } from '../model/pod.ts';
import type { Ports } from '../ports/ports.ts';
import { type ClaimDecision, deleteAndTell, tellKept } from './claimEvents.ts';
import { independently } from './concurrently.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, sooner } from './nextRun.ts';
import type { Nominations } from './nominations.ts';
import { type Repairing, repairNodes } from './repair.ts';
import type { ReplacementOrders } from './replacementOrders.ts';
import type { ControllerSettings } from './settings.ts';

/** A write that failed is tried again after this long. */
const FAILED_AGAIN_MS = 5_000;

export interface Disrupting extends Repairing {
  readonly nominations: Nominations;
  readonly settings: ControllerSettings;
  /** By claim name: what was last told of what holds its disruption back. */
  readonly toldHeld: Map<string, string>;
}

/** One look at the cluster: writes emptiness stamps, deletes claims that are due, and those of unhealthy nodes. */
export async function disruptNodes(ports: Ports, disrupting: Disrupting): Promise<NextRun> {
  const { live, orders, nominations, settings } = disrupting;
  const snapshot = orders.seen(live.snapshot());
  const decision = disrupt(snapshot, (name) =>
    Math.max(nominations.endsAtMs(name), orders.reservedUntilMs(name)),
  );
  const failed = (names: readonly string[], failure: unknown): void => {
    retryMs = FAILED_AGAIN_MS;
    ports.telemetry.log.error({ nodeClaims: names, error: String(failure) }, 'disruption of a claim failed');
  };
  let retryMs = Number.POSITIVE_INFINITY;
  await independently(
    decision.plans,
    settings.writesAtOnce,
    async (plan) => {
      if (await deleteClaims(ports, disrupting, plan))
        orders.noteLeaving(plan.nodeClaims, ports.clock.nowMs());
      else retryMs = FAILED_AGAIN_MS;
    },
    (plan, failure) => failed(plan.nodeClaims, failure),
  );
  await independently(
    decision.emptinessChanges,
    settings.writesAtOnce,
    async (change) => {
      const outcome = await writeEmptiness(ports, disrupting, change, snapshot.takenAtMs);
      // Whatever came in between may be in the state already: no event brings us back.
      if (outcome === 'conflict') retryMs = FAILED_AGAIN_MS;
    },
    ({ claim }, failure) => failed([claim.name], failure),
  );
  await tellHeld(ports, disrupting, decision.held);
  const next = { afterMs: Math.min(retryMs, Math.max(0, decision.nextAtMs - ports.clock.nowMs())) };
  return sooner(next, await repairNodes(ports, disrupting));
}

async function writeEmptiness(
  ports: Ports,
  { live }: Disrupting,
  { claim, emptySinceMs }: EmptinessChange,
  atMs: number,
): Promise<'written' | 'gone' | 'conflict'> {
  const outcome = await ports.kube.writeEmptySince(claim, emptySinceMs);
  live.recordNodeClaim(claim, outcome);
  if (outcome.kind !== 'written') return outcome.kind;
  const facts = { node: claim.status.nodeName };
  const [kind, reason] =
    emptySinceMs === null
      ? (['Kept', 'node is in use again'] as const)
      : (['Empty', 'no pods are left'] as const);
  ports.telemetry.log.info(
    { nodeClaim: claim.name, ...facts, empty: emptySinceMs !== null },
    'emptiness changed',
  );
  ports.journal.append({ atMs, kind, subject: claim.name, reason, facts });
  return 'written';
}

/** Says once what keeps a claim that is due, and forgets those that nothing keeps any more. */
async function tellHeld(
  ports: Ports,
  { live, toldHeld }: Disrupting,
  held: readonly HeldDisruption[],
): Promise<void> {
  const still = new Set(held.map(({ claim }) => claim.name));
  for (const name of [...toldHeld.keys()]) if (!still.has(name)) toldHeld.delete(name);
  for (const { claim, reason, message } of held) {
    if (toldHeld.get(claim.name) === message) continue;
    toldHeld.set(claim.name, message);
    const facts = { node: claim.status.nodeName, disruption: reason };
    ports.telemetry.log.info({ nodeClaim: claim.name, ...facts, held: message }, 'disruption held back');
    await tellKept(ports, live, claim, {
      type: 'Normal',
      reason: 'DisruptionBlocked',
      message: `${reason}, but kept: ${message}`,
      disruption: reason,
    });
  }
}

/** The watch may be behind: a node is empty once the server itself says so. */
async function isInUse(ports: Ports, live: LiveState, claim: NodeClaim): Promise<boolean> {
  const pods = await ports.kube.readNodePods(claim.status.nodeName);
  const user = pods.find(occupiesNode);
  if (user === undefined) return false;
  const facts = { nodeClaim: claim.name, node: claim.status.nodeName };
  ports.telemetry.log.warn(facts, 'node kept: the watch is behind, pods are on it');
  await tellKept(ports, live, claim, {
    type: 'Normal',
    reason: 'DisruptionBlocked',
    message: `Empty, but kept: pod ${podKey(user)} has come to it`,
    disruption: 'Empty',
    blockedBy: podKey(user),
  });
  return true;
}

/** What deletions are noted in. */
interface Deleting {
  readonly live: LiveState;
  readonly orders: Pick<ReplacementOrders, 'noteDeleted'>;
}

/**
 * Deletes the claims of a plan, and says why on each; the drain follows from that.
 * @returns false when a claim was left alone and is to be looked at again
 */
export async function deleteClaims(
  ports: Ports,
  { live, orders }: Deleting,
  plan: DisruptionPlan,
): Promise<boolean> {
  let isDone = true;
  for (const name of plan.nodeClaims) {
    const claim = live.get('nodeClaim', name);
    if (claim === undefined) continue;
    if (plan.reason === 'Empty' && (await isInUse(ports, live, claim))) {
      isDone = false;
      continue;
    }
    if ((await deleteAndTell(ports, live, claim, decisionOf(plan))) === 'gone') continue;
    orders.noteDeleted(claim, ports.clock.nowMs());
    const labels = { provisioner: claim.spec.provisioner, reason: plan.reason };
    ports.telemetry.metrics.count('cooper_nodeclaims_disrupted_total', labels);
    const facts = { node: claim.status.nodeName, disruption: plan.reason };
    ports.telemetry.log.info({ nodeClaim: name, ...facts }, 'node claim deleted');
  }
  return isDone;
}

function decisionOf({ reason, message, savingUsdPerHour, podsMoved }: DisruptionPlan): ClaimDecision {
  return {
    type: 'Normal',
    reason: `Disruption${reason}`,
    message,
    disruption: reason,
    ...(savingUsdPerHour === undefined ? {} : { savingUsdPerHour }),
    ...(podsMoved === undefined ? {} : { podsMoved }),
  };
}
