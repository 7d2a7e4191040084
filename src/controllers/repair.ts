// Carrying out repair: unhealthy nodes go, once the server says that they still are; what keeps others is told.
import { ailmentOf, decideRepair, type HeldRepair, type Unhealthy } from '../disruption/repair.ts';
import { DEFAULT_REPAIR } from '../model/disruptionPolicy.ts';
import { CLAIM_ANNOTATION } from '../model/labels.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { Ports } from '../ports/ports.ts';
import { deleteAndTell, tellKept } from './claimEvents.ts';
import { independently } from './concurrently.ts';
import type { LaunchFailuresMemory } from './launchFailures.ts';
import { launchLeaves } from './launchPauses.ts';
import type { LiveState } from './liveState.ts';
import type { NextRun } from './nextRun.ts';
import type { ReplacementOrders } from './replacementOrders.ts';

export interface Repairing {
  readonly live: LiveState;
  /** Says what has been deleted a moment ago, by whomever, and what is kept for pods on their way. */
  readonly orders: Pick<ReplacementOrders, 'seen' | 'noteLeaving' | 'noteDeleted' | 'reservedUntilMs'>;
  readonly failures: LaunchFailuresMemory;
  /** By claim name: what was last told of what keeps it, though its node is unhealthy. */
  readonly toldUnrepaired: Map<string, string>;
}

/** A node that may be ill is drained for so long: pods that run are evicted within their budgets, the others end. */
const DRAIN_MS = 5 * 60_000;
/** A write that failed, and a node that was well on the server, are looked at again after this long. */
const AGAIN_MS = 5_000;
const WRITES_AT_ONCE = 8;

/** One look: deletes the claims of nodes that are to be replaced. */
export async function repairNodes(ports: Ports, repairing: Repairing): Promise<NextRun> {
  const snapshot = repairing.orders.seen(repairing.live.snapshot());
  const leaves = launchLeaves(snapshot, repairing.failures);
  const { repairs, held, nextAtMs } = decideRepair(snapshot, (name) => leaves.has(name));
  let againMs = Number.POSITIVE_INFINITY;
  await independently(
    repairs,
    WRITES_AT_ONCE,
    async (unhealthy) => {
      if (!(await replace(ports, repairing, unhealthy))) againMs = AGAIN_MS;
    },
    ({ claim }, failure) => {
      againMs = AGAIN_MS;
      ports.telemetry.log.error({ nodeClaim: claim.name, error: String(failure) }, 'node not replaced');
    },
  );
  const going = new Set(repairs.map(({ claim }) => claim.name));
  const kept = snapshot.nodeClaims.filter(
    ({ name, deletionRequestedAtMs }) => deletionRequestedAtMs === null && !going.has(name),
  );
  if (!(await unmark(ports, repairing, kept))) againMs = AGAIN_MS;
  await tellHeld(ports, repairing, held);
  return { afterMs: Math.min(againMs, Math.max(0, nextAtMs - ports.clock.nowMs())) };
}

/** Asks the server whether the node still is unhealthy, gives its drain an end, and lets it go; false for: later. */
async function replace(
  ports: Ports,
  { live, orders }: Repairing,
  { claim, message }: Unhealthy,
): Promise<boolean> {
  const { nodeName: node } = claim.status;
  const { provisioner } = claim.spec;
  const policy = live.get('provisioner', provisioner)?.disruption.repair ?? DEFAULT_REPAIR;
  const fresh = await ports.kube.readNode(node);
  const ailment = fresh === null ? null : ailmentOf(fresh, policy);
  if (ailment === null || ailment.dueAtMs > ports.clock.nowMs()) {
    ports.telemetry.log.warn({ nodeClaim: claim.name, node }, 'node kept: the watch is behind, it is well');
    return false;
  }
  const drainEnd = new Date(ports.clock.nowMs() + DRAIN_MS).toISOString();
  const marked = await ports.kube.annotateNodeClaim(claim, { [CLAIM_ANNOTATION.drainEnd]: drainEnd });
  live.recordNodeClaim(claim, marked);
  if (marked.kind !== 'written') return marked.kind === 'gone';
  const facts = { provisioner };
  const why = { type: 'Warning', reason: 'DisruptionUnhealthy', message, facts } as const;
  if ((await deleteAndTell(ports, live, claim, { ...why, disruption: 'Unhealthy' })) === 'gone') return true;
  orders.noteDeleted(claim, ports.clock.nowMs());
  ports.telemetry.log.warn({ nodeClaim: claim.name, node, message }, 'unhealthy node is replaced');
  const labels = { provisioner, reason: 'Unhealthy' };
  ports.telemetry.metrics.count('cooper_nodeclaims_disrupted_total', labels);
  return true;
}

/**
 * A claim may have been given an end and not been deleted: the process or the server stopped in between. What takes its
 * node away later, perhaps when it is well, would cut that drain short. False when one is to be looked at again.
 */
async function unmark(ports: Ports, { live }: Repairing, kept: readonly NodeClaim[]): Promise<boolean> {
  const marked = kept.filter(({ annotations }) => annotations?.[CLAIM_ANNOTATION.drainEnd] !== undefined);
  let isDone = true;
  await independently(
    marked,
    WRITES_AT_ONCE,
    async (claim) => {
      const outcome = await ports.kube.annotateNodeClaim(claim, { [CLAIM_ANNOTATION.drainEnd]: null });
      live.recordNodeClaim(claim, outcome);
      if (outcome.kind === 'conflict') isDone = false;
    },
    ({ name }, failure) => {
      isDone = false;
      ports.telemetry.log.error({ nodeClaim: name, error: String(failure) }, 'end of a drain not taken back');
    },
  );
  return isDone;
}

/** Says once what keeps an unhealthy node, and forgets those that are well or gone. */
async function tellHeld(
  ports: Ports,
  { live, toldUnrepaired }: Repairing,
  held: readonly HeldRepair[],
): Promise<void> {
  const still = new Set(held.map(({ claim }) => claim.name));
  for (const name of [...toldUnrepaired.keys()]) if (!still.has(name)) toldUnrepaired.delete(name);
  for (const { claim, message, held: because } of held) {
    // Amounts change all the time, and are no news.
    const gist = because.replace(/\d+/g, '#');
    if (toldUnrepaired.get(claim.name) === gist) continue;
    toldUnrepaired.set(claim.name, gist);
    const text = `${message}; not replaced: ${because}`;
    const why = { type: 'Warning', reason: 'Unrepaired', message: text, disruption: 'Unhealthy' } as const;
    await tellKept(ports, live, claim, why);
  }
}
