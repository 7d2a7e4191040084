// No instance is terminated while a volume is attached to its node that no pod there keeps, unless time is up.
import { isReady } from '../../model/node.ts';
import { isTerminal, podKey } from '../../model/pod.ts';
import { claimOf, endOf, misjudgedStarts } from './graceHolds.ts';
import type { Invariant } from './invariant.ts';

export const volumesDetachFirst: Invariant = ({ simulation, report }) => {
  const isMisjudged = misjudgedStarts(simulation);
  simulation.cloud.observe({
    terminationAsked: ({ nodeName, instance }) => {
      const entry = simulation.ledger.get(nodeName);
      if (entry === undefined || entry.node === null || !isReady(entry.node)) return;
      const claim = claimOf(simulation, nodeName);
      const endMs = claim === undefined ? null : endOf(claim);
      // By a wrong clock pods that are leaving seem stuck, and stuck pods keep their volumes.
      if (isMisjudged() || (endMs !== null && simulation.clock.nowMs() >= endMs)) return;
      // Pods that are left stay to the end, or drainsComeFirst has something to say.
      const kept = [...entry.pods.values()].filter((pod) => !isTerminal(pod) && pod.spec.volumes.length > 0);
      if (kept.length > 0) return;
      const attached = simulation.attachments.all().find((one) => one.nodeName === nodeName);
      if (attached === undefined) return;
      const pods = [...entry.pods.values()].map(podKey).join(', ') || 'no pod';
      report(
        `instance ${instance.providerId} was terminated while volume ${attached.volumeName} was attached to its ` +
          `node ${nodeName} with ${pods} on it`,
      );
    },
  });
  return undefined;
};
