// Consolidation as a re-plan: the nodes whose pods would be cheaper elsewhere, found by trials.
import {
  type Consolidation,
  type ConsolidationAction,
  type ConsolidationDecision,
  type OrderedConsolidation,
  undecided,
} from '../model/consolidation.ts';
import { isReady } from '../model/node.ts';
import { hasCondition } from '../model/nodeClaim.ts';
import { isTerminal, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { checkedPlan } from '../scheduling/checkedPlan.ts';
import { FIRST_PLAN_ONLY } from '../scheduling/scheduler.ts';
import { BudgetRoom } from './budgets.ts';
import { type Candidate, outOfBudget, selectCandidates } from './consolidationCandidates.ts';
import { type Judgement, judge, trialOf } from './consolidationTrial.ts';
import { displacedPods } from './displaced.ts';
import { EvictionRoom } from './evictionRoom.ts';
import type { Obstacle } from './obstacle.ts';

/** Goes on when asked to, so that whoever runs it may do something else between two plans. */
export type Deciding<T> = Generator<void, T, void>;

/** Runs a decision to its end without a pause. */
export function decided<T>(deciding: Deciding<T>): T {
  let step = deciding.next();
  while (!step.done) step = deciding.next();
  return step.value;
}

/** Nodes that go together are as many at most, and trials of one decision too: each plans for all their pods. */
const TOGETHER_MOST = 100;
const TRIALS_MOST = 40;
/** Pods that have been waiting for longer will not be helped by waiting with them. */
const WAITING_MS = 600_000;
/** With a larger share of its nodes unready, a cluster has other troubles (Karpenter v1). */
const UNREADY_SHARE = 0.2;

/**
 * Looks for the nodes that are best taken away. First growing sets, most wasteful nodes first, then single nodes.
 * A set pays when its pods, planned anew, cost less by `minimumSavings` and by the price of their evictions; of the
 * sets tried the one that saves most is taken. Pure: whoever runs the generator plans.
 */
export function* consolidate(consolidation: Consolidation): Deciding<ConsolidationDecision> {
  const { snapshot, view } = consolidation;
  if (!snapshot.provisioners.some(isConsolidating)) return undecided('no Provisioner asks for consolidation');
  const halted = haltOf(snapshot);
  if (halted !== null) return undecided(halted);
  const { candidates, kept } = selectCandidates(snapshot, view);
  const { together, held } = withinBudgets(candidates, snapshot);
  const search = new Search(consolidation);
  const many = together.length > 1 ? yield* search.growing(together) : null;
  const action = many ?? (yield* search.single(candidates));
  const blocked = candidates.flatMap((one) => {
    const obstacle = search.blocked.get(one.claim.name) ?? held.get(one.claim.name);
    return obstacle === undefined || action?.nodeClaims.includes(one.claim.name)
      ? []
      : [{ nodeClaim: one.claim.name, ...obstacle }];
  });
  return { action, halted: '', kept: [...kept, ...blocked], trials: search.trials };
}

/**
 * Whether an action that was decided on earlier may be carried out now: the same nodes may still go, and their pods
 * find places without another launch. Null when they do, else what has changed.
 */
export function* stillPays(
  consolidation: Consolidation,
  { nodeClaims, replacements }: OrderedConsolidation,
): Deciding<string | null> {
  const { snapshot, view } = consolidation;
  const halted = haltOf(snapshot);
  if (halted !== null) return halted;
  const { candidates, kept } = selectCandidates(snapshot, view);
  const chosen = candidates.filter(({ claim }) => nodeClaims.includes(claim.name));
  if (chosen.length < nodeClaims.length) {
    const stays = kept.find(({ nodeClaim }) => nodeClaims.includes(nodeClaim));
    return stays?.message ?? 'a node has gone or emptied meanwhile';
  }
  const { held } = withinBudgets(chosen, snapshot);
  for (const { message } of held.values()) return message;
  yield;
  const judgement = tried(consolidation, chosen);
  if (judgement.kind === 'blocked') return judgement.message;
  if (judgement.action.replacements.length > 0) return 'its pods would need another node by now';
  const bought = snapshot.nodeClaims.filter(({ name }) => replacements.includes(name));
  const boughtUsd = bought.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
  return boughtUsd < judgement.action.savingUsdPerHour ? null : 'the replacement costs as much as what goes';
}

function isConsolidating({ disruption, suspended }: ClusterSnapshot['provisioners'][number]): boolean {
  return disruption.consolidation === 'WhenEmptyOrUnderutilized' && !suspended;
}

/** Why the cluster as a whole is not to be touched now, in one sentence; null when it may be. */
export function haltOf(snapshot: ClusterSnapshot): string | null {
  const waiting = snapshot.pods.find(
    (pod) =>
      pod.nodeName === '' &&
      !isTerminal(pod) &&
      !pod.schedulingGated &&
      pod.deletionRequestedAtMs === null &&
      snapshot.takenAtMs - pod.createdAtMs < WAITING_MS,
  );
  if (waiting !== undefined) return `pod ${podKey(waiting)} waits for a node`;
  const rising = snapshot.nodeClaims.find(
    (claim) => claim.deletionRequestedAtMs === null && !hasCondition(claim, 'Initialized'),
  );
  if (rising !== undefined) return `NodeClaim ${rising.name} is coming up`;
  if (displacedPods(snapshot).pods.length > 0) return 'nodes that leave have not been drained yet';
  // A stuck drain must not keep all others for ever.
  const leaving = snapshot.nodeClaims.find(
    ({ deletionRequestedAtMs }) =>
      deletionRequestedAtMs !== null && snapshot.takenAtMs - deletionRequestedAtMs < WAITING_MS,
  );
  if (leaving !== undefined) return `NodeClaim ${leaving.name} is leaving`;
  const unready = snapshot.nodes.filter((node) => !isReady(node)).length;
  if (unready > UNREADY_SHARE * snapshot.nodes.length)
    return `${unready} of ${snapshot.nodes.length} nodes are not ready`;
  return null;
}

/** The candidates that may go at the same time, in their order, and why others may not. */
function withinBudgets(
  candidates: readonly Candidate[],
  snapshot: ClusterSnapshot,
): { readonly together: readonly Candidate[]; readonly held: ReadonlyMap<string, Obstacle> } {
  const budgets = new BudgetRoom(snapshot);
  const evictions = new EvictionRoom(snapshot.disruptionBudgets);
  const together: Candidate[] = [];
  const held = new Map<string, Obstacle>();
  for (const candidate of candidates) {
    const { provisioner } = candidate.claim.spec;
    const allowed = budgets.left(provisioner, 'Underutilized') >= 1;
    const problem = allowed ? evictions.obstacle(candidate.pods) : { message: outOfBudget(provisioner) };
    if (problem !== null) held.set(candidate.claim.name, problem);
    else if (together.length < TOGETHER_MOST) {
      budgets.take(provisioner, 1);
      evictions.take(candidate.pods);
      together.push(candidate);
    }
  }
  return { together, held };
}

/** Plans for the pods of these nodes as if they were leaving; a plan that fails its check is none. */
function tried({ snapshot, catalogue }: Consolidation, candidates: readonly Candidate[]): Judgement {
  const trial = trialOf(snapshot, candidates);
  const { plan, violations } = checkedPlan(trial.snapshot, catalogue, trial.pods, FIRST_PLAN_ONLY);
  return judge(candidates, violations.length === 0 ? plan : null, catalogue);
}

type Saving = Extract<Judgement, { readonly kind: 'saves' }>;

class Search {
  trials = 0;
  /** By claim name: what its own trial has come to. */
  readonly blocked = new Map<string, Obstacle>();
  readonly #consolidation: Consolidation;
  #best: { readonly size: number; readonly saving: Saving } | null = null;

  constructor(consolidation: Consolidation) {
    this.#consolidation = consolidation;
  }

  /** The best of the first 1, 2, 4, 8 … candidates, then of the sizes around the best. */
  *growing(candidates: readonly Candidate[]): Deciding<ConsolidationAction | null> {
    const last = candidates.length;
    let high = last + 1;
    for (let size = 1, misses = 0; misses < 2; size = Math.min(size * 2, last)) {
      const isBetter = yield* this.#improves(candidates, size);
      if (isBetter) high = last + 1;
      else high = Math.min(high, size);
      misses = isBetter ? 0 : misses + 1;
      if (size === last) break;
    }
    if (this.#best === null) return null;
    let low = this.#best.size;
    while (low + 1 < high && this.trials < TRIALS_MOST) {
      const middle = (low + high) >> 1;
      if (yield* this.#improves(candidates, middle)) low = middle;
      else high = middle;
    }
    // A set that needs a new node may do as well without the node that brought it about.
    while (this.#best.size > 1 && this.#best.saving.action.replacements.length > 0) {
      if (this.trials >= TRIALS_MOST || !(yield* this.#improves(candidates, this.#best.size - 1))) break;
    }
    return this.#best.saving.action;
  }

  *#improves(candidates: readonly Candidate[], size: number): Deciding<boolean> {
    const judgement: Judgement = yield* this.#judged(candidates.slice(0, size));
    if (judgement.kind === 'blocked') {
      if (size === 1) this.#noteBlocked(candidates, judgement);
      return false;
    }
    if (judgement.netUsdPerHour <= (this.#best?.saving.netUsdPerHour ?? 0)) return false;
    this.#best = { size, saving: judgement };
    return true;
  }

  #noteBlocked([first]: readonly Candidate[], { message, blockedBy }: Obstacle): void {
    const pod = blockedBy === undefined ? {} : { blockedBy };
    if (first !== undefined) this.blocked.set(first.claim.name, { message, ...pod });
  }

  /** The first candidate by itself that pays. */
  *single(candidates: readonly Candidate[]): Deciding<ConsolidationAction | null> {
    for (const candidate of candidates) {
      if (this.trials >= TRIALS_MOST) return null;
      if (this.blocked.has(candidate.claim.name)) continue;
      const judgement = yield* this.#judged([candidate]);
      if (judgement.kind === 'saves' && judgement.netUsdPerHour > 0) return judgement.action;
      if (judgement.kind === 'blocked') this.#noteBlocked([candidate], judgement);
    }
    return null;
  }

  *#judged(candidates: readonly Candidate[]): Deciding<Judgement> {
    this.trials += 1;
    yield;
    return tried(this.#consolidation, candidates);
  }
}
