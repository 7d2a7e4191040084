// Carrying out consolidation: replacements first, another look, and only then the nodes go.
import { haltOf } from '../disruption/consolidation.ts';
import { stayingUsdPerHour } from '../disruption/rebought.ts';
import { ReplacementLoops } from '../disruption/replacementLoops.ts';
import { claimsBeingReplaced, withoutMarks } from '../disruption/replacements.ts';
import type {
  Consolidation,
  ConsolidationAction,
  ConsolidationDecision,
  Kept,
} from '../model/consolidation.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { Ports } from '../ports/ports.ts';
import { readCatalogue } from './catalogue.ts';
import { tellKept } from './claimEvents.ts';
import { ConsolidationBrake } from './consolidationBrake.ts';
import { deleteClaims } from './disruption.ts';
import type { LaunchFailuresMemory } from './launchFailures.ts';
import { launchLeaves, withoutPaused } from './launchPauses.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import type { Nominations } from './nominations.ts';
import { PodChanges } from './podChanges.ts';
import {
  giveUpOrder,
  type Order,
  type Ordering,
  orderReplacements,
  REPLACED_BY_MS,
  standingOf,
} from './replacementOrders.ts';

/** How often the cluster is looked at, and how often while replacements come up. */
const LOOK_AGAIN_MS = 15_000;
const WAIT_AGAIN_MS = 2_000;
/** After an action that came to nothing, nodes are left alone for so long: its cause may still be there. */
const GIVEN_UP_MS = 300_000;
/** Pods of nodes that go are held to their places for so long, or until they are evicted. */
const NOMINATED_MS = 60_000;
/** A cluster that has not changed is looked at again after this long: nodes and pods come of age. */
const UNCHANGED_MS = 60_000;

/** What consolidation remembers between looks. What it has ordered stands on the claims. */
export class ConsolidationMemory {
  readonly podChanges = new PodChanges();
  readonly brake = new ConsolidationBrake();
  readonly loops = new ReplacementLoops();
  /** By claim name: what was last told of why it stays. */
  readonly told = new Map<string, string>();
  /** Why no node was looked at, '' when they were. */
  halted = '';
  notBeforeMs = 0;
  /** Claims that the last action has deleted: a watch that is late may show them as if nothing had happened. */
  leaving: { readonly nodeClaims: readonly string[]; readonly untilMs: number } | null = null;
  /** The cluster that nothing was found for. */
  fruitless: ClusterSnapshot | null = null;

  prune(claims: ReadonlySet<string>): void {
    for (const name of [...this.told.keys()]) if (!claims.has(name)) this.told.delete(name);
  }

  sizes(): Readonly<Record<string, number>> {
    return {
      consolidationPodChanges: this.podChanges.size,
      consolidationTold: this.told.size,
      consolidationLoops: this.loops.size,
    };
  }
}

export interface ConsolidatingNodes extends Ordering {
  readonly nominations: Nominations;
  readonly memory: ConsolidationMemory;
  readonly failures: LaunchFailuresMemory;
}

/** One look: goes on with what was ordered, or looks for what pays. One action at a time. */
export function consolidateNodes(ports: Ports, consolidating: ConsolidatingNodes): Promise<NextRun> {
  return consolidating.orders.exclusively(() => look(ports, consolidating));
}

async function look(ports: Ports, consolidating: ConsolidatingNodes): Promise<NextRun> {
  const { live, memory, orders } = consolidating;
  const snapshot = orders.seen(live.snapshot());
  orders.look(snapshot);
  memory.prune(new Set(snapshot.nodeClaims.map(({ name }) => name)));
  const isWanted = snapshot.provisioners.some(
    ({ disruption }) => disruption.consolidation === 'WhenEmptyOrUnderutilized',
  );
  const [ordered] = orders.open('Underutilized');
  if (!isWanted && ordered === undefined) return WHEN_CHANGED;
  memory.podChanges.look(snapshot);
  if (ordered === undefined && isFruitless(memory, snapshot)) return { afterMs: LOOK_AGAIN_MS };
  const leaves = launchLeaves(snapshot, consolidating.failures);
  const { catalogue } = withoutPaused(await readCatalogue(ports.cloud, snapshot), leaves, { evenOne: false });
  if (ordered !== undefined) return finish(ports, consolidating, ordered, catalogue);
  const decision = await ports.planner.consolidate(problemOf(consolidating, snapshot, catalogue));
  ports.telemetry.metrics.gauge('cooper_consolidation_trials', {}, decision.trials);
  noteHalt(ports, memory, decision.halted);
  await tellStaying(ports, consolidating, decision);
  const { action } = decision;
  memory.fruitless = action === null ? snapshot : null;
  if (action === null) return { afterMs: LOOK_AGAIN_MS };
  // The nodes are kept with the reason said from the next look on, which may find others.
  if (memory.loops.stops(action, snapshot)) return { afterMs: WAIT_AGAIN_MS };
  const pauseMs = memory.brake.pauseMs(snapshot);
  if (pauseMs > 0) {
    memory.notBeforeMs = ports.clock.nowMs() + pauseMs;
    const usdPerHour = stayingUsdPerHour(snapshot);
    const facts = { usdPerHour, pauseSeconds: pauseMs / 1000, next: action.message };
    ports.telemetry.log.warn(facts, 'consolidation pauses: its last action has not made the cluster cheaper');
    await tellPaused(ports, consolidating, action);
    return { afterMs: LOOK_AGAIN_MS };
  }
  const { savingUsdPerHour, evicted: podsMoved } = action;
  const gain = { savingUsdPerHour, podsMoved };
  const draft = { ...action, reason: 'Underutilized' as const, gain };
  const order = await orderReplacements(ports, consolidating, draft, { snapshot, catalogue });
  if (order === null) return { afterMs: LOOK_AGAIN_MS };
  const { nodeClaims, evicted } = action;
  memory.brake.acting(snapshot, { nodeClaims, evicted, replacements: order.replacements });
  memory.loops.note(action, snapshot);
  return { afterMs: order.replacements.length === 0 ? 0 : WAIT_AGAIN_MS };
}

/** Records when consolidation as a whole comes to a halt, once until it goes on: the causes follow each other. */
function noteHalt({ clock, journal }: Ports, memory: ConsolidationMemory, halted: string): void {
  const isNew = halted !== '' && memory.halted === '';
  memory.halted = halted;
  if (!isNew) return;
  const facts = { disruption: 'Underutilized' };
  const code = 'ConsolidationHalted';
  journal.append({ atMs: clock.nowMs(), kind: 'Kept', subject: 'cluster', reason: halted, code, facts });
}

/** True while another look would find nothing, or may not be taken. */
function isFruitless(
  { fruitless, notBeforeMs, leaving }: ConsolidationMemory,
  snapshot: ClusterSnapshot,
): boolean {
  if (snapshot.takenAtMs < notBeforeMs) return true;
  if (
    leaving !== null &&
    snapshot.takenAtMs < leaving.untilMs &&
    snapshot.nodeClaims.some(({ name }) => leaving.nodeClaims.includes(name))
  )
    return true;
  if (fruitless === null || snapshot.takenAtMs - fruitless.takenAtMs >= UNCHANGED_MS) return false;
  // Lists of the state stay the same objects while nothing in them changes.
  return (
    fruitless.pods === snapshot.pods &&
    fruitless.nodes === snapshot.nodes &&
    fruitless.nodeClaims === snapshot.nodeClaims &&
    fruitless.provisioners === snapshot.provisioners &&
    fruitless.disruptionBudgets === snapshot.disruptionBudgets
  );
}

/** The cluster as it is now. Nodes that are being replaced, and what replaces them, are not to be touched. */
function problemOf(
  { nominations, memory, orders }: ConsolidatingNodes,
  snapshot: ClusterSnapshot,
  catalogue: Catalogue,
): Consolidation {
  const replaced = claimsBeingReplaced(snapshot);
  const nominatedUntilMs = new Map<string, number>();
  for (const { name } of [...snapshot.nodes, ...snapshot.nodeClaims]) {
    const untilMs = Math.max(nominations.endsAtMs(name), orders.reservedUntilMs(name));
    if (replaced.has(name)) nominatedUntilMs.set(name, Number.POSITIVE_INFINITY);
    else if (untilMs > 0) nominatedUntilMs.set(name, untilMs);
  }
  const podsChangedAtMs = memory.podChanges.changes();
  const leftAlone = memory.loops.leftAlone(snapshot.takenAtMs);
  return { snapshot, catalogue, view: { nominatedUntilMs, podsChangedAtMs, leftAlone } };
}

/** Deletes the nodes once their replacements are up and all of it still pays; gives up when it does not. */
async function finish(
  ports: Ports,
  consolidating: ConsolidatingNodes,
  order: Order,
  catalogue: Catalogue,
): Promise<NextRun> {
  const { live, memory, orders } = consolidating;
  const { nodeClaims, replacements, message } = order;
  const standing = standingOf(order, consolidating, ports.clock.nowMs());
  if (standing.kind === 'waiting') return { afterMs: WAIT_AGAIN_MS };
  if (standing.kind !== 'up') return giveUp(ports, consolidating, order, standing.message);
  const snapshot = withoutMarks(orders.seen(live.snapshot()), replacements);
  const problem = problemOf(consolidating, snapshot, catalogue);
  const isOver = ports.clock.nowMs() > order.untilMs;
  if (haltOf(problem.snapshot) !== null && !isOver) return { afterMs: WAIT_AGAIN_MS };
  const { nominations } = order;
  const changed = await ports.planner.stillPays(problem, {
    nodeClaims,
    replacements,
    ...(nominations === undefined ? {} : { nominations }),
  });
  if (changed !== null) return giveUp(ports, consolidating, order, changed);
  orders.end(order);
  const nowMs = ports.clock.nowMs();
  for (const name of replacements) orders.reserve(name, nowMs + REPLACED_BY_MS);
  memory.leaving = { nodeClaims, untilMs: nowMs + REPLACED_BY_MS };
  // What is planned for its pods while they are still there keeps to this, where another plan might buy a node.
  if (nominations !== undefined) consolidating.nominations.nominate(nominations, nowMs, NOMINATED_MS);
  orders.noteLeaving(nodeClaims, nowMs);
  const plan = { reason: 'Underutilized', nodeClaims, replacements: [], message } as const;
  await deleteClaims(ports, consolidating, { ...plan, ...order.gain });
  ports.telemetry.metrics.count('cooper_consolidations_total', {});
  const { savingUsdPerHour, podsMoved } = order.gain ?? {};
  const facts = { nodeClaims, replacements, savingUsdPerHour, pods: podsMoved?.length };
  ports.telemetry.log.info(facts, 'nodes consolidated');
  return { afterMs: LOOK_AGAIN_MS };
}

/** Nodes bought for it stay as long as they are of use: once they are empty, they go as empty nodes do. */
async function giveUp(
  ports: Ports,
  consolidating: ConsolidatingNodes,
  order: Order,
  reason: string,
): Promise<NextRun> {
  giveUpOrder(ports, consolidating, order, reason);
  consolidating.memory.notBeforeMs = ports.clock.nowMs() + GIVEN_UP_MS;
  for (const name of order.nodeClaims) {
    const message = `not consolidated after all: ${reason}`;
    await tellStays(ports, consolidating.live, { nodeClaim: name, message });
  }
  return { afterMs: LOOK_AGAIN_MS };
}

/** Says of nodes that would go why they do not. */
async function tellPaused(
  ports: Ports,
  { live, memory }: ConsolidatingNodes,
  { nodeClaims, message }: ConsolidationAction,
): Promise<void> {
  const why = 'not consolidated: it pauses, for its last action has not made the cluster cheaper';
  for (const name of nodeClaims) {
    if (memory.told.get(name) === why) continue;
    memory.told.set(name, why);
    await tellStays(ports, live, { nodeClaim: name, message: `${why} (it would: ${message})` });
  }
}

/** Says once for each node why it stays; amounts that change all the time do not make it news. */
async function tellStaying(
  ports: Ports,
  { live, memory }: ConsolidatingNodes,
  { kept }: ConsolidationDecision,
): Promise<void> {
  for (const { nodeClaim, message, blockedBy } of kept) {
    const gist = message.replace(/[0-9]+/g, '#');
    if (memory.told.get(nodeClaim) === gist) continue;
    memory.told.set(nodeClaim, gist);
    const pod = blockedBy === undefined ? {} : { blockedBy };
    await tellStays(ports, live, { nodeClaim, message: `not consolidated: ${message}`, ...pod });
  }
}

async function tellStays(ports: Ports, live: LiveState, { nodeClaim, ...why }: Kept): Promise<void> {
  const claim = live.get('nodeClaim', nodeClaim);
  if (claim === undefined) return;
  const event = { type: 'Normal', reason: 'Unconsolidatable', disruption: 'Underutilized' } as const;
  await tellKept(ports, live, claim, { ...event, ...why });
}
