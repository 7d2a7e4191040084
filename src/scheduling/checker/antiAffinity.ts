// Required anti-affinity, both directions: no pod shares a domain with one that it, or that other one, keeps away.
import type { Host } from './host.ts';
import {
  domainsOf,
  type Kind,
  KindIndex,
  type OwnedTerm,
  type Standing,
  type TermMatcher,
} from './interPod.ts';

interface Tally {
  owners: number;
  matches: number;
  both: number;
  boundOwners: number;
  boundMatches: number;
  boundBoth: number;
  example: string;
}

/**
 * Violations of required anti-affinity among pods where at least one is newly placed. The order in which they
 * are bound does not matter: the kube-scheduler looks at the terms of the pod and at those of pods that run.
 */
export function antiAffinityViolations(standings: readonly Standing[], matcher: TermMatcher): string[] {
  const byKind = Map.groupBy(standings, ({ kind }) => kind);
  const index = new KindIndex(new Set(byKind.keys()));
  const owners = new Map<string, { readonly owned: OwnedTerm; readonly kinds: Set<Kind> }>();
  for (const kind of byKind.keys()) {
    for (const term of kind.spec.podAntiAffinity) {
      const owned = { term, namespace: kind.namespace };
      const name = JSON.stringify(owned);
      const held = owners.get(name) ?? { owned, kinds: new Set() };
      owners.set(name, { owned, kinds: held.kinds.add(kind) });
    }
  }
  const violations = new Set<string>();
  for (const { owned, kinds } of owners.values()) {
    const candidates = index.candidates(owned.term.selector);
    const matched = new Set(candidates.filter((kind) => matcher.matches(owned, kind)));
    const concerned = [...kinds.union(matched)].flatMap((kind) => byKind.get(kind) ?? []);
    for (const [domain, tally] of tallies(concerned, owned, { kinds, matched })) {
      if (!isBroken(tally)) continue;
      const where = `${owned.term.topologyKey}=${domain}`;
      violations.add(`anti-affinity of ${tally.example} is broken within ${where}`);
    }
  }
  return [...violations];
}

function tallies(
  concerned: readonly Standing[],
  { term }: OwnedTerm,
  { kinds, matched }: { readonly kinds: ReadonlySet<Kind>; readonly matched: ReadonlySet<Kind> },
): ReadonlyMap<string, Tally> {
  const byDomain = new Map<string, Tally>();
  for (const { kind, host, bound, placed } of concerned) {
    const asOwner = kinds.has(kind) ? 1 : 0;
    const asMatch = matched.has(kind) ? 1 : 0;
    for (const domain of knownDomains(host, term.topologyKey)) {
      const tally = byDomain.get(domain) ?? emptyTally();
      byDomain.set(domain, tally);
      tally.owners += asOwner * (bound + placed);
      tally.matches += asMatch * (bound + placed);
      tally.both += asOwner * asMatch * (bound + placed);
      tally.boundOwners += asOwner * bound;
      tally.boundMatches += asMatch * bound;
      tally.boundBoth += asOwner * asMatch * bound;
      if (asOwner === 1 && tally.example === '') tally.example = kind.example;
    }
  }
  return byDomain;
}

function knownDomains(host: Host, key: string): string[] {
  return [...domainsOf(host, key)].filter((domain) => domain !== undefined);
}

/** More pairs of an owner and another pod that it matches than there are among bound pods alone. */
function isBroken(tally: Tally): boolean {
  const pairs = tally.owners * tally.matches - tally.both;
  return pairs > tally.boundOwners * tally.boundMatches - tally.boundBoth;
}

function emptyTally(): Tally {
  return { owners: 0, matches: 0, both: 0, boundOwners: 0, boundMatches: 0, boundBoth: 0, example: '' };
}
