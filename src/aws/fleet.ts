// One claim as a CreateFleet request: which offerings it may buy, in what order, from which templates and subnets.
import { createHash } from 'node:crypto';
import type { CapacityType, Offering } from '../model/instanceType.ts';
import { LABEL } from '../model/labels.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { Requirement } from '../model/requirement.ts';
import { allows, allowsAbsence, type RequirementSet, requirementSet } from '../model/requirementSet.ts';
import type { FleetTemplate, Subnet } from './ec2Api.ts';
import type { LaunchableType } from './typeCatalogue.ts';

/** Types in one request. Karpenter v1 uses the same number. */
const MOST_TYPES = 60;
/** Overrides of one fleet. Source: Amazon EC2 User Guide, "Quotas for EC2 Fleet and Spot Fleet". */
const MOST_OVERRIDES = 300;

/** One thing that may be bought. */
export interface Candidate extends Offering {
  readonly launchable: LaunchableType;
}

/** Offerings that the claim allows, whether in stock or not; types in the claim's order. */
export function allowedOfferings(claim: NodeClaim, types: readonly LaunchableType[]): readonly Candidate[] {
  const allowed = requirementSet(claim.spec.requirements);
  return orderedTypes(claim, types)
    .filter(({ type }) => type.requirements.every((one) => agrees(one, allowed)))
    .flatMap((launchable) =>
      launchable.type.offerings
        .filter((offering) => offeringAllowed(offering, allowed))
        .map((offering) => ({ ...offering, launchable })),
    );
}

function orderedTypes({ spec }: NodeClaim, types: readonly LaunchableType[]): readonly LaunchableType[] {
  if (spec.instanceTypes.length === 0) return types;
  const byName = new Map(types.map((one) => [one.type.name, one]));
  return spec.instanceTypes.flatMap((name) => byName.get(name) ?? []);
}

function agrees({ key, operator, values }: Requirement, allowed: RequirementSet): boolean {
  const set = allowed.get(key);
  if (set === undefined) return true;
  return operator === 'In' ? values.some((value) => allows(set, value)) : allowsAbsence(set);
}

function offeringAllowed({ zone, capacityType }: Offering, allowed: RequirementSet): boolean {
  const zones = allowed.get(LABEL.zone);
  const capacityTypes = allowed.get(LABEL.capacityType);
  return (
    (zones === undefined || allows(zones, zone)) &&
    (capacityTypes === undefined || allows(capacityTypes, capacityType))
  );
}

/**
 * What one fleet asks for: spot while any allowed spot offering is in stock, else on-demand; never spot that is
 * dearer than the cheapest on-demand allowed. At most 60 types and 300 overrides, the cheapest.
 */
export function fleetCandidates(allowed: readonly Candidate[]): readonly Candidate[] {
  const inStock = allowed.filter(({ available }) => available);
  const onDemand = inStock.filter(({ capacityType }) => capacityType === 'on-demand');
  const ceiling = Math.min(...onDemand.map(({ usdPerHour }) => usdPerHour));
  const spot = inStock.filter((one) => one.capacityType === 'spot' && one.usdPerHour <= ceiling);
  const chosen = [...(spot.length > 0 ? spot : onDemand)].sort(byPrice);
  const types = new Set(
    [...new Set(chosen.map(({ launchable }) => launchable.type.name))].slice(0, MOST_TYPES),
  );
  return chosen.filter(({ launchable }) => types.has(launchable.type.name)).slice(0, MOST_OVERRIDES);
}

/** A stable order: equal prices keep the claim's order of types, zones by name. */
function byPrice(left: Candidate, right: Candidate): number {
  return left.usdPerHour - right.usdPerHour;
}

/** Candidates that boot alike share a launch template. */
export interface TemplateGroup {
  readonly imageId: string;
  /** null when the machine counts for itself. */
  readonly maxPods: number | null;
  readonly capacityType: CapacityType;
  readonly candidates: readonly Candidate[];
}

/** Groups by image and pod count, in the order of their cheapest candidate. */
export function templateGroups(
  candidates: readonly Candidate[],
  maxPodsOf: (launchable: LaunchableType) => number | null,
): readonly TemplateGroup[] {
  const groups = new Map<string, TemplateGroup & { readonly candidates: Candidate[] }>();
  for (const candidate of candidates) {
    const imageId = candidate.launchable.image?.id ?? '';
    const maxPods = maxPodsOf(candidate.launchable);
    const key = `${imageId}/${maxPods ?? ''}`;
    const held = groups.get(key);
    if (held !== undefined) held.candidates.push(candidate);
    else groups.set(key, { imageId, maxPods, capacityType: candidate.capacityType, candidates: [candidate] });
  }
  return [...groups.values()];
}

/** The group's part of the request. Zones without a subnet are left out. */
export function fleetTemplate(
  launchTemplate: string,
  group: TemplateGroup,
  subnets: ReadonlyMap<string, Subnet>,
): FleetTemplate {
  const overrides = group.candidates.flatMap(({ launchable, zone }) => {
    const subnet = subnets.get(zone);
    return subnet === undefined ? [] : [{ instanceType: launchable.type.name, subnetId: subnet.id }];
  });
  return { launchTemplate, overrides };
}

/**
 * The idempotency token of a claim's n-th try; 64 characters, EC2's limit. A try gets a new token only after EC2 has
 * answered the last one, so that no fleet is bought twice.
 * Source: Amazon EC2 API Reference, "Ensuring idempotency".
 */
export function clientToken(claimUid: string, attempt: number): string {
  return createHash('sha256').update(`${claimUid}/${attempt}`).digest('hex');
}
