// One attempt at a whole plan: domains assigned, targets filled, nodes bought.

import type { DomainRefusal } from './assignment.ts';
import type { Bin, Workshop } from './bins.ts';
import { bundled } from './bundles.ts';
import { CandidateTable } from './candidates.ts';
import type { CapacityTable } from './capacityTable.ts';
import { construct } from './construct.ts';
import { DomainAssigner } from './domains.ts';
import { fillTargets, type TargetFilling } from './existing.ts';
import { Filler } from './fill.ts';
import { type ImprovementBudget, improve } from './improve.ts';
import { anyLimits, LimitLedger } from './limits.ts';
import { batchesOf, lotsOf } from './lotBuilder.ts';
import { type Lot, LotStore } from './lots.ts';
import { Market } from './market.ts';
import type { Preparation } from './prepare.ts';
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
}

/** Packs everything once. */
export function pack(prepared: Preparation, { closed, withheld }: Lessons): Packing {
  const { axis, scopes, capacity, placements, targets, classes, counters, world, selectors } = prepared;
  const assigner = new DomainAssigner({ capacity, placements, targets, world, closed });
  const assigned = assigner.assign(classes, withheld);
  const batches = batchesOf(assigned.assignments, classes, counters);
  const tied = bundled(batches, { classes, targets, selectors, placements, capacity });
  const store = new LotStore(lotsOf(tied.batches, capacity), axis, counters.size);
  const ledger = new LimitLedger(prepared.snapshot, prepared.catalogue);
  const shop: Workshop = { store, capacity, scopes, ledger, filler: new Filler(store, scopes) };
  const fillings = fillTargets(shop, targets, { placements, counters });
  const market = new Market({ store, capacity }, (lot) => tierOf(lot, prepared));
  const table = new CandidateTable(market);
  const before = Int32Array.from(store.left);
  const whole = market.usdPerHour;
  const bins = weightTiers(capacity).flatMap((tier) => construct(shop, tier, { market, table }));
  const lowerBoundUsdPerHour = store.anyLeft ? boundWithoutLeft(shop, market, before) : whole;
  const refusals = [...assigned.refusals, ...tied.refusals];
  return { shop, market, table, fillings, bins, refusals, counted: tied.refusals, lowerBoundUsdPerHour };
}

/** Pods that were refused cost nothing: the bound is for those that were not. */
function boundWithoutLeft({ store }: Workshop, market: Market, before: Int32Array): number {
  const left = Int32Array.from(store.left);
  for (const [id, count] of before.entries()) store.left[id] = count - (left[id] as number);
  market.refresh();
  store.left.set(left);
  return market.usdPerHour;
}

/** Makes a complete packing cheaper within the budget. Works with the prices of the whole problem. */
export function polished(packing: Packing, budget: ImprovementBudget): Packing {
  const { shop, market, table, bins, lowerBoundUsdPerHour } = packing;
  const { store } = shop;
  if (budget.work <= 0 || store.anyLeft) return packing;
  for (const { lots, counts } of bins) {
    for (const [at, lot] of lots.entries())
      store.left[lot] = (store.left[lot] as number) + (counts[at] as number);
  }
  market.refresh();
  store.left.fill(0);
  return { ...packing, bins: improve(shop, bins, { market, table, bound: lowerBoundUsdPerHour, budget }) };
}

/** Provisioners that a plan may use for the lot: its heaviest, or all where limits may push pods to lighter ones. */
function tierOf(lot: Lot, { capacity, snapshot }: Preparation): readonly number[] {
  const tiers = weightTiers(capacity);
  if (anyLimits(snapshot.provisioners)) return tiers.flat();
  return (
    tiers.find((tier) => tier.some((index) => (lot.scopes[index] ?? NO_SCOPE) !== NO_SCOPE)) ?? tiers.flat()
  );
}

/** Provisioners of equal weight compete by price; heavier ones come first. */
function weightTiers(capacity: CapacityTable): number[][] {
  const indexes = capacity.provisioners.map((_, index) => index);
  const byWeight = Map.groupBy(indexes, (index) => capacity.provisioner(index).compiled.provisioner.weight);
  return [...byWeight.values()];
}
