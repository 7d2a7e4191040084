// What a Provisioner's instances have together never exceeds its limits, launches in flight included.

import { addResources, fits, type Resources, subtractResources } from '../../model/resources.ts';
import { chargeOf } from '../../scheduling/limits.ts';
import type { Invariant } from './invariant.ts';
import { claimsOfTwoLeaders } from './twoLeaders.ts';

/**
 * One controller keeps limits exactly: it counts each claim from the moment it stores it. Two that lead at once cannot:
 * each may spend what is left before it sees the other's claims. What they store in that time is not counted here, so
 * that the rest is held to the limits all the same.
 */
export const limitsHold: Invariant = ({ simulation, report }) => {
  const used = new Map<string, Resources>();
  const isOfTwoLeaders = claimsOfTwoLeaders(simulation);
  simulation.cloud.observe({
    changed: ({ instance }) => {
      if (isOfTwoLeaders(instance.nodeClaimUid)) return;
      const held = used.get(instance.provisioner) ?? {};
      if (instance.state === 'terminated') {
        used.set(
          instance.provisioner,
          subtractResources(held, chargeOf(instance.capacity, instance.usdPerHour ?? 0)),
        );
      }
      if (instance.state !== 'pending') return;
      const sum = addResources(held, chargeOf(instance.capacity, instance.usdPerHour ?? 0));
      used.set(instance.provisioner, sum);
      const limits = simulation.store.get('provisioner', instance.provisioner)?.limits ?? null;
      if (limits === null) return;
      const limited = Object.fromEntries(Object.keys(limits).map((name) => [name, sum[name] ?? 0]));
      if (fits(limited, limits)) return;
      const { nodeClaim, instanceType, provisioner } = instance;
      report(
        `${instanceType} for NodeClaim ${nodeClaim} takes Provisioner ${provisioner} to ${JSON.stringify(limited)}, ` +
          `its limits are ${JSON.stringify(limits)}`,
      );
    },
  });
  return undefined;
};
