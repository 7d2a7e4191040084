// Ties between zones go to what pods prefer: ScheduleAnyway spreads, and preferred affinity and anti-affinity by zone.
import { LABEL } from '../model/labels.ts';
import type { ClassInPlay } from './assignment.ts';
import type { Bin, Workshop } from './bins.ts';
import { bitIds } from './bits.ts';
import type { Preparation } from './prepare.ts';
import type { Target } from './targets.ts';

/** A pod's wish about pods that the selector matches: each of them in its zone counts so much, below zero for good. */
interface Wish {
  readonly selector: number;
  readonly weight: number;
}

/** Pods by number on the targets and bins of a plan. */
interface PlacedPods {
  readonly sent: readonly { readonly target: Target; readonly pods: readonly number[] }[];
  readonly inBins: readonly (readonly number[])[];
}

export interface ZonedBin {
  readonly bin: Bin;
  /** True when a pod on it prefers the zone that was chosen. */
  readonly isChosen: boolean;
}

/** A spread has no weight of its own; the largest that a preference can have. Source: kube-scheduler, weight 1..100. */
const SPREAD_WEIGHT = 100;

/**
 * Moves nodes among zones in which they cost the same and all their pods may run, as their pods prefer.
 * Source: Kubernetes, "Inter-pod affinity" and "Pod Topology Spread Constraints": preferences only score nodes.
 */
export function inPreferredZones(
  prepared: Preparation,
  { bins, shop }: { readonly bins: readonly Bin[]; readonly shop: Workshop },
  placed: PlacedPods,
): ZonedBin[] {
  const wishes = prepared.classes.map((one) => wishesOf(one, prepared));
  if (!wishes.some((one) => one.length > 0)) return bins.map((bin) => ({ bin, isChosen: false }));
  const counts = new ZoneCounts(prepared, placed);
  const wishesOn = bins.map((_, at) =>
    (placed.inBins[at] ?? []).flatMap((pod) => wishes[prepared.classOfPod[pod] as number] ?? []),
  );
  for (const [at, bin] of bins.entries()) {
    if (wishesOn[at]?.length === 0) counts.add(placed.inBins[at] ?? [], zoneOf(shop, bin));
  }
  return bins.map((bin, at) => {
    const wanted = wishesOn[at] ?? [];
    if (wanted.length === 0) return { bin, isChosen: false };
    const moved = { ...bin, offer: bestOffer(shop, bin, (zone) => counts.dislike(wanted, zone)) };
    counts.add(placed.inBins[at] ?? [], zoneOf(shop, moved));
    return { bin: moved, isChosen: true };
  });
}

function wishesOf({ podClass }: ClassInPlay, { selectors }: Preparation): readonly Wish[] {
  const { spec, namespace } = podClass;
  const byZone = ({ topologyKey }: { readonly topologyKey: string }): boolean => topologyKey === LABEL.zone;
  return [
    ...spec.topologySpread
      .filter((one) => one.whenUnsatisfiable === 'ScheduleAnyway' && byZone(one))
      .map(({ selector }) => ({ selector: selectors.internOwn(selector, namespace), weight: SPREAD_WEIGHT })),
    ...spec.preferredPodAntiAffinity
      .filter(({ term }) => byZone(term))
      .map(({ term, weight }) => ({ selector: selectors.internTerm(term, namespace), weight })),
    ...spec.preferredPodAffinity
      .filter(({ term }) => byZone(term))
      .map(({ term, weight }) => ({ selector: selectors.internTerm(term, namespace), weight: -weight })),
  ];
}

function zoneOf({ capacity }: Workshop, { provisioner, offer }: Bin): string {
  return capacity.offer(provisioner, offer).zone;
}

/** Among offers of the bin's type at its price the one whose zone is disliked least; its own where they tie. */
function bestOffer(
  { capacity, scopes }: Workshop,
  { provisioner, offer, scope, used }: Bin,
  dislike: (zone: string) => number,
): number {
  const own = capacity.offer(provisioner, offer);
  let best = offer;
  let least = dislike(own.zone);
  for (const id of bitIds(scopes.at(scope).offers)) {
    const { type, capacityType, usdPerHour, zone } = capacity.offer(provisioner, id);
    if (type !== own.type || capacityType !== own.capacityType || usdPerHour !== own.usdPerHour) continue;
    const disliked = dislike(zone);
    if (disliked >= least || !capacity.isFlexible(scope, used, id)) continue;
    best = id;
    least = disliked;
  }
  return best;
}

/** How many pods each selector matches in each zone. */
class ZoneCounts {
  readonly #prepared: Preparation;
  readonly #counts = new Map<string, Map<number, number>>();

  constructor(prepared: Preparation, { sent }: PlacedPods) {
    this.#prepared = prepared;
    for (const { labels, pods } of prepared.targets) {
      const zone = onlyZone(labels);
      if (zone === null) continue;
      for (const pod of pods) this.#count(zone, prepared.selectors.matchesOf(pod.namespace, pod.labels));
    }
    for (const { target, pods } of sent) {
      const zone = onlyZone(target.labels);
      if (zone !== null) this.add(pods, zone);
    }
  }

  add(pods: readonly number[], zone: string): void {
    const { classes, classOfPod } = this.#prepared;
    for (const pod of pods) {
      const matches = classes[classOfPod[pod] as number]?.podClass.matches ?? [];
      this.#count(zone, matches);
    }
  }

  #count(zone: string, matches: readonly number[]): void {
    const counts = this.#counts.get(zone) ?? new Map<number, number>();
    this.#counts.set(zone, counts);
    for (const selector of matches) counts.set(selector, (counts.get(selector) ?? 0) + 1);
  }

  /** What speaks against the zone, summed over all wishes. */
  dislike(wishes: readonly Wish[], zone: string): number {
    const counts = this.#counts.get(zone);
    if (counts === undefined) return 0;
    return wishes.reduce((sum, { selector, weight }) => sum + weight * (counts.get(selector) ?? 0), 0);
  }
}

function onlyZone(labels: Target['labels']): string | null {
  const zones = labels.get(LABEL.zone);
  const [zone = null] = zones === undefined || zones.size !== 1 ? [] : zones;
  return zone;
}
