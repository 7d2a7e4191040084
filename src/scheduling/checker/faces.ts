// Everything a node to launch may become: the types listed, times the offerings allowed, times the labels left open.
import type { InstanceType, Offering } from '../../model/instanceType.ts';
import { LABEL, normalizeLabel } from '../../model/labels.ts';
import type { NodeClaimSpec } from '../../model/nodeClaim.ts';
import type { Requirement } from '../../model/requirement.ts';
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

/** Remembers the faces of equal specs: plans repeat a pattern many times. */
export class FaceTable {
  readonly #keys: ReadonlySet<string>;
  readonly #known = new Map<string, readonly Face[]>();
  readonly #names = new WeakMap<readonly Requirement[], string>();

  /** @param keys labels whose value can matter; of the others, one value stands for all */
  constructor(keys: ReadonlySet<string>) {
    this.#keys = keys;
  }

  /**
   * All faces of one type under the spec; none when the spec allows none of its offerings.
   * @param sale 'any' for a launch under way, which may have got an offering before it went out of stock
   */
  facesOf(spec: NodeClaimSpec, type: InstanceType, sale: 'now' | 'any'): readonly Face[] {
    const name = `${spec.provisioner}\n${type.name}\n${sale}\n${this.#nameOf(spec)}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const faces = type.offerings
      .filter((offering) => (offering.available || sale === 'any') && offeringWithin(spec, type, offering))
      .flatMap((offering) => this.#facesOfOffering(spec, type, offering));
    this.#known.set(name, faces);
    return faces;
  }

  #nameOf(spec: NodeClaimSpec): string {
    const known = this.#names.get(spec.requirements);
    const requirements = known ?? JSON.stringify(spec.requirements);
    if (known === undefined) this.#names.set(spec.requirements, requirements);
    return `${requirements}\n${JSON.stringify(spec.labels)}`;
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
