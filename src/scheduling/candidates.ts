// Candidates for new nodes: an offer together with the lots that it may hold.
import type { Workshop } from './bins.ts';
import { countBits, hasBit, noBits, setBit } from './bits.ts';
import { type Menu, menuOf } from './fill.ts';
import type { Market } from './market.ts';
import type { Vector } from './resourceAxis.ts';
import { NO_SCOPE } from './scopes.ts';

/** How many cheaper offers an offer is compared with. */
const COMPARED = 48;

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

/** Offers that let the lots of the same scopes in. */
interface OfferGroup {
  readonly scopes: readonly number[];
  readonly offers: readonly {
    readonly offer: number;
    readonly usdPerHour: number;
    readonly column: number;
  }[];
}

/** Finds candidates; what depends on scopes only is kept, since improvement asks again and again. */
export class CandidateTable {
  readonly #market: Market;
  readonly #groups = new Map<string, readonly OfferGroup[]>();
  readonly #roots = new Map<number, number>();
  readonly #freedom = new Map<number, number>();

  constructor(market: Market) {
    this.#market = market;
  }

  /** The offers worth looking at for these lots, for each set of lots that some offers let in. */
  of(shop: Workshop, provisioners: readonly number[], waiting: readonly number[]): Candidate[] {
    return provisioners.flatMap((provisioner) => this.#on(shop, provisioner, waiting));
  }

  #on(shop: Workshop, provisioner: number, waiting: readonly number[]): Candidate[] {
    const { store } = shop;
    const lotsOfScope = Map.groupBy(waiting, (lot) => store.lot(lot).scopes[provisioner] ?? NO_SCOPE);
    lotsOfScope.delete(NO_SCOPE);
    if (lotsOfScope.size === 0) return [];
    const used = [...lotsOfScope.keys()].sort((left, right) => left - right);
    const key = `${provisioner}|${used.join(',')}`;
    let groups = this.#groups.get(key);
    if (groups === undefined) {
      groups = this.#offerGroups(shop, provisioner, used);
      this.#groups.set(key, groups);
    }
    const root = this.#rootScope(shop, provisioner);
    return groups.flatMap(({ scopes, offers }) => {
      const lots = this.#inFillOrder(
        shop,
        scopes.flatMap((scope) => lotsOfScope.get(scope) ?? []),
      );
      const group = { provisioner, root, lots, members: new Set(lots), menu: menuOf(store, lots) };
      return offers.map((one) => ({ group, ...one }));
    });
  }

  /** All offers of the Provisioner, nothing narrowed. */
  #rootScope({ scopes, capacity }: Workshop, provisioner: number): number {
    const held = this.#roots.get(provisioner);
    if (held !== undefined) return held;
    const { offers } = capacity.provisioner(provisioner).compiled;
    const all = noBits(offers.length);
    for (let offer = 0; offer < offers.length; offer++) setBit(all, offer);
    const root = scopes.intern(provisioner, all, new Map());
    this.#roots.set(provisioner, root);
    return root;
  }

  #offerGroups(shop: Workshop, provisioner: number, used: readonly number[]): OfferGroup[] {
    const { scopes, capacity, ledger } = shop;
    const { compiled, usdPerMilli, floors } = capacity.provisioner(provisioner);
    const limited = ledger.isLimited(compiled.provisioner.name) || floors.length > 0;
    const groups = new Map<
      string,
      { scopes: number[]; offers: { offer: number; usdPerHour: number; column: number }[] }
    >();
    const rooms = new Map<string, Vector[]>();
    for (const [offer, { type, usdPerHour }] of compiled.offers.entries()) {
      const allowing = used.filter((scope) => hasBit(scopes.at(scope).offers, offer));
      const column = allowing.length === 0 ? -1 : this.#market.columnOf(provisioner, offer);
      if (column < 0) continue;
      const key = allowing.join(',');
      const group = groups.get(key) ?? { scopes: allowing, offers: [] };
      const better = rooms.get(key) ?? [];
      groups.set(key, group);
      rooms.set(key, better);
      const room = capacity.room(provisioner, offer);
      // Offers come cheapest first: one that has no more room than a cheaper one is of no use, limits and floors aside.
      if (!limited && isOutdone(room, better)) continue;
      group.offers.push({ offer, usdPerHour, column });
      if ((usdPerMilli[type] ?? 0) === 0) better.push(room);
    }
    return [...groups.values()].filter(({ offers }) => offers.length > 0);
  }

  /** Lots that are hard to place first: with caps per node, then with few offers, then the larger ones. */
  #inFillOrder({ store, scopes }: Workshop, lots: readonly number[]): number[] {
    const offersOf = (lot: number): number => {
      let least = Number.POSITIVE_INFINITY;
      for (const scope of store.lot(lot).scopes) {
        if (scope === NO_SCOPE) continue;
        const held = this.#freedom.get(scope) ?? countBits(scopes.at(scope).offers);
        this.#freedom.set(scope, held);
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
}

/** Compares with the nearest cheaper offers only: one much cheaper hardly has as much room. */
function isOutdone(room: Vector, better: readonly Vector[]): boolean {
  for (let at = better.length - 1; at >= 0 && at >= better.length - COMPARED; at--) {
    if (isWithin(room, better[at] as Vector)) return true;
  }
  return false;
}

function isWithin(room: Vector, other: Vector): boolean {
  for (let place = 0; place < room.length; place++) {
    if ((room[place] as number) > (other[place] as number)) return false;
  }
  return true;
}
