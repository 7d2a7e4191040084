// How many pods of a namespace are ready, watched from moment to moment.
import { conditionOf, type PodObject } from './kube.ts';
import type { World } from './world.ts';

export interface Readiness {
  /** The fewest at any moment since `restart`, as a disruption budget counts them: ready, and not on their way out. */
  fewest(): number;
  /** Counts anew once the watch, which may be behind, has seen so many ready at once. */
  restart(ready: number): Promise<void>;
  stop(): void;
}

export function watchReadiness(world: World, namespace: string): Readiness {
  const pods = new Map<string, PodObject>();
  const ready = (): number =>
    [...pods.values()].filter(
      (pod) => pod.metadata.deletionTimestamp === undefined && conditionOf(pod, 'Ready') === 'True',
    ).length;
  let fewest = Number.POSITIVE_INFINITY;
  const watch = world.kube.watch<PodObject>(`/api/v1/namespaces/${namespace}/pods`, ({ type, object }) => {
    if (type === 'DELETED') pods.delete(object.metadata.uid);
    else pods.set(object.metadata.uid, object);
    fewest = Math.min(fewest, ready());
  });
  return {
    fewest: () => fewest,
    restart: async (count) => {
      const what = `the watch to see ${count} ready pods in ${namespace}`;
      await world.until(async () => ready() === count, { what, timeoutMs: 15_000 });
      fewest = ready();
    },
    stop: () => watch.stop(),
  };
}
