// The instance types that the packing benchmarks may buy from.
import { shippedCatalogue } from '../src/aws/shippedCatalogue.ts';
import { type CatalogueEntry, catalogueEntry } from '../src/cli/catalogueFile.ts';
import type { InstanceType } from '../src/model/instanceType.ts';
import type { Requirement } from '../src/model/requirement.ts';
import { Chance } from './chance.ts';

const GIB = 1024 ** 3;
const ZONES = ['us-east-1a', 'us-east-1b', 'us-east-1c'];

/**
 * The types of Karpenter's own scheduling benchmark: the n-th has n vCPU, 2n GiB and 10n pods, costs 0.1 $/h for
 * each vCPU and each 10^9 bytes in every offering, and keeps 100m and 10Mi for itself. Two zones sell it on spot
 * and on demand, the third on demand alone.
 */
export function fakeTypes(count: number): readonly CatalogueEntry[] {
  return Array.from({ length: count }, (_, index): CatalogueEntry => {
    const size = index + 1;
    const price = 0.1 * size + (0.1 * 2 * size * GIB) / 1e9;
    const is = (key: string, ...values: string[]): Requirement => ({ key, operator: 'In', values });
    const offering = (capacityType: 'spot' | 'on-demand', zone: number) => ({
      zone: `test-zone-${zone}`,
      capacityType,
      price,
      available: true,
    });
    return {
      name: `fake-it-${index}`,
      capacity: { cpu: String(size), memory: `${2 * size}Gi`, pods: String(10 * size) },
      overhead: { cpu: '100m', memory: '10Mi' },
      requirements: [is('kubernetes.io/arch', 'amd64'), is('kubernetes.io/os', 'darwin', 'linux', 'windows')],
      offerings: [
        offering('spot', 1),
        offering('spot', 2),
        offering('on-demand', 1),
        offering('on-demand', 2),
        offering('on-demand', 3),
      ],
    };
  });
}

/** What a benchmark on real prices may buy. */
export type RealChoice = 'cpu' | 'gpu' | 'spot';

/**
 * Real us-east-1 types for amd64 in three zones: families c, m and r, not bare metal; with the GPU families g beside
 * them for `gpu`. Prices are the published ones on demand; for `spot` there are made-up spot prices too, 30 to 70 %
 * of on-demand by type and zone, since real ones change by the minute.
 */
export function realTypes(choice: RealChoice): readonly CatalogueEntry[] {
  const families = choice === 'gpu' ? /^([cmr]\d|g\d)/ : /^[cmr]\d/;
  const all = shippedCatalogue('us-east-1', { zones: ZONES, simulatedSpotFraction: 0.5 });
  return all
    .filter((type) => families.test(type.name) && !type.name.includes('metal') && isAmd64(type))
    .map(catalogueEntry)
    .map((entry, index) => ({ ...entry, offerings: offeringsFor(entry, choice, index) }));
}

function offeringsFor(
  { offerings }: CatalogueEntry,
  choice: RealChoice,
  seed: number,
): CatalogueEntry['offerings'] {
  if (choice !== 'spot') return offerings.filter(({ capacityType }) => capacityType === 'on-demand');
  const chance = new Chance(seed);
  // The shipped table's simulated spot price is half of on-demand: that doubled is the base of the draw.
  return offerings.map((one) =>
    one.capacityType === 'spot'
      ? { ...one, price: Number((one.price * 2 * (0.3 + 0.4 * chance.next())).toFixed(6)) }
      : one,
  );
}

function isAmd64({ requirements }: InstanceType): boolean {
  return requirements.some(({ key, values }) => key === 'kubernetes.io/arch' && values.includes('amd64'));
}
