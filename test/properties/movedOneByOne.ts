// The pods of a consolidation's action put where it wants them, one by one, while the old nodes are being drained.
import type { ConsolidationAction } from '../../src/model/consolidation.ts';
import { DISRUPTED_TAINT_KEY, LABEL } from '../../src/model/labels.ts';
import { isTerminal, type Pod, podKey } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { Taint } from '../../src/model/taint.ts';
import { CSI_DRIVER } from './consolidationApps.ts';
import type { FragmentedCluster } from './consolidationClusters.ts';
import { type Place, type Seating, stuckPod } from './oneByOne.ts';

const LEAVING: Taint = { key: DISRUPTED_TAINT_KEY, value: '', effect: 'NoSchedule' };

/**
 * Faults in sentences. New nodes are looked at as what they are stated to be, and as the first and the last thing
 * that they may become.
 */
export function movedOneByOne(
  cluster: FragmentedCluster,
  action: ConsolidationAction,
  moved: readonly Pod[],
): string[] {
  const outcomes: readonly Outcome[] =
    action.replacements.length === 0 ? ['stated'] : ['stated', 'first', 'last'];
  for (const outcome of outcomes) {
    const places = [...standingPlaces(cluster.snapshot, action, moved)];
    const seatings: Seating[] = [];
    const byKey = new Map(moved.map((pod) => [podKey(pod), pod]));
    const seat = (key: string, place: Place | undefined): string | null => {
      const pod = byKey.get(key);
      if (pod === undefined || place === undefined) return `${key} is sent nowhere`;
      byKey.delete(key);
      seatings.push({ pod: { ...pod, nodeName: '' }, place });
      return null;
    };
    for (const [at, replacement] of action.replacements.entries()) {
      const place = newPlace(cluster, replacement, { name: `new-${at}`, outcome });
      if (place === null) return [`replacement ${at} can be no type on sale`];
      places.push(place);
      for (const key of replacement.pods) if (seat(key, place) !== null) return [`${key} is no pod to move`];
    }
    const byName = new Map(places.map((place) => [place.name, place]));
    for (const { pod, target } of action.nominations) {
      const problem = seat(pod, byName.get(nodeNamed(cluster.snapshot, target)));
      if (problem !== null) return [problem];
    }
    const [forgotten] = byKey.keys();
    if (forgotten !== undefined) return [`${forgotten} is forgotten`];
    const stuck = stuckPod({ places, snapshot: cluster.snapshot }, seatings);
    if (stuck !== null) return [`one by one, new nodes as ${outcome}: ${stuck}`];
  }
  return [];
}

type Outcome = 'stated' | 'first' | 'last';

function nodeNamed(
  { nodeClaims }: ClusterSnapshot,
  target: ConsolidationAction['nominations'][number]['target'],
): string {
  if (target.kind === 'node') return target.name;
  return nodeClaims.find(({ name }) => name === target.name)?.status.nodeName ?? '';
}

/** Nodes as they are once those that go are cordoned and empty of all that moves. */
export function standingPlaces(
  { nodes, nodeClaims, pods, csiNodes }: ClusterSnapshot,
  action: Pick<ConsolidationAction, 'nodeClaims'>,
  moved: readonly Pod[],
): Place[] {
  const isMoved = new Set(moved);
  const there = Map.groupBy(
    pods.filter((pod) => !isMoved.has(pod) && !isTerminal(pod)),
    ({ nodeName }) => nodeName,
  );
  return nodes.map((node): Place => {
    const { name, labels, taints, allocatable, unschedulable } = node;
    const claim = nodeClaims.find(({ status }) => status.nodeName === name);
    const goes = claim !== undefined && action.nodeClaims.includes(claim.name);
    const isLeaving = (claim?.deletionRequestedAtMs ?? node.deletionRequestedAtMs) !== null;
    return {
      ...{ name, labels: { ...labels, [LABEL.hostname]: name }, allocatable },
      taints: goes ? [...taints, LEAVING] : taints,
      isOpen: !goes && !isLeaving && !unschedulable,
      attachable: csiNodes.find((one) => one.name === name)?.volumeLimits[CSI_DRIVER] ?? null,
      pods: there.get(name) ?? [],
    };
  });
}

/** Null when the launch cannot become anything that is on sale. */
function newPlace(
  { catalogue, snapshot }: FragmentedCluster,
  { spec, instanceType, zone, capacityType }: ConsolidationAction['replacements'][number],
  { name, outcome }: { readonly name: string; readonly outcome: Outcome },
): Place | null {
  const allows = (key: string, value: string): boolean =>
    spec.requirements.every((one) => one.key !== key || one.operator !== 'In' || one.values.includes(value));
  const types = (catalogue.get(spec.provisioner) ?? []).filter((type) =>
    spec.instanceTypes.includes(type.name),
  );
  const offers = types.flatMap((type) =>
    type.offerings
      .filter(
        (one) =>
          one.available && allows(LABEL.zone, one.zone) && allows(LABEL.capacityType, one.capacityType),
      )
      .map((one) => ({ type, zone: one.zone, capacityType: one.capacityType })),
  );
  const offer =
    outcome === 'stated'
      ? offers.find(
          (one) => one.type.name === instanceType && one.zone === zone && one.capacityType === capacityType,
        )
      : offers.at(outcome === 'first' ? 0 : -1);
  if (offer === undefined) return null;
  const labels: Record<string, string> = { ...spec.labels };
  for (const { key, values } of offer.type.requirements) labels[key] = values[0] ?? '';
  labels[LABEL.zone] = offer.zone;
  labels[LABEL.capacityType] = offer.capacityType;
  labels[LABEL.hostname] = name;
  const allocatable = { ...offer.type.allocatable };
  for (const daemon of snapshot.daemonSets) {
    // Daemons are drawn to tolerate everything or nothing.
    if (spec.taints.length > 0 && daemon.spec.tolerations.length === 0) continue;
    for (const [key, asked] of Object.entries(daemon.spec.requests))
      allocatable[key] = (allocatable[key] ?? 0) - asked;
  }
  return { name, labels, taints: spec.taints, allocatable, isOpen: true, attachable: null, pods: [] };
}
