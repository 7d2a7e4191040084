// How many pods of a namespace are ready, watched from moment to moment.
import { conditionOf, type PodObject } from './kube.ts';
import type { World } from './world.ts';

export interface Readiness {
  /** The fewest at any moment since `restart`, as a disruption budget counts them: ready, and not on their way out. */
  fewest(): number;
  /** Counts anew from a moment at which so many are known to be ready: the watch may be behind. */
  restart(ready: number): void;
  stop(): void;
}

export function watchReadiness({ kube }: World, namespace: string): Readiness {
  const pods = new Map<string, PodObject>();
  const ready = (): number =>
    [...pods.values()].filter(
      (pod) => pod.metadata.deletionTimestamp === undefined && conditionOf(pod, 'Ready') === 'True',
    ).length;
  let fewest = Number.POSITIVE_INFINITY;
  const watch = kube.watch<PodObject>(`/api/v1/namespaces/${namespace}/pods`, ({ type, object }) => {
    if (type === 'DELETED') pods.delete(object.metadata.uid);
    else pods.set(object.metadata.uid, object);
    fewest = Math.min(fewest, ready());
  });
  return {
    fewest: () => fewest,
    restart: (count) => {
      fewest = count;
    },
    stop: () => watch.stop(),
  };
}
