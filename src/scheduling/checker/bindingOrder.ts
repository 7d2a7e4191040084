// Looks for an order in which the kube-scheduler can bind the pods, where affinity and spread make order matter.
import { AffinityGroup, affinityName } from './affinityGroup.ts';
import type { Host } from './host.ts';
import { domainsOf, type Kind, KindIndex, type Standing, type TermMatcher } from './interPod.ts';
import { findsOrder } from './orderSearch.ts';
import { hardSpread, SpreadGroup, spreadName } from './spreadGroup.ts';

interface Rules {
  readonly affinity: AffinityGroup | null;
  readonly spread: readonly SpreadGroup[];
}

interface Groups {
  readonly all: readonly (AffinityGroup | SpreadGroup)[];
  readonly spread: readonly SpreadGroup[];
  /** What each kind must keep. */
  readonly rules: ReadonlyMap<Kind, Rules>;
  /** Where each kind is counted. */
  readonly countedBy: ReadonlyMap<Kind, readonly (AffinityGroup | SpreadGroup)[]>;
}

interface Waiting {
  readonly standing: Standing;
  left: number;
}

/** Pods that no order binds where the plan has them, and spread that depends on how open zones turn out. */
export function orderViolations(
  standings: readonly Standing[],
  hosts: readonly Host[],
  matcher: TermMatcher,
): string[] {
  const kinds = new Set(standings.map(({ kind }) => kind));
  const ruled = new Set(standings.filter(({ placed }) => placed > 0).map(({ kind }) => kind));
  if (![...ruled].some((kind) => kind.spec.podAffinity.length > 0 || hardSpread(kind).length > 0)) return [];
  const groups = buildGroups(kinds, hosts, matcher);
  const eager = bindAll(standings, groups, 'first');
  const late = eager.length === 0 ? [] : bindAll(standings, groups, 'last');
  const stuck = late.length === 0 || findsSomeOrder(standings, groups) ? [] : late;
  const open = openDomainViolations(standings, groups);
  return [...stuck.map(({ standing, left }) => stuckSentence(standing, left)), ...open];
}

function stuckSentence({ kind, host }: Standing, left: number): string {
  const rules = kind.spec.podAffinity.length > 0 ? 'pod affinity or topology spread' : 'topology spread';
  return `${left} pods like ${kind.example} cannot be bound to ${host.title} in any order tried: ${rules}`;
}

function buildGroups(kinds: ReadonlySet<Kind>, hosts: readonly Host[], matcher: TermMatcher): Groups {
  const affinity = new Map<string, AffinityGroup>();
  const spread = new Map<string, SpreadGroup>();
  const rules = new Map<Kind, Rules>();
  for (const kind of kinds) {
    const drawn =
      kind.spec.podAffinity.length === 0
        ? null
        : shared(affinity, affinityName(kind), () => new AffinityGroup(kind, matcher));
    const spreads = hardSpread(kind).map((constraint) =>
      shared(spread, spreadName(kind, constraint), () => new SpreadGroup(kind, constraint, hosts)),
    );
    if (drawn !== null || spreads.length > 0) rules.set(kind, { affinity: drawn, spread: spreads });
  }
  const all = [...affinity.values(), ...spread.values()];
  const index = new KindIndex(kinds);
  const countedBy = new Map<Kind, (AffinityGroup | SpreadGroup)[]>();
  for (const group of all) {
    for (const kind of group.candidates(index).filter((one) => group.counts(one))) {
      const held = countedBy.get(kind) ?? [];
      held.push(group);
      countedBy.set(kind, held);
    }
  }
  return { all, spread: [...spread.values()], rules, countedBy };
}

function shared<T>(known: Map<string, T>, name: string, make: () => T): T {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}

/**
 * Binds pods as long as any can be bound, and returns those left over.
 * @param counted when pods without rules of their own, but counted by those of others, are bound: before all else,
 *   or one by one when nothing else can go on
 */
function bindAll(standings: readonly Standing[], groups: Groups, counted: 'first' | 'last'): Waiting[] {
  for (const group of groups.all) group.reset();
  const free: Waiting[] = [];
  let ruled: Waiting[] = [];
  for (const standing of standings) {
    bind(standing, standing.bound, groups);
    if (standing.placed === 0) continue;
    const waiting = { standing, left: standing.placed };
    if (groups.rules.has(standing.kind)) ruled.push(waiting);
    else if ((groups.countedBy.get(standing.kind) ?? []).length > 0) free.push(waiting);
  }
  if (counted === 'first') {
    for (const { standing, left } of free.splice(0)) bind(standing, left, groups);
  }
  // The first of a group that is drawn to itself may start it only while no other pod of the kind is anywhere.
  const isDrawn = ({ standing }: Waiting): boolean => groups.rules.get(standing.kind)?.affinity !== null;
  if (counted === 'last') ruled = [...ruled.filter(isDrawn), ...ruled.filter((one) => !isDrawn(one))];
  while (ruled.length > 0) {
    const before = total(ruled);
    for (const waiting of ruled) bindWhilePossible(waiting, groups);
    ruled = ruled.filter(({ left }) => left > 0);
    if (total(ruled) < before) continue;
    const next = helper(free, ruled, groups);
    if (next === null) return ruled;
    free.splice(free.indexOf(next), 1);
    bind(next.standing, next.left, groups);
  }
  return ruled;
}

/** Both simple ways got stuck: looks for an order with steps back. */
function findsSomeOrder(standings: readonly Standing[], groups: Groups): boolean {
  for (const group of groups.all) group.reset();
  for (const standing of standings) bind(standing, standing.bound, groups);
  const piles = standings.flatMap((standing) => {
    const rules = groups.rules.get(standing.kind);
    const counting = groups.countedBy.get(standing.kind) ?? [];
    if (standing.placed === 0 || (rules === undefined && counting.length === 0)) return [];
    const { affinity, spread } = rules ?? { affinity: null, spread: [] };
    return [{ standing, left: standing.placed, affinity, spread, counting }];
  });
  return findsOrder(piles);
}

/** The pods to bind next so that stuck ones may go on: best those that raise the minimum which holds them back. */
function helper(free: readonly Waiting[], stuck: readonly Waiting[], groups: Groups): Waiting | null {
  const blocking = new Set(
    stuck.flatMap(({ standing: { kind, host } }) =>
      (groups.rules.get(kind)?.spread ?? []).filter((group) => !group.allows(kind, host)),
    ),
  );
  const raises = ({ standing: { kind, host } }: Waiting): boolean =>
    (groups.countedBy.get(kind) ?? []).some(
      (group) => group instanceof SpreadGroup && blocking.has(group) && group.isLowest(host),
    );
  const isNeutral = ({ standing: { kind } }: Waiting): boolean =>
    !(groups.countedBy.get(kind) ?? []).some((group) => group instanceof SpreadGroup && blocking.has(group));
  return free.find(raises) ?? free.find(isNeutral) ?? free[0] ?? null;
}

function total(waiting: readonly Waiting[]): number {
  return waiting.reduce((sum, { left }) => sum + left, 0);
}

function bindWhilePossible(waiting: Waiting, groups: Groups): void {
  const { kind, host } = waiting.standing;
  const rules = groups.rules.get(kind);
  const possible = (): boolean =>
    (rules?.affinity?.allows(kind, host) ?? true) &&
    (rules?.spread ?? []).every((group) => group.allows(kind, host));
  while (waiting.left > 0 && possible()) {
    waiting.left -= 1;
    bind(waiting.standing, 1, groups);
  }
}

function bind({ kind, host }: Standing, pods: number, groups: Groups): void {
  if (pods === 0) return;
  for (const group of groups.countedBy.get(kind) ?? []) group.add(host, pods);
}

function openDomainViolations(standings: readonly Standing[], groups: Groups): string[] {
  const byKind = Map.groupBy(standings, ({ kind }) => kind);
  const kindsOf = new Map<SpreadGroup, Kind[]>(groups.spread.map((group) => [group, []]));
  for (const [kind, counting] of groups.countedBy) {
    for (const group of counting) if (group instanceof SpreadGroup) kindsOf.get(group)?.push(kind);
  }
  return groups.spread.flatMap((group) => {
    const key = group.constraint.topologyKey;
    const counted = (kindsOf.get(group) ?? []).flatMap((kind) => byKind.get(kind) ?? []);
    return counted
      .filter(({ kind, placed }) => placed > 0 && groups.rules.get(kind)?.spread.includes(group))
      .filter(({ host }) => domainsOf(host, key).size > 1 && !group.holdsAnywhere(host, counted))
      .map(
        ({ host, kind }) => `${host.title} leaves ${key} open, which may break the spread of ${kind.example}`,
      );
  });
}
