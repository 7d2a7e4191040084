// What a snapshot alone tells of pods on their way and pods that came: less than a running controller knows.
import type { ConsolidationView } from '../model/consolidation.ts';
import { isTerminal } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

/** The scheduler is about to bind a pod that it was told where to try: its node is not to go in the same moment. */
const ON_THE_WAY_MS = 10_000;

/**
 * Pods count as on their way to a node while `status.nominatedNodeName` names it. Pods that have left a node are not
 * seen: its pods may have changed later than this says.
 */
export function snapshotView({ pods, takenAtMs }: ClusterSnapshot): ConsolidationView {
  const nominatedUntilMs = new Map<string, number>();
  const podsChangedAtMs = new Map<string, number>();
  for (const pod of pods) {
    if (isTerminal(pod)) continue;
    if (pod.nodeName !== '') {
      const heldMs = podsChangedAtMs.get(pod.nodeName) ?? 0;
      podsChangedAtMs.set(pod.nodeName, Math.max(heldMs, pod.createdAtMs));
    } else if (pod.nominatedNodeName !== '' && pod.deletionRequestedAtMs === null) {
      nominatedUntilMs.set(pod.nominatedNodeName, takenAtMs + ON_THE_WAY_MS);
    }
  }
  return { nominatedUntilMs, podsChangedAtMs };
}
