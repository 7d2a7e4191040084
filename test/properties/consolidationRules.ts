// What consolidation must leave alone, reckoned by hand from what was drawn: nodes, pods, budgets, whole clusters.
import { selectorMatches } from '../../src/model/labelSelector.ts';
import { ANNOTATION } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { isOwnedByDaemonSet, isTerminal, type Pod, podKey } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { Daily, DrawnBudget, FragmentedCluster } from './consolidationClusters.ts';

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
const MINUTE_MS = 60_000;
const USUAL_PERCENT = 10;

/** When nothing at all may be done. */
export function haltFaults({
  snapshot: { pods, nodes, nodeClaims, takenAtMs },
}: FragmentedCluster): string[] {
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

/** Why the node of the claim is to be left alone, each with `it` or `its`. */
export function reasonsToStay(
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

/** Why these pods may not be evicted, in sentences. */
export function evictionFaults(snapshot: ClusterSnapshot, moved: readonly Pod[]): string[] {
  const faults: string[] = [];
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

/** Budgets of Provisioners that are passed when these go. */
export function budgetFaults(
  { snapshot, budgets }: FragmentedCluster,
  going: readonly NodeClaim[],
): string[] {
  const hour = Math.floor(snapshot.takenAtMs / HOUR_MS) % DAY_HOURS;
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  const isLost = ({ deletionRequestedAtMs, status }: NodeClaim): boolean =>
    deletionRequestedAtMs !== null ||
    nodes.get(status.nodeName)?.conditions.some(({ status: ready }) => ready !== 'True') === true;
  return snapshot.provisioners.flatMap(({ name }: Provisioner) => {
    // Nodes that never came up count neither as there nor as lost.
    const all = snapshot.nodeClaims.filter(
      ({ spec, status }) => spec.provisioner === name && status.conditions.length > 0,
    );
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

/** Runs, and is evicted when its node is drained. */
export function occupies(pod: Pod): boolean {
  return !isTerminal(pod) && !isOwnedByDaemonSet(pod);
}

/** What bought nodes have to save of the price of those that go, where a Provisioner does not say. */
export const REPLACEMENT_PERCENT = 25;
/** What evictions are worth: of what a pod costs on average afterwards. */
const EVICTION_SHARE = 0.25;

/**
 * What evicting these pods costs by the documentation, in USD per hour: at least so much has to be saved.
 * @param savedUsd by how much the nodes cost less afterwards
 */
export function evictionsUsd(
  { pods, nodeClaims }: ClusterSnapshot,
  evicted: readonly Pod[],
  savedUsd: number,
): number {
  const counted = pods.filter((pod) => pod.nodeName !== '' && occupies(pod)).length;
  const wholeUsd = nodeClaims.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
  const hurts = evicted.map(({ annotations, spec }) => {
    const cost = Number(annotations['controller.kubernetes.io/pod-deletion-cost'] ?? 0) / 2 ** 27;
    return Math.min(10, Math.max(0.1, 1 + cost + spec.priority / 2 ** 25));
  });
  return (
    (EVICTION_SHARE * (wholeUsd - savedUsd) * hurts.reduce((sum, hurt) => sum + hurt, 0)) /
    Math.max(1, counted)
  );
}
