// The only ready pod of a Deployment that asks for a rollout is not evicted before one has had its time.
import { FASTEST_PACE } from '../../controllers/steadyClock.ts';
import { ANNOTATION } from '../../model/labels.ts';
import { isTerminal, podKey } from '../../model/pod.ts';
import type { Invariant } from './invariant.ts';

/** What a rollout gets, by clocks that run fast. */
const PATIENCE_MS = (5 * 60_000) / FASTEST_PACE;
/** The controller may have looked at the pod and its Deployment this long ago. */
const LOOKED_MS = 5_000;

export const surgesKeepReady: Invariant = ({ simulation, report }) => {
  const { clock, store, workloads, cloud, ledger } = simulation;
  const readySinceMs = new Map<string, number>();
  const singleSinceMs = new Map<string, number>();
  const rolledAtMs = new Map<string, number>();
  const interrupted = new Set<string>();
  if (simulation.setup.settings.surgeSingleReplicas !== true) return undefined;
  // A notice may come before the node has joined.
  cloud.observe({ noticed: ({ instance }) => void interrupted.add(instance.providerId) });
  simulation.kube.observe({ rolled: (uid) => void rolledAtMs.set(uid, clock.nowMs()) });
  simulation.onStep(() => {
    for (const pod of store.values('pod')) {
      const { uid = '' } = pod.owner ?? {};
      if (pod.annotations[ANNOTATION.surge] !== 'true') continue;
      if (!pod.ready) readySinceMs.delete(pod.uid);
      else if (!readySinceMs.has(pod.uid)) readySinceMs.set(pod.uid, clock.nowMs());
      if (workloads.wantedOf(uid) !== 1) singleSinceMs.delete(uid);
      else if (!singleSinceMs.has(uid)) singleSinceMs.set(uid, clock.nowMs());
    }
  });
  simulation.kube.observe({
    evicted: (key, outcome) => {
      const pod = store.get('pod', key);
      if (outcome !== 'evicted' || pod?.ready !== true || pod.annotations[ANNOTATION.surge] !== 'true')
        return;
      const { uid = '' } = pod.owner ?? {};
      const lookedAtMs = clock.nowMs() - LOOKED_MS;
      const isNew = (sinceMs: number | undefined): boolean => sinceMs === undefined || sinceMs > lookedAtMs;
      if (isNew(readySinceMs.get(pod.uid)) || isNew(singleSinceMs.get(uid))) return;
      const others = [...store.values('pod')].filter(
        (one) => one.owner?.uid === uid && one.ready && !isTerminal(one) && podKey(one) !== key,
      );
      if (others.some((one) => one.deletionRequestedAtMs === null)) return;
      const sinceRollMs = clock.nowMs() - (rolledAtMs.get(uid) ?? Number.NEGATIVE_INFINITY);
      if (rolledAtMs.has(uid) && sinceRollMs >= PATIENCE_MS) return;
      const { providerId = '' } = store.get('node', pod.nodeName) ?? {};
      if (interrupted.has(providerId) || ledger.get(pod.nodeName)?.node === null) return;
      report(`pod ${key}, the only ready one of its Deployment, was evicted without a rollout before`);
    },
  });
  return undefined;
};
