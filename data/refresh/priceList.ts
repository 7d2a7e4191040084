// On-demand prices out of what the Pricing API answers: JSON within JSON, read with care.

/** One page after another of price list entries, each a JSON text. */
export interface PricingApi {
  products(filters: Readonly<Record<string, string>>): AsyncIterable<string>;
}

/** Linux without extras, used by the hour. Source: AWS Price List Query API, AmazonEC2 attributes. */
const COMMON = {
  operatingSystem: 'Linux',
  preInstalledSw: 'NA',
  capacitystatus: 'Used',
  marketoption: 'OnDemand',
};

/** Machines that others share, and whole machines, which are listed as dedicated and cost the same either way. */
const LISTS = [
  { tenancy: 'Shared', productFamily: 'Compute Instance' },
  { tenancy: 'Dedicated', productFamily: 'Compute Instance (bare metal)' },
] as const;

/** USD per hour by instance type. Entries without a price above zero are left out. */
export async function onDemandPriceList(
  pricing: PricingApi,
  region: string,
): Promise<ReadonlyMap<string, number>> {
  const prices = new Map<string, number>();
  for (const list of LISTS) {
    for await (const text of pricing.products({ ...COMMON, ...list, regionCode: region })) {
      const priced = readPrice(text);
      // The same type may be listed once more, as with a discount for committed use: the list price is the highest.
      if (priced !== null) prices.set(priced.name, Math.max(prices.get(priced.name) ?? 0, priced.usdPerHour));
    }
  }
  return prices;
}

/** Null for an entry that is no instance type at a price by the hour. */
export function readPrice(text: string): { readonly name: string; readonly usdPerHour: number } | null {
  const entry = parsed(text);
  const name = at(entry, ['product', 'attributes', 'instanceType']);
  if (typeof name !== 'string') return null;
  for (const term of valuesOf(at(entry, ['terms', 'OnDemand']))) {
    for (const dimension of valuesOf(at(term, ['priceDimensions']))) {
      const usdPerHour = Number(at(dimension, ['pricePerUnit', 'USD']));
      if (at(dimension, ['unit']) === 'Hrs' && usdPerHour > 0) return { name, usdPerHour };
    }
  }
  return null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function at(value: unknown, path: readonly string[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Readonly<Record<string, unknown>>)[key];
  }
  return here;
}

function valuesOf(value: unknown): readonly unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}
