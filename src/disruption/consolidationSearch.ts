// Looks for the set of nodes that is best taken away: what a goal says, growing sets, single nodes.
import type { Consolidation, ConsolidationAction } from '../model/consolidation.ts';
import type { Nomination, SchedulingPlan } from '../model/plan.ts';
import { podKey } from '../model/pod.ts';
import { checkedPlan } from '../scheduling/checkedPlan.ts';
import { checkPlan } from '../scheduling/checker/checkPlan.ts';
import { FIRST_PLAN_ONLY, schedule } from '../scheduling/scheduler.ts';
import type { Candidate } from './consolidationCandidates.ts';
import type { ConsolidationCluster } from './consolidationCluster.ts';
import type { Downsizing } from './consolidationOutlook.ts';
import { type Judgement, judge, type Terms, tooLittle } from './consolidationTrial.ts';
import type { Obstacle } from './obstacle.ts';

/** Goes on when asked to, so that whoever runs it may do something else between two plans. */
export type Deciding<T> = Generator<void, T, void>;

/** Runs a decision to its end without a pause. */
export function decided<T>(deciding: Deciding<T>): T {
  let step = deciding.next();
  while (!step.done) step = deciding.next();
  return step.value;
}

export type Saving = Extract<Judgement, { readonly kind: 'saves' }>;

/** A set of candidates that pays. */
export interface Found {
  readonly candidates: readonly Candidate[];
  readonly saving: Saving;
}

interface Halving {
  readonly best: Found | null;
  /** The least size above that is no better. */
  readonly tried: number;
}

/** Plans of one decision at most. */
const TRIALS_MOST = 80;
const HALVINGS_MOST = 5;
const HOPELESS_SAID = 100;
/** Finds that are planned anew before the whole cluster, which takes its time. */
const MENDED_MOST = 3;
const UNSEEN_RULE = 'a rule between its pods and others keeps them where they are';

export class Search {
  trials = 0;
  /** By claim name: what its own trial has come to. */
  readonly blocked = new Map<string, Obstacle>();
  readonly #consolidation: Consolidation;
  readonly #cluster: ConsolidationCluster;
  readonly #terms: Terms;
  /** What saves most of what has been tried. */
  #found: Found | null = null;
  /** Finds that did not hold and were planned anew. */
  #mended = 0;

  constructor(consolidation: Consolidation, cluster: ConsolidationCluster, terms: Terms) {
    this.#consolidation = consolidation;
    this.#cluster = cluster;
    this.#terms = terms;
  }

  /** Says of the first of them why no plan was made: of a large cluster there would be no end. */
  noteHopeless(hopeless: Downsizing['hopeless']): void {
    for (const { candidate, prospect } of hopeless.slice(0, HOPELESS_SAID))
      if (!this.blocked.has(candidate.claim.name))
        this.blocked.set(candidate.claim.name, tooLittle([candidate], this.#terms, prospect));
  }

  get hasFound(): boolean {
    return this.#found !== null;
  }

  /**
   * Takes these candidates away with every pod where it would be by a search on paper; the packer looks for other
   * places where that breaks a rule.
   * @param homes node names by pod key
   */
  *toward(candidates: readonly Candidate[], homes: ReadonlyMap<string, string>): Deciding<Found | null> {
    if (candidates.length === 0) return null;
    yield;
    this.trials += 1;
    const evicted = candidates.flatMap(({ pods }) => pods.map(podKey));
    const onPaper = judge(candidates, nominating(evicted, homes), this.#terms);
    if (onPaper.kind === 'blocked') return null;
    if (this.#holds(candidates, onPaper)) return this.#noted({ candidates, saving: onPaper });
    yield;
    this.trials += 1;
    const hosts = new Set(evicted.map((pod) => homes.get(pod) ?? ''));
    const { snapshot, pods } = this.#cluster.narrowed(candidates, hosts);
    const options = { ...FIRST_PLAN_ONLY, nominated: homes };
    const plan = schedule(snapshot, this.#consolidation.catalogue, pods, options);
    const mended = judge(candidates, plan, this.#terms);
    if (mended.kind === 'blocked' || mended.netUsdPerHour <= 0 || !this.#holds(candidates, mended))
      return null;
    return this.#noted({ candidates, saving: mended });
  }

  #noted(found: Found): Found {
    this.#found = found;
    return found;
  }

  /** Halves what lies between the best and a size above it that is no better. */
  *#between(candidates: readonly Candidate[], { best: first, tried }: Halving): Deciding<Found | null> {
    let best = first;
    let low = best?.candidates.length ?? 0;
    let high = tried;
    for (let halvings = 0; low + 1 < high && halvings < HALVINGS_MOST; halvings++) {
      if (this.trials >= TRIALS_MOST) break;
      const middle = (low + high) >> 1;
      const better: Found | null = yield* this.#better(candidates.slice(0, middle), best);
      if (better !== null) low = middle;
      else high = middle;
      best = better ?? best;
    }
    return best;
  }

  /** The best of the first 1, 2, 4, 8 … candidates, then of the sizes around the best. */
  *growing(candidates: readonly Candidate[]): Deciding<Found | null> {
    let best: Found | null = null;
    const last = candidates.length;
    let high = last + 1;
    for (let size = 1, misses = 0; misses < 2 && last > 0; size = Math.min(size * 2, last)) {
      const better: Found | null = yield* this.#better(candidates.slice(0, size), best);
      if (better !== null) high = last + 1;
      else high = Math.min(high, size);
      misses = better === null ? misses + 1 : 0;
      best = better ?? best;
      if (size === last) break;
    }
    return best === null ? null : yield* this.#between(candidates, { best, tried: high });
  }

  /**
   * Every candidate by itself, and those that pay together.
   * @param allowed those of them that may go at the same time
   */
  *singles(
    candidates: readonly Candidate[],
    allowed: (paying: readonly Candidate[]) => readonly Candidate[],
  ): Deciding<void> {
    const paying: Candidate[] = [];
    for (const candidate of candidates) {
      if (this.trials >= TRIALS_MOST) break;
      if (this.blocked.has(candidate.claim.name)) continue;
      if ((yield* this.#better([candidate], null)) !== null) paying.push(candidate);
    }
    const together = allowed(paying);
    if (together.length > 1) yield* this.growing(together);
  }

  /** A trial of these candidates, if it saves more than the best so far and holds before the whole cluster. */
  *#better(candidates: readonly Candidate[], best: Found | null): Deciding<Found | null> {
    yield;
    this.trials += 1;
    const judgement = this.#judged(candidates);
    const leastUsd = best?.saving.netUsdPerHour ?? 0;
    if (judgement.kind === 'saves' && judgement.netUsdPerHour <= leastUsd) return null;
    yield;
    const held = judgement.kind === 'saves' ? this.#heldOrMended(candidates, judgement) : judgement;
    const [first] = candidates;
    if (held.kind === 'blocked') {
      if (candidates.length === 1 && first !== undefined) this.blocked.set(first.claim.name, held);
      return null;
    }
    if (held.netUsdPerHour <= leastUsd) return null;
    const found = { candidates, saving: held };
    if (held.netUsdPerHour > (this.#found?.saving.netUsdPerHour ?? 0)) this.#found = found;
    return found;
  }

  /** What was found, if it holds before the whole cluster; else what a plan before the whole cluster comes to. */
  #heldOrMended(candidates: readonly Candidate[], saving: Saving): Judgement {
    if (this.#holds(candidates, saving)) return saving;
    if (this.#mended >= MENDED_MOST) return { kind: 'blocked', message: UNSEEN_RULE };
    this.#mended += 1;
    return judge(candidates, checked(this.#consolidation, this.#cluster, candidates), this.#terms);
  }

  #judged(candidates: readonly Candidate[]): Judgement {
    const { snapshot, pods } = this.#cluster.narrowed(candidates);
    const plan = schedule(snapshot, this.#consolidation.catalogue, pods, FIRST_PLAN_ONLY);
    return judge(candidates, plan, this.#terms);
  }

  /** The best of what was found; null when nothing was. */
  get best(): ConsolidationAction | null {
    return this.#found?.saving.action ?? null;
  }

  #holds(candidates: readonly Candidate[], { plan }: Saving): boolean {
    const { snapshot, pods } = this.#cluster.whole(candidates);
    return checkPlan(snapshot, this.#consolidation.catalogue, pods, plan).length === 0;
  }
}

/**
 * The plan that nothing is bought for these pods, and that they go where they are said to.
 * @param homes node names by pod key
 */
export function nominating(pods: readonly string[], homes: ReadonlyMap<string, string>): SchedulingPlan {
  const nominations = pods.map(
    (pod): Nomination => ({ pod, target: { kind: 'node', name: homes.get(pod) ?? '' } }),
  );
  return { nodeClaims: [], nominations, refusals: [], usdPerHour: 0, lowerBoundUsdPerHour: 0 };
}

/**
 * A plan for the pods of these nodes before the whole cluster; null for one that fails its check.
 * @param homes node names by key of pods that are to go there if they can
 */
export function checked(
  { catalogue }: Consolidation,
  cluster: ConsolidationCluster,
  candidates: readonly Candidate[],
  homes: ReadonlyMap<string, string> = new Map(),
): SchedulingPlan | null {
  const { snapshot, pods } = cluster.whole(candidates);
  const { plan, violations } = checkedPlan(snapshot, catalogue, pods, {
    ...FIRST_PLAN_ONLY,
    nominated: homes,
  });
  return violations.length === 0 ? plan : null;
}
