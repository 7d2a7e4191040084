// Pods onto capacity that is there or bought already, before anything new is looked at.
import type { Workshop } from './bins.ts';
import { ANY_SCOPE, type Filling, menuOf, presetsOf } from './fill.ts';
import type { HostCounters } from './hostCounters.ts';
import type { LotStore } from './lots.ts';
import type { PlacementTable } from './placements.ts';
import { addScaled, fitsWithin, type ResourceAxis, toVector, type Vector } from './resourceAxis.ts';
import type { Target } from './targets.ts';
import { isAttachment } from './volumes.ts';

const UNLIMITED = 1e9;

/** Pods that one target takes. */
export interface TargetFilling {
  readonly target: Target;
  readonly filling: Filling;
}

export interface FillingTables {
  readonly placements: PlacementTable;
  readonly counters: HostCounters;
  /** What more urgent pods have taken already. */
  readonly earlier: readonly TargetFilling[];
}

/**
 * Sends pods where an earlier plan has sent them already, while they still fit: a claim in flight was bought for them.
 * @param nominated target names by pod key
 */
export function fillNominated(
  { store, filler }: Workshop,
  targets: readonly Target[],
  {
    placements,
    counters,
    nominated,
    podNames,
  }: Omit<FillingTables, 'earlier'> & {
    readonly nominated: ReadonlyMap<string, string>;
    readonly podNames: readonly string[];
  },
): TargetFilling[] {
  const seedsOf = new Map<string, number[]>();
  for (const [id, { pods }] of store.lots.entries()) {
    for (const pod of pods) {
      const name = nominated.get(podNames[pod] as string);
      if (name !== undefined) seedsOf.set(name, [...(seedsOf.get(name) ?? []), id]);
    }
  }
  return targets.flatMap((target) => {
    const room = targetRoom(target, store.axis);
    const seeds = (seedsOf.get(target.name) ?? []).filter(
      (lot) => store.lot(lot).bundle === 1 && placements.allows(store.lot(lot).placement, target),
    );
    if (!target.open || seeds.length === 0) return [];
    for (const preset of counters.presets(target)) filler.preset(preset);
    const menu = { shapes: [], lotsOfShape: [] };
    const weights = new Float64Array(room.length);
    const filling = filler.fill({ menu, room, weights, scope: ANY_SCOPE, provisioner: -1, seeds });
    return filling.lots.length > 0 ? [{ target, filling }] : [];
  });
}

/** Fills the targets in their order; takes the pods out of the store. */
export function fillTargets(
  shop: Workshop,
  targets: readonly Target[],
  { placements, counters, earlier }: FillingTables,
): TargetFilling[] {
  const { store, filler } = shop;
  const fillings: TargetFilling[] = [];
  const least = leastRequests(store.shapes, store.axis);
  for (const target of targets) {
    if (!target.open) continue;
    const taken = earlier.filter((one) => one.target === target).map((one) => one.filling);
    const room = targetRoom(target, store.axis);
    for (const { used } of taken) addScaled(room, used, -1);
    if (!fitsWithin(least, room)) continue;
    const lots = fittingLots(store, { target, room }, placements);
    if (lots.length === 0) continue;
    for (const preset of counters.presets(target)) filler.preset(preset);
    for (const filling of taken) for (const preset of presetsOf(store, filling)) filler.preset(preset);
    const weights = new Float64Array(room.length).fill(1);
    const menu = menuOf(store, lots);
    const filling = filler.fill({ menu, room, weights, scope: ANY_SCOPE, provisioner: -1 });
    if (filling.lots.length > 0) fillings.push({ target, filling });
  }
  return fillings;
}

function fittingLots(
  store: LotStore,
  { target, room }: { readonly target: Target; readonly room: Vector },
  placements: PlacementTable,
): number[] {
  const lots: number[] = [];
  for (let lot = 0; lot < store.lots.length; lot++) {
    if ((store.left[lot] as number) === 0) continue;
    const { requests, placement } = store.lot(lot);
    if (fitsWithin(requests, room) && placements.allows(placement, target)) lots.push(lot);
  }
  return lots;
}

function leastRequests(shapes: readonly Vector[], axis: ResourceAxis): Vector {
  const least = new Float64Array(axis.size).fill(shapes.length === 0 ? 0 : Number.POSITIVE_INFINITY);
  for (const shape of shapes) {
    for (let place = 0; place < least.length; place++) {
      least[place] = Math.min(least[place] as number, shape[place] as number);
    }
  }
  return least;
}

function targetRoom(target: Target, axis: ResourceAxis): Vector {
  const room = toVector(axis, target.available);
  for (const [place, name] of axis.names.entries()) {
    if (isAttachment(name) && target.available[name] === undefined) room[place] = UNLIMITED;
  }
  return room;
}
