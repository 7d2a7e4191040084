// Whether the kube-scheduler can bind the pods of a plan one after the other: spreads and affinities make order matter.
import { LABEL } from '../model/labels.ts';
import type { PlannedNodeClaim } from '../model/plan.ts';
import type { Catalogue } from '../model/snapshot.ts';
import type { ClassInPlay } from './assignment.ts';
import { type Counted, DrawnTally, type Place, Places, SpreadTally, type Tally } from './bindingTallies.ts';
import type { Placement } from './placements.ts';
import type { Preparation } from './prepare.ts';
import { type PossibleLabels, type Target, typeLabels } from './targets.ts';
import { isHostname, type PodTerm, type SpreadTerm } from './topology.ts';

const NO_TALLIES: readonly Tally[] = [];

/** Pods of one class that the plan has on one node. */
interface Standing {
  readonly one: ClassInPlay;
  readonly place: number;
  left: number;
}

interface Tallies {
  readonly bySelector: ReadonlyMap<number, readonly Tally[]>;
  /** By class: tallies that decide on its pods. */
  readonly ofClass: readonly (readonly Tally[])[];
  /** By class: tallies that count its pods. */
  readonly counting: readonly (readonly Tally[])[];
}

/** A plan whose pods go by number. */
export interface AuditedPlan {
  readonly nodeClaims: readonly PlannedNodeClaim[];
  /** By NodeClaim. */
  readonly inBins: readonly (readonly number[])[];
  readonly sent: readonly { readonly target: Target; readonly pods: readonly number[] }[];
}

/** True when some pod to place has a rule that lets it be bound only after, or only before, others. */
export function orderMatters({ classes }: Preparation): boolean {
  return classes.some(({ rules }) => rules.affinity.length > 0 || rules.spread.some(isOrdered));
}

/**
 * How many pods of a class, by its index, can be bound in no order tried; empty for a plan that holds. Domains are
 * chosen before nodes are, so that counts may be off where a spread does not look at all nodes of a domain.
 */
export function unbindable(prepared: Preparation, plan: AuditedPlan): ReadonlyMap<number, number> {
  const { classes, targets } = prepared;
  const places = new Places([...targets, ...plannedPlaces(plan.nodeClaims, prepared)]);
  const tallies = talliesOf(classes, places);
  const counts = countsByPlace(prepared, plan, tallies);
  const standings = (): Standing[] => counts.map((one) => ({ ...one }));
  const early = stuckAfter('first', { prepared, tallies, standings: standings() });
  const stuck =
    early.length === 0 ? early : stuckAfter('last', { prepared, tallies, standings: standings() });
  const byClass = new Map<number, number>();
  for (const { one, left } of stuck) byClass.set(one.index, (byClass.get(one.index) ?? 0) + left);
  return byClass;
}

/** A spread over host names holds in any order: it lets no node have more than `maxSkew` pods, and none has more. */
function isOrdered({ key }: SpreadTerm): boolean {
  return !isHostname(key);
}

function plannedPlaces(claims: readonly PlannedNodeClaim[], { catalogue }: Preparation): Place[] {
  const alike = new Map<string, PossibleLabels>();
  return claims.map((claim, index) => {
    const { spec, instanceType, zone, capacityType } = claim;
    const key = JSON.stringify([spec.provisioner, instanceType, zone, capacityType, spec.labels]);
    const shared = alike.get(key) ?? plannedLabels(claim, catalogue);
    alike.set(key, shared);
    const labels = new Map(shared).set(LABEL.hostname, new Set([`planned node ${index}`]));
    return { labels, taints: spec.taints };
  });
}

function plannedLabels(claim: PlannedNodeClaim, catalogue: Catalogue): PossibleLabels {
  const { spec, instanceType, zone, capacityType } = claim;
  const type = catalogue.get(spec.provisioner)?.find(({ name }) => name === instanceType);
  return typeLabels(type === undefined ? [] : [type], spec, {
    [LABEL.instanceType]: instanceType,
    [LABEL.zone]: zone,
    [LABEL.capacityType]: capacityType,
    [LABEL.provisioner]: spec.provisioner,
  });
}

function talliesOf(classes: readonly ClassInPlay[], places: Places): Tallies {
  const made = new TallyMaker(places);
  const ofClass = classes.map((one) => made.of(one));
  const bySelector = Map.groupBy(made.all, ({ selector }) => selector);
  const bySet = new Map<ReadonlySet<number>, readonly Tally[]>();
  const counting = classes.map(({ rules }) => {
    const found =
      bySet.get(rules.matches) ?? [...rules.matches].flatMap((selector) => bySelector.get(selector) ?? []);
    bySet.set(rules.matches, found);
    return found;
  });
  return { bySelector, ofClass, counting };
}

/** Makes one tally for classes that are judged alike: rules of one spec are the same objects. */
class TallyMaker {
  readonly #places: Places;
  readonly #byName = new Map<string, Tally>();
  readonly #byTerms = new Map<readonly SpreadTerm[], Map<Placement, readonly Tally[]>>();
  readonly #drawn = new Map<readonly PodTerm[], Tally>();

  constructor(places: Places) {
    this.#places = places;
  }

  get all(): Iterable<Tally> {
    return this.#byName.values();
  }

  of({ rules, bySelector }: ClassInPlay): readonly Tally[] {
    const spreads = this.#spreads(rules.spread, bySelector);
    return rules.affinity.length === 0 ? spreads : [...spreads, this.#affinity(rules.affinity)];
  }

  #spreads(terms: readonly SpreadTerm[], placement: Placement): readonly Tally[] {
    if (terms.length === 0) return NO_TALLIES;
    const byPlacement = this.#byTerms.get(terms) ?? new Map<Placement, readonly Tally[]>();
    this.#byTerms.set(terms, byPlacement);
    const held = byPlacement.get(placement);
    if (held !== undefined) return held;
    const keys = terms.map(({ key }) => key);
    const tallies = terms
      .filter(isOrdered)
      .map((term) =>
        this.#named(
          `spread|${JSON.stringify([term, keys])}|${placement.id}`,
          () => new SpreadTally(term, keys, placement, this.#places),
        ),
      );
    byPlacement.set(placement, tallies);
    return tallies;
  }

  #affinity(terms: readonly PodTerm[]): Tally {
    const tally =
      this.#drawn.get(terms) ??
      this.#named(`drawn|${JSON.stringify(terms)}`, () => new DrawnTally(terms, this.#places));
    this.#drawn.set(terms, tally);
    return tally;
  }

  #named(name: string, make: () => Tally): Tally {
    const tally = this.#byName.get(name) ?? make();
    this.#byName.set(name, tally);
    return tally;
  }
}

/** The plan's pods that some tally counts or decides on, by class and node. */
function countsByPlace(
  { classes, targets, classOfPod }: Preparation,
  { inBins, sent }: AuditedPlan,
  { ofClass, counting }: Tallies,
): readonly Standing[] {
  const standings: Standing[] = [];
  const numberOf = new Map(targets.map((target, place) => [target, place]));
  const latest = new Map<number, Standing>();
  const add = (pods: readonly number[], place: number): void => {
    for (const pod of pods) {
      const index = classOfPod[pod] as number;
      if (ofClass[index]?.length === 0 && counting[index]?.length === 0) continue;
      const held = latest.get(index);
      if (held?.place === place) {
        held.left += 1;
        continue;
      }
      const standing = { one: classes[index] as ClassInPlay, place, left: 1 };
      latest.set(index, standing);
      standings.push(standing);
    }
  };
  for (const { target, pods } of sent) add(pods, numberOf.get(target) ?? -1);
  for (const [at, pods] of inBins.entries()) add(pods, targets.length + at);
  return standings;
}

interface Run {
  readonly prepared: Preparation;
  readonly tallies: Tallies;
  readonly standings: readonly Standing[];
}

/**
 * Binds pods while any can be bound; the rest is returned.
 * @param free when pods without rules of their own are bound: before all else, or one node's when nothing else goes on
 */
function stuckAfter(free: 'first' | 'last', { prepared, tallies, standings }: Run): readonly Standing[] {
  countRunning(prepared, tallies);
  const isRuled = ({ one }: Standing): boolean => tallies.ofClass[one.index]?.length !== 0;
  const waiting = standings.filter(
    (standing) => !isRuled(standing) && countedBy(standing, tallies).length > 0,
  );
  let ruled = standings.filter(isRuled);
  // The first of a group that is drawn to itself starts it only while no other such pod is anywhere.
  if (free === 'first') for (const standing of waiting.splice(0)) bind(standing, standing.left, tallies);
  else ruled.sort((left, right) => Number(isDrawn(right)) - Number(isDrawn(left)));
  for (;;) {
    let bound = 0;
    for (const standing of ruled) {
      while (standing.left > 0 && mayBind(standing, tallies)) {
        standing.left -= 1;
        bound += 1;
        bind(standing, 1, tallies);
      }
    }
    ruled = ruled.filter(({ left }) => left > 0);
    if (ruled.length === 0) return [];
    if (bound > 0) continue;
    const next = mostUseful(waiting, ruled, tallies);
    if (next === undefined) return ruled;
    waiting.splice(waiting.indexOf(next), 1);
    bind(next, next.left, tallies);
  }
}

function isDrawn({ one }: Standing): boolean {
  return one.rules.affinity.length > 0;
}

function countedBy({ one }: Standing, { counting }: Tallies): readonly Tally[] {
  return counting[one.index] ?? NO_TALLIES;
}

function mayBind({ one, place }: Standing, { ofClass }: Tallies): boolean {
  for (const tally of ofClass[one.index] ?? NO_TALLIES) if (!tally.allows(one, place)) return false;
  return true;
}

function bind(standing: Standing, count: number, tallies: Tallies): void {
  const counted = { count, leaving: false };
  for (const tally of countedBy(standing, tallies)) tally.add(standing.place, counted);
}

/** Best are pods that raise the minimum which holds the stuck ones back, then those that it does not count. */
function mostUseful(
  waiting: readonly Standing[],
  stuck: readonly Standing[],
  tallies: Tallies,
): Standing | undefined {
  const blocking = new Set(stuck.flatMap(({ one }) => tallies.ofClass[one.index] ?? NO_TALLIES));
  const inBlocking = (standing: Standing): readonly Tally[] =>
    countedBy(standing, tallies).filter((tally) => blocking.has(tally));
  return (
    waiting.find((one) => inBlocking(one).some((tally) => tally.isLowest(one.place))) ??
    waiting.find((one) => inBlocking(one).length === 0) ??
    waiting[0]
  );
}

/** Starts all counts anew with the pods that run. */
function countRunning({ targets, selectors }: Preparation, { bySelector }: Tallies): void {
  for (const tallies of bySelector.values()) for (const tally of tallies) tally.reset();
  for (const [place, { pods }] of targets.entries()) {
    for (const pod of pods) {
      const counted: Counted = { count: 1, leaving: pod.deletionRequestedAtMs !== null };
      for (const selector of selectors.matchesOf(pod.namespace, pod.labels)) {
        for (const tally of bySelector.get(selector) ?? []) tally.add(place, counted);
      }
    }
  }
}
