// One attempt at a whole plan: domains assigned, targets filled, nodes bought.
import type { Bin, Workshop } from './bins.ts';
import { bundled } from './bundles.ts';
import { CandidateTable } from './candidates.ts';
import type { CapacityTable } from './capacityTable.ts';
import { construct } from './construct.ts';
import { DomainAssigner, type DomainRefusal } from './domains.ts';
import { fillTargets, type TargetFilling } from './existing.ts';
import { Filler } from './fill.ts';
import { type ImprovementBudget, type Improving, improve } from './improve.ts';
import { anyLimits, LimitLedger } from './limits.ts';
import { batchesOf, lotsOf } from './lotBuilder.ts';
import { type Lot, LotStore } from './lots.ts';
import { Market } from './market.ts';
import type { Preparation } from './prepare.ts';
import { NO_SCOPE } from './scopes.ts';

export interface Packing {
  readonly shop: Workshop;
  readonly fillings: readonly TargetFilling[];
  readonly bins: readonly Bin[];
  /** Classes whose rules about other pods leave some of their pods without a domain. */
  readonly refusals: readonly DomainRefusal[];
  readonly lowerBoundUsdPerHour: number;
}

/**
 * Packs everything once.
 * @param closed domains that turned out to have no room: `class|key|domain`
 */
export function pack(prepared: Preparation, closed: ReadonlySet<string>, budget: ImprovementBudget): Packing {
  const { axis, scopes, capacity, placements, targets, classes, counters, world, selectors } = prepared;
  const assigner = new DomainAssigner({ capacity, placements, targets, world, closed });
  const assigned = assigner.assign(classes);
  const batches = batchesOf(assigned.assignments, classes, counters);
  const tied = bundled(batches, { classes, targets, selectors, placements, capacity });
  const store = new LotStore(lotsOf(tied.batches, capacity), axis, counters.size);
  const ledger = new LimitLedger(prepared.snapshot, prepared.catalogue);
  const shop: Workshop = { store, capacity, scopes, ledger, filler: new Filler(store, scopes) };
  const fillings = fillTargets(shop, targets, { placements, counters });
  const { bins, lowerBoundUsdPerHour } = bought(shop, prepared, budget);
  const refusals = [...assigned.refusals, ...tied.refusals];
  return { shop, fillings, bins, refusals, lowerBoundUsdPerHour };
}

/** Nodes for what is left, heavier Provisioners first, and the bound on their price. */
function bought(
  shop: Workshop,
  prepared: Preparation,
  budget: ImprovementBudget,
): { readonly bins: readonly Bin[]; readonly lowerBoundUsdPerHour: number } {
  const { store, capacity } = shop;
  const market = new Market({ store, capacity }, (lot) => tierOf(lot, prepared));
  const table = new CandidateTable(market);
  const before = Int32Array.from(store.left);
  const bound = market.usdPerHour;
  const bins = weightTiers(capacity).flatMap((tier) => construct(shop, tier, { market, table }));
  if (!store.anyLeft) {
    return { bins: improved(shop, bins, { market, table, bound, budget }), lowerBoundUsdPerHour: bound };
  }
  // Pods that were refused cost nothing: the bound is for those that were not.
  const left = Int32Array.from(store.left);
  for (const [id, count] of before.entries()) store.left[id] = count - (left[id] as number);
  market.refresh();
  store.left.set(left);
  return { bins, lowerBoundUsdPerHour: market.usdPerHour };
}

/** Improvement works with the prices of the whole problem. */
function improved(shop: Workshop, bins: readonly Bin[], improving: Improving): readonly Bin[] {
  const { market, budget } = improving;
  if (budget.work <= 0) return bins;
  const packed = Int32Array.from(shop.store.left);
  for (const { lots, counts } of bins) {
    for (const [at, lot] of lots.entries())
      shop.store.left[lot] = (shop.store.left[lot] as number) + (counts[at] as number);
  }
  market.refresh();
  shop.store.left.set(packed);
  return improve(shop, bins, improving);
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
