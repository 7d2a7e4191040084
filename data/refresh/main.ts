// `npm run catalogue:refresh`: writes data/ anew; with `-- --prices-for <region>` prints a prices file instead.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { PricingClient, paginateGetProducts } from '@aws-sdk/client-pricing';
import { connectEc2 } from '../../src/aws/sdkEc2.ts';
import { SHIPPED_REGION, shippedFacts } from '../../src/aws/shippedCatalogue.ts';
import type { PricingApi } from './priceList.ts';
import { pricesFileFor, refreshedFiles } from './refresh.ts';

/** The Pricing API answers in a few regions only; this one knows the prices of all. */
const PRICING_REGION = 'us-east-1';

function connectPricing(): PricingApi {
  const client = new PricingClient({ region: PRICING_REGION });
  return {
    async *products(filters) {
      const Filters = Object.entries(filters).map(([Field, Value]) => ({
        Type: 'TERM_MATCH' as const,
        ...{ Field, Value },
      }));
      const pages = paginateGetProducts({ client, pageSize: 100 }, { ServiceCode: 'AmazonEC2', Filters });
      for await (const { PriceList = [] } of pages) for (const entry of PriceList) yield String(entry);
    },
  };
}

async function writeData(path: string, text: string): Promise<void> {
  await writeFile(new URL(`../${path}/${SHIPPED_REGION}.json`, import.meta.url), text);
}

const { values } = parseArgs({ options: { 'prices-for': { type: 'string' } } });
const region = values['prices-for'];
if (region !== undefined) process.stdout.write(await pricesFileFor(connectPricing(), region));
else {
  const { catalogue, prices, ...counts } = await refreshedFiles({
    ec2: connectEc2(SHIPPED_REGION),
    pricing: connectPricing(),
    shipped: shippedFacts().facts,
    today: new Date().toISOString().slice(0, 10),
  });
  await writeData('catalogue', catalogue);
  await writeData('prices', prices);
  process.stdout.write(`wrote ${counts.instanceTypes} instance types, ${counts.priced} prices\n`);
}
