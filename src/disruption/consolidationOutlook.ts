// What taking a node away would save at best, reckoned without a plan: which nodes are worth one.
import type { Consolidation } from '../model/consolidation.ts';
import type { InstanceType } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import type { Provisioner } from '../model/provisioner.ts';
import { fits, type Resources } from '../model/resources.ts';
import type { Candidate } from './consolidationCandidates.ts';
import type { ConsolidationCluster } from './consolidationCluster.ts';
import { neededSaving, type Prospect, type Terms } from './consolidationTrial.ts';

/** What a Provisioner may buy, each type at its least price, cheapest first. */
interface Offer {
  readonly usdPerHour: number;
  readonly allocatable: Resources;
}

export interface Downsizing {
  /** The most saved for each eviction first. */
  readonly paying: readonly Candidate[];
  /** What the others would save at best, in their order. */
  readonly hopeless: readonly { readonly candidate: Candidate; readonly prospect: Prospect }[];
}

/** Which candidates pay by themselves at best: what finds no room elsewhere goes to the cheapest node that holds it. */
export function downsizing(
  candidates: readonly Candidate[],
  cluster: ConsolidationCluster,
  { terms, offers }: { readonly terms: Terms; readonly offers: Offers },
): Downsizing {
  const reckoned = candidates.map((candidate) => {
    const { claim, usdPerHour } = candidate;
    const rest: Record<string, number> = {};
    for (const { spec } of cluster.homelessOf(candidate))
      for (const name in spec.requests) rest[name] = (rest[name] ?? 0) + (spec.requests[name] ?? 0);
    const savedUsd = usdPerHour - offers.nodeUsdPerHour(claim.spec.provisioner, rest);
    // What launches have to save is asked of whole sets: some of a set may save less than others.
    const prospect = { savedUsd, launches: false };
    return { candidate, prospect, pays: savedUsd >= neededSaving([candidate], terms, prospect) };
  });
  const rankOf = ({ candidate, prospect }: (typeof reckoned)[number]): number =>
    prospect.savedUsd / candidate.hurt;
  const paying = reckoned.filter(({ pays }) => pays).sort((left, right) => rankOf(right) - rankOf(left));
  return {
    paying: paying.map(({ candidate }) => candidate),
    hopeless: reckoned.filter(({ pays }) => !pays),
  };
}

/** What is on sale, for quick answers. */
export class Offers {
  readonly #byProvisioner: ReadonlyMap<string, readonly Offer[]>;
  /** By Provisioner and resource: the least that a unit costs on any type. */
  readonly #unitUsd = new Map<string, ReadonlyMap<string, number>>();

  constructor({ snapshot, catalogue }: Consolidation) {
    this.#byProvisioner = new Map(
      snapshot.provisioners.map((one) => [one.name, offersOf(one, catalogue.get(one.name) ?? [])]),
    );
  }

  /** What any Provisioner may buy. */
  all(): readonly Offer[] {
    return [...this.#byProvisioner.values()].flat();
  }

  /** No nodes that hold so much together cost less. */
  leastUsdPerHour(provisioner: string, needed: Resources): number {
    let least = 0;
    for (const [name, usd] of this.#unitsOf(provisioner)) least = Math.max(least, usd * (needed[name] ?? 0));
    return least;
  }

  /** The cheapest node that holds so much; nothing needs none. */
  nodeUsdPerHour(provisioner: string, needed: Resources): number {
    if (Object.keys(needed).length === 0) return 0;
    const offers = this.#byProvisioner.get(provisioner);
    const found = offers?.find(({ allocatable }) => fits(needed, allocatable));
    return found?.usdPerHour ?? this.leastUsdPerHour(provisioner, needed);
  }

  #unitsOf(provisioner: string): ReadonlyMap<string, number> {
    const held = this.#unitUsd.get(provisioner);
    if (held !== undefined) return held;
    const units = new Map<string, number>();
    for (const { allocatable, usdPerHour } of this.#byProvisioner.get(provisioner) ?? [])
      for (const [name, amount] of Object.entries(allocatable))
        if (amount > 0)
          units.set(name, Math.min(units.get(name) ?? Number.POSITIVE_INFINITY, usdPerHour / amount));
    this.#unitUsd.set(provisioner, units);
    return units;
  }
}

function offersOf({ requirements }: Provisioner, types: readonly InstanceType[]): Offer[] {
  const asked = requirements.find(({ key, operator }) => key === LABEL.capacityType && operator === 'In');
  return types
    .flatMap(({ allocatable, offerings }) => {
      const prices = offerings
        .filter(({ available }) => available)
        .filter(({ capacityType }) => asked === undefined || asked.values.includes(capacityType))
        .map(({ usdPerHour }) => usdPerHour);
      return prices.length === 0 ? [] : [{ allocatable, usdPerHour: Math.min(...prices) }];
    })
    .sort((left, right) => left.usdPerHour - right.usdPerHour);
}
