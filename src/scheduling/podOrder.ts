// Which of several like pods goes where: each to where an earlier plan has sent it, so that plans do not swap them.
import type { Packing } from './packing.ts';
import type { Preparation } from './prepare.ts';

/**
 * The pods of lots in another order than their own, so that dealing them out target by target gives each target the
 * pods that are nominated to it. Lots whose pods are nominated nowhere are left out, and so are bundles.
 */
export function podsInOrder(
  { nominated, podNames }: Pick<Preparation, 'nominated' | 'podNames'>,
  { fillings, shop }: Packing,
): ReadonlyMap<number, readonly number[]> {
  const ordered = new Map<number, readonly number[]>();
  if (nominated.size === 0) return ordered;
  const placesOf = new Map<number, string[]>();
  for (const { target, filling } of fillings) {
    for (const [at, id] of filling.lots.entries()) {
      const places = placesOf.get(id) ?? [];
      for (let count = filling.counts[at] ?? 0; count > 0; count--) places.push(target.name);
      placesOf.set(id, places);
    }
  }
  for (const [id, places] of placesOf) {
    const { bundle, pods } = shop.store.lot(id);
    const wishes = pods.map((pod) => nominated.get(podNames[pod] as string) ?? '');
    if (bundle === 1 && wishes.some((wish) => wish !== '')) ordered.set(id, seated(pods, wishes, places));
  }
  return ordered;
}

/** Each pod at a place that it wishes for while there is one; the others in their order at what is left, and after. */
function seated(pods: readonly number[], wishes: readonly string[], places: readonly string[]): number[] {
  const free = new Map<string, number[]>();
  for (const [seat, place] of places.entries()) pushTo(free, place, seat);
  const seats: (number | null)[] = places.map(() => null);
  const rest: number[] = [];
  for (const [at, pod] of pods.entries()) {
    const seat = free.get(wishes[at] ?? '')?.shift();
    if (seat === undefined) rest.push(pod);
    else seats[seat] = pod;
  }
  const others = rest.values();
  const filled = seats.flatMap((pod) => pod ?? others.next().value ?? []);
  return [...filled, ...others];
}

function pushTo(lists: Map<string, number[]>, key: string, item: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
