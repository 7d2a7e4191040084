// No node is bound more than it can hold: a check of the simulated scheduler itself.
import type { Invariant } from './invariant.ts';

export const nodesHoldTheirPods: Invariant = ({ simulation, report }) => {
  simulation.store.subscribe((event, before) => {
    if (event.kind !== 'pod' || event.type !== 'upsert' || event.object.nodeName === '') return;
    if (before !== undefined && (before as { readonly nodeName: string }).nodeName !== '') return;
    const entry = simulation.ledger.get(event.object.nodeName);
    for (const [name, used] of entry?.used ?? []) {
      const allocatable = entry?.node?.allocatable[name] ?? 0;
      if (used > allocatable) {
        report(`node ${event.object.nodeName} has ${used} of ${name} bound, and ${allocatable} to give`);
        return;
      }
    }
  });
  return undefined;
};
