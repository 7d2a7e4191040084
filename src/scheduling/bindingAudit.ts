// Whether the kube-scheduler can bind the pods of a plan one after the other: spreads and affinities make order matter.
import { LABEL } from '../model/labels.ts';
import type { PlannedNodeClaim, SchedulingPlan } from '../model/plan.ts';
import type { Catalogue } from '../model/snapshot.ts';
import type { ClassInPlay } from './assignment.ts';
import { type Counted, DrawnTally, type Place, SpreadTally, type Tally } from './bindingTallies.ts';
import type { Preparation } from './prepare.ts';
import { type PossibleLabels, typeLabels } from './targets.ts';
import { isHostname, type SpreadTerm } from './topology.ts';

/** Pods of one class that the plan has on one node. */
interface Standing {
  readonly one: ClassInPlay;
  readonly place: Place;
  left: number;
}

interface Tallies {
  readonly bySelector: ReadonlyMap<number, readonly Tally[]>;
  /** By class: tallies that decide on its pods. */
  readonly ofClass: ReadonlyMap<number, readonly Tally[]>;
  /** By class: tallies that count its pods; classes that none counts are absent. */
  readonly counting: ReadonlyMap<number, readonly Tally[]>;
}

/**
 * How many pods of a class, by its index, can be bound in no order tried; empty for a plan that holds. Domains are
 * chosen before nodes are, so that counts may be off where a spread does not look at all nodes of a domain.
 */
export function unbindable(plan: SchedulingPlan, prepared: Preparation): ReadonlyMap<number, number> {
  const { classes } = prepared;
  if (!classes.some(({ rules }) => rules.affinity.length > 0 || rules.spread.some(isOrdered)))
    return new Map();
  const planned = plannedPlaces(plan.nodeClaims, prepared);
  const places = [...prepared.targets, ...planned];
  const tallies = talliesOf(classes, places);
  const concerned = classes.filter(
    (one) => tallies.ofClass.has(one.index) || tallies.counting.has(one.index),
  );
  const standings = standingsOf(plan, planned, { ...prepared, classes: concerned });
  const early = stuckAfter('first', { prepared, tallies, standings: standings() });
  const stuck =
    early.length === 0 ? early : stuckAfter('last', { prepared, tallies, standings: standings() });
  const counts = new Map<number, number>();
  for (const { one, left } of stuck) counts.set(one.index, (counts.get(one.index) ?? 0) + left);
  return counts;
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

function talliesOf(classes: readonly ClassInPlay[], places: readonly Place[]): Tallies {
  const byName = new Map<string, Tally>();
  const ofClass = new Map<number, Tally[]>();
  const add = (one: ClassInPlay, name: string, make: () => Tally): void => {
    const tally = byName.get(name) ?? make();
    byName.set(name, tally);
    ofClass.set(one.index, [...(ofClass.get(one.index) ?? []), tally]);
  };
  for (const one of classes) {
    const { spread, affinity } = one.rules;
    const keys = spread.map(({ key }) => key);
    for (const term of spread.filter(isOrdered)) {
      const name = `spread|${JSON.stringify([term, keys])}|${one.bySelector.id}`;
      add(one, name, () => new SpreadTally(term, keys, one.bySelector, places));
    }
    if (affinity.length > 0) add(one, `drawn|${JSON.stringify(affinity)}`, () => new DrawnTally(affinity));
  }
  const bySelector = Map.groupBy(byName.values(), ({ selector }) => selector);
  const counting = new Map<number, readonly Tally[]>();
  for (const { index, rules } of classes) {
    const found = [...rules.matches].flatMap((selector) => bySelector.get(selector) ?? []);
    if (found.length > 0) counting.set(index, found);
  }
  return { bySelector, ofClass, counting };
}

/** The pods of the plan by class and node, made anew at each call. */
function standingsOf(
  plan: SchedulingPlan,
  planned: readonly Place[],
  { classes, targets }: Preparation,
): () => Standing[] {
  const classOf = new Map(classes.flatMap((one) => one.podClass.pods.map((pod) => [pod, one] as const)));
  const targetOf = new Map(targets.map((target) => [`${target.kind}/${target.name}`, target]));
  const sent: (readonly [string, Place])[] = plan.nominations.flatMap(({ pod, target }) => {
    const place = targetOf.get(`${target.kind}/${target.name}`);
    return place === undefined ? [] : [[pod, place] as const];
  });
  for (const [index, { pods }] of plan.nodeClaims.entries()) {
    const place = planned[index];
    if (place !== undefined) sent.push(...pods.map((pod) => [pod, place] as const));
  }
  const counts = new Map<Place, Map<ClassInPlay, number>>();
  for (const [pod, place] of sent) {
    const one = classOf.get(pod);
    if (one === undefined) continue;
    const held = counts.get(place) ?? new Map<ClassInPlay, number>();
    counts.set(place, held.set(one, (held.get(one) ?? 0) + 1));
  }
  return () => [...counts].flatMap(([place, held]) => [...held].map(([one, left]) => ({ one, place, left })));
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
  const isRuled = ({ one }: Standing): boolean => tallies.ofClass.has(one.index);
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
  return counting.get(one.index) ?? [];
}

function mayBind({ one, place }: Standing, { ofClass }: Tallies): boolean {
  return (ofClass.get(one.index) ?? []).every((tally) => tally.allows(one, place));
}

function bind(standing: Standing, count: number, tallies: Tallies): void {
  for (const tally of countedBy(standing, tallies)) tally.add(standing.place, { count, leaving: false });
}

/** Best are pods that raise the minimum which holds the stuck ones back, then those that it does not count. */
function mostUseful(
  waiting: readonly Standing[],
  stuck: readonly Standing[],
  tallies: Tallies,
): Standing | undefined {
  const blocking = new Set(stuck.flatMap(({ one }) => tallies.ofClass.get(one.index) ?? []));
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
  for (const place of targets) {
    for (const pod of place.pods) {
      const counted: Counted = { count: 1, leaving: pod.deletionRequestedAtMs !== null };
      for (const selector of selectors.matchesOf(pod.namespace, pod.labels)) {
        for (const tally of bySelector.get(selector) ?? []) tally.add(place, counted);
      }
    }
  }
}
