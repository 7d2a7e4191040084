// What holds for the plan of any cluster: the checker agrees, nobody is wronged, the order of input does not matter.
import { isDeepStrictEqual } from 'node:util';
import type { SchedulingPlan } from '../../src/model/plan.ts';
import { podKey } from '../../src/model/pod.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import type { RandomCluster } from './clusters.ts';
import { fitsAlone } from './onePodANode.ts';

/** Plans with a budget counted in looks at the clock, so that a run can be repeated exactly. */
export function planOf({ snapshot, catalogue, pods }: RandomCluster, budget: number): SchedulingPlan {
  let elapsed = 0;
  const elapsedMs = (): number => {
    elapsed += 1;
    return elapsed;
  };
  return schedule(snapshot, catalogue, pods, { budgetMs: budget, elapsedMs });
}

/** The same cluster, every list the other way round. */
export function reversed({ snapshot, catalogue, pods }: RandomCluster): RandomCluster {
  const turned = <T>(list: readonly T[]): T[] => [...list].reverse();
  return {
    snapshot: {
      ...snapshot,
      provisioners: turned(snapshot.provisioners),
      nodes: turned(snapshot.nodes),
      nodeClaims: turned(snapshot.nodeClaims),
      pods: turned(snapshot.pods),
      daemonSets: turned(snapshot.daemonSets),
    },
    catalogue: new Map(turned([...catalogue]).map(([name, types]) => [name, turned(types)])),
    pods: turned(pods),
  };
}

/** Pods that the plan refuses although a node of their own could hold them, with what they were told. */
export function wronged(cluster: RandomCluster, plan: SchedulingPlan): readonly string[] {
  const refused = new Map(plan.refusals.map((refusal) => [refusal.pod, refusal]));
  return cluster.pods.flatMap((pod) => {
    const refusal = refused.get(podKey(pod));
    return refusal !== undefined && fitsAlone(pod, cluster)
      ? [`${refusal.pod} is refused (${refusal.code}: ${refusal.reason}) but fits a node of its own`]
      : [];
  });
}

/** All that is wrong with the first and the improved plan of a cluster; an error counts too. */
export function objections(cluster: RandomCluster): readonly string[] {
  const { snapshot, catalogue, pods } = cluster;
  try {
    const first = planOf(cluster, 0);
    const improved = planOf(cluster, 100);
    const found = [...checkPlan(snapshot, catalogue, pods, first), ...wronged(cluster, first)];
    found.push(...checkPlan(snapshot, catalogue, pods, improved));
    if (improved.usdPerHour > first.usdPerHour * 1.01 + 1e-9) found.push('improvement made the plan dearer');
    if (improved.refusals.length !== first.refusals.length) found.push('improvement changed the refusals');
    if (!isDeepStrictEqual(planOf(reversed(cluster), 0), first)) found.push('the order of input matters');
    return found;
  } catch (error) {
    return [`the packer failed: ${(error as Error).message}`];
  }
}
