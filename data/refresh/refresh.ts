// Makes the shipped catalogue and prices anew from the EC2 and Pricing APIs.
import type { Ec2Api } from '../../src/aws/ec2Api.ts';
import type { InstanceTypeFacts } from '../../src/aws/instanceTypeFacts.ts';
import { SHIPPED_REGION } from '../../src/aws/shippedCatalogue.ts';
import { catalogueText, priceText } from './catalogueText.ts';
import { onDemandPriceList, type PricingApi } from './priceList.ts';

export interface RefreshInput {
  readonly ec2: Pick<Ec2Api, 'describeInstanceTypes' | 'describeInstanceTypeZones'>;
  readonly pricing: PricingApi;
  /** What ships now: branch interfaces, which EC2 does not tell, are kept from it. */
  readonly shipped: readonly InstanceTypeFacts[];
  /** Date, `2026-11-21`. */
  readonly today: string;
}

export interface RefreshedFiles {
  readonly catalogue: string;
  readonly prices: string;
  readonly instanceTypes: number;
  readonly priced: number;
}

/** An answer with fewer types than this share of what ships is taken for a broken one. */
const LEAST_SHARE = 0.8;
const EC2_SOURCE = 'EC2 DescribeInstanceTypes and DescribeInstanceTypeOfferings';
const BRANCH_SOURCE =
  'branch interfaces (VPC limits) as published with karpenter-provider-aws v1.14.1 (Apache-2.0)';

/**
 * Both files as text.
 * @throws Error when an answer is too short to be true; `AwsFault` when AWS refuses
 */
export async function refreshedFiles({
  ec2,
  pricing,
  shipped,
  today,
}: RefreshInput): Promise<RefreshedFiles> {
  const [described, offered, onDemand] = await Promise.all([
    ec2.describeInstanceTypes(),
    ec2.describeInstanceTypeZones(),
    onDemandPriceList(pricing, SHIPPED_REGION),
  ]);
  const branchEnis = new Map(shipped.map((one) => [one.name, one.branchEnis]));
  const facts = described.map((one) => ({ ...one, branchEnis: branchEnis.get(one.name) ?? 0 }));
  const zones = new Map<string, string[]>();
  for (const { instanceType, zone } of offered) {
    zones.set(instanceType, [...(zones.get(instanceType) ?? []), zone]);
  }
  const sold = facts.filter(({ name }) => zones.has(name)).length;
  insist('EC2 describes', sold, shipped.length);
  insist('Pricing lists', onDemand.size, shipped.length);
  const dated = { region: SHIPPED_REGION, asOf: today };
  return {
    catalogue: catalogueText({ ...dated, sources: [EC2_SOURCE, BRANCH_SOURCE], facts, zones }),
    prices: priceText({
      ...dated,
      source: 'AWS Price List Query API, Linux on-demand, shared tenancy',
      onDemand,
    }),
    instanceTypes: sold,
    priced: onDemand.size,
  };
}

function insist(what: string, found: number, shipped: number): void {
  if (found >= shipped * LEAST_SHARE) return;
  throw new Error(`${what} ${found} instance types where ${shipped} ship now; check region and permissions`);
}

/** Text of a file for the setting `pricesFile`: prices of a region other than the shipped one. */
export async function pricesFileFor(pricing: PricingApi, region: string): Promise<string> {
  const onDemand = await onDemandPriceList(pricing, region);
  if (onDemand.size === 0)
    throw new Error(`Pricing lists nothing in ${region}; name a region such as eu-west-1`);
  const sorted = [...onDemand].sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify({ onDemand: Object.fromEntries(sorted) }, null, 1)}\n`;
}
