// The shipped data made anew: round trips of what ships, prices out of the price list, and answers not to be believed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { catalogueText, priceText } from '../../data/refresh/catalogueText.ts';
import { onDemandPriceList, type PricingApi, readPrice } from '../../data/refresh/priceList.ts';
import { pricesFileFor, refreshedFiles } from '../../data/refresh/refresh.ts';
import { parsePriceOverrides } from '../../src/aws/prices.ts';
import { shippedFacts, shippedPrices } from '../../src/aws/shippedCatalogue.ts';

function shippedFile(path: string): string {
  return readFileSync(new URL(`../../data/${path}/us-east-1.json`, import.meta.url), 'utf8');
}

function product(name: string, usd: string, unit = 'Hrs'): string {
  const dimension = { unit, pricePerUnit: { USD: usd } };
  return JSON.stringify({
    product: { attributes: { instanceType: name } },
    terms: { OnDemand: { 'SKU.T': { priceDimensions: { 'SKU.T.D': dimension } } } },
  });
}

/** A Pricing API that holds these entries, by tenancy; asked filters are noted. */
function aPricing(shared: readonly string[], dedicated: readonly string[] = []) {
  const asked: Readonly<Record<string, string>>[] = [];
  const pricing: PricingApi = {
    async *products(filters) {
      asked.push(filters);
      yield* filters.tenancy === 'Shared' ? shared : dedicated;
    },
  };
  return { asked, pricing };
}

describe('the shipped data', () => {
  it('is what a refresh writes from the same facts, byte for byte', () => {
    const { facts, zones, asOf } = shippedFacts();
    const { sources } = JSON.parse(shippedFile('catalogue')) as { readonly sources: readonly string[] };
    const text = catalogueText({ region: 'us-east-1', asOf, sources, facts, zones });
    assert.deepEqual(JSON.parse(text), JSON.parse(shippedFile('catalogue')));
    const prices = JSON.parse(shippedFile('prices')) as { readonly source: string };
    const { onDemand } = shippedPrices();
    const priced = priceText({ region: 'us-east-1', asOf: shippedPrices().asOf, ...prices, onDemand });
    assert.deepEqual(JSON.parse(priced), JSON.parse(shippedFile('prices')));
  });
});

describe('prices', () => {
  const CASES = [
    { text: product('m5.large', '0.0960000000'), price: { name: 'm5.large', usdPerHour: 0.096 } },
    { text: product('m5.large', '0.0000000000'), price: null },
    { text: product('m5.large', '70', 'Quantity'), price: null },
    { text: '{"product": {"attributes": {}}}', price: null },
    { text: '{"product": {"attributes": {"instanceType": "m5.large"}}}', price: null },
    { text: '{"__proto__": {"product": 1}}', price: null },
    { text: 'no JSON', price: null },
  ];
  for (const { text, price } of CASES) {
    it(`of ${text.slice(0, 70)} is ${price?.usdPerHour ?? 'none'}`, () => {
      assert.deepEqual(readPrice(text), price);
    });
  }

  it('are asked for shared machines and whole ones, of one region', async () => {
    const { asked, pricing } = aPricing([product('m5.large', '0.1')], [product('m5.metal', '4.6')]);
    const prices = await onDemandPriceList(pricing, 'eu-west-1');
    assert.deepEqual(
      [...prices],
      [
        ['m5.large', 0.1],
        ['m5.metal', 4.6],
      ],
    );
    assert.ok(asked.every(({ regionCode }) => regionCode === 'eu-west-1'));
  });

  it('of another region make a file that the setting pricesFile takes', async () => {
    const { pricing } = aPricing([product('m5.large', '0.107')]);
    const parsed = parsePriceOverrides(await pricesFileFor(pricing, 'eu-west-1'));
    assert.equal(parsed.kind === 'valid' && parsed.value.onDemand.get('m5.large'), 0.107);
    await assert.rejects(pricesFileFor(aPricing([]).pricing, 'nowhere'), /lists nothing in nowhere/);
  });
});

describe('a refresh', () => {
  const { facts, zones } = shippedFacts();
  const offered = [...zones].flatMap(([instanceType, sold]) => sold.map((zone) => ({ instanceType, zone })));
  const ec2 = {
    // EC2 tells nothing of branch interfaces.
    describeInstanceTypes: async () => facts.map((one) => ({ ...one, branchEnis: 0 })),
    describeInstanceTypeZones: async () => offered,
  };
  const listed = [...shippedPrices().onDemand].map(([name, usd]) => product(name, String(usd)));
  const today = '2026-11-21';

  it('writes types, zones, prices and the branch interfaces that were there', async () => {
    const { pricing } = aPricing(listed);
    const written = await refreshedFiles({ ec2, pricing, shipped: facts, today });
    assert.equal(written.instanceTypes, facts.length);
    const before = JSON.parse(shippedFile('catalogue')) as { readonly instanceTypes: unknown };
    const after = JSON.parse(written.catalogue) as typeof before & { readonly asOf: string };
    assert.deepEqual(after.instanceTypes, before.instanceTypes);
    assert.equal(after.asOf, today);
    const prices = JSON.parse(written.prices) as { readonly onDemand: Readonly<Record<string, number>> };
    assert.deepEqual(new Map(Object.entries(prices.onDemand)), shippedPrices().onDemand);
  });

  it('leaves out what no zone sells', async () => {
    const { pricing } = aPricing(listed);
    const gone = offered.filter(({ instanceType }) => instanceType !== 'm5.large');
    const some = { ...ec2, describeInstanceTypeZones: async () => gone };
    const { catalogue } = await refreshedFiles({ ec2: some, pricing, shipped: facts, today });
    assert.doesNotMatch(catalogue, /"m5\.large"/);
  });

  it('writes nothing from an answer that is too short to be true', async () => {
    const short = { ...ec2, describeInstanceTypes: async () => facts.slice(0, 10) };
    const { pricing } = aPricing(listed);
    await assert.rejects(
      refreshedFiles({ ec2: short, pricing, shipped: facts, today }),
      /EC2 describes 10 instance types where \d+ ship now; check region and permissions/,
    );
    const unpriced = aPricing(listed.slice(0, 5)).pricing;
    await assert.rejects(
      refreshedFiles({ ec2, pricing: unpriced, shipped: facts, today }),
      /Pricing lists 5/,
    );
  });
});
