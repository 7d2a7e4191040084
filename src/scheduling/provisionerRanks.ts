// Which Provisioners compete by price, and which come first.
import type { Provisioner } from '../model/provisioner.ts';
import type { CapacityTable } from './capacityTable.ts';

const ranks = new WeakMap<Provisioner, string>();

/** Equal for Provisioners that compete by price: of one weight, and alike in being avoided or not. */
export function rankOf(capacity: CapacityTable, provisioner: number): string {
  const found = capacity.provisioner(provisioner).compiled.provisioner;
  const held = ranks.get(found);
  if (held !== undefined) return held;
  const rank = `${found.taints.some((taint) => taint.effect === 'PreferNoSchedule')}|${found.weight}`;
  ranks.set(found, rank);
  return rank;
}

/**
 * Provisioners by rank, first the heaviest. Those with a PreferNoSchedule taint come after all others: it is a
 * preference, and other nodes can be bought.
 */
export function rankedTiers(capacity: CapacityTable): number[][] {
  const byRank = Map.groupBy(capacity.provisioners.keys(), (index) => rankOf(capacity, index));
  const isLast = ([rank]: [string, number[]]): number => Number(rank.startsWith('true'));
  return [...byRank].sort((left, right) => isLast(left) - isLast(right)).map(([, tier]) => tier);
}
