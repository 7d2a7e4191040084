// Bins: nodes to buy while the plan is still being made.
import type { CapacityTable } from './capacityTable.ts';
import type { Filler } from './fill.ts';
import { chargeOf, type LimitCharge, type LimitLedger } from './limits.ts';
import type { LotStore } from './lots.ts';
import type { Vector } from './resourceAxis.ts';
import type { ScopeTable } from './scopes.ts';

/** One node to buy: what it holds, what it may be, and the cheapest offer that it is priced as. */
export interface Bin {
  readonly provisioner: number;
  readonly scope: number;
  readonly offer: number;
  readonly usdPerHour: number;
  readonly used: Vector;
  readonly lots: readonly number[];
  readonly counts: readonly number[];
}

/** All that packing steps work with. */
export interface Workshop {
  readonly store: LotStore;
  readonly capacity: CapacityTable;
  readonly scopes: ScopeTable;
  readonly ledger: LimitLedger;
  readonly filler: Filler;
}

/**
 * What a node of this offer counts towards limits, whatever its pods: CPU above the baseline of a burstable type is
 * not part of it.
 */
export function offerCharge(
  capacity: CapacityTable,
  provisioner: number,
  bin: Pick<Bin, 'offer'>,
): LimitCharge {
  const { compiled } = capacity.provisioner(provisioner);
  const { type, usdPerHour } = capacity.offer(provisioner, bin.offer);
  return chargeOf(compiled.types[type]?.capacity ?? {}, usdPerHour);
}

export function provisionerName(capacity: CapacityTable, provisioner: number): string {
  return capacity.provisioner(provisioner).compiled.provisioner.name;
}

/**
 * The bin as the cheapest offer for all that it holds now: a burstable type that was cheapest at first may not be once
 * the CPU above its baseline is paid for. Under limits it stays what they were charged for.
 */
export function repriced(bin: Bin, { capacity, ledger }: Workshop): Bin {
  if (ledger.isLimited(provisionerName(capacity, bin.provisioner))) return bin;
  const { scope, used } = bin;
  const best = capacity.cheapest(scope, used);
  return best === null || best.usdPerHour >= bin.usdPerHour ? bin : { ...bin, ...best };
}
