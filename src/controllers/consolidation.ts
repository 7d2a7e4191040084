// Carrying out consolidation: replacements first, another look, and only then the nodes go.
import { haltOf } from '../disruption/consolidation.ts';
import type {
  Consolidation,
  ConsolidationAction,
  ConsolidationDecision,
  Kept,
} from '../model/consolidation.ts';
import { hasCondition } from '../model/nodeClaim.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import type { Ports } from '../ports/ports.ts';
import { readCatalogue } from './catalogue.ts';
import { tellKept } from './claimEvents.ts';
import { ConsolidationBrake } from './consolidationBrake.ts';
import { deleteClaims } from './disruption.ts';
import type { LiveState } from './liveState.ts';
import { type NextRun, WHEN_CHANGED } from './nextRun.ts';
import type { Nominations } from './nominations.ts';
import { PodChanges } from './podChanges.ts';
import { claimDraft } from './provisioning.ts';

/** How often the cluster is looked at, and how often while replacements come up. */
const LOOK_AGAIN_MS = 15_000;
const WAIT_AGAIN_MS = 2_000;
/** Replacements that are not up by then are not waited for, and nodes are kept for their pods for so long. */
const DEADLINE_MS = 600_000;
/** After an action that came to nothing, nodes are left alone for so long: its cause may still be there. */
const GIVEN_UP_MS = 300_000;
/** A cluster that has not changed is looked at again after this long: nodes and pods come of age. */
const UNCHANGED_MS = 60_000;

/** An action whose replacements have been ordered. */
interface Ordered {
  readonly action: ConsolidationAction;
  /** Names of the claims stored for it. */
  readonly replacements: readonly string[];
  readonly untilMs: number;
}

/** What consolidation remembers between looks. After a restart, nodes bought for nothing are empty, and go as such. */
export class ConsolidationMemory {
  readonly podChanges = new PodChanges();
  readonly brake = new ConsolidationBrake();
  /** By claim name: what was last told of why it stays. */
  readonly told = new Map<string, string>();
  ordered: Ordered | null = null;
  notBeforeMs = 0;
  /** Claims that the last action has deleted: a watch that is late may show them as if nothing had happened. */
  leaving: { readonly nodeClaims: readonly string[]; readonly untilMs: number } | null = null;
  /** The cluster that nothing was found for. */
  fruitless: ClusterSnapshot | null = null;
  readonly #reservedUntilMs = new Map<string, number>();

  /** Keeps a claim for pods that are still elsewhere. */
  reserve(claim: string, untilMs: number): void {
    this.#reservedUntilMs.set(claim, untilMs);
  }

  /** Until when the claim of that name is kept for pods that come; 0 for not at all. */
  reservedUntilMs(claim: string): number {
    return this.#reservedUntilMs.get(claim) ?? 0;
  }

  prune(nowMs: number, claims: ReadonlySet<string>): void {
    for (const [name, untilMs] of [...this.#reservedUntilMs])
      if (untilMs <= nowMs) this.#reservedUntilMs.delete(name);
    for (const name of [...this.told.keys()]) if (!claims.has(name)) this.told.delete(name);
  }

  sizes(): Readonly<Record<string, number>> {
    return {
      consolidationPodChanges: this.podChanges.size,
      consolidationTold: this.told.size,
      consolidationReserved: this.#reservedUntilMs.size,
    };
  }
}

export interface ConsolidatingNodes {
  readonly live: LiveState;
  readonly nominations: Nominations;
  readonly memory: ConsolidationMemory;
}

/** One look: goes on with what was ordered, or looks for what pays. One action at a time. */
export async function consolidateNodes(ports: Ports, consolidating: ConsolidatingNodes): Promise<NextRun> {
  const { live, memory } = consolidating;
  const snapshot = live.snapshot();
  memory.prune(snapshot.takenAtMs, new Set(snapshot.nodeClaims.map(({ name }) => name)));
  const isWanted = snapshot.provisioners.some(
    ({ disruption }) => disruption.consolidation === 'WhenEmptyOrUnderutilized',
  );
  if (!isWanted && memory.ordered === null) return WHEN_CHANGED;
  memory.podChanges.look(snapshot);
  if (memory.ordered === null && isFruitless(memory, snapshot)) return { afterMs: LOOK_AGAIN_MS };
  const { catalogue } = await readCatalogue(ports.cloud, snapshot);
  if (memory.ordered !== null) return finish(ports, consolidating, memory.ordered, catalogue);
  const decision = await ports.planner.consolidate(problemOf(consolidating, catalogue));
  ports.telemetry.metrics.gauge('cooper_consolidation_trials', {}, decision.trials);
  await tellStaying(ports, consolidating, decision);
  const { action } = decision;
  memory.fruitless = action === null ? snapshot : null;
  if (action === null) return { afterMs: LOOK_AGAIN_MS };
  const usdPerHour = priceOf(snapshot);
  const pauseMs = memory.brake.pauseMs(usdPerHour);
  if (pauseMs > 0) {
    memory.notBeforeMs = ports.clock.nowMs() + pauseMs;
    const facts = { usdPerHour, pauseSeconds: pauseMs / 1000, next: action.message };
    ports.telemetry.log.warn(facts, 'consolidation pauses: its last action has not made the cluster cheaper');
    await tellPaused(ports, consolidating, action);
    return { afterMs: LOOK_AGAIN_MS };
  }
  memory.brake.acting(usdPerHour);
  const replacements = await order(ports, consolidating, action, snapshot);
  const untilMs = ports.clock.nowMs() + DEADLINE_MS;
  memory.ordered = { action, replacements, untilMs };
  return { afterMs: replacements.length === 0 ? 0 : WAIT_AGAIN_MS };
}

/** What all nodes that stay cost together, in USD per hour. */
function priceOf({ nodeClaims }: ClusterSnapshot): number {
  return nodeClaims.reduce(
    (sum, { status, deletionRequestedAtMs }) =>
      deletionRequestedAtMs === null ? sum + (status.usdPerHour ?? 0) : sum,
    0,
  );
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

/** The cluster as it is now. */
function problemOf({ live, nominations, memory }: ConsolidatingNodes, catalogue: Catalogue): Consolidation {
  const snapshot = live.snapshot();
  const nominatedUntilMs = new Map<string, number>();
  for (const { name } of [...snapshot.nodes, ...snapshot.nodeClaims]) {
    const untilMs = Math.max(nominations.endsAtMs(name), memory.reservedUntilMs(name));
    if (untilMs > 0) nominatedUntilMs.set(name, untilMs);
  }
  return { snapshot, catalogue, view: { nominatedUntilMs, podsChangedAtMs: memory.podChanges.changes() } };
}

/** Stores the claims of the replacements and keeps them for their pods; returns their names. */
async function order(
  ports: Ports,
  { live, memory }: ConsolidatingNodes,
  action: ConsolidationAction,
  snapshot: ClusterSnapshot,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const [index, replacement] of action.replacements.entries()) {
    const draft = claimDraft(replacement, snapshot, index);
    memory.reserve(draft.name, ports.clock.nowMs() + DEADLINE_MS);
    const { object } = await ports.kube.createNodeClaim(draft);
    live.record({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
    names.push(object.name);
    const { instanceType, zone, capacityType, usdPerHour } = replacement;
    const facts = { instanceType, zone, capacityType, usdPerHour, replaces: action.nodeClaims };
    ports.telemetry.log.info({ nodeClaim: object.name, ...facts }, 'replacement stored');
    ports.telemetry.metrics.count('cooper_nodeclaims_created_total', {
      provisioner: replacement.spec.provisioner,
    });
    const reason = `replacement: ${action.message}`;
    const atMs = ports.clock.nowMs();
    ports.journal.append({ atMs, kind: 'Provisioned', subject: object.name, reason, facts });
  }
  return names;
}

/** Deletes the nodes once their replacements are up and all of it still pays; gives up when it does not. */
async function finish(
  ports: Ports,
  consolidating: ConsolidatingNodes,
  { action, replacements, untilMs }: Ordered,
  catalogue: Catalogue,
): Promise<NextRun> {
  const { live, memory } = consolidating;
  const claims = replacements.map((name) => live.get('nodeClaim', name));
  const isOver = ports.clock.nowMs() > untilMs;
  if (claims.some((claim) => claim === undefined || claim.deletionRequestedAtMs !== null))
    return giveUp(ports, consolidating, 'its replacement could not be launched');
  if (!claims.every((claim) => claim !== undefined && hasCondition(claim, 'Initialized')))
    return isOver
      ? giveUp(ports, consolidating, 'its replacement has not come up')
      : { afterMs: WAIT_AGAIN_MS };
  const problem = problemOf(consolidating, catalogue);
  if (haltOf(problem.snapshot) !== null && !isOver) return { afterMs: WAIT_AGAIN_MS };
  const changed = await ports.planner.stillPays(problem, { nodeClaims: action.nodeClaims, replacements });
  if (changed !== null) return giveUp(ports, consolidating, changed);
  memory.ordered = null;
  for (const name of replacements) memory.reserve(name, ports.clock.nowMs() + DEADLINE_MS);
  const { nodeClaims, message } = action;
  memory.leaving = { nodeClaims, untilMs: ports.clock.nowMs() + DEADLINE_MS };
  const { savingUsdPerHour, evicted } = action;
  const gain = { savingUsdPerHour, podsMoved: evicted };
  await deleteClaims(ports, live, {
    reason: 'Underutilized',
    nodeClaims,
    replacements: [],
    message,
    ...gain,
  });
  ports.telemetry.metrics.count('cooper_consolidations_total', {});
  const facts = { nodeClaims, replacements, savingUsdPerHour, pods: evicted.length };
  ports.telemetry.log.info(facts, 'nodes consolidated');
  return { afterMs: LOOK_AGAIN_MS };
}

/** Nodes bought for it stay as long as they are of use: once they are empty, they go as empty nodes do. */
async function giveUp(ports: Ports, { live, memory }: ConsolidatingNodes, reason: string): Promise<NextRun> {
  const { ordered } = memory;
  memory.ordered = null;
  if (ordered === null) return { afterMs: LOOK_AGAIN_MS };
  memory.notBeforeMs = ports.clock.nowMs() + GIVEN_UP_MS;
  for (const name of ordered.replacements) memory.reserve(name, 0);
  const { nodeClaims } = ordered.action;
  ports.telemetry.log.info({ nodeClaims, reason }, 'consolidation given up');
  for (const nodeClaim of nodeClaims)
    await tellStays(ports, live, { nodeClaim, message: `not consolidated after all: ${reason}` });
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
