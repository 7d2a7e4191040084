// Pouring pods into the room that nodes of a plan have left.
import type { Bin, Workshop } from './bins.ts';
import { hasBit } from './bits.ts';
import { ANY_SCOPE, menuOf, presetsOf, putBack } from './fill.ts';
import { rankOf } from './provisionerRanks.ts';
import type { RandomDraws } from './randomDraws.ts';
import { addScaled, timesFitting, type Vector } from './resourceAxis.ts';
import { NO_SCOPE } from './scopes.ts';

/** Nodes whose slack is tried for the pods. */
const SLACK_TRIED = 6;

/** Lets some of the kept nodes take what fits beside their own pods; answers with those that did. */
export function pourIntoSlack(
  shop: Workshop,
  { kept, rank }: { readonly kept: readonly Bin[]; readonly rank: string },
  draws: RandomDraws,
): Map<number, Bin> {
  const changed = new Map<number, Bin>();
  if (kept.length === 0) return changed;
  const { store } = shop;
  const waiting: number[] = [];
  for (let lot = 0; lot < store.lots.length; lot++) if ((store.left[lot] as number) > 0) waiting.push(lot);
  const least = new Float64Array(store.axis.size).fill(Number.POSITIVE_INFINITY);
  for (const lot of waiting) {
    const { requests } = store.lot(lot);
    for (let place = 0; place < least.length; place++) {
      least[place] = Math.min(least[place] as number, requests[place] as number);
    }
  }
  const start = draws.below(kept.length);
  let tried = 0;
  for (let offset = 0; offset < kept.length && tried < SLACK_TRIED; offset++) {
    const at = (start + offset) % kept.length;
    const bin = kept[at] as Bin;
    if (rankOf(shop.capacity, bin.provisioner) !== rank) continue;
    const room = slackOf(shop, bin);
    if (timesFitting(least, room) < 1) continue;
    tried++;
    const fuller = filledUp(shop, bin, { waiting, room });
    if (fuller !== null) changed.set(at, fuller);
  }
  return changed;
}

/** What is left on the bin's node. */
export function slackOf({ capacity }: Workshop, bin: Bin): Vector {
  const room = Float64Array.from(capacity.room(bin.provisioner, bin.offer));
  addScaled(room, bin.used, -1);
  return room;
}

/** The bin with what fits beside its own pods; null when nothing does. */
export function filledUp(
  shop: Workshop,
  bin: Bin,
  { waiting, room }: { readonly waiting: readonly number[]; readonly room: Vector },
): Bin | null {
  const { store, scopes, filler, capacity } = shop;
  const { provisioner } = bin;
  const lots = waiting.filter((lot) => {
    if ((store.left[lot] as number) === 0) return false;
    const scope = store.lot(lot).scopes[provisioner] ?? NO_SCOPE;
    return scope !== NO_SCOPE && hasBit(scopes.at(scope).offers, bin.offer);
  });
  if (lots.length === 0 || bin.scope === ANY_SCOPE) return null;
  for (const preset of presetsOf(store, bin)) filler.preset(preset);
  const weights = new Float64Array(room.length).fill(1);
  const added = filler.fill({ menu: menuOf(store, lots), room, weights, scope: bin.scope, provisioner });
  if (added.lots.length === 0) return null;
  const used = Float64Array.from(bin.used);
  addScaled(used, added.used, 1);
  if (!capacity.isFlexible(added.scope, used, bin.offer)) {
    putBack(store, added);
    return null;
  }
  const allLots = [...bin.lots];
  const counts = [...bin.counts];
  for (const [at, lot] of added.lots.entries()) {
    const held = allLots.indexOf(lot);
    const count = added.counts[at] as number;
    if (held < 0) {
      allLots.push(lot);
      counts.push(count);
    } else counts[held] = (counts[held] as number) + count;
  }
  const usdPerHour = capacity.price(provisioner, bin.offer, used);
  return { ...bin, scope: added.scope, usdPerHour, used, lots: allLots, counts };
}
