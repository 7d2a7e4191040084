// The simulated account's machine images and network: what a launch uses now.
import type { InstanceType } from '../model/instanceType.ts';
import type { NodeClassTargets } from '../model/nodeClass.ts';

/** A machine image that is launched from some time on. */
export interface ImageRelease {
  readonly id: string;
  /** Machines with it never become Nodes. */
  readonly isBad: boolean;
}

const SECURITY_GROUP = 'sg-simulated';

export class LaunchTargets {
  readonly #subnets: readonly string[];
  readonly #bad = new Set<string>();
  #imageId = 'ami-simulated';

  constructor(instanceTypes: readonly InstanceType[]) {
    const zones = instanceTypes.flatMap(({ offerings }) => offerings.map(({ zone }) => zone));
    this.#subnets = [...new Set(zones)].map(subnetOf);
  }

  release({ id, isBad }: ImageRelease): void {
    this.#imageId = id;
    if (isBad) this.#bad.add(id);
  }

  isBad(imageId: string): boolean {
    return this.#bad.has(imageId);
  }

  now(): NodeClassTargets & { readonly imageIds: readonly string[] } {
    return { imageIds: [this.#imageId], subnetIds: this.#subnets, securityGroupIds: [SECURITY_GROUP] };
  }

  /** What an instance in that zone gets. */
  ofLaunch(zone: string): {
    readonly imageId: string;
    readonly subnetId: string;
    readonly securityGroupIds: readonly string[];
  } {
    return { imageId: this.#imageId, subnetId: subnetOf(zone), securityGroupIds: [SECURITY_GROUP] };
  }
}

function subnetOf(zone: string): string {
  return `subnet-${zone}`;
}
