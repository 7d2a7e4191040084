// The rules of one planned claim apart from its pods: its Provisioner's terms, its list of types, its price.
import type { InstanceType } from '../../model/instanceType.ts';
import { isWellKnownLabel, LABEL, normalizeLabel } from '../../model/labels.ts';
import type { NodeClaimSpec } from '../../model/nodeClaim.ts';
import type { PlannedNodeClaim } from '../../model/plan.ts';
import type { Provisioner } from '../../model/provisioner.ts';
import type { Requirement } from '../../model/requirement.ts';
import type { DaemonTable } from './daemons.ts';
import { offeringAllowed } from './faces.ts';
import type { Face, Host } from './host.ts';
import { sumRequests } from './hostRules.ts';
import { typeNamed, type World } from './hosts.ts';
import { type Labels, meetsRequirement } from './labelMatch.ts';

/** CreateFleet takes no longer list at a useful request size; Karpenter sends as many. */
export const MOST_INSTANCE_TYPES = 60;

/** Prices differ by rounding alone below this. */
export const PRICE_TOLERANCE_USD = 1e-6;

/** A listed type and its cheapest allowed offering. */
interface PricedType {
  readonly type: InstanceType;
  readonly usdPerHour: number;
}

/**
 * Checks planned claims. What their pods do not decide is looked at once for all claims of one pattern: claims share
 * their list of faces when Provisioner, requirements, types and labels are equal.
 */
export class ClaimChecker {
  readonly #world: World;
  readonly #daemons: DaemonTable;
  /** By faces: taints of the patterns in which nothing is wrong. */
  readonly #clean = new Map<readonly Face[], Set<string>>();
  readonly #prices = new Map<readonly Face[], readonly PricedType[]>();

  constructor(world: World, daemons: DaemonTable) {
    this.#world = world;
    this.#daemons = daemons;
  }

  /** Everything wrong with a planned claim that rules between its pods do not decide. */
  violations(host: Host, claim: PlannedNodeClaim): string[] {
    const { spec } = claim;
    const provisioner = this.#world.snapshot.provisioners.find(({ name }) => name === spec.provisioner);
    if (provisioner === undefined)
      return [`${host.title} names provisioner "${spec.provisioner}", which is unknown`];
    return [
      ...emptyViolations(host, claim),
      ...this.#patternViolations(host, spec, provisioner),
      ...this.#priceViolations(host, claim),
      ...requestViolations(host, spec),
    ];
  }

  #patternViolations(host: Host, spec: NodeClaimSpec, provisioner: Provisioner): string[] {
    const clean = this.#clean.get(host.faces) ?? new Set<string>();
    this.#clean.set(host.faces, clean);
    const taints = JSON.stringify([spec.taints, spec.startupTaints]);
    if (clean.has(taints)) return [];
    const found = [
      ...provisionerViolations(host, spec, provisioner),
      ...listViolations(this.#world, host, spec),
      ...minValuesViolations(host, provisioner, this.#offered(spec, provisioner)),
    ];
    if (found.length === 0) clean.add(taints);
    return found;
  }

  /** Labels of each offering on sale that the Provisioner lets a claim of these types have. */
  #offered({ instanceTypes }: NodeClaimSpec, { name, requirements }: Provisioner): readonly Labels[] {
    const sold = instanceTypes.flatMap(
      (type) => typeNamed(this.#world, name, type)?.offerings.filter(({ available }) => available) ?? [],
    );
    return sold
      .map(({ zone, capacityType }) => ({ [LABEL.zone]: zone, [LABEL.capacityType]: capacityType }))
      .filter((labels) =>
        requirements.every((one) => !(normalizeLabel(one.key) in labels) || meetsRequirement(one, labels)),
      );
  }

  #priceViolations(host: Host, claim: PlannedNodeClaim): string[] {
    const { spec, instanceType, zone, capacityType } = claim;
    const type = typeNamed(this.#world, spec.provisioner, instanceType);
    const isOffered = type?.offerings.some(
      (one) => one.zone === zone && one.capacityType === capacityType && offeringAllowed(spec, type, one),
    );
    if (type === null || !isOffered || !spec.instanceTypes.includes(instanceType))
      return [`${host.title} states ${instanceType} in ${zone}, which it does not list or may not buy`];
    const prices = this.#pricedTypes(host, spec).map((one) => priceAs(host, one, this.#daemons));
    const found: string[] = [];
    const cheapest = Math.min(...prices);
    if (Math.abs(cheapest - claim.usdPerHour) > PRICE_TOLERANCE_USD)
      found.push(`${host.title} states $${claim.usdPerHour}/h, its cheapest offering is $${cheapest}/h`);
    const falls = prices.some((price, index) => price < (prices[index - 1] ?? 0) - PRICE_TOLERANCE_USD);
    if (falls) found.push(`the types of ${host.title} are not cheapest first`);
    return found;
  }

  #pricedTypes(host: Host, spec: NodeClaimSpec): readonly PricedType[] {
    const known = this.#prices.get(host.faces);
    if (known !== undefined) return known;
    const priced = spec.instanceTypes.flatMap((name) => {
      const type = typeNamed(this.#world, spec.provisioner, name);
      if (type === null) return [];
      const allowed = type.offerings.filter((offering) => offeringAllowed(spec, type, offering));
      return [{ type, usdPerHour: Math.min(...allowed.map(({ usdPerHour }) => usdPerHour)) }];
    });
    this.#prices.set(host.faces, priced);
    return priced;
  }
}

function emptyViolations(host: Host, { pods }: PlannedNodeClaim): string[] {
  if (pods.length === 0) return [`${host.title} is for no pod`];
  return pods.every((pod, index) => index === 0 || (pods[index - 1] ?? '') < pod)
    ? []
    : [`the pods of ${host.title} are not sorted`];
}

function provisionerViolations(host: Host, spec: NodeClaimSpec, provisioner: Provisioner): string[] {
  const named = `provisioner "${provisioner.name}"`;
  const found: string[] = [];
  if (provisioner.deletionRequestedAtMs !== null) found.push(`${host.title}: ${named} is being deleted`);
  if (JSON.stringify(spec.taints) !== JSON.stringify(provisioner.taints))
    found.push(`the taints of ${host.title} are not those of ${named}`);
  if (JSON.stringify(spec.startupTaints) !== JSON.stringify(provisioner.startupTaints))
    found.push(`the startup taints of ${host.title} are not those of ${named}`);
  if ((spec.terminationGracePeriodMs ?? null) !== provisioner.terminationGracePeriodMs)
    found.push(`the termination grace period of ${host.title} is not that of ${named}`);
  for (const key in provisioner.labels) {
    if (spec.labels[key] !== provisioner.labels[key])
      found.push(`${host.title} lacks label ${key} of ${named}`);
  }
  for (const [key, value] of Object.entries(spec.labels)) {
    if (!mayCarry(provisioner, key, value))
      found.push(`${host.title}: ${named} does not define ${key}=${value}`);
    const other = host.faces.find(
      (face) => isWellKnownLabel(key) && face.labels[normalizeLabel(key)] !== value,
    );
    if (other) found.push(`${host.title} as ${other.instanceType} does not get label ${key}=${value}`);
  }
  for (const requirement of provisioner.requirements) {
    const misfit = host.faces.find((face) => !faceMeets(requirement, face));
    if (misfit === undefined) continue;
    const wanted = `${requirement.key} ${requirement.operator} [${requirement.values.join(', ')}]`;
    found.push(`${host.title} as ${misfit.instanceType} in ${misfit.zone} breaks ${wanted} of ${named}`);
  }
  return found;
}

/** A custom key that no pod has chosen a value for stays off the node, which no requirement forbids. */
function faceMeets(requirement: Requirement, face: Face): boolean {
  const absent = face.labels[normalizeLabel(requirement.key)] === undefined;
  return (absent && !isWellKnownLabel(requirement.key)) || meetsRequirement(requirement, face.labels);
}

function mayCarry(provisioner: Provisioner, key: string, value: string): boolean {
  if (key === LABEL.provisioner) return value === provisioner.name;
  if (provisioner.labels[key] === value || isWellKnownLabel(key)) return true;
  const own = provisioner.requirements.filter((one) => one.key === key);
  return own.length > 0 && own.every((one) => meetsRequirement(one, { [key]: value }));
}

function listViolations(world: World, host: Host, spec: NodeClaimSpec): string[] {
  const { instanceTypes } = spec;
  const found: string[] = [];
  if (instanceTypes.length === 0) found.push(`${host.title} lists no instance type`);
  if (instanceTypes.length > MOST_INSTANCE_TYPES)
    found.push(
      `${host.title} lists ${instanceTypes.length} instance types, ${MOST_INSTANCE_TYPES} are allowed`,
    );
  if (new Set(instanceTypes).size < instanceTypes.length) found.push(`${host.title} lists a type twice`);
  const offered = new Set(host.faces.map(({ instanceType }) => instanceType));
  for (const name of instanceTypes) {
    const type = typeNamed(world, spec.provisioner, name);
    if (type === null) found.push(`${host.title} lists ${name}, which "${spec.provisioner}" may not buy`);
    else if (!offered.has(name))
      found.push(`${host.title} lists ${name}, of which no allowed offering is on sale`);
    else if (host.faces.some((face) => face.instanceType === name && !faceAllowed(spec, face)))
      found.push(`${host.title} lists ${name}, which its own requirements exclude`);
  }
  return found;
}

/** Whatever the node becomes, it must be what its claim says; custom labels may stay off, as long as no pod asks. */
function faceAllowed({ requirements }: NodeClaimSpec, face: Face): boolean {
  return requirements.every((requirement) => faceMeets(requirement, face));
}

/** Zones and capacity types are counted over all that the listed types are sold as, other labels on the node alone. */
function minValuesViolations(host: Host, provisioner: Provisioner, offered: readonly Labels[]): string[] {
  return provisioner.requirements.flatMap(({ key, minValues }) => {
    const name = normalizeLabel(key);
    const isOffered = name === LABEL.zone || name === LABEL.capacityType;
    const carried = isOffered ? offered : host.faces.map(({ labels }) => labels);
    const values = new Set(carried.map((labels) => labels[name]));
    values.delete(undefined);
    if (minValues === undefined || values.size >= minValues) return [];
    return [`${host.title} leaves ${values.size} values of ${key}, "${provisioner.name}" wants ${minValues}`];
  });
}

/** What the node costs as this type: its cheapest allowed offering, and the CPU above a burstable type's baseline. */
function priceAs(host: Host, { type, usdPerHour }: PricedType, daemons: DaemonTable): number {
  if (type.burst === undefined) return usdPerHour;
  const face = host.faces.find(({ instanceType }) => instanceType === type.name);
  if (face === undefined) return usdPerHour;
  const cpuMillis = (sumRequests(host.placed).cpu ?? 0) + (daemons.requests(host, face).cpu ?? 0);
  const surplusVcpu = Math.max(0, cpuMillis - type.burst.baselineMillis) / 1000;
  return usdPerHour + surplusVcpu * type.burst.usdPerVcpuHour;
}

function requestViolations(host: Host, spec: NodeClaimSpec): string[] {
  const asked = sumRequests(host.placed);
  return Object.keys(asked).flatMap((name) =>
    (spec.requests[name] ?? 0) < (asked[name] ?? 0)
      ? [`${host.title} requests less ${name} than its pods do`]
      : [],
  );
}
