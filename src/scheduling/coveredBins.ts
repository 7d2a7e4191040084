// Nodes chosen by totals first and filled afterwards: the better order where few nodes make whole numbers matter.
import { type Bin, offerCharge, provisionerName, type Workshop } from './bins.ts';
import type { Candidate, CandidateTable } from './candidates.ts';
import { CoverSearch } from './cover.ts';
import type { Market } from './market.ts';
import type { RandomDraws } from './randomDraws.ts';
import { filledUp, slackOf } from './slack.ts';

/** Totals are raised by up to this share, since pods never fill nodes to the brim. */
const MOST_SLACK = 0.03;

interface Tools {
  readonly market: Market;
  readonly table: CandidateTable;
  readonly draws: RandomDraws;
}

/**
 * Buys a cheap cover of what the waiting lots ask for in total, and fills it; what does not fit stays waiting.
 * Buys nothing where a lot has caps, which totals do not see.
 */
export function coveredBins(shop: Workshop, tier: readonly number[], { market, table, draws }: Tools): Bin[] {
  const { store, filler } = shop;
  const waiting: number[] = [];
  for (let lot = 0; lot < store.lots.length; lot++) if ((store.left[lot] as number) > 0) waiting.push(lot);
  if (waiting.some((lot) => store.lot(lot).caps.length > 0)) return [];
  const candidates = table.of(shop, tier, waiting);
  const columns = candidates.map(({ column }) => column);
  const search = new CoverSearch(market.coverOf(waiting, columns), draws);
  const picked = search.cheapest(draws.next() * MOST_SLACK).map((index) => candidates[index] as Candidate);
  filler.work += search.work;
  const choosy = new Set(waiting.filter((lot) => !picked.every(({ group }) => group.members.has(lot))));
  // Nodes that let most lots in first: pods that can go on few of the nodes have no second choice.
  picked.sort((left, right) => right.group.members.size - left.group.members.size);
  return picked.flatMap((candidate) => filledBin(shop, candidate, choosy) ?? []);
}

/** A node of the candidate with the choosy lots in it first, charged to the limits; null when nothing goes in. */
function filledBin(
  shop: Workshop,
  { group, offer, usdPerHour }: Candidate,
  choosy: ReadonlySet<number>,
): Bin | null {
  const { store, capacity, ledger } = shop;
  const { provisioner, root, lots } = group;
  const used = new Float64Array(store.axis.size);
  const empty: Bin = { provisioner, scope: root, offer, usdPerHour, used, lots: [], counts: [] };
  const name = provisionerName(capacity, provisioner);
  if (ledger.times(name, offerCharge(capacity, provisioner, empty)) < 1) return null;
  const first = lots.filter((lot) => choosy.has(lot));
  let bin = empty;
  for (const waiting of [first, lots]) {
    if (waiting.length > 0) bin = filledUp(shop, bin, { waiting, room: slackOf(shop, bin) }) ?? bin;
  }
  if (bin === empty) return null;
  ledger.add(name, offerCharge(capacity, provisioner, bin), 1);
  return bin;
}
