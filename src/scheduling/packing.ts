// One attempt at a whole plan: domains assigned, targets filled, nodes bought.

import type { DomainRefusal } from './assignment.ts';
import type { Bin, Workshop } from './bins.ts';
import { bundled } from './bundles.ts';
import { CandidateTable } from './candidates.ts';
import { construct } from './construct.ts';
import { DomainAssigner } from './domains.ts';
import { fillNominated, fillTargets, type TargetFilling } from './existing.ts';
import { Filler } from './fill.ts';
import { type ImprovementBudget, improve } from './improve.ts';
import { anyLimits, ledgerOf } from './limits.ts';
import { batchesOf, lotsOf } from './lotBuilder.ts';
import { type Lot, LotStore } from './lots.ts';
import { Market } from './market.ts';
import type { Preparation } from './prepare.ts';
import { rankedTiers } from './provisionerRanks.ts';
import { NO_SCOPE } from './scopes.ts';

export interface Packing {
  readonly shop: Workshop;
  readonly market: Market;
  readonly table: CandidateTable;
  readonly fillings: readonly TargetFilling[];
  readonly bins: readonly Bin[];
  /** Classes whose rules about other pods leave some of their pods without a domain. */
  readonly refusals: readonly DomainRefusal[];
  /** Of these, pods that did count for others when domains were chosen. */
  readonly counted: readonly DomainRefusal[];
  readonly lowerBoundUsdPerHour: number;
}

/** What earlier attempts have shown. */
export interface Lessons {
  /** How many pods of a class have room in its domains, by `pinOf`. */
  readonly closed: ReadonlyMap<string, number>;
  /** By class: how many of its pods found no place anywhere, so that they must not count for others. */
  readonly withheld: ReadonlyMap<number, number>;
  /** By limited Provisioner: how many nodes its limits have room for with all types that `minValues` asks for. */
  readonly curbs: ReadonlyMap<string, number>;
  /** True once limits have bound: then the most urgent pods choose first. */
  readonly byPriority: boolean;
}

/** Packs everything once. */
export function pack(prepared: Preparation, { closed, withheld, curbs, byPriority }: Lessons): Packing {
  const { axis, vectors, scopes, capacity, placements, targets, classes, counters, world, selectors } =
    prepared;
  const assigner = new DomainAssigner({ capacity, placements, targets, world, closed });
  const assigned = assigner.assign(classes, withheld);
  const batches = batchesOf(assigned.assignments, classes, { counters, placements, capacity });
  const tied = bundled(batches, { classes, targets, selectors, placements, capacity, vectors });
  const store = new LotStore(lotsOf(tied.batches, capacity), axis, counters.size);
  const ledger = ledgerOf(prepared.snapshot, prepared.catalogue);
  for (const [name, nodes] of curbs) ledger.curb(name, nodes);
  const shop: Workshop = { store, capacity, scopes, ledger, filler: new Filler(store, scopes) };
  const fillings: TargetFilling[] = [];
  const bins: Bin[] = [];
  const fill = (): void => {
    fillings.push(...fillTargets(shop, targets, { placements, counters, earlier: fillings }));
  };
  if (prepared.nominated.size > 0) {
    const { nominated, podNames } = prepared;
    fillings.push(...fillNominated(shop, targets, { placements, counters, nominated, podNames }));
  }
  if (!byPriority) fill();
  const market = new Market({ store, capacity }, (lot) => tierOf(lot, prepared));
  const table = new CandidateTable(market);
  const whole = market.usdPerHour;
  const tiers = rankedTiers(capacity);
  const buy = (): void => {
    for (const tier of tiers) bins.push(...construct(shop, tier, { market, table }));
    if (!store.anyLeft || !store.relax()) return;
    for (const tier of tiers) bins.push(...construct(shop, tier, { market, table }));
  };
  if (byPriority) eachLevel(store, () => [fill(), market.refresh(), buy()]);
  else buy();
  const exact = !byPriority && !store.anyLeft;
  const lowerBoundUsdPerHour = exact ? whole : pricesFor(shop, market, bins);
  const refusals = [...assigned.refusals, ...tied.refusals];
  return { shop, market, table, fillings, bins, refusals, counted: tied.refusals, lowerBoundUsdPerHour };
}

/** Runs once for each priority, highest first, with only the pods of that priority left to place. */
function eachLevel(store: LotStore, run: () => void): void {
  const all = Int32Array.from(store.left);
  const levels = [...new Set(store.lots.map((lot) => lot.priority))].sort((left, right) => right - left);
  for (const level of levels) {
    for (const [id, { priority }] of store.lots.entries())
      store.left[id] = priority === level ? (all[id] as number) : 0;
    run();
    for (const [id, { priority }] of store.lots.entries())
      if (priority === level) all[id] = store.left[id] as number;
  }
  store.left.set(all);
}

/** Sets prices to the problem of just the pods in the bins, and answers with its bound: refused pods cost nothing. */
function pricesFor(shop: Workshop, market: Market, bins: readonly Bin[]): number {
  withOnly(shop, bins, () => market.refresh());
  return market.usdPerHour;
}

/** Runs as if just the pods in the bins were left. */
function withOnly<T>({ store }: Workshop, bins: readonly Bin[], run: () => T): T {
  const left = Int32Array.from(store.left);
  store.left.fill(0);
  for (const { lots, counts } of bins) {
    for (const [at, id] of lots.entries())
      store.left[id] = (store.left[id] as number) + (counts[at] as number);
  }
  const answer = run();
  store.left.set(left);
  return answer;
}

/** Plans of more nodes lose next to nothing to whole numbers, and those this near the bound have no more to learn. */
const FEW_NODES = 100;
const NEAR_ENOUGH = 1.01;

/** The packing with a bound that knows that nodes are bought whole, where that matters. */
export function tightened(packing: Packing): Packing {
  const { shop, market, bins, lowerBoundUsdPerHour } = packing;
  const usdPerHour = bins.reduce((sum, bin) => sum + bin.usdPerHour, 0);
  if (bins.length > FEW_NODES || usdPerHour <= NEAR_ENOUGH * lowerBoundUsdPerHour) return packing;
  const bound = withOnly(shop, bins, () => market.wholeNodesUsdPerHour());
  return { ...packing, lowerBoundUsdPerHour: Math.max(lowerBoundUsdPerHour, bound) };
}

/** Makes a complete packing cheaper within the budget. Works with the prices of the whole problem. */
export function polished(packing: Packing, budget: ImprovementBudget): Packing {
  const { shop, market, table, bins, lowerBoundUsdPerHour } = packing;
  if (budget.work <= 0) return packing;
  pricesFor(shop, market, bins);
  const refused = Int32Array.from(shop.store.left);
  shop.store.left.fill(0);
  const better = improve(shop, bins, { market, table, bound: lowerBoundUsdPerHour, budget });
  shop.store.left.set(refused);
  return { ...packing, bins: better };
}

/** Provisioners for the lot: its heaviest, or all where limits or `minValues` may push pods to lighter ones. */
function tierOf(lot: Lot, { capacity, snapshot }: Preparation): readonly number[] {
  const tiers = rankedTiers(capacity);
  const isFloored = capacity.provisioners.some(({ floors }) => floors.length > 0);
  if (isFloored || anyLimits(snapshot.provisioners)) return tiers.flat();
  return (
    tiers.find((tier) => tier.some((index) => (lot.scopes[index] ?? NO_SCOPE) !== NO_SCOPE)) ?? tiers.flat()
  );
}
