// Preferences have a price, not a veto: a preferred node term is followed where it costs little more.
import type { PodSpec } from '../model/pod.ts';
import { requirementSet } from '../model/requirementSet.ts';
import type { CapacityTable } from './capacityTable.ts';
import type { Placement, PlacementTable } from './placements.ts';
import type { Vector } from './resourceAxis.ts';
import { NO_SCOPE } from './scopes.ts';

/** A term of weight 100 may make a pod this much dearer; lighter ones in proportion. */
const DEAREST_PREFERENCE = 0.1;

/**
 * The placement narrowed by each preferred node term, heaviest first, that does not make the pod much dearer.
 * For new nodes only: room that is there is free, so no preference keeps a pod off it.
 */
export function preferredPlacement(
  placement: Placement,
  { spec, requests }: { readonly spec: PodSpec; readonly requests: Vector },
  { placements, capacity }: { readonly placements: PlacementTable; readonly capacity: CapacityTable },
): Placement {
  if (spec.preferredNodeAffinity.length === 0) return placement;
  let chosen = placement;
  let price = unitPrice(placement, requests, capacity);
  const terms = [...spec.preferredNodeAffinity].sort((left, right) => right.weight - left.weight);
  for (const { weight, term } of terms) {
    if (term.matchFields || term.requirements.length === 0) continue;
    const narrowed = placements.narrow(chosen, requirementSet(term.requirements));
    const narrowedPrice = unitPrice(narrowed, requests, capacity);
    if (narrowedPrice <= price * (1 + (DEAREST_PREFERENCE * weight) / 100)) {
      chosen = narrowed;
      price = narrowedPrice;
    }
  }
  return chosen;
}

/** What the pod's share of a node costs where it is cheapest: the share of the resource it needs most of. */
function unitPrice(placement: Placement, requests: Vector, capacity: CapacityTable): number {
  let least = Number.POSITIVE_INFINITY;
  for (const [provisioner, scopes] of placement.scopes.entries()) {
    for (const scope of scopes) {
      if (scope === NO_SCOPE) continue;
      for (const offer of capacity.front(scope)) {
        const room = capacity.room(provisioner, offer);
        let share = 0;
        for (let place = 0; place < requests.length; place++) {
          const asked = requests[place] as number;
          if (asked > 0) share = Math.max(share, asked / Math.max(0, room[place] as number));
        }
        if (share <= 1) least = Math.min(least, share * capacity.offer(provisioner, offer).usdPerHour);
      }
    }
  }
  return least;
}
