// The shipped catalogue and price table as text: one line a type, so that a refresh reads well as a difference.
import type { InstanceTypeFacts } from '../../src/aws/instanceTypeFacts.ts';

export interface CatalogueContent {
  readonly region: string;
  /** Date, `2026-11-21`. */
  readonly asOf: string;
  readonly sources: readonly string[];
  readonly facts: readonly InstanceTypeFacts[];
  /** Zones that sell it, by instance type: `us-east-1a`. */
  readonly zones: ReadonlyMap<string, readonly string[]>;
}

/** `catalogue/<region>.json`. Types that no zone sells are left out; what is usual of a type is not written. */
export function catalogueText({ region, asOf, sources, facts, zones }: CatalogueContent): string {
  const lines = [...facts]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((one) => {
      const letters = (zones.get(one.name) ?? []).map((zone) => zone.slice(region.length)).sort();
      if (letters.length === 0) return [];
      return [`${JSON.stringify(one.name)}: ${JSON.stringify(entryOf(one, letters.join('')))}`];
    });
  const head = [
    `"region": ${JSON.stringify(region)}`,
    `"sources": ${JSON.stringify(sources)}`,
    `"asOf": ${JSON.stringify(asOf)}`,
  ];
  return `{\n${head.join(',\n')},\n"instanceTypes": {\n${lines.join(',\n')}\n}\n}\n`;
}

function entryOf(facts: InstanceTypeFacts, zones: string): Readonly<Record<string, unknown>> {
  const { hypervisor, bareMetal, capacityTypes, branchEnis, efaInterfaces, nvmeGb, gpu, neuron } = facts;
  return {
    arch: facts.arch,
    vcpus: facts.vcpus,
    memoryMib: facts.memoryMib,
    enis: facts.enis,
    ipv4PerEni: facts.ipv4PerEni,
    ...(hypervisor === '' ? {} : { hypervisor }),
    ...(bareMetal ? { bareMetal } : {}),
    ...(capacityTypes.includes('spot') ? {} : { spot: false }),
    ...(capacityTypes.includes('on-demand') ? {} : { onDemand: false }),
    ...(branchEnis === 0 ? {} : { branchEnis }),
    ...(efaInterfaces === 0 ? {} : { efaInterfaces }),
    ...(nvmeGb === 0 ? {} : { nvmeGb }),
    ...(gpu === null ? {} : { gpu }),
    ...(neuron === null ? {} : { neuron }),
    zones,
  };
}

export interface PriceContent {
  readonly region: string;
  readonly asOf: string;
  readonly source: string;
  /** USD per hour by instance type. */
  readonly onDemand: ReadonlyMap<string, number>;
}

/** `prices/<region>.json`. */
export function priceText({ region, asOf, source, onDemand }: PriceContent): string {
  const lines = [...onDemand]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, price]) => `${JSON.stringify(name)}: ${price}`);
  const head = Object.entries({ region, asOf, source, currency: 'USD', unit: 'hour' });
  const written = head.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{\n${written.join(',\n')},\n"onDemand": {\n${lines.join(',\n')}\n}\n}\n`;
}
