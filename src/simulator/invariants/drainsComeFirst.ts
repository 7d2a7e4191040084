// No instance is terminated by us while pods that an eviction could see off still run on its node, budgets or not.
import { isReady } from '../../model/node.ts';
import type { Pod } from '../../model/pod.ts';
import { toleratesTaint } from '../../model/taint.ts';
import { claimOf, endOf, misjudgedStarts } from './graceHolds.ts';
import type { Invariant } from './invariant.ts';

const DISRUPTED = { key: 'karpenter.sh/disrupted', value: '', effect: 'NoSchedule' } as const;
const CORDONED = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' } as const;
/** A pod that was bound as the drain ended may still be seen late by the controller. */
const JUST_BOUND_MS = 10_000;

export const drainsComeFirst: Invariant = ({ simulation, report }) => {
  const isMisjudged = misjudgedStarts(simulation);
  const boundAtMs = new WeakMap<Pod, number>();
  simulation.store.subscribe((event) => {
    if (event.kind === 'pod' && event.type === 'upsert' && event.object.nodeName !== '')
      boundAtMs.set(event.object, simulation.clock.nowMs());
  });
  simulation.cloud.observe({
    terminationAsked: ({ nodeName, instance }) => {
      const entry = simulation.ledger.get(nodeName);
      if (entry === undefined || entry.node === null || !isReady(entry.node)) return;
      const nowMs = simulation.clock.nowMs();
      const claim = claimOf(simulation, nodeName);
      const endMs = claim === undefined ? null : endOf(claim);
      if (endMs !== null && (nowMs >= endMs || isMisjudged())) return;
      for (const [key, pod] of entry.pods) {
        if (!mustBeDrained(pod) || nowMs - (boundAtMs.get(pod) ?? 0) < JUST_BOUND_MS) continue;
        report(`instance ${instance.providerId} was terminated while pod ${key} ran on its node ${nodeName}`);
        return;
      }
    },
  });
  return undefined;
};

function mustBeDrained(pod: Pod): boolean {
  if (pod.mirror || pod.deletionRequestedAtMs !== null) return false;
  const toleratesAll = [DISRUPTED, CORDONED].some((taint) =>
    pod.spec.tolerations.some((one) => toleratesTaint(one, taint)),
  );
  return pod.phase === 'Running' && !toleratesAll;
}
