// Price never rises by consolidation: once a voluntary disruption has come to its end, the cluster costs no more.
import { occupiesNode } from '../../disruption/evictable.ts';
import { isReady } from '../../model/node.ts';
import type { Pod } from '../../model/pod.ts';
import type { Simulation } from '../simulation.ts';
import type { Invariant } from './invariant.ts';

/** These are done to save money; all other disruptions have reasons of their own, and may cost some. */
const SAVING: ReadonlySet<unknown> = new Set(['Empty', 'Underutilized']);
const ROUNDING_USD = 1e-9;
/** A disruption that is not over by then is judged no more: too much else has happened. */
const JUDGED_WITHIN_MS = 15 * 60_000;

interface Episode {
  readonly claim: string;
  readonly startedAtMs: number;
  readonly usdPerHour: number;
}

export const consolidationSaves: Invariant = ({ simulation, report }) => {
  let episode: Episode | null = null;
  let wanted = simulation.workloads.wanted();
  simulation.history.listen(({ kind, subject, facts }) => {
    if (kind === 'Decision' && facts.kind === 'Disrupted') {
      if (!SAVING.has(facts.disruption)) episode = null;
      else episode ??= startEpisode(simulation, subject);
    }
    // Replacements of nodes that go for other reasons are up before the nodes go.
    if (kind === 'Decision' && facts.replaces !== undefined && !SAVING.has(facts.disruption)) episode = null;
    // Trouble, and Jobs that come: whatever it costs afterwards, it is not consolidation's doing.
    if (kind === 'Mishap' || kind === 'NodeNotReady') episode = null;
    if (kind === 'PodCreated' && isJobPod(simulation, subject)) episode = null;
  });
  simulation.store.subscribe((event, before) => {
    // A pod that goes without being asked to, and without having ended, has lost its node to something else.
    if (event.kind !== 'pod') return;
    if (event.type === 'upsert' && event.object.deletionRequestedAtMs !== null) {
      // One that is asked to go from a silent node is the node controller's doing, minutes after the silence began.
      const node = simulation.store.get('node', event.object.nodeName);
      if (node === undefined || !isReady(node)) episode = null;
    }
    if (event.type !== 'delete') return;
    const pod = before as Pod;
    if (pod.deletionRequestedAtMs === null && occupiesNode(pod)) episode = null;
  });
  simulation.onStep(() => {
    const { clock, workloads } = simulation;
    if (workloads.wanted() > wanted) episode = null;
    wanted = workloads.wanted();
    if (episode === null) return;
    if (clock.nowMs() - episode.startedAtMs > JUDGED_WITHIN_MS) episode = null;
    else if (isOver(simulation, episode)) {
      const { claim, usdPerHour } = episode;
      const now = totalUsdPerHour(simulation);
      if (now > usdPerHour + ROUNDING_USD) {
        report(`the disruption of NodeClaim ${claim} took the price from ${usdPerHour} to ${now} $/h`);
      }
      episode = null;
    }
  });
  return undefined;
};

/** What else is under way would be mixed up with it: a disruption that does not begin at rest is not judged. */
function startEpisode(simulation: Simulation, claim: string): Episode | null {
  if (!isAtRest(simulation, claim)) return null;
  const usdPerHour = totalUsdPerHour(simulation);
  return { claim, startedAtMs: simulation.clock.nowMs(), usdPerHour };
}

/** Claims, but for the one that is to go, are neither going nor coming, and no pod waits. */
function isAtRest({ store, cloud }: Simulation, butFor: string | null): boolean {
  for (const { name, status, deletionRequestedAtMs } of store.values('nodeClaim')) {
    if (name !== butFor && (deletionRequestedAtMs !== null || status.providerId === '')) return false;
  }
  for (const { instance } of cloud.living()) if (instance.state !== 'running') return false;
  for (const pod of store.values('pod')) if (pod.nodeName === '') return false;
  return true;
}

/** The claim is gone, and what has followed from that has come to rest. */
function isOver(simulation: Simulation, { claim }: Episode): boolean {
  return simulation.store.get('nodeClaim', claim) === undefined && isAtRest(simulation, null);
}

function totalUsdPerHour({ cloud }: Simulation): number {
  let sum = 0;
  for (const { instance } of cloud.living()) sum += instance.usdPerHour ?? 0;
  return sum;
}

function isJobPod({ store }: Simulation, key: string): boolean {
  return store.get('pod', key)?.owner?.kind === 'Job';
}
