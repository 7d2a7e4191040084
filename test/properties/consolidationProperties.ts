// What must hold of every consolidation, from its first step until nothing pays any more.
import { consolidate } from '../../src/disruption/consolidation.ts';
import { decided } from '../../src/disruption/consolidationSearch.ts';
import type { ConsolidationAction } from '../../src/model/consolidation.ts';
import { selectorMatches } from '../../src/model/labelSelector.ts';
import { ANNOTATION, LABEL } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { isOwnedByDaemonSet, isTerminal, type Pod, podKey } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { consolidated, totalUsdPerHour } from '../disruption/consolidated.ts';
import {
  type Daily,
  type DrawnBudget,
  type FragmentedCluster,
  withDaemons,
} from './consolidationClusters.ts';
import { movedOneByOne } from './movedOneByOne.ts';

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
const MINUTE_MS = 60_000;
const STEPS_MOST = 100;
const TRIALS_MOST = 80;
const SPOT_TYPES_LEAST = 15;
const USUAL_PERCENT = 10;
const ROUNDING_USD = 1e-6;
/** Windows and durations end meanwhile: whoever rests is asked again after so many hours. */
const LATER_HOURS = [5, 11];

export interface Outcome {
  /** In sentences; none when all is well. */
  readonly faults: readonly string[];
  readonly actions: number;
}

/** Consolidates to the end, and looks at each step. */
export function consolidationFaults(first: FragmentedCluster): Outcome {
  let cluster = first;
  const later = [...LATER_HOURS];
  for (let actions = 0; actions < STEPS_MOST; ) {
    const { action, trials } = decided(consolidate(cluster));
    if (trials > TRIALS_MOST + 1) return { faults: [`${trials} plans were made for one decision`], actions };
    if (action === null) {
      const hours = later.shift();
      if (hours === undefined) return { faults: [], actions };
      cluster = waited(cluster, hours);
      continue;
    }
    const faults = faultsOf(cluster, action);
    if (faults.length > 0) return { faults, actions };
    const next = afterwards(cluster, action);
    const lost = lostPods(cluster.snapshot, next);
    if (lost.length > 0) return { faults: lost, actions };
    cluster = waited({ ...cluster, snapshot: next }, 1);
    actions += 1;
  }
  return { faults: ['it does not come to rest'], actions: STEPS_MOST };
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
    ...podFaults(step),
    ...budgetFaults(step),
    ...priceFaults(step),
    ...planFaults(step, nodes),
    ...movedOneByOne(cluster, action, moved),
  ];
}

/** When nothing at all may be done. */
function haltFaults({ snapshot: { pods, nodes, nodeClaims, takenAtMs } }: FragmentedCluster): string[] {
  const isWaiting = ({ nodeName, schedulingGated, createdAtMs, phase }: Pod): boolean =>
    nodeName === '' && !schedulingGated && phase === 'Pending' && takenAtMs - createdAtMs < 10 * MINUTE_MS;
  const isRising = ({ status, deletionRequestedAtMs }: NodeClaim): boolean =>
    status.conditions.length === 0 && deletionRequestedAtMs === null;
  const unready = nodes.filter(({ conditions }) => conditions.some(({ status }) => status !== 'True')).length;
  return [
    ...(pods.some(isWaiting) ? ['nodes go while a pod waits'] : []),
    ...(unready * 5 > nodes.length ? ['nodes go while many are not ready'] : []),
    ...(nodeClaims.some(isRising) ? ['nodes go while one rises'] : []),
  ];
}

/** Nodes that are to be left alone, and why. */
function nodeFaults({ cluster, going, action }: Step): string[] {
  const isKnown = action.nodeClaims.length === going.length;
  return [
    ...(isKnown ? [] : ['a node goes that is not there, or goes twice']),
    ...going.flatMap((claim) =>
      reasonsToStay(claim, cluster).map((reason) => `${claim.name} goes though ${reason}`),
    ),
  ];
}

function reasonsToStay(
  { name, spec, status, deletionRequestedAtMs }: NodeClaim,
  { snapshot, view }: FragmentedCluster,
): string[] {
  const { takenAtMs } = snapshot;
  const node = snapshot.nodes.find((one) => one.name === status.nodeName);
  const provisioner = snapshot.provisioners.find((one) => one.name === spec.provisioner);
  if (node === undefined || provisioner === undefined) return ['it has no node or no Provisioner'];
  const { consolidation, minimumNodeAgeMs, consolidateAfterMs } = provisioner.disruption;
  const changedMs = view.podsChangedAtMs.get(node.name) ?? 0;
  const reasons: readonly (readonly [boolean, string])[] = [
    [consolidation !== 'WhenEmptyOrUnderutilized', 'its Provisioner consolidates no nodes in use'],
    [provisioner.suspended, 'its Provisioner is suspended'],
    [node.conditions.some(({ status: ready }) => ready !== 'True'), 'it is not ready'],
    [node.unschedulable || deletionRequestedAtMs !== null, 'it is cordoned, or goes already'],
    [isMarked(node, takenAtMs), 'it is marked'],
    [takenAtMs - node.createdAtMs < minimumNodeAgeMs, 'it is too young'],
    [takenAtMs - changedMs < consolidateAfterMs, 'its pods have changed'],
    [(view.nominatedUntilMs.get(node.name) ?? 0) > takenAtMs, 'pods are on their way'],
    [view.leftAlone?.has(name) === true, 'it is left alone'],
    [status.usdPerHour === null, 'its price is not known'],
  ];
  return reasons.flatMap(([holds, reason]) => (holds ? [reason] : []));
}

function isMarked({ annotations, createdAtMs }: Node, nowMs: number): boolean {
  if (annotations[ANNOTATION.doNotConsolidate] === 'true') return true;
  return nowMs < createdAtMs + durationMs(annotations[ANNOTATION.doNotDisrupt]);
}

/** As they are drawn: `5h30m`. */
function durationMs(text: string | undefined): number {
  return text === undefined ? 0 : Number.parseInt(text, 10) * HOUR_MS + 30 * MINUTE_MS;
}

function podFaults({ cluster: { snapshot }, action, moved }: Step): string[] {
  const faults: string[] = [];
  const evicted = new Set(action.evicted);
  if (moved.length !== action.evicted.length || moved.some((pod) => !evicted.has(podKey(pod))))
    faults.push('the pods evicted are not those of the nodes');
  for (const pod of moved) {
    const { annotations, createdAtMs, owner, deletionRequestedAtMs, spec } = pod;
    if (owner === null) faults.push(`${podKey(pod)} has no owner`);
    if (deletionRequestedAtMs !== null) faults.push(`${podKey(pod)} is terminating`);
    if (annotations[ANNOTATION.doNotEvict] === 'true') faults.push(`${podKey(pod)} opts out`);
    if (snapshot.takenAtMs < createdAtMs + durationMs(annotations[ANNOTATION.doNotDisrupt]))
      faults.push(`${podKey(pod)} opts out for a while`);
    if (spec.tolerations.some(({ key, effect }) => key === '' && effect === null))
      faults.push(`${podKey(pod)} would end with its node`);
  }
  for (const { namespace, name, selector, disruptionsAllowed } of snapshot.disruptionBudgets) {
    const covered = moved.filter(
      (pod) => pod.namespace === namespace && selectorMatches(selector, pod.labels),
    );
    if (covered.length > disruptionsAllowed)
      faults.push(`${name} allows ${disruptionsAllowed}, ${covered.length} are evicted`);
    if (covered.length > 0 && name.endsWith('-more')) faults.push(`pods under two budgets are evicted`);
  }
  return faults;
}

function budgetFaults({ cluster: { snapshot, budgets }, going }: Step): string[] {
  const hour = Math.floor(snapshot.takenAtMs / HOUR_MS) % DAY_HOURS;
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  const isLost = ({ deletionRequestedAtMs, status }: NodeClaim): boolean =>
    deletionRequestedAtMs !== null ||
    nodes.get(status.nodeName)?.conditions.some(({ status: ready }) => ready !== 'True') === true;
  return snapshot.provisioners.flatMap(({ name }: Provisioner) => {
    const all = snapshot.nodeClaims.filter(({ spec }) => spec.provisioner === name);
    const gone = going.filter(({ spec }) => spec.provisioner === name).length;
    const most = mostAtOnce(budgets.get(name) ?? [], all.length, hour);
    const lost = all.filter(isLost).length;
    return gone > 0 && gone + lost > most
      ? [`${gone} of ${all.length} nodes of ${name} go, ${lost} are lost, ${most} may`]
      : [];
  });
}

/** By hand: windows open at a full hour, and decisions are made at full hours. */
function mostAtOnce(budgets: readonly DrawnBudget[], nodes: number, hour: number): number {
  if (budgets.length === 0) return Math.ceil((nodes * USUAL_PERCENT) / 100);
  const isOpen = ({ startHour, hours }: Daily): boolean => (hour - startHour + DAY_HOURS) % DAY_HOURS < hours;
  const maintenance = budgets.flatMap(({ daily, onlyWithin }) =>
    onlyWithin && daily !== null ? [daily] : [],
  );
  if (maintenance.length > 0 && !maintenance.some(isOpen)) return 0;
  const amounts = budgets
    .filter(({ daily }) => daily === null || isOpen(daily))
    .map(({ nodes: { kind, amount } }) => (kind === 'count' ? amount : Math.ceil((nodes * amount) / 100)));
  return Math.min(Number.POSITIVE_INFINITY, ...amounts);
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
