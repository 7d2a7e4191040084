// What must hold of every consolidation, from its first step until nothing pays any more.
import { isDeepStrictEqual } from 'node:util';
import { consolidate } from '../../src/disruption/consolidation.ts';
import { decided } from '../../src/disruption/consolidationSearch.ts';
import type { ConsolidationAction, ConsolidationDecision } from '../../src/model/consolidation.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { isOwnedByDaemonSet, isTerminal, type Pod, podKey } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { consolidated, totalUsdPerHour } from '../disruption/consolidated.ts';
import { type FragmentedCluster, withDaemons } from './consolidationClusters.ts';
import {
  budgetFaults,
  evictionFaults,
  evictionsUsd,
  haltFaults,
  REPLACEMENT_PERCENT,
  reasonsToStay,
} from './consolidationRules.ts';
import { leftBehind } from './leftBehind.ts';
import { movedOneByOne } from './movedOneByOne.ts';
import { secondLookFaults } from './secondLook.ts';

const HOUR_MS = 3_600_000;
/** Beside one for each node: budgets may let them go one by one. */
const STEPS_MOST = 100;
/** 80, and the sizes of the set that is grown last. */
const TRIALS_MOST = 100;
const SPOT_TYPES_LEAST = 15;
const ROUNDING_USD = 1e-6;
/** Windows and durations end meanwhile, and some more pods go: whoever rests is asked again after so many hours. */
const LATER_HOURS = [5, 11];
/** Of all pods, at each such time. */
const GOING_PER_MILLE = 200;

export interface Outcome {
  /** In sentences; none when all is well. */
  readonly faults: readonly string[];
  readonly actions: number;
}

export interface Looks {
  /** True to look for nodes left behind as well. */
  readonly atRest: boolean;
  /** True to ask of each action whether it is still carried out when nothing has changed. */
  readonly again: boolean;
}

const SAFETY_ONLY: Looks = { atRest: false, again: false };

/** Consolidates to the end, and looks at each step. */
export function consolidationFaults(first: FragmentedCluster, looks: Looks = SAFETY_ONLY): Outcome {
  let cluster = first;
  const later = [...LATER_HOURS];
  const most = STEPS_MOST + first.snapshot.nodes.length;
  for (let actions = 0; actions < most; ) {
    const decision = decided(consolidate(cluster));
    const { action } = decision;
    const told = [
      ...recordFaults(cluster, decision),
      ...(actions === 0 ? repeatFaults(cluster, decision) : []),
    ];
    if (told.length > 0) return { faults: told, actions };
    if (action === null) {
      const missed = looks.atRest ? leftBehind(cluster) : null;
      if (missed !== null) return { faults: [missed], actions };
      const hours = later.shift();
      if (hours === undefined) return { faults: [], actions };
      cluster = waited(shrunk(cluster, hours), hours);
      continue;
    }
    const faults = [...faultsOf(cluster, action), ...secondLookFaults(cluster, action, looks.again)];
    if (faults.length > 0) return { faults, actions };
    const next = afterwards(cluster, action);
    const lost = lostPods(cluster.snapshot, next);
    if (lost.length > 0) return { faults: lost, actions };
    cluster = waited({ ...cluster, snapshot: next }, 1);
    actions += 1;
  }
  return { faults: ['it does not come to rest'], actions: most };
}

/** What is said of the decision, and what it cost to make. */
function recordFaults(
  { snapshot }: FragmentedCluster,
  { action, halted, kept, trials }: ConsolidationDecision,
): string[] {
  const claims = new Set(snapshot.nodeClaims.map(({ name }) => name));
  const pods = new Set(snapshot.pods.map(podKey));
  const faults = kept.flatMap(({ nodeClaim, message, blockedBy }) => [
    ...(claims.has(nodeClaim) ? [] : [`${nodeClaim} is said to stay, and is not there`]),
    ...(action?.nodeClaims.includes(nodeClaim) ? [`${nodeClaim} is said to stay, and goes`] : []),
    ...(message === '' ? [`${nodeClaim} stays without a reason`] : []),
    ...(blockedBy === undefined || pods.has(blockedBy)
      ? []
      : [`${blockedBy} is in the way, and is not there`]),
  ]);
  if (new Set(kept.map(({ nodeClaim }) => nodeClaim)).size < kept.length)
    faults.push('two reasons for a node');
  if (halted !== '' && (action !== null || trials > 0)) faults.push(`something is done though ${halted}`);
  if (trials > TRIALS_MOST) faults.push(`${trials} plans were made for one decision`);
  return faults;
}

/** The same cluster, looked at once more, must come to the same decision: nothing is kept, drawn or written to. */
function repeatFaults(cluster: FragmentedCluster, decision: ConsolidationDecision): string[] {
  const again = decided(consolidate(cluster));
  return isDeepStrictEqual(again, decision) ? [] : ['the same cluster is decided on differently'];
}

/** A scale-down goes on, of no workload in particular. */
function shrunk(cluster: FragmentedCluster, turn: number): FragmentedCluster {
  const { snapshot } = cluster;
  const goes = (pod: Pod, index: number): boolean =>
    !isOwnedByDaemonSet(pod) && ((index + turn) * 619) % 1000 < GOING_PER_MILLE;
  return { ...cluster, snapshot: { ...snapshot, pods: snapshot.pods.filter((pod, at) => !goes(pod, at)) } };
}

function waited(cluster: FragmentedCluster, hours: number): FragmentedCluster {
  const { snapshot } = cluster;
  return { ...cluster, snapshot: { ...snapshot, takenAtMs: snapshot.takenAtMs + hours * HOUR_MS } };
}

function afterwards(
  { snapshot, catalogue }: FragmentedCluster,
  action: ConsolidationAction,
): ClusterSnapshot {
  const next = consolidated(snapshot, catalogue, action);
  const names = new Set(next.nodes.map(({ name }) => name));
  // What has ended goes with its node, as daemons do.
  const pods = next.pods.filter(
    (pod) => names.has(pod.nodeName) || !(isOwnedByDaemonSet(pod) || isTerminal(pod)),
  );
  return { ...next, pods: withDaemons({ ...next, pods }) };
}

function lostPods(before: ClusterSnapshot, after: ClusterSnapshot): string[] {
  const nodes = new Set(after.nodes.map(({ name }) => name));
  const there = new Set(after.pods.filter(({ nodeName }) => nodes.has(nodeName)).map(podKey));
  return before.pods
    .filter((pod) => pod.nodeName !== '' && !isOwnedByDaemonSet(pod) && !isTerminal(pod))
    .filter((pod) => !there.has(podKey(pod)))
    .map((pod) => `${podKey(pod)} has no place`);
}

export interface Step {
  readonly cluster: FragmentedCluster;
  readonly action: ConsolidationAction;
  readonly going: readonly NodeClaim[];
  readonly moved: readonly Pod[];
}

function faultsOf(cluster: FragmentedCluster, action: ConsolidationAction): string[] {
  const { snapshot } = cluster;
  const going = snapshot.nodeClaims.filter(({ name }) => action.nodeClaims.includes(name));
  const nodes = new Set(going.map(({ status }) => status.nodeName));
  const moved = snapshot.pods.filter(
    (pod) => nodes.has(pod.nodeName) && !isOwnedByDaemonSet(pod) && !isTerminal(pod),
  );
  const step = { cluster, action, going, moved };
  return [
    ...haltFaults(cluster),
    ...nodeFaults(step),
    ...evictionFaults(snapshot, moved),
    ...budgetFaults(cluster, going),
    ...priceFaults(step),
    ...planFaults(step, nodes),
    ...movedOneByOne(cluster, action, moved),
  ];
}

function nodeFaults({ cluster, going, action, moved }: Step): string[] {
  const isKnown = action.nodeClaims.length === going.length;
  const evicted = new Set(action.evicted);
  const areTheirs = moved.length === action.evicted.length && moved.every((pod) => evicted.has(podKey(pod)));
  return [
    ...(isKnown ? [] : ['a node goes that is not there, or goes twice']),
    ...(areTheirs ? [] : ['the pods evicted are not those of the nodes']),
    ...going.flatMap((claim) =>
      reasonsToStay(claim, cluster).map((reason) => `${claim.name} goes though ${reason}`),
    ),
  ];
}

/** What bought nodes have to save of the price of nodes of this Provisioner, in percent. */
function minimumPercent({ provisioners }: ClusterSnapshot, name: string): number {
  const percent = provisioners.find((one) => one.name === name)?.disruption.minimumSavings.percent ?? 0;
  return percent > 0 ? percent : REPLACEMENT_PERCENT;
}

function priceFaults({ cluster, action, going, moved }: Step): string[] {
  const { snapshot, catalogue } = cluster;
  const saved = totalUsdPerHour(snapshot) - totalUsdPerHour(consolidated(snapshot, catalogue, action));
  const goingUsd = going.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
  const sureUsd = goingUsd - action.replacements.reduce((sum, one) => sum + dearestUsd(cluster, one), 0);
  const faults: string[] = [];
  if (saved <= 0 || saved < action.savingUsdPerHour - ROUNDING_USD)
    faults.push(`${saved} saved, ${action.savingUsdPerHour} promised`);
  if (sureUsd < action.savingUsdPerHour - ROUNDING_USD)
    faults.push(`perhaps only ${sureUsd} saved, ${action.savingUsdPerHour} promised`);
  const hurtUsd = evictionsUsd(snapshot, moved, saved);
  if (sureUsd < hurtUsd - ROUNDING_USD) faults.push(`${sureUsd} saved, the evictions cost ${hurtUsd}`);
  const percents = going.map(({ spec }) => minimumPercent(snapshot, spec.provisioner));
  const forLaunchesUsd = action.replacements.length > 0 ? (Math.max(...percents) / 100) * goingUsd : 0;
  if (sureUsd < forLaunchesUsd - ROUNDING_USD)
    faults.push(`${sureUsd} saved by launches, ${forLaunchesUsd} wanted`);
  for (const { name, disruption } of snapshot.provisioners) {
    if (!going.some(({ spec }) => spec.provisioner === name)) continue;
    const { percent, usdPerHour, usdPerHourPerEvictedPod } = disruption.minimumSavings;
    const wanted = Math.max((goingUsd * percent) / 100, usdPerHour, usdPerHourPerEvictedPod * moved.length);
    if (sureUsd < wanted - ROUNDING_USD) faults.push(`${sureUsd} saved, ${name} wants ${wanted}`);
  }
  const isSpot = going.some(({ status }) => status.capacityType === 'spot');
  for (const { capacityType, spec } of action.replacements)
    if (isSpot && capacityType === 'spot' && spec.instanceTypes.length < SPOT_TYPES_LEAST)
      faults.push(`spot is replaced by ${spec.instanceTypes.length} types of spot`);
  return faults;
}

/** What the launch may come to cost: any type listed, in any zone allowed. */
function dearestUsd(
  { catalogue }: FragmentedCluster,
  { spec, capacityType }: ConsolidationAction['replacements'][number],
): number {
  const zones = spec.requirements.find(({ key }) => key === LABEL.zone)?.values;
  const types =
    catalogue.get(spec.provisioner)?.filter(({ name }) => spec.instanceTypes.includes(name)) ?? [];
  const offerings = types.flatMap((type) => type.offerings).filter((one) => one.available);
  const prices = offerings
    .filter((one) => one.capacityType === capacityType && (zones?.includes(one.zone) ?? true))
    .map(({ usdPerHour }) => usdPerHour);
  return Math.max(0, ...prices);
}

/** By the independent check, before the cluster as it is while the nodes are leaving. */
function planFaults({ cluster, action, going, moved }: Step, nodes: ReadonlySet<string>): string[] {
  const { snapshot, catalogue } = cluster;
  const leaving = new Set(going.map(({ name }) => name));
  const nodeClaims = snapshot.nodeClaims.map((claim) =>
    leaving.has(claim.name) ? { ...claim, deletionRequestedAtMs: snapshot.takenAtMs } : claim,
  );
  const isMoved = new Set(moved);
  const pods = snapshot.pods.filter((pod) => !isMoved.has(pod) && !isTerminal(pod));
  const unbound = moved.map((pod) => ({ ...pod, nodeName: '', phase: 'Pending' as const, ready: false }));
  const { replacements, nominations } = action;
  const usdPerHour = replacements.reduce((sum, one) => sum + one.usdPerHour, 0);
  const plan = { nodeClaims: replacements, nominations, refusals: [], usdPerHour, lowerBoundUsdPerHour: 0 };
  const toLeaving = nominations.filter(({ target }) => nodes.has(target.name));
  return [
    ...checkPlan({ ...snapshot, nodeClaims, pods }, catalogue, unbound, plan),
    ...toLeaving.map(({ pod }) => `${pod} goes to a node that goes too`),
  ];
}
