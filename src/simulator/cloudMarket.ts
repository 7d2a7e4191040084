// What the simulated EC2 has to sell: which offerings a claim allows, what they cost, which pools are empty when.
import type { InstanceType, Offering } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import type { NodeClaimSpec } from '../model/nodeClaim.ts';
import { allows, type RequirementSet, requirementSet, valueSet } from '../model/requirementSet.ts';

/** One offering of one type. */
export interface Lot {
  readonly type: InstanceType;
  readonly offering: Offering;
}

/** A pool that has no capacity for a while; null matches everything. */
export interface Shortage {
  readonly instanceType: string | null;
  readonly zone: string | null;
  readonly capacityType: string | null;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What a Provisioner launches in that time boots, and never becomes a Node: a bad image, user data or role. */
export interface BadImage {
  readonly provisioner: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

export function hasBadImage(badImages: readonly BadImage[], provisioner: string, nowMs: number): boolean {
  return badImages.some(
    (one) => one.provisioner === provisioner && nowMs >= one.fromMs && nowMs < one.untilMs,
  );
}

/** The lots that the claim allows, cheapest first; ties by name and zone, so that the answer is always the same. */
export function allowedLots(spec: NodeClaimSpec, types: ReadonlyMap<string, InstanceType>): readonly Lot[] {
  const requirements = requirementSet(spec.requirements);
  const lots: Lot[] = [];
  for (const name of spec.instanceTypes) {
    const type = types.get(name);
    if (type === undefined || !isAllowed(requirements, LABEL.instanceType, name)) continue;
    for (const offering of type.offerings) {
      if (!isAllowed(requirements, LABEL.zone, offering.zone)) continue;
      if (isAllowed(requirements, LABEL.capacityType, offering.capacityType)) lots.push({ type, offering });
    }
  }
  return lots.sort(byPrice);
}

export function isShort(shortages: readonly Shortage[], { type, offering }: Lot, nowMs: number): boolean {
  return shortages.some(
    (one) =>
      nowMs >= one.fromMs &&
      nowMs < one.untilMs &&
      (one.instanceType ?? type.name) === type.name &&
      (one.zone ?? offering.zone) === offering.zone &&
      (one.capacityType ?? offering.capacityType) === offering.capacityType,
  );
}

/** Labels that kubelet and cloud controller report of a node of this lot by themselves. */
export function lotLabels({ type, offering }: Lot, nodeName: string): Record<string, string> {
  const said = (key: string, otherwise: string): string =>
    type.requirements.find((one) => one.key === key && one.operator === 'In')?.values[0] ?? otherwise;
  return {
    [LABEL.arch]: said(LABEL.arch, 'amd64'),
    [LABEL.os]: said(LABEL.os, 'linux'),
    [LABEL.instanceType]: type.name,
    [LABEL.zone]: offering.zone,
    [LABEL.region]: offering.zone.slice(0, -1),
    [LABEL.hostname]: nodeName,
  };
}

function isAllowed(requirements: RequirementSet, key: string, value: string): boolean {
  return allows(requirements.get(key) ?? valueSet('Exists', []), value);
}

function byPrice(left: Lot, right: Lot): number {
  return (
    left.offering.usdPerHour - right.offering.usdPerHour ||
    compareText(left.type.name, right.type.name) ||
    compareText(left.offering.zone, right.offering.zone) ||
    compareText(left.offering.capacityType, right.offering.capacityType)
  );
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
