// The independent check of a plan before it is carried out: shares no code with the packer.
import type { SchedulingPlan } from '../../model/plan.ts';
import { isOwnedByDaemonSet, isTerminal, type Pod, podKey } from '../../model/pod.ts';
import type { Catalogue, ClusterSnapshot } from '../../model/snapshot.ts';
import { antiAffinityViolations } from './antiAffinity.ts';
import { orderViolations } from './bindingOrder.ts';
import { ClaimChecker, PRICE_TOLERANCE_USD } from './claimRules.ts';
import { DaemonTable } from './daemons.ts';
import type { Host } from './host.ts';
import { hostViolations } from './hostRules.ts';
import { buildHosts, type Hosts, type World } from './hosts.ts';
import { standingsOf, TermMatcher } from './interPod.ts';
import { limitViolations } from './limitRules.ts';
import { VolumeTable, volumeViolations } from './volumes.ts';

/**
 * Re-validates a plan by the kube-scheduler's own rules: every instance type listed and every offering that the
 * requirements allow must hold the node's pods, and there must be an order in which they can be bound.
 * @param pods the pods that the plan was made for
 * @returns one sentence for each violation; none for a plan that may be carried out
 */
export function checkPlan(
  snapshot: ClusterSnapshot,
  catalogue: Catalogue,
  pods: readonly Pod[],
  plan: SchedulingPlan,
): readonly string[] {
  const types = new Map(
    [...catalogue].map(([name, list]) => [name, new Map(list.map((type) => [type.name, type]))]),
  );
  const byKey = new Map(pods.map((pod) => [podKey(pod), pod]));
  const world: World = { snapshot, types, pods, byKey, plan };
  const hosts = buildHosts(world);
  const all = [...hosts.nodes.values(), ...hosts.claims.values(), ...hosts.planned];
  const daemons = new DaemonTable(snapshot.daemonSets);
  const volumes = new VolumeTable(snapshot);
  const claims = new ClaimChecker(world, daemons);
  return [
    ...accountViolations(world),
    ...nominationViolations(world, hosts),
    ...plan.nodeClaims.flatMap((claim, index) => {
      const host = hosts.planned[index];
      return host === undefined ? [] : claims.violations(host, claim);
    }),
    ...all.flatMap((host) => [
      ...hostViolations(host, daemons),
      ...volumeViolations(host, volumes, snapshot),
    ]),
    ...interPodViolations(all, snapshot),
    ...limitViolations(world, hosts),
    ...sumViolations(plan),
  ];
}

function interPodViolations(hosts: readonly Host[], snapshot: ClusterSnapshot): string[] {
  const matcher = new TermMatcher(snapshot);
  // A claim that goes before it became a node is no domain of anything.
  const real = hosts.filter((host) => host.open || !host.daemonsToCome || host.bound.length > 0);
  const standings = standingsOf(real);
  return [...antiAffinityViolations(standings, matcher), ...orderViolations(standings, real, matcher)];
}

/** Each pod once: planned, nominated or refused. */
function accountViolations({ pods, byKey, plan }: World): string[] {
  const times = new Map<Pod, number>();
  const found: string[] = [];
  const mention = (key: string): void => {
    const pod = byKey.get(key);
    if (pod === undefined) found.push(`${key} is none of the pods to place`);
    else times.set(pod, (times.get(pod) ?? 0) + 1);
  };
  for (const claim of plan.nodeClaims) for (const key of claim.pods) mention(key);
  for (const { pod } of plan.nominations) mention(pod);
  for (const { pod } of plan.refusals) mention(pod);
  for (const pod of pods) {
    const count = times.get(pod) ?? 0;
    if (count > 1) found.push(`${podKey(pod)} is answered ${count} times`);
    if (count === 0 && needsAnswer(pod)) found.push(`${podKey(pod)} is neither placed nor refused`);
  }
  return found;
}

function needsAnswer(pod: Pod): boolean {
  const settled = pod.nodeName !== '' || isTerminal(pod);
  return !(settled || pod.schedulingGated || pod.deletionRequestedAtMs !== null || isOwnedByDaemonSet(pod));
}

function nominationViolations({ plan }: World, hosts: Hosts): string[] {
  return plan.nominations.flatMap(({ pod, target }) => {
    const known = target.kind === 'node' ? hosts.nodes.has(target.name) : isClaim(target.name, hosts);
    return known ? [] : [`${pod} is nominated to ${target.kind} "${target.name}", which does not exist`];
  });
}

function isClaim(name: string, hosts: Hosts): boolean {
  return hosts.claims.has(name) || hosts.joined.has(name);
}

function sumViolations(plan: SchedulingPlan): string[] {
  const sum = plan.nodeClaims.reduce((usd, claim) => usd + claim.usdPerHour, 0);
  const tolerance = PRICE_TOLERANCE_USD * (1 + sum);
  const found: string[] = [];
  if (!(Math.abs(sum - plan.usdPerHour) <= tolerance))
    found.push(`the plan states $${plan.usdPerHour}/h, its nodes cost $${sum}/h`);
  if (!(plan.lowerBoundUsdPerHour <= sum + tolerance))
    found.push(`the lower bound of $${plan.lowerBoundUsdPerHour}/h is above the price of $${sum}/h`);
  if (!(plan.lowerBoundUsdPerHour >= 0)) found.push('the lower bound is negative or no number');
  return found;
}
