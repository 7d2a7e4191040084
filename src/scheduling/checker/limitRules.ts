// Limits of Provisioners: what their nodes may have together, launches in flight and planned ones included.
import type { NodeClaimSpec } from '../../model/nodeClaim.ts';
import type { Provisioner } from '../../model/provisioner.ts';
import { addResources, maxResources, type Resources } from '../../model/resources.ts';
import { PRICE_TOLERANCE_USD } from './claimRules.ts';
import { offeringAllowed } from './faces.ts';
import type { Host } from './host.ts';
import { type Hosts, typeNamed, type World } from './hosts.ts';

/** Limits that are no resource of a node. */
const NODES = 'nodes';
const USD_PER_HOUR = 'usdPerHour';

/** Limits that the planned nodes break. A fleet may give any type listed: the largest counts. */
export function limitViolations(world: World, hosts: Hosts): string[] {
  return world.snapshot.provisioners.flatMap((provisioner) => {
    const owned = (host: Host): boolean => host.provisioner === provisioner.name;
    const planned = hosts.planned.filter(owned);
    if (provisioner.limits === null || planned.length === 0) return [];
    const held = [...hosts.nodes.values(), ...hosts.claims.values()].filter(owned);
    const total = [...held, ...planned].map(largest).reduce(addResources, {});
    const all = {
      ...total,
      [NODES]: held.length + planned.length,
      [USD_PER_HOUR]: spending(world, provisioner),
    };
    return overLimits(provisioner, all, planned);
  });
}

function overLimits(provisioner: Provisioner, total: Resources, planned: readonly Host[]): string[] {
  const added = planned.map(largest).reduce<Resources>(addResources, {});
  return Object.entries(provisioner.limits ?? {}).flatMap(([name, limit]) => {
    const adds = name === NODES || name === USD_PER_HOUR || (added[name] ?? 0) > 0;
    if (!adds || (total[name] ?? 0) <= limit + PRICE_TOLERANCE_USD) return [];
    return [
      `provisioner "${provisioner.name}" may have ${limit} of ${name}, the plan makes it ${total[name]}`,
    ];
  });
}

function largest(host: Host): Resources {
  return host.faces.map(({ capacity }) => capacity).reduce<Resources>(maxResources, {});
}

/** Planned nodes as the dearest that they may become, claims at what they were launched for, if that is known. */
function spending(world: World, { name }: Provisioner): number {
  const { plan, snapshot } = world;
  const planned = plan.nodeClaims.filter(({ spec }) => spec.provisioner === name);
  const held = snapshot.nodeClaims.filter(({ spec }) => spec.provisioner === name);
  return (
    planned.reduce((sum, { spec }) => sum + dearest(world, spec), 0) +
    held.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0)
  );
}

/** By the list: what CPU above the baseline of a burstable type may add is not limited. */
function dearest(world: World, spec: NodeClaimSpec): number {
  const prices = spec.instanceTypes.flatMap((named) => {
    const type = typeNamed(world, spec.provisioner, named);
    const allowed = type?.offerings.filter((offering) => offeringAllowed(spec, type, offering)) ?? [];
    return allowed.map(({ usdPerHour }) => usdPerHour);
  });
  return Math.max(0, ...prices);
}
