// All instance types on sale for a node class: EC2's facts, prices and stock put together, rebuilt when one changes.
import type { InstanceType } from '../model/instanceType.ts';
import type { NodeClass } from '../model/nodeClass.ts';
import type { KubeletConfiguration } from '../model/provisioner.ts';
import { labelsFromRequirements } from '../model/requirement.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/telemetry.ts';
import { type BootImage, imageFor } from './amis.ts';
import { awsFault, faultAdvice } from './awsFault.ts';
import type { Ec2Api, TypeInZone } from './ec2Api.ts';
import { FreshCache } from './freshCache.ts';
import type { InstanceTypeFacts } from './instanceTypeFacts.ts';
import { type Market, offeringsOf, type UnpricedType, unpricedType } from './instanceTypes.ts';
import type { LearnedMemory } from './learnedMemory.ts';
import type { ResolvedNodeClass } from './nodeClasses.ts';
import { type PriceTable, priceOf, type SpotPriceTable, type Surcharge, spotPriceTable } from './prices.ts';
import type { AwsSettings } from './settings.ts';
import { shippedFacts } from './shippedCatalogue.ts';
import type { SubnetLedger } from './subnets.ts';
import type { UnavailableOfferings } from './unavailableOfferings.ts';

/** A type on sale, and the image that boots it; null when the user's own launch template names the image. */
export interface LaunchableType {
  readonly type: InstanceType;
  readonly facts: InstanceTypeFacts;
  readonly image: BootImage | null;
}

export interface CatalogueView {
  readonly nodeClass: NodeClass;
  readonly kubelet: KubeletConfiguration;
  readonly resolved: ResolvedNodeClass;
}

interface Bootable {
  readonly facts: InstanceTypeFacts;
  readonly unpriced: UnpricedType;
  readonly image: BootImage | null;
}

/** What a built list was built from: compared by identity, so unchanged answers of the caches cost nothing. */
interface Built {
  readonly inputs: readonly unknown[];
  readonly bootable: readonly Bootable[];
  readonly marketInputs: readonly unknown[];
  readonly types: readonly LaunchableType[];
}

interface MarketAnswers {
  readonly facts: readonly InstanceTypeFacts[];
  readonly zones: ReadonlyMap<string, readonly string[]>;
  readonly spot: SpotPriceTable;
}

export interface CatalogueDependencies {
  readonly ec2: Ec2Api;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: AwsSettings;
  readonly onDemandPrices: PriceTable;
  readonly surcharges?: readonly Surcharge[];
  readonly outOfStock: UnavailableOfferings;
  readonly ledger: SubnetLedger;
  readonly learned: LearnedMemory;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Types and their zones change a few times a month. */
const TYPE_FRESHNESS = { staleAfterMs: HOUR_MS, uselessAfterMs: 48 * HOUR_MS };
/** Spot prices move slowly since 2017: AWS smooths them over days. */
const SPOT_FRESHNESS = { staleAfterMs: 10 * MINUTE_MS, uselessAfterMs: 12 * HOUR_MS };
/** A list that nobody has asked for in this long is of a node class or kubelet that has gone or was changed. */
const UNUSED_MS = HOUR_MS;
const NO_SPOT_PRICES: SpotPriceTable = new Map();

export class TypeCatalogue {
  readonly #with: CatalogueDependencies;
  readonly #facts: FreshCache<readonly InstanceTypeFacts[]>;
  readonly #zones: FreshCache<ReadonlyMap<string, readonly string[]>>;
  readonly #spot: FreshCache<SpotPriceTable>;
  readonly #built = new Map<string, Built>();
  /** By the keys of `#built`. */
  readonly #usedAtMs = new Map<string, number>();

  constructor(dependencies: CatalogueDependencies) {
    this.#with = dependencies;
    this.#facts = new FreshCache(dependencies.clock, TYPE_FRESHNESS);
    this.#zones = new FreshCache(dependencies.clock, TYPE_FRESHNESS);
    this.#spot = new FreshCache(dependencies.clock, SPOT_FRESHNESS);
  }

  /** Types with at least one offering, as last built while nothing has changed. Throws `AwsFault`. */
  async types(view: CatalogueView): Promise<readonly LaunchableType[]> {
    const answers = await this.#answers();
    const { nodeClass, kubelet, resolved } = view;
    const key = `${nodeClass.key} ${JSON.stringify(kubelet)}`;
    const held = this.#built.get(key);
    this.#usedAtMs.set(key, this.#with.clock.nowMs());
    const learned = this.#with.learned.version;
    const inputs = [
      answers.facts,
      learned,
      nodeClass.generation,
      resolved.boot?.images.map(({ id }) => id).join(),
    ];
    const bootable =
      held !== undefined && sameItems(held.inputs, inputs) ? held.bootable : this.#bootable(view, answers);
    const open = this.#with.ledger.choose(resolved.subnets);
    const zones = new Set(resolved.subnets.map(({ zone }) => zone));
    const version = this.#with.outOfStock.version(this.#with.clock.nowMs());
    const zoneKey = `${[...zones].sort().join()}/${[...open.keys()].sort().join()}`;
    const marketInputs = [bootable, answers.zones, answers.spot, version, zoneKey];
    if (held !== undefined && sameItems(held.marketInputs, marketInputs)) return held.types;
    const types = priced(bootable, zones, this.#market(answers, new Set(open.keys())));
    this.#built.set(key, { inputs, bootable, marketInputs, types });
    return types;
  }

  /** Asks again for what is stale, and lets go what nobody uses. */
  async refresh(): Promise<void> {
    const nowMs = this.#with.clock.nowMs();
    for (const [key, usedAtMs] of this.#usedAtMs) {
      if (nowMs - usedAtMs < UNUSED_MS) continue;
      this.#usedAtMs.delete(key);
      this.#built.delete(key);
    }
    await Promise.all([this.#facts.refresh(), this.#zones.refresh(), this.#spot.refresh()]);
  }

  /** Loads everything that needs no node class. Throws `AwsFault`. */
  async load(): Promise<void> {
    await this.#answers();
  }

  async #answers(): Promise<MarketAnswers> {
    const { ec2 } = this.#with;
    const [facts, zones, spot] = await Promise.all([
      this.#facts.get('', () => this.#describedTypes()),
      this.#zones.get('', async () => zonesByType(await ec2.describeInstanceTypeZones())),
      this.#spotPrices(),
    ]);
    return { facts, zones, spot };
  }

  /** EC2 does not say how many branch interfaces a type has: those come from the shipped catalogue. */
  async #describedTypes(): Promise<readonly InstanceTypeFacts[]> {
    const described = await this.#with.ec2.describeInstanceTypes();
    if (!this.#with.settings.podEni) return described;
    const shipped = new Map(shippedFacts().facts.map(({ name, branchEnis }) => [name, branchEnis]));
    return described.map((facts) => ({ ...facts, branchEnis: shipped.get(facts.name) ?? facts.branchEnis }));
  }

  /** Without spot prices there are no spot offerings, but on-demand goes on. */
  async #spotPrices(): Promise<SpotPriceTable> {
    const { ec2, clock, log } = this.#with;
    try {
      return await this.#spot.get('', async () =>
        spotPriceTable(await ec2.describeSpotPrices(clock.nowMs())),
      );
    } catch (caught) {
      const fault = awsFault(caught);
      const { action, code } = fault;
      log.warn({ action, code, error: faultAdvice(fault) }, 'spot prices unknown, spot left out');
      return NO_SPOT_PRICES;
    }
  }

  #bootable({ nodeClass, kubelet, resolved }: CatalogueView, { facts }: MarketAnswers): readonly Bootable[] {
    const shape = { settings: this.#with.settings, kubelet, nodeClass };
    return facts.flatMap((one): readonly Bootable[] => {
      const unpriced = unpricedType(one, shape);
      if (resolved.boot === null) return [{ facts: one, unpriced, image: null }];
      const image = imageFor(resolved.boot.images, one, labelsFromRequirements(unpriced.requirements));
      if (image === null) return [];
      const learnedMemoryBytes = this.#with.learned.bytesOf(one.name, image.id);
      if (learnedMemoryBytes === null) return [{ facts: one, unpriced, image }];
      return [{ facts: one, unpriced: unpricedType(one, { ...shape, learnedMemoryBytes }), image }];
    });
  }

  #market(answers: MarketAnswers, openZones: ReadonlySet<string>): Market {
    const { outOfStock, clock, onDemandPrices, surcharges = [] } = this.#with;
    const nowMs = clock.nowMs();
    const prices = { onDemand: onDemandPrices, spot: answers.spot, surcharges };
    return {
      zonesOf: (instanceType) => answers.zones.get(instanceType) ?? [],
      usdPerHour: (instanceType, zone, capacityType) => priceOf(prices, { instanceType, zone, capacityType }),
      isOutOfStock: (instanceType, zone, capacityType) =>
        !openZones.has(zone) || outOfStock.isUnavailable({ instanceType, zone, capacityType }, nowMs),
    };
  }
}

function priced(
  bootable: readonly Bootable[],
  zones: ReadonlySet<string>,
  market: Market,
): readonly LaunchableType[] {
  return bootable.flatMap(({ facts, unpriced, image }): readonly LaunchableType[] => {
    const offerings = offeringsOf(facts, zones, market);
    return offerings.length === 0 ? [] : [{ type: { ...unpriced, offerings }, facts, image }];
  });
}

function zonesByType(offerings: readonly TypeInZone[]): ReadonlyMap<string, readonly string[]> {
  const zones = new Map<string, string[]>();
  for (const { instanceType, zone } of offerings) {
    const held = zones.get(instanceType);
    if (held === undefined) zones.set(instanceType, [zone]);
    else held.push(zone);
  }
  for (const held of zones.values()) held.sort();
  return zones;
}

function sameItems(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index]);
}
