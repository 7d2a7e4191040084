// What a fleet's answer means: the instances it names, and what its errors say is out of stock.
import type { CapacityType } from '../model/instanceType.ts';
import type { Clock } from '../ports/clock.ts';
import type { LaunchedInstance } from '../ports/cloudProvider.ts';
import { faultKind } from './awsFault.ts';
import type { FleetError, FleetInstance } from './ec2Api.ts';
import type { Candidate } from './fleet.ts';
import type { FleetPlan } from './fleetPlanner.ts';
import type { Reservations } from './reservations.ts';
import type { SubnetLedger } from './subnets.ts';
import type { LaunchableType } from './typeCatalogue.ts';
import type { OfferingKey, UnavailableOfferings } from './unavailableOfferings.ts';
import { vcpuQuota } from './vcpuQuotas.ts';

/** An instance that was bought, and belongs to no claim yet. */
export type UnclaimedInstance = Omit<LaunchedInstance, 'nodeClaim' | 'nodeClaimUid'>;

export interface Shortages {
  readonly ledger: SubnetLedger;
  readonly outOfStock: UnavailableOfferings;
  readonly reservations: Reservations;
  readonly clock: Clock;
}

/** Refusals of the account, not of a type or zone: no spot at all, or no fleet at all. */
const WHOLESALE_CODES: ReadonlyMap<string, readonly CapacityType[]> = new Map([
  ['AuthFailure.ServiceLinkedRoleCreationNotPermitted', ['spot']],
  ['MaxFleetCountExceeded', ['spot', 'on-demand']],
]);

/** The account has no vCPUs left in the quota of a family, wherever in the region. */
const QUOTA_CODES: ReadonlySet<string> = new Set(['VcpuLimitExceeded', 'MaxSpotInstanceCountExceeded']);

/** Remembers what an error says is out of stock; errors that say nothing of capacity are left alone. */
export function noteShortage(
  error: FleetError,
  plan: FleetPlan,
  { ledger, outOfStock, reservations, clock }: Shortages,
): void {
  const { code, subnetId } = error;
  if (faultKind(code) !== 'capacity') return;
  const nowMs = clock.nowMs();
  if (code === 'InsufficientFreeAddressesInSubnet' && subnetId !== '') {
    ledger.markExhausted(subnetId);
    return;
  }
  if (plan.reservationId !== null) {
    // Full, or its capacity is broken; what anybody can buy of the same type is another matter.
    reservations.markFull(plan.reservationId);
    return;
  }
  for (const offering of meantBy(error, plan)) outOfStock.markUnavailable(offering, nowMs, code);
}

function meantBy({ code, instanceType, subnetId }: FleetError, plan: FleetPlan): readonly OfferingKey[] {
  const wholesale = WHOLESALE_CODES.get(code);
  if (wholesale !== undefined) {
    return wholesale.map((capacityType) => ({ instanceType: '*', zone: '*', capacityType }));
  }
  const { capacityType } = plan.request;
  if (QUOTA_CODES.has(code)) {
    return withinQuota(instanceType, plan).map((name) => ({ instanceType: name, zone: '*', capacityType }));
  }
  const zone = plan.zoneOf.get(subnetId);
  return plan.candidates
    .filter(({ launchable }) => instanceType === '' || launchable.type.name === instanceType)
    .filter((candidate) => zone === undefined || candidate.zone === zone)
    .map((candidate) => ({
      instanceType: candidate.launchable.type.name,
      zone: candidate.zone,
      capacityType,
    }));
}

/** Types of the plan that count against the same quota and need no fewer vCPUs: they would be refused as well. */
function withinQuota(instanceType: string, { candidates }: FleetPlan): readonly string[] {
  const types = new Map(candidates.map(({ launchable }) => [launchable.type.name, launchable.facts.vcpus]));
  const leastVcpus = types.get(instanceType) ?? 0;
  return [...types]
    .filter(
      ([name, vcpus]) => vcpus >= leastVcpus && (instanceType === '' || isSameQuota(name, instanceType)),
    )
    .map(([name]) => name);
}

function isSameQuota(left: string, right: string): boolean {
  return vcpuQuota(left) === vcpuQuota(right);
}

/** The offering of the plan that an instance was bought as; undefined when the plan has none of that name. */
export function boughtAs(plan: FleetPlan, { instanceType, subnetId }: FleetInstance): Candidate | undefined {
  const zone = plan.zoneOf.get(subnetId);
  return plan.candidates.find((one) => one.launchable.type.name === instanceType && one.zone === zone);
}

/** The instance that a fleet has answered with. */
export function boughtInstance(
  plan: FleetPlan,
  bought: FleetInstance,
  at: { readonly nowMs: number; readonly provisioner: string },
): UnclaimedInstance {
  const zone = plan.zoneOf.get(bought.subnetId) ?? '';
  const candidate = boughtAs(plan, bought);
  return {
    providerId: `aws:///${zone}/${bought.id}`,
    instanceType: bought.instanceType,
    zone,
    capacityType: bought.capacityType,
    imageId: candidate?.launchable.image?.id ?? '',
    launchedAtMs: at.nowMs,
    state: 'pending',
    provisioner: at.provisioner,
    ...contents(candidate?.launchable, candidate?.usdPerHour ?? null),
  };
}

/** What a type holds, and its price, as an outcome tells them. */
export function contents(
  launchable: LaunchableType | undefined,
  usdPerHour: number | null,
): Pick<LaunchedInstance, 'usdPerHour' | 'capacity' | 'allocatable'> {
  const { capacity, allocatable } = launchable?.type ?? { capacity: {}, allocatable: {} };
  return { usdPerHour, capacity, allocatable };
}
