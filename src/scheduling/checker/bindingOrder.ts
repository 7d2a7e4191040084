// Looks for an order in which the kube-scheduler can bind the pods, where affinity and spread make order matter.
import { AffinityGroup, affinityName } from './affinityGroup.ts';
import type { Host } from './host.ts';
import type { Kind, Standing, TermMatcher } from './interPod.ts';
import { hardSpread, SpreadGroup, spreadName } from './spreadGroup.ts';

interface Rules {
  readonly affinity: AffinityGroup | null;
  readonly spread: readonly SpreadGroup[];
}

interface Groups {
  readonly affinity: ReadonlyMap<string, AffinityGroup>;
  readonly spread: ReadonlyMap<string, SpreadGroup>;
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
  const fresh = (): Groups => buildGroups(kinds, hosts, matcher);
  const eager = bindAll(standings, fresh(), 'first');
  const stuck = eager.length === 0 ? [] : bindAll(standings, fresh(), 'last');
  const open = openDomainViolations(standings, fresh());
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
    const name = affinityName(kind);
    const drawn = kind.spec.podAffinity.length > 0;
    const group = drawn ? (affinity.get(name) ?? new AffinityGroup(kind, matcher)) : null;
    if (group !== null) affinity.set(name, group);
    const spreads = hardSpread(kind).map((constraint) => {
      const known = spread.get(spreadName(kind, constraint)) ?? new SpreadGroup(kind, constraint, hosts);
      spread.set(spreadName(kind, constraint), known);
      return known;
    });
    if (group !== null || spreads.length > 0) rules.set(kind, { affinity: group, spread: spreads });
  }
  const groups = [...affinity.values(), ...spread.values()];
  const countedBy = new Map([...kinds].map((kind) => [kind, groups.filter((group) => group.counts(kind))]));
  return { affinity, spread, rules, countedBy };
}

/**
 * Binds pods as long as any can be bound, and returns those left over.
 * @param counted when pods without rules of their own, but counted by those of others, are bound: before all else,
 *   or one by one when nothing else can go on
 */
function bindAll(standings: readonly Standing[], groups: Groups, counted: 'first' | 'last'): Waiting[] {
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

/** The pods to bind next so that stuck ones may go on: best those that raise the minimum which holds them back. */
function helper(free: readonly Waiting[], stuck: readonly Waiting[], groups: Groups): Waiting | null {
  const blocking = new Set(stuck.flatMap(({ standing }) => groups.rules.get(standing.kind)?.spread ?? []));
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
  return [...groups.spread.values()].flatMap((group) => {
    const counted = standings.filter(({ kind }) => groups.countedBy.get(kind)?.includes(group));
    const carrying = standings.filter(
      ({ kind, placed }) =>
        placed > 0 && groups.rules.get(kind)?.spread.includes(group) && group.counts(kind),
    );
    const key = group.constraint.topologyKey;
    return carrying
      .filter(({ host }) => !group.holdsAnywhere(host, counted))
      .map(
        ({ host, kind }) => `${host.title} leaves ${key} open, which may break the spread of ${kind.example}`,
      );
  });
}
