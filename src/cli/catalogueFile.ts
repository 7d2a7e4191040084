// Instance types as a JSON file: the format of `--catalogue`, which the benchmark sends to its peer as well.
import { asRaw, objectIn, objectsIn, type Raw, textIn, textsIn } from '../api/objects/raw.ts';
import type { Problem } from '../api/parsed.ts';
import type { CapacityType, InstanceType, Offering } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import type { NodeSelectorOperator, Requirement } from '../model/requirement.ts';
import { formatResources, parseAmount, type Resources, subtractResources } from '../model/resources.ts';

/** One type as the file has it. Allocatable is capacity less overhead. */
export interface CatalogueEntry {
  readonly name: string;
  /** Kubernetes quantities by resource name. */
  readonly capacity: Readonly<Record<string, string>>;
  readonly overhead: Readonly<Record<string, string>>;
  /** Labels beside instance type, zone and capacity type, which name and offerings tell. */
  readonly requirements: readonly Requirement[];
  /** Price in USD per hour. */
  readonly offerings: readonly {
    readonly zone: string;
    readonly capacityType: CapacityType;
    readonly price: number;
    readonly available: boolean;
  }[];
}

const OPERATORS: ReadonlySet<string> = new Set<NodeSelectorOperator>([
  'In',
  'NotIn',
  'Exists',
  'DoesNotExist',
  'Gt',
  'Lt',
]);
const FOLLOWS_FROM_OFFERINGS: ReadonlySet<string> = new Set([
  LABEL.instanceType,
  LABEL.zone,
  LABEL.capacityType,
]);

/** Writes a type in the file's format. */
export function catalogueEntry(type: InstanceType): CatalogueEntry {
  const overhead = subtractResources(type.capacity, type.allocatable);
  const kept = Object.entries(overhead).filter(([, amount]) => amount !== 0);
  return {
    name: type.name,
    capacity: formatResources(type.capacity),
    overhead: formatResources(Object.fromEntries(kept)),
    requirements: type.requirements.filter(({ key }) => !FOLLOWS_FROM_OFFERINGS.has(key)),
    offerings: type.offerings.map(({ zone, capacityType, usdPerHour, available }) => ({
      zone,
      capacityType,
      price: usdPerHour,
      available,
    })),
  };
}

/** What a node of a type is that does not say; Karpenter lets such a type pass any condition on these. */
const ASSUMED: readonly Requirement[] = [
  { key: LABEL.arch, operator: 'In', values: ['amd64'] },
  { key: LABEL.os, operator: 'In', values: ['linux'] },
];

export interface ReadCatalogue {
  readonly instanceTypes: readonly InstanceType[];
  /** What is wrong; faulty types are left out of the list. */
  readonly problems: readonly Problem[];
}

/**
 * Reads a catalogue file. Never throws, whatever the JSON.
 * @param json an array of types, or an object with one in `instanceTypes`
 */
export function readCatalogue(json: unknown): ReadCatalogue {
  const list = Array.isArray(json) ? json : asRaw(json)?.instanceTypes;
  if (!Array.isArray(list)) {
    const mend = 'write an array of {name, capacity, overhead, requirements, offerings}';
    return { instanceTypes: [], problems: [{ field: '$', problem: 'is no list of instance types', mend }] };
  }
  const problems: Problem[] = [];
  const instanceTypes: InstanceType[] = [];
  for (const [index, entry] of list.entries()) {
    const before = problems.length;
    const type = readType(asRaw(entry) ?? {}, `[${index}]`, problems);
    if (problems.length === before) instanceTypes.push(type);
  }
  return { instanceTypes, problems };
}

function readType(raw: Raw, path: string, problems: Problem[]): InstanceType {
  const name = textIn(raw, 'name');
  if (name === '')
    problems.push({ field: `${path}.name`, problem: 'is missing', mend: 'name the instance type' });
  const capacity = readAmounts(raw, `${path}.capacity`, problems);
  const overhead = readAmounts(raw, `${path}.overhead`, problems);
  const told = objectsIn(raw, 'requirements').map((one, index) =>
    readTypeRequirement(one, `${path}.requirements[${index}]`, problems),
  );
  const named: Requirement = { key: LABEL.instanceType, operator: 'In', values: [name] };
  const assumed = ASSUMED.filter((one) => !told.some(({ key }) => key === one.key));
  return {
    name,
    requirements: [named, ...assumed, ...told.filter(({ key }) => key !== LABEL.instanceType)],
    capacity,
    allocatable: subtractResources(capacity, overhead),
    offerings: objectsIn(raw, 'offerings').map((one, index) =>
      readOffering(one, `${path}.offerings[${index}]`, problems),
    ),
  };
}

function readAmounts(raw: Raw, path: string, problems: Problem[]): Resources {
  const field = path.slice(path.lastIndexOf('.') + 1);
  const amounts: Record<string, number> = {};
  for (const [name, text] of Object.entries(objectIn(raw, field) ?? {})) {
    const amount = typeof text === 'string' || typeof text === 'number' ? parseAmount(name, text) : null;
    if (amount === null)
      problems.push({
        field: `${path}['${name}']`,
        problem: 'is no quantity',
        mend: 'write one such as 500m or 2Gi',
      });
    else amounts[name] = amount;
  }
  return amounts;
}

function readTypeRequirement(raw: Raw, path: string, problems: Problem[]): Requirement {
  const operator = textIn(raw, 'operator');
  if (!OPERATORS.has(operator)) {
    const mend = `write one of ${[...OPERATORS].join(', ')}`;
    problems.push({ field: `${path}.operator`, problem: `is ${JSON.stringify(operator)}`, mend });
  }
  return {
    key: textIn(raw, 'key'),
    operator: operator as NodeSelectorOperator,
    values: textsIn(raw, 'values'),
  };
}

function readOffering(raw: Raw, path: string, problems: Problem[]): Offering {
  const capacityType = textIn(raw, 'capacityType');
  const { price } = raw;
  if (capacityType !== 'spot' && capacityType !== 'on-demand')
    problems.push({ field: `${path}.capacityType`, problem: 'is unknown', mend: 'write spot or on-demand' });
  if (typeof price !== 'number' || !(price >= 0))
    problems.push({ field: `${path}.price`, problem: 'is no price', mend: 'write USD per hour as a number' });
  return {
    zone: textIn(raw, 'zone'),
    capacityType: capacityType === 'spot' ? 'spot' : 'on-demand',
    usdPerHour: typeof price === 'number' ? price : 0,
    available: raw.available !== false,
  };
}
