// Making a complete plan cheaper: take a few nodes apart, pour their pods into the slack of others, buy anew.
import { type Bin, offerCharge, provisionerName, repriced, type Workshop } from './bins.ts';
import type { CandidateTable } from './candidates.ts';
import { construct } from './construct.ts';
import { coveredBins } from './coveredBins.ts';
import type { Market } from './market.ts';
import { rankOf } from './provisionerRanks.ts';
import { RandomDraws } from './randomDraws.ts';
import { pourIntoSlack } from './slack.ts';

/** How long improvement may go on: by work done, so that it ends at the same plan on any machine. */
export interface ImprovementBudget {
  /** Units of work: shapes looked at, offers compared. */
  readonly work: number;
  /** True when time has run out although work has not: a machine far slower than the work is reckoned for. */
  readonly isOver: () => boolean;
}

/** This near the bound there is nothing left to gain. */
const NEAR_BOUND = 1.0005;
/** Nodes taken apart at once; more where whole numbers of new ones are searched by totals. */
const MOST_RUINED = 5;
const MOST_RUINED_BY_TOTALS = 10;
/** How often new nodes are searched by totals. */
const BY_TOTALS = 0.7;
/** Attempts in a row without gain, for each node of the plan, after which improvement gives up. */
const FRUITLESS_PER_BIN = 30;
const LEAST_FRUITLESS = 120;
/** What an attempt costs beside its fills, and beside two units for each node and lot. */
const ATTEMPT_WORK = 3000;
/** A plan with twice the nodes must be cheaper by more than this share: near-ties go to fewer nodes. */
const NEAR_TIE_SHARE = 0.01;
/** Gains below this are rounding. */
const LEAST_GAIN = 1e-7;

/** What improvement goes by. */
export interface Improving {
  readonly market: Market;
  readonly table: CandidateTable;
  readonly bound: number;
  readonly budget: ImprovementBudget;
}

/** Replaces nodes while that makes the plan cheaper, or as cheap with fewer nodes. */
export function improve(
  shop: Workshop,
  bins: readonly Bin[],
  { market, table, bound, budget }: Improving,
): Bin[] {
  const current = [...bins];
  if (current.length === 0) return current;
  const draws = new RandomDraws(0x9e3779b9);
  let price = totalPrice(current);
  const nodeUsdPerHour = (NEAR_TIE_SHARE * price) / current.length;
  let fruitless = 0;
  let spent = 0;
  const mostFruitless = Math.max(LEAST_FRUITLESS, FRUITLESS_PER_BIN * current.length);
  while (spent < budget.work && price > bound * NEAR_BOUND && fruitless < mostFruitless && !budget.isOver()) {
    const before = shop.filler.work;
    const gain = attempt(shop, current, { market, table, draws, nodeUsdPerHour });
    spent += shop.filler.work - before + ATTEMPT_WORK + 2 * (current.length + shop.store.lots.length);
    price -= gain;
    fruitless = gain > LEAST_GAIN ? 0 : fruitless + 1;
  }
  return current;
}

function totalPrice(bins: readonly Bin[]): number {
  return bins.reduce((sum, bin) => sum + bin.usdPerHour, 0);
}

interface Tools {
  readonly market: Market;
  readonly table: CandidateTable;
  readonly draws: RandomDraws;
  /** What a change must save for each node that it adds. */
  readonly nodeUsdPerHour: number;
}

/** One try: what it saves; the bins are changed only when it saves something. */
function attempt(shop: Workshop, current: Bin[], tools: Tools): number {
  const { market, table, draws } = tools;
  const byTotals = draws.next() < BY_TOTALS;
  const ruined = chosenBins(shop, current, {
    ...tools,
    most: byTotals ? MOST_RUINED_BY_TOTALS : MOST_RUINED,
  });
  const kept = current.filter((_, at) => !ruined.has(at));
  const removed = [...ruined].sort((left, right) => left - right).map((at) => current[at] as Bin);
  for (const bin of removed) release(shop, bin);
  const changed =
    draws.next() < 0.7
      ? pourIntoSlack(shop, { kept, rank: rankOf(shop.capacity, (removed[0] as Bin).provisioner) }, draws)
      : new Map<number, Bin>();
  const tweak = tweakOf(shop, draws);
  const tier = tierOf(shop, removed);
  const fresh = [
    ...(byTotals ? coveredBins(shop, tier, tools) : []),
    ...construct(shop, tier, { market, table, tweak }),
  ].map((bin) => repriced(bin, shop));
  const complete = !shop.store.anyLeft;
  let gain = totalPrice(removed) - totalPrice(fresh);
  for (const [at, bin] of changed) gain += (kept[at] as Bin).usdPerHour - bin.usdPerHour;
  const more = fresh.length - removed.length;
  const needed = LEAST_GAIN + more * tools.nodeUsdPerHour;
  if (complete && (gain > needed || (gain > -LEAST_GAIN && more < 0))) {
    for (const [at, bin] of changed) kept[at] = bin;
    current.splice(0, current.length, ...kept, ...fresh);
    return gain;
  }
  undo(shop, { removed, fresh, changed, kept });
  return 0;
}

/** Other weights and another number of tries each time: the greedy fill then finds other patterns. */
function tweakOf({ store }: Workshop, draws: RandomDraws) {
  const factors = new Float64Array(store.axis.size);
  for (let place = 0; place < factors.length; place++)
    factors[place] = draws.next() < 0.3 ? 1 : 0.3 + 1.7 * draws.next();
  return { factors, skip: draws.next() < 0.4 ? 0.35 : 0, draws };
}

/** The most wasteful node more often than others, and some to exchange pods with. */
function chosenBins(
  shop: Workshop,
  current: readonly Bin[],
  { market, draws, most }: Tools & { readonly most: number },
): Set<number> {
  const waste = (at: number): number => {
    const bin = current[at] as Bin;
    let worth = 0;
    for (const [index, lot] of bin.lots.entries())
      worth += (market.worth[lot] as number) * (bin.counts[index] as number);
    return bin.usdPerHour - worth;
  };
  const drawn = (): number => {
    let best = draws.below(current.length);
    for (let other = 0; other < 3; other++) {
      const at = draws.below(current.length);
      if (waste(at) > waste(best)) best = at;
    }
    return best;
  };
  const chosen = new Set<number>([drawn()]);
  const [first = 0] = chosen;
  const rank = rankOf(shop.capacity, (current[first] as Bin).provisioner);
  const wanted = Math.min(current.length, 1 + draws.below(most));
  for (let tries = 0; chosen.size < wanted && tries < 3 * most; tries++) {
    const at = draws.next() < 0.5 ? drawn() : draws.below(current.length);
    if (rankOf(shop.capacity, (current[at] as Bin).provisioner) === rank) chosen.add(at);
  }
  return chosen;
}

function tierOf({ capacity }: Workshop, removed: readonly Bin[]): number[] {
  const [first] = removed;
  if (first === undefined) return [];
  const rank = rankOf(capacity, first.provisioner);
  return [...capacity.provisioners.keys()].filter((index) => rankOf(capacity, index) === rank);
}

function release(shop: Workshop, bin: Bin): void {
  const { store, ledger, capacity } = shop;
  for (const [at, lot] of bin.lots.entries())
    store.left[lot] = (store.left[lot] as number) + (bin.counts[at] as number);
  const charge = offerCharge(capacity, bin.provisioner, bin);
  ledger.add(provisionerName(capacity, bin.provisioner), charge, -1);
}

function retake(shop: Workshop, bin: Bin): void {
  const { store, ledger, capacity } = shop;
  for (const [at, lot] of bin.lots.entries())
    store.left[lot] = (store.left[lot] as number) - (bin.counts[at] as number);
  const charge = offerCharge(capacity, bin.provisioner, bin);
  ledger.add(provisionerName(capacity, bin.provisioner), charge, 1);
}

interface Attempted {
  readonly removed: readonly Bin[];
  readonly fresh: readonly Bin[];
  readonly changed: ReadonlyMap<number, Bin>;
  readonly kept: readonly Bin[];
}

function undo(shop: Workshop, { removed, fresh, changed, kept }: Attempted): void {
  for (const bin of fresh) release(shop, bin);
  for (const [at, bin] of changed) {
    release(shop, bin);
    retake(shop, kept[at] as Bin);
  }
  for (const bin of removed) retake(shop, bin);
}
