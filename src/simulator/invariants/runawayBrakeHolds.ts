// Never more than so many nodes for so many pods: pods whose nodes do not take them must not buy without end.
import { occupiesNode } from '../../disruption/evictable.ts';
import { podKey } from '../../model/pod.ts';
import type { Invariant } from './invariant.ts';
import { claimsOfTwoLeaders } from './twoLeaders.ts';

const WINDOW_MS = 300_000;
/** The brake lets a pod buy anew after 30 s, 60 s, 120 s: with its first node four in the window. */
const NODES_PER_POD = 4;
/** A start knows nothing of launches before it: each may add one round. */
const ALLOWANCE = 4;

export const runawayBrakeHolds: Invariant = ({ simulation, report }) => {
  const { clock, store, cloud } = simulation;
  const isOfTwoLeaders = claimsOfTwoLeaders(simulation);
  const launches: number[] = [];
  /** By key: when each pod that is gone was last there; those that live are counted in the store. */
  const gone = new Map<string, number>();
  store.subscribe((event, before) => {
    if (event.kind !== 'pod' || event.type !== 'delete' || before === undefined) return;
    gone.delete(event.key); // Those that have gone first stay in front.
    gone.set(event.key, clock.nowMs());
  });
  cloud.observe({
    changed: ({ instance }) => {
      if (instance.state !== 'pending' || isOfTwoLeaders(instance.nodeClaimUid)) return;
      const sinceMs = clock.nowMs() - WINDOW_MS;
      launches.push(clock.nowMs());
      while ((launches[0] ?? sinceMs) < sinceMs) launches.shift();
      for (const [key, atMs] of gone) {
        if (atMs >= sinceMs) break;
        gone.delete(key);
      }
      const pods = new Set(gone.keys());
      const most = (): number => NODES_PER_POD * pods.size + ALLOWANCE;
      // Of a large cluster the first few pods account for the launches.
      for (const pod of store.values('pod')) {
        if (launches.length <= most()) return;
        if (occupiesNode(pod)) pods.add(podKey(pod));
      }
      if (launches.length <= most()) return;
      report(
        `${launches.length} instances within ${WINDOW_MS / 60_000} min for ${pods.size} pods; at most ${most()}`,
      );
      launches.length = 0;
    },
  });
  return undefined;
};
