// What a launch waits for when nothing is in stock: which offerings, why, until when, and what a person can do.
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { LaunchOutcome } from '../ports/cloudProvider.ts';
import type { Candidate } from './fleet.ts';
import type { UnavailableOfferings } from './unavailableOfferings.ts';

const NO_ADDRESSES = 'InsufficientFreeAddressesInSubnet';

/** Why in words, and the mend where a person can do something; by EC2's error code. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['VcpuLimitExceeded', 'the vCPU quota of the account is used up: ask AWS for a larger one'],
  ['MaxSpotInstanceCountExceeded', 'the spot quota of the account is used up: ask AWS for a larger one'],
  ['MaxFleetCountExceeded', 'the account may have no more fleets: ask AWS for a larger quota'],
  [
    'AuthFailure.ServiceLinkedRoleCreationNotPermitted',
    'the account has no role for spot: create it once with "aws iam create-service-linked-role ' +
      '--aws-service-name spot.amazonaws.com"',
  ],
  [NO_ADDRESSES, 'the subnets have no free address: add subnets, or larger ones'],
  ['Unsupported', 'EC2 does not support them as they are configured'],
]);

/** The outcome when nothing that the claim allows is in stock: its message says what is waited for. */
export function noneInStock(
  { spec }: NodeClaim,
  allowed: readonly Candidate[],
  { outOfStock, nowMs }: { readonly outOfStock: UnavailableOfferings; readonly nowMs: number },
): LaunchOutcome {
  const offerings = allowed.map(({ launchable, ...offering }) => ({
    ...offering,
    instanceType: launchable.type.name,
  }));
  if (offerings.length === 0) {
    const message =
      `Provisioner ${spec.provisioner}: none of the planned types is sold at a known price ` +
      'where it has subnets';
    return { kind: 'insufficientCapacity', offerings, message };
  }
  const counts = new Map<string, number>();
  let soonestMs = Infinity;
  for (const offering of offerings) {
    const why = outOfStock.why(offering, nowMs);
    soonestMs = Math.min(soonestMs, why?.untilMs ?? Infinity);
    const code = why?.code ?? (offering.available ? 'dearer' : NO_ADDRESSES);
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  const reasons = [...counts].map(([code, count]) => `${count} times ${code}${inWords(code)}`);
  const [first] = offerings;
  const message =
    `EC2 is out of all ${offerings.length} offerings that would do, ` +
    `${first?.instanceType} in ${first?.zone} among them (${reasons.join(', ')}); ${retry(soonestMs - nowMs)}`;
  return { kind: 'insufficientCapacity', offerings, message };
}

function inWords(code: string): string {
  const reason = REASONS.get(code);
  return reason === undefined ? '' : `: ${reason}`;
}

function retry(waitMs: number): string {
  if (!Number.isFinite(waitMs)) return 'they are tried again in some minutes';
  return `the first of them is tried again in ${Math.max(1, Math.ceil(waitMs / 60_000))} min`;
}
