// Consolidation as a re-plan: the nodes whose pods would be cheaper elsewhere, found by trials.
import {
  type Consolidation,
  type ConsolidationDecision,
  type OrderedConsolidation,
  undecided,
} from '../model/consolidation.ts';
import { isReady } from '../model/node.ts';
import { hasCondition } from '../model/nodeClaim.ts';
import type { SchedulingPlan } from '../model/plan.ts';
import { isTerminal, podKey } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { checkPlan } from '../scheduling/checker/checkPlan.ts';
import { RandomDraws } from '../scheduling/randomDraws.ts';
import { BudgetRoom } from './budgets.ts';
import type { Board } from './consolidationBoard.ts';
import { type Candidate, outOfBudget, selectCandidates } from './consolidationCandidates.ts';
import { ConsolidationCluster } from './consolidationCluster.ts';
import { seekGoal } from './consolidationGoal.ts';
import { downsizing, Offers } from './consolidationOutlook.ts';
import { checked, type Deciding, nominating, type Saving, Search } from './consolidationSearch.ts';
import { type Judgement, judge, type Terms } from './consolidationTrial.ts';
import { worthOf } from './consolidationWorth.ts';
import { displacedPods } from './displaced.ts';
import { occupiesNode } from './evictable.ts';
import { EvictionRoom } from './evictionRoom.ts';
import type { Obstacle } from './obstacle.ts';

/** Nodes that go together at most. */
const TOGETHER_MOST = 200;
/** Of the price of the cluster. */
const LARGE_STEP = 0.03;
/** Pods that have been waiting for longer will not be helped by waiting with them. */
const WAITING_MS = 600_000;
/** Any will do: the same cluster gets the same answer. */
const GOAL_SEED = 5;
/** With a larger share of its nodes unready, a cluster has other troubles (Karpenter v1). */
const UNREADY_SHARE = 0.2;

/**
 * Looks for the nodes that are best taken away. First as many as budgets allow of those that a cheapest cluster would
 * do without, where nothing is bought; where that is little, growing sets of nodes that could be replaced by cheaper
 * ones, then single nodes. A set pays when its pods, planned anew, cost less by `minimumSavings` and by the price of
 * their evictions; of the sets tried the one that saves most is taken. Pure: whoever runs the generator plans.
 */
export function* consolidate(consolidation: Consolidation): Deciding<ConsolidationDecision> {
  const { snapshot, view } = consolidation;
  if (!snapshot.provisioners.some(isConsolidating)) return undecided('no Provisioner asks for consolidation');
  const halted = haltOf(snapshot);
  if (halted !== null) return undecided(halted);
  const selection = selectCandidates(snapshot, view);
  yield;
  const offers = new Offers(consolidation);
  const worth = worthOf(consolidation, selection.candidates, offers);
  const candidates = worth.wastefulFirst;
  const { held } = withinBudgets(candidates, snapshot);
  yield;
  const cluster = new ConsolidationCluster(snapshot, candidates);
  yield;
  const goal = yield* goalOf(cluster.board(candidates, worth));
  const terms = termsOf(consolidation);
  const search = new Search(consolidation, cluster, terms);
  const best = yield* search.toward(withinBudgets(goal.going, snapshot).together, goal.homes);
  if (best === null || !isLarge(best.saving, snapshot)) {
    const { paying, hopeless } = downsizing(candidates, cluster, { terms, offers });
    search.noteHopeless(hopeless);
    yield* search.growing(withinBudgets(paying, snapshot).together);
    if (!search.hasFound) yield* search.singles(paying, (some) => withinBudgets(some, snapshot).together);
  }
  const action = search.best;
  const blocked = candidates.flatMap((one) => {
    const obstacle = search.blocked.get(one.claim.name) ?? held.get(one.claim.name);
    return obstacle === undefined || action?.nodeClaims.includes(one.claim.name)
      ? []
      : [{ nodeClaim: one.claim.name, ...obstacle }];
  });
  return { action, halted: '', kept: [...selection.kept, ...blocked], trials: search.trials };
}

/** Nodes that would go if nothing were bought, and where their pods would be. */
interface Goal {
  readonly going: readonly Candidate[];
  /** Node names by pod key. */
  readonly homes: ReadonlyMap<string, string>;
}

function* goalOf(board: Board): Deciding<Goal> {
  yield* seekGoal(board, new RandomDraws(GOAL_SEED));
  const going = board.standings.filter((one) => board.isGone(one)).map(({ candidate }) => candidate);
  return { going, homes: board.homes() };
}

function termsOf({ catalogue, snapshot }: Consolidation): Terms {
  const wholeUsdPerHour = snapshot.nodeClaims.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
  const pods = snapshot.pods.filter((pod) => pod.nodeName !== '' && occupiesNode(pod)).length;
  return { catalogue, wholeUsdPerHour, pods };
}

/**
 * Whether an action that was decided on earlier may be carried out now: the same nodes may still go, and their pods
 * find places without another launch. Null when they do, else what has changed.
 */
export function* stillPays(
  consolidation: Consolidation,
  { nodeClaims, replacements, nominations = [] }: OrderedConsolidation,
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
  const cluster = new ConsolidationCluster(snapshot, chosen);
  // That it pays was decided before: the price of evictions is not asked for again.
  const terms = { catalogue: consolidation.catalogue, wholeUsdPerHour: 0, pods: 0 };
  const nodeOf = new Map(snapshot.nodeClaims.map(({ name, status }) => [name, status.nodeName]));
  const homes = new Map(
    nominations.map(({ pod, target: { kind, name } }) => [
      pod,
      kind === 'node' ? name : (nodeOf.get(name) ?? ''),
    ]),
  );
  const judgement = judge(chosen, plannedAgain(consolidation, cluster, { chosen, homes }), terms);
  if (judgement.kind === 'blocked') return judgement.message;
  if (judgement.action.replacements.length > 0) return 'its pods would need another node by now';
  const bought = snapshot.nodeClaims.filter(({ name }) => replacements.includes(name));
  const boughtUsd = bought.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
  return boughtUsd < judgement.action.savingUsdPerHour ? null : 'the replacement costs as much as what goes';
}

/** Their pods where the decision has had them, if that holds before the whole cluster; else a plan near to that. */
function plannedAgain(
  consolidation: Consolidation,
  cluster: ConsolidationCluster,
  { chosen, homes }: { readonly chosen: readonly Candidate[]; readonly homes: ReadonlyMap<string, string> },
): SchedulingPlan | null {
  const { snapshot, pods } = cluster.whole(chosen);
  const asDecided = nominating(pods.map(podKey), homes);
  const violations = checkPlan(snapshot, consolidation.catalogue, pods, asDecided);
  return violations.length === 0 ? asDecided : checked(consolidation, cluster, chosen, homes);
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

/** Whether it pays that these nodes go, by a plan before the whole cluster. */
export function tried(consolidation: Consolidation, candidates: readonly Candidate[]): Judgement {
  const cluster = new ConsolidationCluster(consolidation.snapshot, candidates);
  const terms = termsOf(consolidation);
  return judge(candidates, checked(consolidation, cluster, candidates), terms);
}

/** True for a step that goes first whatever smaller ones there are: they are looked for when it is done. */
function isLarge({ action, netUsdPerHour }: Saving, { nodeClaims }: ClusterSnapshot): boolean {
  if (action.replacements.length === 0) return true;
  const wholeUsd = nodeClaims.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
  return netUsdPerHour > LARGE_STEP * wholeUsd;
}
