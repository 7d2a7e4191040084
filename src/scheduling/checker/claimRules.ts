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
import { meetsRequirement } from './labelMatch.ts';

/** CreateFleet takes no longer list at a useful request size; Karpenter sends as many. */
export const MOST_INSTANCE_TYPES = 60;

/** Prices differ by rounding alone below this. */
export const PRICE_TOLERANCE_USD = 1e-6;

/** Everything wrong with a planned claim that its pods do not decide. */
export function claimViolations(
  world: World,
  host: Host,
  claim: PlannedNodeClaim,
  daemons: DaemonTable,
): string[] {
  const { spec } = claim;
  const provisioner = world.snapshot.provisioners.find(({ name }) => name === spec.provisioner);
  if (provisioner === undefined)
    return [`${host.title} names provisioner "${spec.provisioner}", which is unknown`];
  return [
    ...emptyViolations(host, claim),
    ...provisionerViolations(host, spec, provisioner),
    ...listViolations(world, host, spec),
    ...minValuesViolations(host, provisioner),
    ...priceViolations(world, host, claim, daemons),
    ...requestViolations(host, spec),
  ];
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

function minValuesViolations(host: Host, provisioner: Provisioner): string[] {
  return provisioner.requirements.flatMap(({ key, minValues }) => {
    const values = new Set(host.faces.map((face) => face.labels[normalizeLabel(key)]));
    values.delete(undefined);
    if (minValues === undefined || values.size >= minValues) return [];
    return [`${host.title} leaves ${values.size} values of ${key}, "${provisioner.name}" wants ${minValues}`];
  });
}

/** What the node costs as this type: its cheapest allowed offering, and the CPU above a burstable type's baseline. */
function priceAs(host: Host, spec: NodeClaimSpec, type: InstanceType, daemons: DaemonTable): number {
  const allowed = type.offerings.filter((offering) => offeringAllowed(spec, type, offering));
  const cheapest = Math.min(...allowed.map(({ usdPerHour }) => usdPerHour));
  const face = host.faces.find(({ instanceType }) => instanceType === type.name);
  if (type.burst === undefined || face === undefined) return cheapest;
  const cpuMillis = (sumRequests(host.placed).cpu ?? 0) + (daemons.requests(host, face).cpu ?? 0);
  const surplusVcpu = Math.max(0, cpuMillis - type.burst.baselineMillis) / 1000;
  return cheapest + surplusVcpu * type.burst.usdPerVcpuHour;
}

function priceViolations(world: World, host: Host, claim: PlannedNodeClaim, daemons: DaemonTable): string[] {
  const { spec } = claim;
  const found: string[] = [];
  const stated = { zone: claim.zone, capacityType: claim.capacityType };
  const type = typeNamed(world, spec.provisioner, claim.instanceType);
  const isOffered = type?.offerings.some(
    (one) =>
      one.zone === stated.zone &&
      one.capacityType === stated.capacityType &&
      offeringAllowed(spec, type, one),
  );
  if (type === null || !isOffered || !spec.instanceTypes.includes(claim.instanceType))
    return [
      `${host.title} states ${claim.instanceType} in ${claim.zone}, which it does not list or may not buy`,
    ];
  const prices = spec.instanceTypes.flatMap((name) => {
    const listed = typeNamed(world, spec.provisioner, name);
    return listed === null ? [] : [priceAs(host, spec, listed, daemons)];
  });
  if (Math.abs(Math.min(...prices) - claim.usdPerHour) > PRICE_TOLERANCE_USD)
    found.push(
      `${host.title} states $${claim.usdPerHour}/h, its cheapest offering is $${Math.min(...prices)}/h`,
    );
  const falls = prices.some((price, index) => price < (prices[index - 1] ?? 0) - PRICE_TOLERANCE_USD);
  if (falls) found.push(`the types of ${host.title} are not cheapest first`);
  return found;
}

function requestViolations(host: Host, spec: NodeClaimSpec): string[] {
  const asked = sumRequests(host.placed);
  return Object.keys(asked).flatMap((name) =>
    (spec.requests[name] ?? 0) < (asked[name] ?? 0)
      ? [`${host.title} requests less ${name} than its pods do`]
      : [],
  );
}
