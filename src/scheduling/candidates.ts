// Candidates for new nodes: an offer together with the lots that it may hold.

import type { Workshop } from './bins.ts';
import { bitIds, hasBit } from './bits.ts';
import { type Menu, menuOf } from './fill.ts';
import type { Market } from './market.ts';
import { NO_SCOPE } from './scopes.ts';

/** Lots that may share a node of some offers, by what they allow. */
export interface LotGroup {
  readonly provisioner: number;
  /** The scope of a node of the Provisioner that holds nothing yet. */
  readonly root: number;
  readonly lots: readonly number[];
  readonly members: ReadonlySet<number>;
  readonly menu: Menu;
}

export interface Candidate {
  readonly group: LotGroup;
  readonly offer: number;
  readonly usdPerHour: number;
  /** The offer's column in the market. */
  readonly column: number;
}

/** The offers worth looking at for the lots that are left: the cheapest of each type for each set of lots. */
export function candidatesOf(shop: Workshop, provisioners: readonly number[], market: Market): Candidate[] {
  const { store } = shop;
  const waiting: number[] = [];
  for (let lot = 0; lot < store.lots.length; lot++) if ((store.left[lot] as number) > 0) waiting.push(lot);
  return provisioners.flatMap((provisioner) => candidatesOn(shop, { provisioner, waiting }, market));
}

function candidatesOn(
  shop: Workshop,
  { provisioner, waiting }: { readonly provisioner: number; readonly waiting: readonly number[] },
  market: Market,
): Candidate[] {
  const { store, scopes, capacity } = shop;
  const lotsOfScope = Map.groupBy(waiting, (lot) => store.lot(lot).scopes[provisioner] ?? NO_SCOPE);
  lotsOfScope.delete(NO_SCOPE);
  const used = [...lotsOfScope.keys()].sort((left, right) => left - right);
  const { compiled } = capacity.provisioner(provisioner);
  const root = rootScope(shop, provisioner);
  const groups = new Map<string, LotGroup>();
  const seen = new Set<string>();
  const candidates: Candidate[] = [];
  for (const [offer, { type, usdPerHour }] of compiled.offers.entries()) {
    const allowing = used.filter((scope) => hasBit(scopes.at(scope).offers, offer));
    if (allowing.length === 0) continue;
    const key = allowing.join(',');
    if (seen.has(`${type}|${key}`)) continue;
    seen.add(`${type}|${key}`);
    let group = groups.get(key);
    if (group === undefined) {
      const lots = allowing.flatMap((scope) => lotsOfScope.get(scope) ?? []);
      const ordered = inFillOrder(shop, lots);
      group = { provisioner, root, lots: ordered, members: new Set(ordered), menu: menuOf(store, ordered) };
      groups.set(key, group);
    }
    const column = market.columnOf(capacity, provisioner, offer);
    if (column >= 0) candidates.push({ group, offer, usdPerHour, column });
  }
  return candidates;
}

/** All offers of the Provisioner, nothing narrowed. */
export function rootScope({ scopes, capacity }: Workshop, provisioner: number): number {
  const { compiled } = capacity.provisioner(provisioner);
  const all = new Uint32Array((compiled.offers.length + 31) >>> 5);
  for (let offer = 0; offer < compiled.offers.length; offer++) {
    all[offer >>> 5] = (all[offer >>> 5] ?? 0) | (1 << (offer & 31));
  }
  return scopes.intern(provisioner, all, new Map());
}

/** Lots that are hard to place first: with caps per node, then with few offers, then the larger ones. */
function inFillOrder({ store, scopes }: Workshop, lots: readonly number[]): number[] {
  const freedom = new Map<number, number>();
  const offersOf = (lot: number): number => {
    let least = Number.POSITIVE_INFINITY;
    for (const scope of store.lot(lot).scopes) {
      if (scope === NO_SCOPE) continue;
      const held = freedom.get(scope) ?? bitIds(scopes.at(scope).offers).length;
      freedom.set(scope, held);
      least = Math.min(least, held);
    }
    return least;
  };
  const keyed = lots.map((lot) => ({ lot, caps: store.lot(lot).caps.length, offers: offersOf(lot) }));
  keyed.sort(
    (one, other) =>
      other.caps - one.caps ||
      one.offers - other.offers ||
      (store.left[other.lot] as number) - (store.left[one.lot] as number) ||
      one.lot - other.lot,
  );
  return keyed.map(({ lot }) => lot);
}
