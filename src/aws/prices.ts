// What instances cost: the shipped on-demand table with the user's own prices and discounts, and zonal spot prices.
import type { CapacityType } from '../model/instanceType.ts';
import type { SpotPrice } from './ec2Api.ts';

export type PriceTable = ReadonlyMap<string, number>;

export interface Discount {
  /** An instance type, or a family as `m5.*`. */
  readonly instanceTypes: string;
  readonly percent: number;
}

/** What each node costs beside its instance: a licence, an agent, support. */
export interface Surcharge {
  /** An instance type, a family as `m5.*`, or `*` for every node. */
  readonly instanceTypes: string;
  /** Null for both. */
  readonly capacityType: CapacityType | null;
  readonly usdPerHour: number;
}

/** What a user may say about prices, in USD per hour and percent. */
export interface PriceOverrides {
  readonly onDemand: PriceTable;
  readonly discounts: readonly Discount[];
  readonly surcharges: readonly Surcharge[];
}

export type ParsedOverrides =
  | { readonly kind: 'valid'; readonly value: PriceOverrides }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

const FIELDS: ReadonlySet<string> = new Set(['onDemand', 'discounts', 'surcharges']);

/**
 * Parses JSON text: `{onDemand: {"m5.large": 0.08}, discounts: [{instanceTypes: "m5.*", percent: 30}],
 * surcharges: [{instanceTypes: "*", usdPerHour: 0.01}]}`.
 */
export function parsePriceOverrides(text: string): ParsedOverrides {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return { kind: 'invalid', problems: ['prices: is no JSON; write {"onDemand": {"m5.large": 0.08}}'] };
  }
  if (!isRecord(read)) return { kind: 'invalid', problems: ['prices: must be an object'] };
  const problems = Object.keys(read)
    .filter((key) => !FIELDS.has(key))
    .map((key) => `prices.${key}: unknown field; write onDemand, discounts or surcharges`);
  const onDemand = readPrices(read.onDemand ?? {}, problems);
  const discounts = readDiscounts(read.discounts ?? [], problems);
  const surcharges = readSurcharges(read.surcharges ?? [], problems);
  return problems.length > 0
    ? { kind: 'invalid', problems }
    : { kind: 'valid', value: { onDemand, discounts, surcharges } };
}

function readPrices(read: unknown, problems: string[]): PriceTable {
  const prices = new Map<string, number>();
  if (!isRecord(read)) problems.push('prices.onDemand: must be an object of USD per hour by instance type');
  else {
    for (const [name, price] of Object.entries(read)) {
      if (typeof price === 'number' && price >= 0) prices.set(name, price);
      else problems.push(`prices.onDemand["${name}"]: must be a number of USD per hour, 0 or more`);
    }
  }
  return prices;
}

function readDiscounts(read: unknown, problems: string[]): readonly Discount[] {
  if (!Array.isArray(read)) {
    problems.push('prices.discounts: must be a list of {instanceTypes, percent}');
    return [];
  }
  return read.flatMap((one: unknown, index): readonly Discount[] => {
    const { instanceTypes, percent } = isRecord(one) ? one : {};
    if (typeof instanceTypes === 'string' && typeof percent === 'number' && percent >= 0 && percent <= 100) {
      return [{ instanceTypes, percent }];
    }
    problems.push(`prices.discounts[${index}]: needs instanceTypes ("m5.*") and percent (0 to 100)`);
    return [];
  });
}

function readSurcharges(read: unknown, problems: string[]): readonly Surcharge[] {
  if (!Array.isArray(read)) {
    problems.push('prices.surcharges: must be a list of {instanceTypes, usdPerHour}');
    return [];
  }
  return read.flatMap((one: unknown, index): readonly Surcharge[] => {
    const { instanceTypes, usdPerHour, capacityType = null } = isRecord(one) ? one : {};
    const isKnown = capacityType === null || capacityType === 'spot' || capacityType === 'on-demand';
    if (typeof instanceTypes === 'string' && typeof usdPerHour === 'number' && usdPerHour >= 0 && isKnown) {
      return [{ instanceTypes, capacityType, usdPerHour }];
    }
    problems.push(
      `prices.surcharges[${index}]: needs instanceTypes ("*"), usdPerHour (0 or more), ` +
        'and if any a capacityType (spot, on-demand)',
    );
    return [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The shipped prices with the user's: own prices replace, then the first discount that names the type applies. */
export function onDemandPrices(shipped: PriceTable, overrides: PriceOverrides | null): PriceTable {
  if (overrides === null) return shipped;
  const names = new Set([...shipped.keys(), ...overrides.onDemand.keys()]);
  const prices = new Map<string, number>();
  for (const name of names) {
    const list = overrides.onDemand.get(name) ?? shipped.get(name) ?? 0;
    const discount = overrides.discounts.find(({ instanceTypes }) => covers(instanceTypes, name));
    prices.set(name, list * (1 - (discount?.percent ?? 0) / 100));
  }
  return prices;
}

function covers(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Spot prices by type and zone. */
export type SpotPriceTable = ReadonlyMap<string, number>;

export function spotPriceTable(prices: readonly SpotPrice[]): SpotPriceTable {
  return new Map(prices.map(({ instanceType, zone, usdPerHour }) => [`${instanceType}/${zone}`, usdPerHour]));
}

export interface PriceList {
  readonly onDemand: PriceTable;
  readonly spot: SpotPriceTable;
  /** All that name the type are added. */
  readonly surcharges: readonly Surcharge[];
}

interface PricedOffering {
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
}

/** USD per hour of a node of that offering, surcharges included; null when the price is not known. */
export function priceOf(prices: PriceList, offering: PricedOffering): number | null {
  const { instanceType, zone, capacityType } = offering;
  const price =
    capacityType === 'on-demand'
      ? prices.onDemand.get(instanceType)
      : prices.spot.get(`${instanceType}/${zone}`);
  if (price === undefined) return null;
  return prices.surcharges
    .filter((one) => covers(one.instanceTypes, instanceType))
    .filter((one) => one.capacityType === null || one.capacityType === capacityType)
    .reduce((sum, { usdPerHour }) => sum + usdPerHour, price);
}
