// What a fleet's answer means: the instances it names, and what its errors say is out of stock.
import type { Clock } from '../ports/clock.ts';
import type { LaunchedInstance } from '../ports/cloudProvider.ts';
import { faultKind } from './awsFault.ts';
import type { FleetError, FleetInstance } from './ec2Api.ts';
import type { Candidate } from './fleet.ts';
import type { FleetPlan } from './fleetPlanner.ts';
import type { SubnetLedger } from './subnets.ts';
import type { LaunchableType } from './typeCatalogue.ts';
import type { UnavailableOfferings } from './unavailableOfferings.ts';

/** An instance that was bought, and belongs to no claim yet. */
export type UnclaimedInstance = Omit<LaunchedInstance, 'nodeClaim' | 'nodeClaimUid'>;

export interface Shortages {
  readonly ledger: SubnetLedger;
  readonly outOfStock: UnavailableOfferings;
  readonly clock: Clock;
}

/** These say nothing of one type or zone, but of a whole capacity type in the account. */
const WHOLESALE_CODES: ReadonlySet<string> = new Set([
  'MaxSpotInstanceCountExceeded',
  'MaxFleetCountExceeded',
  'AuthFailure.ServiceLinkedRoleCreationNotPermitted',
]);

/** Remembers what an error says is out of stock; errors that say nothing of capacity are left alone. */
export function noteShortage(
  { code, instanceType, subnetId }: FleetError,
  plan: FleetPlan,
  { ledger, outOfStock, clock }: Shortages,
): void {
  if (faultKind(code) !== 'capacity') return;
  const { capacityType } = plan.request;
  if (code === 'InsufficientFreeAddressesInSubnet' && subnetId !== '') {
    ledger.markExhausted(subnetId);
    return;
  }
  if (WHOLESALE_CODES.has(code)) {
    outOfStock.markUnavailable({ instanceType: '*', zone: '*', capacityType }, clock.nowMs());
    return;
  }
  const zone = plan.zoneOf.get(subnetId);
  for (const candidate of plan.candidates) {
    const { name } = candidate.launchable.type;
    const isMeant =
      (instanceType === '' || name === instanceType) && (zone === undefined || candidate.zone === zone);
    if (isMeant)
      outOfStock.markUnavailable({ instanceType: name, zone: candidate.zone, capacityType }, clock.nowMs());
  }
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
