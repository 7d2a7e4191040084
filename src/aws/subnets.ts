// Which subnet a launch goes to: per zone the one with most free addresses, less those of launches under way.
import type { Clock } from '../ports/clock.ts';
import type { Subnet } from './ec2Api.ts';
import type { AwsSettings } from './settings.ts';
import type { LaunchableType } from './typeCatalogue.ts';

interface Reservation {
  readonly subnetId: string;
  readonly addresses: number;
  readonly atMs: number;
}

/** How long a launch may stay out of `AvailableIpAddressCount`: answers are cached a minute and lag a little. */
const UNSEEN_MS = 90_000;
/** How long a subnet that had no address left is left out. */
const EXHAUSTED_MS = 180_000;

/** What launches have taken from subnets and EC2 does not show yet. */
export class SubnetLedger {
  readonly #clock: Clock;
  #reservations: Reservation[] = [];
  readonly #holds = new Set<ReadonlyMap<string, number>>();
  readonly #exhaustedUntilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A launch takes that many addresses there. */
  reserve(subnetId: string, addresses: number): void {
    this.#reservations.push({ subnetId, addresses, atMs: this.#clock.nowMs() });
  }

  /** A launch that is under way may take that many addresses of each subnet. The answer ends the hold. */
  hold(addressesBySubnet: ReadonlyMap<string, number>): () => void {
    this.#holds.add(addressesBySubnet);
    return () => {
      this.#holds.delete(addressesBySubnet);
    };
  }

  /** EC2 found no free address there. */
  markExhausted(subnetId: string): void {
    this.#exhaustedUntilMs.set(subnetId, this.#clock.nowMs() + EXHAUSTED_MS);
  }

  /** The subnet to use in each zone, zones without one left out. */
  choose(subnets: readonly Subnet[]): ReadonlyMap<string, Subnet> {
    const taken = this.#takenBySubnet();
    const best = new Map<string, { readonly subnet: Subnet; readonly free: number }>();
    for (const subnet of [...subnets].sort((a, b) => (a.id < b.id ? -1 : 1))) {
      if (this.#isExhausted(subnet.id)) continue;
      const free = subnet.freeAddresses - (taken.get(subnet.id) ?? 0);
      const held = best.get(subnet.zone);
      if (held === undefined || free > held.free) best.set(subnet.zone, { subnet, free });
    }
    return new Map([...best].map(([zone, { subnet }]) => [zone, subnet]));
  }

  #takenBySubnet(): ReadonlyMap<string, number> {
    const nowMs = this.#clock.nowMs();
    this.#reservations = this.#reservations.filter((one) => nowMs - one.atMs < UNSEEN_MS);
    const taken = new Map<string, number>();
    for (const { subnetId, addresses } of this.#reservations) {
      taken.set(subnetId, (taken.get(subnetId) ?? 0) + addresses);
    }
    for (const hold of this.#holds) {
      for (const [subnetId, addresses] of hold) taken.set(subnetId, (taken.get(subnetId) ?? 0) + addresses);
    }
    return taken;
  }

  #isExhausted(subnetId: string): boolean {
    return this.#clock.nowMs() < (this.#exhaustedUntilMs.get(subnetId) ?? 0);
  }
}

/** Addresses that a node's pods may take, and its own. */
export function addressesOf(
  launchable: LaunchableType | undefined,
  { eniLimitedPodDensity }: AwsSettings,
): number {
  const pods = launchable?.type.capacity.pods ?? 0;
  return 1 + (eniLimitedPodDensity ? pods : 0);
}
