// What must hold of every consolidation, from its first step until nothing pays any more.
import { consolidate } from '../../src/disruption/consolidation.ts';
import { decided } from '../../src/disruption/consolidationSearch.ts';
import type { ConsolidationAction } from '../../src/model/consolidation.ts';
import { selectorMatches } from '../../src/model/labelSelector.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { isOwnedByDaemonSet, isTerminal, type Pod, podKey } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { consolidated, QUIET, totalUsdPerHour } from '../disruption/consolidated.ts';
import type { FragmentedCluster } from './consolidationClusters.ts';

const HOUR_MS = 3_600_000;
const STEPS_MOST = 100;
const TRIALS_MOST = 80;
const SPOT_TYPES_LEAST = 15;
const USUAL_PERCENT = 10;
const ROUNDING_USD = 1e-6;

export interface Outcome {
  /** In sentences; none when all is well. */
  readonly faults: readonly string[];
  readonly actions: number;
}

/** Consolidates to the end, and looks at each step. */
export function consolidationFaults({ snapshot: first, catalogue }: FragmentedCluster): Outcome {
  let snapshot = first;
  for (let actions = 0; actions < STEPS_MOST; actions++) {
    const { action, trials } = decided(consolidate({ snapshot, catalogue, view: QUIET }));
    if (trials > TRIALS_MOST + 1) return { faults: [`${trials} plans were made for one decision`], actions };
    if (action === null) return { faults: [], actions };
    const faults = faultsOf({ snapshot, catalogue }, action);
    if (faults.length > 0) return { faults, actions };
    const next = afterwards({ snapshot, catalogue }, action);
    const lost = lostPods(snapshot, next);
    if (lost.length > 0) return { faults: lost, actions };
    snapshot = next;
  }
  return { faults: ['it does not come to rest'], actions: STEPS_MOST };
}

function afterwards(
  { snapshot, catalogue }: FragmentedCluster,
  action: ConsolidationAction,
): ClusterSnapshot {
  const next = consolidated(snapshot, catalogue, action);
  const names = new Set(next.nodes.map(({ name }) => name));
  const pods = next.pods.filter((pod) => !isOwnedByDaemonSet(pod) || names.has(pod.nodeName));
  return { ...next, pods, takenAtMs: snapshot.takenAtMs + HOUR_MS };
}

function lostPods(before: ClusterSnapshot, after: ClusterSnapshot): string[] {
  const nodes = new Set(after.nodes.map(({ name }) => name));
  const there = new Set(after.pods.filter(({ nodeName }) => nodes.has(nodeName)).map(podKey));
  return before.pods
    .filter((pod) => !isOwnedByDaemonSet(pod) && !there.has(podKey(pod)))
    .map((pod) => `${podKey(pod)} has no place`);
}

interface Step {
  readonly cluster: FragmentedCluster;
  readonly action: ConsolidationAction;
  readonly going: readonly NodeClaim[];
  readonly moved: readonly Pod[];
}

function faultsOf(cluster: FragmentedCluster, action: ConsolidationAction): string[] {
  const { snapshot } = cluster;
  const going = snapshot.nodeClaims.filter(({ name }) => action.nodeClaims.includes(name));
  const nodes = new Set(going.map(({ status }) => status.nodeName));
  const moved = snapshot.pods.filter((pod) => nodes.has(pod.nodeName) && !isOwnedByDaemonSet(pod));
  const step = { cluster, action, going, moved };
  return [...podFaults(step), ...budgetFaults(step), ...priceFaults(step), ...planFaults(step, nodes)];
}

function podFaults({ cluster, action, moved }: Step): string[] {
  const faults: string[] = [];
  if (moved.length !== action.evicted.length) faults.push('the pods evicted are not those of the nodes');
  if (moved.some(({ owner }) => owner === null)) faults.push('a pod without an owner is evicted');
  if (moved.some(({ annotations }) => annotations['karpenter.sh/do-not-evict'] === 'true'))
    faults.push('an opt-out is broken');
  for (const { name, selector, disruptionsAllowed } of cluster.snapshot.disruptionBudgets) {
    const covered = moved.filter(({ labels }) => selectorMatches(selector, labels)).length;
    if (covered > disruptionsAllowed)
      faults.push(`${name} allows ${disruptionsAllowed}, ${covered} are evicted`);
  }
  return faults;
}

function budgetFaults({ cluster: { snapshot }, going }: Step): string[] {
  return snapshot.provisioners.flatMap((provisioner) => {
    const owned = (claim: NodeClaim): boolean => claim.spec.provisioner === provisioner.name;
    const all = snapshot.nodeClaims.filter(owned).length;
    const [gone, most] = [going.filter(owned).length, mostAtOnce(provisioner, all)];
    return gone > most ? [`${gone} of ${all} nodes of ${provisioner.name} go, ${most} may`] : [];
  });
}

function mostAtOnce({ disruption: { budgets } }: Provisioner, nodes: number): number {
  const [budget] = budgets;
  if (budget === undefined) return Math.ceil((nodes * USUAL_PERCENT) / 100);
  const { kind, amount } = budget.nodes;
  return kind === 'count' ? amount : Math.ceil((nodes * amount) / 100);
}

function priceFaults({ cluster, action, going, moved }: Step): string[] {
  const { snapshot, catalogue } = cluster;
  const saved = totalUsdPerHour(snapshot) - totalUsdPerHour(consolidated(snapshot, catalogue, action));
  const goingUsd = going.reduce((sum, { status }) => sum + (status.usdPerHour ?? 0), 0);
  const faults: string[] = [];
  if (saved <= 0 || saved < action.savingUsdPerHour - ROUNDING_USD)
    faults.push(`${saved} saved, ${action.savingUsdPerHour} promised`);
  for (const { name, disruption } of snapshot.provisioners) {
    if (!going.some(({ spec }) => spec.provisioner === name)) continue;
    const { percent, usdPerHour, usdPerHourPerEvictedPod } = disruption.minimumSavings;
    const wanted = Math.max((goingUsd * percent) / 100, usdPerHour, usdPerHourPerEvictedPod * moved.length);
    if (saved < wanted - ROUNDING_USD) faults.push(`${saved} saved, ${name} wants ${wanted}`);
  }
  const isSpot = going.some(({ status }) => status.capacityType === 'spot');
  for (const { capacityType, spec } of action.replacements)
    if (isSpot && capacityType === 'spot' && spec.instanceTypes.length < SPOT_TYPES_LEAST)
      faults.push(`spot is replaced by ${spec.instanceTypes.length} types of spot`);
  return faults;
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
