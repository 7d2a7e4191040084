// No pod is deleted before its node's terminationGracePeriod demands it, and no node outlives that period by far.
import { FASTEST_PACE } from '../../controllers/steadyClock.ts';
import { CLAIM_ANNOTATION } from '../../model/labels.ts';
import { hasCondition, type NodeClaim } from '../../model/nodeClaim.ts';
import { podKey } from '../../model/pod.ts';
import type { Simulation } from '../simulation.ts';
import type { Invariant } from './invariant.ts';

/** Controllers that crash, calls that fail and a leader that has to be found may cost this much. */
const SLACK_MS = 10 * 60_000;

export const graceHolds: Invariant = ({ simulation, report }) => {
  const watched = new Set<string>();
  const isMisjudged = misjudgedStarts(simulation);
  let outageAtMs = Number.NEGATIVE_INFINITY;
  simulation.history.listen(({ kind, subject, atMs }) => {
    if (kind === 'Mishap' && subject === 'apiOutage') outageAtMs = atMs;
  });
  simulation.kube.observe({
    deleted: (pod, graceSeconds) => {
      const claim = claimOf(simulation, pod.nodeName);
      const endMs = claim === undefined ? null : endOf(claim);
      const nowMs = simulation.clock.nowMs();
      const name = podKey(pod);
      if (endMs === null) report(`pod ${name} was deleted, and nothing bounds the drain of its node`);
      else if (!isMisjudged() && nowMs < endMs - pod.spec.terminationGraceSeconds * 1000)
        report(
          `pod ${name} was deleted ${endMs - nowMs} ms before the end, earlier than its grace period needs`,
        );
      else if (graceSeconds < 1) report(`pod ${name} was deleted with ${graceSeconds} s to stop`);
    },
  });
  simulation.store.subscribe((event) => {
    if (event.kind !== 'nodeClaim' || event.type !== 'upsert' || watched.has(event.object.uid)) return;
    const { terminationGracePeriodMs } = event.object.spec;
    const endMs = endOf(event.object);
    if (endMs === null || terminationGracePeriodMs === undefined) return;
    watched.add(event.object.uid);
    const look = (): void => {
      const claim = simulation.store.get('nodeClaim', event.key);
      if (claim?.uid !== event.object.uid || hasCondition(claim, 'InstanceTerminating')) return;
      const nowMs = simulation.clock.nowMs();
      // Without an API server nobody gets on.
      if (nowMs - outageAtMs < SLACK_MS) simulation.clock.at(outageAtMs + SLACK_MS, look);
      else
        report(
          `NodeClaim ${event.key} is still there ${SLACK_MS / 60_000} min after its terminationGracePeriod`,
        );
    };
    simulation.clock.at(
      Math.max(simulation.clock.nowMs(), endMs + terminationGracePeriodMs + SLACK_MS),
      look,
    );
  });
  return undefined;
};

/** When all on the claim's node ends at the earliest, by clocks that run fast; null when nothing says so. */
export function endOf({ deletionRequestedAtMs, spec, annotations }: NodeClaim): number | null {
  if (deletionRequestedAtMs === null) return null;
  const { terminationGracePeriodMs = Number.POSITIVE_INFINITY } = spec;
  // Repair gives a drain an end of its own.
  const given = Date.parse(annotations?.[CLAIM_ANNOTATION.drainEnd] ?? '');
  const givenMs = Number.isNaN(given) ? Number.POSITIVE_INFINITY : given - deletionRequestedAtMs;
  const withinMs = Math.min(terminationGracePeriodMs, givenMs);
  return Number.isFinite(withinMs) ? deletionRequestedAtMs + withinMs / FASTEST_PACE : null;
}

/** Tells whether a controller may have started with a clock that is wrong: it then misjudges drains under way. */
export function misjudgedStarts({ history }: Simulation): () => boolean {
  const seen = new Set<string>();
  history.listen(({ kind, subject }) => {
    if (kind === 'Mishap') seen.add(subject);
  });
  return () => seen.has('clockJump') && (seen.has('crash') || seen.has('twoLeaders'));
}

/** The claim of that node, as the API server has it. */
export function claimOf({ store }: Simulation, nodeName: string): NodeClaim | undefined {
  const providerId = store.get('node', nodeName)?.providerId;
  if (providerId === undefined || providerId === '') return undefined;
  return [...store.values('nodeClaim')].find(({ status }) => status.providerId === providerId);
}
