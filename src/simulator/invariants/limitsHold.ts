// What a Provisioner's instances have together never exceeds its limits, launches in flight included.
import { addResources, fits, type Resources, subtractResources } from '../../model/resources.ts';
import type { Invariant } from './invariant.ts';

export const limitsHold: Invariant = ({ simulation, report }) => {
  const used = new Map<string, Resources>();
  simulation.cloud.observe({
    changed: ({ instance }) => {
      const held = used.get(instance.provisioner) ?? {};
      if (instance.state === 'terminated') {
        used.set(instance.provisioner, subtractResources(held, instance.capacity));
      }
      if (instance.state !== 'pending') return;
      const sum = addResources(held, instance.capacity);
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
