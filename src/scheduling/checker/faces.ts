// Everything a node to launch may become: the types listed, times the offerings allowed, times the labels left open.
import type { InstanceType, Offering } from '../../model/instanceType.ts';
import { LABEL, normalizeLabel } from '../../model/labels.ts';
import type { NodeClaimSpec } from '../../model/nodeClaim.ts';
import type { Face } from './host.ts';
import { type Labels, meetsRequirement } from './labelMatch.ts';

/** An offering as the labels of the node it becomes, apart from those of the type. */
function offeringLabels(type: InstanceType, offering: Offering): Record<string, string> {
  return {
    [LABEL.instanceType]: type.name,
    [LABEL.zone]: offering.zone,
    [LABEL.capacityType]: offering.capacityType,
  };
}

/** True when a launch from this spec may use the offering: on sale, and within the spec's requirements. */
export function offeringAllowed(spec: NodeClaimSpec, type: InstanceType, offering: Offering): boolean {
  return offering.available && offeringWithin(spec, type, offering);
}

function offeringWithin(spec: NodeClaimSpec, type: InstanceType, offering: Offering): boolean {
  const labels = offeringLabels(type, offering);
  return spec.requirements.every(
    (requirement) => !(normalizeLabel(requirement.key) in labels) || meetsRequirement(requirement, labels),
  );
}

/** In no label key or value, so that texts made of several never read as others. */
const SEPARATOR = '\u0000';

function requirementsText({ requirements }: NodeClaimSpec): string {
  return requirements
    .map(({ key, operator, values }) => [key, operator, ...values].join(SEPARATOR))
    .join(`${SEPARATOR}${SEPARATOR}`);
}

/** Remembers the faces of equal specs: plans repeat a pattern many times, and equal specs get one list. */
export class FaceTable {
  readonly #keys: ReadonlySet<string>;
  readonly #known = new Map<string, readonly Face[]>();
  readonly #names = new WeakMap<object, string>();

  /** @param keys labels whose value can matter; of the others, one value stands for all */
  constructor(keys: ReadonlySet<string>) {
    this.#keys = keys;
  }

  /**
   * All faces under the spec: of each type in the order of its list, none of types that it allows no offering of.
   * @param typeOf the type of that name that the spec's Provisioner may buy, or null
   * @param sale 'any' for a launch under way, which may have got an offering before it went out of stock
   */
  facesOf(
    spec: NodeClaimSpec,
    typeOf: (name: string) => InstanceType | null,
    sale: 'now' | 'any',
  ): readonly Face[] {
    const types = spec.instanceTypes.join(SEPARATOR);
    const name = [sale, spec.provisioner, requirementsText(spec), types, this.#nameOf(spec.labels)].join(
      '\n',
    );
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const listed = spec.instanceTypes.flatMap((one) => typeOf(one) ?? []);
    const faces = listed.flatMap((type) =>
      type.offerings
        .filter((offering) => (offering.available || sale === 'any') && offeringWithin(spec, type, offering))
        .flatMap((offering) => this.#facesOfOffering(spec, type, offering)),
    );
    this.#known.set(name, faces);
    return faces;
  }

  /** The text of a part of a spec; plans share parts, and their texts are long. */
  #nameOf(part: object): string {
    const known = this.#names.get(part) ?? JSON.stringify(part);
    this.#names.set(part, known);
    return known;
  }

  #facesOfOffering(spec: NodeClaimSpec, type: InstanceType, offering: Offering): Face[] {
    const fixed: Labels = {
      ...spec.labels,
      ...offeringLabels(type, offering),
      [LABEL.provisioner]: spec.provisioner,
      [LABEL.hostname]: '',
    };
    let variants: Labels[] = [fixed];
    for (const { key, operator, values } of type.requirements) {
      if (operator !== 'In' || normalizeLabel(key) in offeringLabels(type, offering)) continue;
      const possible = values.filter((value) => withinSpec(spec, key, value));
      const told = this.#keys.has(normalizeLabel(key)) ? possible : possible.slice(0, 1);
      variants = told.flatMap((value) => variants.map((labels) => ({ ...labels, [key]: value })));
    }
    const { capacity, allocatable } = type;
    const zone = offering.zone;
    return variants.map((labels) => ({ instanceType: type.name, zone, labels, capacity, allocatable }));
  }
}

function withinSpec(spec: NodeClaimSpec, key: string, value: string): boolean {
  return spec.requirements.every(
    (requirement) =>
      normalizeLabel(requirement.key) !== normalizeLabel(key) ||
      meetsRequirement(requirement, { [requirement.key]: value }),
  );
}
