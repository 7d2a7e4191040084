// The refresh of the shipped catalogue through the AWS SDK, page by page, against an EC2 that holds the same types.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { refreshedFiles } from '../../data/refresh/refresh.ts';
import { connectEc2 } from '../../src/aws/sdkEc2.ts';
import { shippedFacts, shippedPrices } from '../../src/aws/shippedCatalogue.ts';
import { type Moto, startMoto } from './harness/moto.ts';
import { reasonToSkip } from './harness/prerequisites.ts';

interface Written {
  readonly instanceTypes: Readonly<Record<string, unknown>>;
}

describe('the refresh of the catalogue', { skip: await reasonToSkip() }, () => {
  let moto: Moto;
  before(
    async () => {
      moto = await startMoto({ dir: mkdtempSync(join(tmpdir(), 'cooper-catalogue-')) });
      Object.assign(process.env, {
        AWS_ENDPOINT_URL: moto.endpoint,
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
      });
    },
    { timeout: 10 * 60_000 },
  );
  after(() => moto.stop());

  it('writes the catalogue that ships', async () => {
    const { facts } = shippedFacts();
    const entries = [...shippedPrices().onDemand].map(([instanceType, price]) =>
      JSON.stringify({
        product: { attributes: { instanceType } },
        terms: { OnDemand: { t: { priceDimensions: { d: { unit: 'Hrs', pricePerUnit: { USD: price } } } } } },
      }),
    );
    const pricing = {
      async *products() {
        yield* entries;
      },
    };
    const ec2 = connectEc2('us-east-1');
    const { catalogue } = await refreshedFiles({ ec2, pricing, shipped: facts, today: '2026-11-21' });
    const { instanceTypes } = JSON.parse(catalogue) as Written;
    const shipped = await import('../../data/catalogue/us-east-1.json', { with: { type: 'json' } });
    assert.deepEqual(instanceTypes, (shipped.default as Written).instanceTypes);
  });
});
