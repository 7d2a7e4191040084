// Nodes that go for their age or their drift: replacements first, another look, and only then the nodes.

import type { Displacement } from '../disruption/displaced.ts';
import type { Leaving, LeavingNeeds } from '../disruption/leaving.ts';
import {
  decideLeaving,
  expiredNodes,
  leavingNeeds,
  leavingTrial,
  notLeavingBecause,
} from '../disruption/leaving.ts';
import { withoutMarks } from '../disruption/replacements.ts';
import { chooseDrifted, driftForbiddenBy } from '../disruption/rollout.ts';
import { CLAIM_ANNOTATION } from '../model/labels.ts';
import type { SchedulingPlan } from '../model/plan.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { Ports } from '../ports/ports.ts';
import { Backoff } from './backoff.ts';
import { readCatalogue } from './catalogue.ts';
import { type ClaimEvent, tellKept } from './claimEvents.ts';
import { deleteClaims } from './disruption.ts';
import type { DriftWatch } from './drift.ts';
import type { LaunchFailuresMemory } from './launchFailures.ts';
import { launchLeaves, withinLeaves } from './launchPauses.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, sooner } from './nextRun.ts';
import {
  giveUpOrder,
  type Order,
  type Ordering,
  type OrderStanding,
  orderReplacements,
  standingOf,
  unmarkAbandoned,
} from './replacementOrders.ts';

/** How often replacements that come up are looked at. */
const WAIT_AGAIN_MS = 2_000;
/** How often rollouts are looked at. */
const ROLLOUT_AGAIN_MS = 5_000;
/** Marks that could not be taken off are tried again after this long. */
const UNMARK_AGAIN_MS = 5_000;
/** Replacements under way at most, and nodes decided on in one look: each decision plans for all that leave. */
const ORDERS_MOST = 20;
/** A node that came to nothing is left alone, ever longer. */
const PAUSE_FIRST_MS = 60_000;
const PAUSE_MOST_MS = 1_800_000;
/** Machines that do not come up cost money in vain: the next one is bought no sooner. */
const BROKEN_PAUSE_MS = 600_000;
/** An expired node that nothing can be bought for goes all the same after this long: its going frees its limits. */
const EXPIRES_ANYWAY_MS = 600_000;
const NOBODY: ReadonlyMap<string, string> = new Map();

/** What replacing remembers beside its orders. */
export class ReplacingMemory {
  readonly pauses = new Backoff(PAUSE_FIRST_MS, PAUSE_MOST_MS);
  /** By claim name: since when nothing could be bought for it. */
  readonly unplaceableSinceMs = new Map<string, number>();
  /** By claim name: what was last told of what holds it. */
  readonly told = new Map<string, string>();

  keepOnly(claims: ReadonlySet<string>): void {
    this.pauses.keepOnly(claims);
    for (const name of [...this.unplaceableSinceMs.keys()])
      if (!claims.has(name)) this.unplaceableSinceMs.delete(name);
    for (const name of [...this.told.keys()]) if (!claims.has(name)) this.told.delete(name);
  }

  sizes(): Readonly<Record<string, number>> {
    return {
      replacingPauses: this.pauses.size,
      replacingUnplaceable: this.unplaceableSinceMs.size,
      replacingTold: this.told.size,
    };
  }
}

export interface Replacing extends Ordering {
  readonly watch: DriftWatch;
  readonly memory: ReplacingMemory;
  readonly failures: LaunchFailuresMemory;
}

/** One look: goes on with what was ordered, then orders for those that are due. */
export function replaceNodes(ports: Ports, replacing: Replacing): Promise<NextRun> {
  return replacing.orders.exclusively(() => look(ports, replacing));
}

async function look(ports: Ports, replacing: Replacing): Promise<NextRun> {
  const { live, orders, memory, watch } = replacing;
  const first = orders.seen(live.snapshot());
  orders.look(first);
  memory.keepOnly(new Set(first.nodeClaims.map(({ name }) => name)));
  const failures = [
    ...(await eachAlone([replacing], (one) => unmarkAbandoned(ports, one))),
    ...(await eachAlone(orders.open('Expired', 'Drifted'), (order) => advance(ports, replacing, order))),
  ];
  const snapshot = orders.seen(live.snapshot());
  const nowMs = snapshot.takenAtMs;
  const drifting = watch.decide(snapshot);
  const isPassedOver = (name: string): boolean =>
    memory.unplaceableSinceMs.has(name) && memory.pauses.waitMs(name, nowMs) > 0;
  const { may, kept } = chooseDrifted(snapshot, drifting, isPassedOver);
  const due = [...expiredNodes(snapshot), ...may];
  const decision = decideLeaving(snapshot, due, (name) => memory.pauses.waitMs(name, nowMs));
  for (const { held, ...leaving } of kept)
    await tellOnce(ports, replacing, leaving, { type: 'Normal', reason: 'DisruptionBlocked', message: held });
  for (const { held, ...leaving } of decision.held)
    await tellOnce(ports, replacing, leaving, { type: 'Normal', reason: 'DisruptionBlocked', message: held });
  const room = ORDERS_MOST - orders.open('Expired', 'Drifted').length;
  const chosen = decision.leaving.slice(0, Math.max(0, room));
  if (chosen.length > 0) {
    const { catalogue } = await readCatalogue(ports.cloud, snapshot);
    const order = async (leaving: Leaving): Promise<void> => {
      const rollout = drifting.rollouts.get(leaving.claim.spec.provisioner)?.id;
      const annotations =
        leaving.reason === 'Drifted' && rollout !== undefined ? { [CLAIM_ANNOTATION.rollout]: rollout } : {};
      try {
        await begin(ports, replacing, { leaving, annotations }, catalogue);
      } catch (failure) {
        memory.pauses.failed(leaving.claim.name, ports.clock.nowMs());
        throw failure;
      }
    };
    failures.push(...(await eachAlone(chosen, order)));
  }
  if (failures.length > 0) throw failures[0];
  const isWaiting = orders.open('Expired', 'Drifted').length > 0 || chosen.length < decision.leaving.length;
  let next: NextRun = { afterMs: Math.max(0, decision.nextAtMs - ports.clock.nowMs()) };
  // Their soak ends, and what launches would use is told, without anything changing.
  if (drifting.due.length + drifting.untold.size > 0) next = sooner(next, { afterMs: ROLLOUT_AGAIN_MS });
  if (isWaiting) next = sooner(next, { afterMs: WAIT_AGAIN_MS });
  return orders.toUnmark().length > 0 ? sooner(next, { afterMs: UNMARK_AGAIN_MS }) : next;
}

/** Does it for each in turn: one whose writes are refused for good must not keep all others. Gives what has failed. */
async function eachAlone<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const item of items) {
    try {
      await act(item);
    } catch (failure) {
      failures.push(failure);
    }
  }
  return failures;
}

interface Beginning {
  readonly leaving: Leaving;
  /** Further annotations of what is bought for it. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** Finds out what the node needs before it goes, and orders that; a node that needs nothing goes at once. */
async function begin(
  ports: Ports,
  replacing: Replacing,
  { leaving, annotations }: Beginning,
  catalogue: Catalogue,
): Promise<void> {
  const { live, orders, memory } = replacing;
  const { claim, reason, message } = leaving;
  const snapshot = orders.seen(live.snapshot());
  const needs = await needsOf(ports, snapshot, [claim.name], catalogue);
  const nowMs = ports.clock.nowMs();
  if (needs.kind === 'unplaceable') return holdUnplaceable(ports, replacing, leaving, needs.message);
  // Looked at again while it comes up.
  if (needs.kind === 'later') return;
  if (needs.replacements.length === 0) return remove(ports, replacing, leaving, message);
  const { replacements } = needs;
  const { held } = withinLeaves(replacements, launchLeaves(live.snapshot(), replacing.failures));
  const [paused] = held;
  if (paused !== undefined) {
    const because = `the last nodes of Provisioner ${paused.spec.provisioner} never came up: none is launched now`;
    return holdBroken(ports, replacing, leaving, because);
  }
  const draft = { reason, nodeClaims: [claim.name], replacements, message, annotations };
  await orderReplacements(ports, replacing, draft, { snapshot, catalogue });
  memory.pauses.hold(claim.name, nowMs);
}

async function needsOf(
  ports: Ports,
  snapshot: ClusterSnapshot,
  claims: readonly string[],
  catalogue: Catalogue,
): Promise<LeavingNeeds> {
  const trial = leavingTrial(snapshot, claims);
  const others = leavingTrial(snapshot, []);
  if (trial.pods.length === others.pods.length) return { kind: 'places', replacements: [] };
  const planOf = async (displacement: Displacement): Promise<SchedulingPlan | null> => {
    const outcome = await ports.planner.plan({ ...displacement, catalogue, nominated: NOBODY, budgetMs: 0 });
    return outcome.kind === 'passed' ? outcome.plan : null;
  };
  const plan = await planOf(trial);
  const asksMuch = plan !== null && plan.nodeClaims.length + plan.refusals.length > 0;
  const without = asksMuch && others.pods.length > 0 ? await planOf(others) : null;
  return leavingNeeds(snapshot, claims, plan, without);
}

/** Carries an order out once its replacements are up and all of it still holds; gives it up when it does not. */
async function advance(ports: Ports, replacing: Replacing, order: Order): Promise<void> {
  const { live, orders, watch } = replacing;
  const nowMs = ports.clock.nowMs();
  const snapshot = orders.seen(live.snapshot());
  const isOver = nowMs > order.untilMs;
  const leaving = leavingOf(order, live);
  const drifting = order.reason === 'Drifted' ? watch.decide(snapshot) : null;
  // After a restart nothing is known of images yet: orders of an earlier life are not judged by that.
  if (!isOver && leaving.some(({ claim }) => drifting?.untold.has(claim.spec.provisioner))) return;
  const due = drifting?.due ?? expiredNodes(snapshot);
  const standing = standingOf(order, replacing, nowMs);
  // A rollout that is halted waits for none of its replacements, nor does a node that has drifted back.
  const isInVain = drifting !== null && !due.some(({ claim }) => order.nodeClaims.includes(claim.name));
  if (standing.kind === 'waiting' && !isInVain) return;
  if (standing.kind === 'waiting')
    return giveUpOrder(ports, replacing, order, 'the node need not go any more, or its rollout is halted');
  const changed = notLeavingBecause(snapshot, due, order);
  if (standing.kind !== 'up') {
    giveUpOrder(ports, replacing, order, standing.message);
    // What need not or may not go now does not go without a replacement either.
    if (standing.kind === 'notUp' || changed === null) await holdBack(ports, replacing, leaving, standing);
    return;
  }
  if (changed !== null) return giveUpOrder(ports, replacing, order, changed);
  const forbidden = forbiddenBy(snapshot, leaving);
  if (forbidden === null) await carryOut(ports, replacing, order, leaving);
  else if (isOver) giveUpOrder(ports, replacing, order, forbidden);
}

/** Takes the nodes away once a last look finds places for their pods. */
async function carryOut(
  ports: Ports,
  replacing: Replacing,
  order: Order,
  leaving: readonly Leaving[],
): Promise<void> {
  const { live, orders } = replacing;
  const snapshot = orders.seen(live.snapshot());
  const { catalogue } = await readCatalogue(ports.cloud, snapshot);
  const needs = await needsOf(ports, withoutMarks(snapshot, order.replacements), order.nodeClaims, catalogue);
  if (needs.kind === 'later' && ports.clock.nowMs() <= order.untilMs) return;
  if (needs.kind !== 'places' || needs.replacements.length > 0) {
    const because = needs.kind === 'unplaceable' ? needs.message : 'its pods would need another node by now';
    giveUpOrder(ports, replacing, order, because);
    for (const one of leaving) await holdUnplaceable(ports, replacing, one, because);
    return;
  }
  orders.end(order);
  for (const name of order.replacements) orders.reserve(name, order.untilMs);
  for (const one of leaving) await remove(ports, replacing, one, order.message);
}

function forbiddenBy(snapshot: ClusterSnapshot, leaving: readonly Leaving[]): string | null {
  const held = leaving.map(({ claim, reason }) =>
    reason === 'Drifted' ? driftForbiddenBy(snapshot, claim) : null,
  );
  return held.find((message) => message !== null) ?? null;
}

/** Leaves alone for a while what could not be replaced. */
async function holdBack(
  ports: Ports,
  replacing: Replacing,
  leaving: readonly Leaving[],
  standing: Exclude<OrderStanding, { readonly kind: 'waiting' | 'up' }>,
): Promise<void> {
  for (const one of leaving) {
    if (standing.kind === 'notBought') await holdUnplaceable(ports, replacing, one, standing.message);
    else await holdBroken(ports, replacing, one, standing.message);
  }
}

function leavingOf({ nodeClaims, reason, message }: Order, live: LiveState): readonly Leaving[] {
  const claims = nodeClaims.flatMap((name) => live.get('nodeClaim', name) ?? []);
  return claims.map((claim) => ({ claim, reason: reason === 'Drifted' ? 'Drifted' : 'Expired', message }));
}

async function remove(
  ports: Ports,
  replacing: Replacing,
  { claim, reason }: Leaving,
  message: string,
): Promise<void> {
  const { orders, memory } = replacing;
  const nodeClaims = [claim.name];
  orders.noteLeaving(nodeClaims, ports.clock.nowMs());
  await deleteClaims(ports, replacing, { reason, nodeClaims, replacements: [], message });
  memory.unplaceableSinceMs.delete(claim.name);
}

/** Nothing can be bought for it: tried again after a pause, and an expired node goes all the same in the end. */
async function holdUnplaceable(
  ports: Ports,
  replacing: Replacing,
  leaving: Leaving,
  because: string,
): Promise<void> {
  const { memory } = replacing;
  const { name } = leaving.claim;
  const nowMs = ports.clock.nowMs();
  const sinceMs = memory.unplaceableSinceMs.get(name) ?? nowMs;
  memory.unplaceableSinceMs.set(name, sinceMs);
  const isForced = leaving.reason === 'Expired' && nowMs - sinceMs >= EXPIRES_ANYWAY_MS;
  if (isForced) {
    const message = `${leaving.message}; it goes without a replacement: ${because}`;
    return remove(ports, replacing, leaving, message);
  }
  const again = memory.pauses.failed(name, nowMs);
  const endsAtMs = leaving.reason === 'Expired' ? sinceMs + EXPIRES_ANYWAY_MS : again;
  memory.pauses.hold(name, Math.min(again, endsAtMs));
  const minutes = EXPIRES_ANYWAY_MS / 60_000;
  const end = leaving.reason === 'Expired' ? `; after ${minutes} min it goes all the same` : '';
  await tellFailed(ports, replacing, leaving, `${because}${end}`);
}

/** What was bought for it is of no use: the node that works stays, and that is tried again ever more rarely. */
async function holdBroken(
  ports: Ports,
  replacing: Replacing,
  leaving: Leaving,
  because: string,
): Promise<void> {
  const { memory } = replacing;
  memory.unplaceableSinceMs.delete(leaving.claim.name);
  const nowMs = ports.clock.nowMs();
  const againMs = Math.max(memory.pauses.failed(leaving.claim.name, nowMs), nowMs + BROKEN_PAUSE_MS);
  memory.pauses.hold(leaving.claim.name, againMs);
  await tellFailed(ports, replacing, leaving, because);
}

async function tellFailed(
  ports: Ports,
  replacing: Replacing,
  leaving: Leaving,
  message: string,
): Promise<void> {
  await tellOnce(ports, replacing, leaving, { type: 'Warning', reason: 'ReplacementFailed', message });
}

/** Says once what keeps a node that is due. */
async function tellOnce(
  ports: Ports,
  { live, memory }: Replacing,
  { claim, reason }: Leaving,
  event: ClaimEvent,
): Promise<void> {
  const message = `${reason}, but kept: ${event.message}`;
  const gist = message.replace(/[0-9]+/g, '#');
  if (memory.told.get(claim.name) === gist) return;
  memory.told.set(claim.name, gist);
  const facts = { node: claim.status.nodeName, disruption: reason };
  ports.telemetry.log.info({ nodeClaim: claim.name, ...facts, held: event.message }, 'disruption held back');
  await tellKept(ports, live, claim, { ...event, message, disruption: reason });
}
