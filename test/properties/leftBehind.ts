// Nodes that consolidation should not have come to rest over: their pods fit elsewhere as things are.
import type { InstanceType, Offering } from '../../src/model/instanceType.ts';
import { LABEL } from '../../src/model/labels.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import { aPod } from '../builders.ts';
import type { FragmentedCluster } from './consolidationClusters.ts';
import {
  budgetFaults,
  evictionFaults,
  evictionsUsd,
  haltFaults,
  occupies,
  REPLACEMENT_PERCENT,
  reasonsToStay,
} from './consolidationRules.ts';
import { standingPlaces } from './movedOneByOne.ts';
import { objectionTo, type Place, type Scene } from './oneByOne.ts';

const ROUNDING_USD = 1e-4;

/**
 * The first node that is left behind, in one sentence; null when there is none. What saves less than twice the price of
 * its evictions wrongs nobody when it stays.
 */
export function leftBehind(cluster: FragmentedCluster): string | null {
  const { snapshot } = cluster;
  if (haltFaults(cluster).length > 0 || isDraining(cluster)) return null;
  const counted = snapshot.pods.filter((pod) => pod.nodeName !== '' && occupies(pod));
  for (const claim of snapshot.nodeClaims) {
    const pods = counted.filter(({ nodeName }) => nodeName === claim.status.nodeName);
    if (pods.length === 0 || pods.some(isSpread) || !mayGo(cluster, claim, pods)) continue;
    const wanted = Math.max(2 * evictionsUsd(snapshot, pods, 0), wantedUsd(cluster, claim, pods.length));
    if ((claim.status.usdPerHour ?? 0) <= wanted) continue;
    if (fitElsewhere(cluster, claim, pods))
      return `${claim.name} stays though its ${pods.length} pods fit on other nodes, which saves more than ${wanted}`;
    const cheaper = cheaperType(cluster, claim, { pods, wanted });
    if (cheaper !== null)
      return `${claim.name} stays though a ${cheaper} holds its pods, which saves more than ${wanted}`;
  }
  return null;
}

/** Where there is a choice of domains, the packer levels them first, and may buy a node for it. */
function isSpread({ spec }: Pod): boolean {
  return spec.topologySpread.some(({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule');
}

function isDraining({ snapshot: { nodeClaims } }: FragmentedCluster): boolean {
  return nodeClaims.some(({ deletionRequestedAtMs }) => deletionRequestedAtMs !== null);
}

function mayGo(cluster: FragmentedCluster, claim: NodeClaim, pods: readonly Pod[]): boolean {
  return (
    reasonsToStay(claim, cluster).length === 0 &&
    evictionFaults(cluster.snapshot, pods).length === 0 &&
    budgetFaults(cluster, [claim]).length === 0
  );
}

/**
 * A type on sale that holds all pods of the node at so much less; null when there is none. Not looked for where more
 * than the pods decides: spot is replaced by long lists only, and limits count what goes as well.
 */
function cheaperType(
  { snapshot, catalogue }: FragmentedCluster,
  claim: NodeClaim,
  { pods, wanted }: { readonly pods: readonly Pod[]; readonly wanted: number },
): string | null {
  const { spec, status } = claim;
  const owner = snapshot.provisioners.find(({ name }) => name === spec.provisioner);
  if (owner === undefined || owner.limits !== null || status.capacityType === 'spot') return null;
  const usd = status.usdPerHour ?? 0;
  const { percent } = owner.disruption.minimumSavings;
  const most =
    usd - Math.max(wanted, (usd * (percent > 0 ? percent : REPLACEMENT_PERCENT)) / 100) - ROUNDING_USD;
  for (const type of catalogue.get(owner.name) ?? [])
    for (const offering of type.offerings) {
      if (!offering.available || offering.usdPerHour > most || !sells(owner, offering)) continue;
      const place = newPlaceOf(owner, type, offering);
      for (const { spec: daemon } of snapshot.daemonSets)
        if (owner.taints.length === 0 || daemon.tolerations.length > 0)
          place.pods.push(aPod({ name: 'daemon', spec: daemon }));
      const standing = standingPlaces(snapshot, { nodeClaims: [claim.name] }, pods);
      if (fit(pods, [place], { places: [...standing, place], snapshot })) return type.name;
    }
  return null;
}

/** By its requirements, of which all are `In` or `NotIn` here. */
function sells({ requirements }: Provisioner, { zone, capacityType }: Offering): boolean {
  return requirements.every(({ key, operator, values }) => {
    if (key !== LABEL.zone && key !== LABEL.capacityType) return true;
    return values.includes(key === LABEL.zone ? zone : capacityType) === (operator === 'In');
  });
}

function newPlaceOf(owner: Provisioner, type: InstanceType, { zone, capacityType }: Offering): Place {
  const ofType = type.requirements.map(({ key, values: [value = ''] }) => [key, value] as const);
  const labels = {
    ...Object.fromEntries(ofType),
    ...owner.labels,
    [LABEL.zone]: zone,
    [LABEL.capacityType]: capacityType,
    [LABEL.hostname]: 'new',
  };
  const { taints } = owner;
  return {
    name: 'new',
    labels,
    taints,
    allocatable: type.allocatable,
    isOpen: true,
    attachable: null,
    pods: [],
  };
}

function wantedUsd({ snapshot }: FragmentedCluster, { spec }: NodeClaim, evicted: number): number {
  const owner = snapshot.provisioners.find(({ name }) => name === spec.provisioner);
  const { usdPerHour = 0, usdPerHourPerEvictedPod = 0 } = owner?.disruption.minimumSavings ?? {};
  return Math.max(usdPerHour, usdPerHourPerEvictedPod * evicted);
}

function fitElsewhere({ snapshot }: FragmentedCluster, claim: NodeClaim, pods: readonly Pod[]): boolean {
  const places: Place[] = standingPlaces(snapshot, { nodeClaims: [claim.name] }, pods).map((place) => ({
    ...place,
    pods: [...place.pods],
  }));
  return fit(pods, places, { places, snapshot });
}

/** Largest first, each where it fits first: who finds a way so simply has found one. Leaves the pods there. */
function fit(pods: readonly Pod[], choice: readonly Place[], scene: Scene): boolean {
  const cpu = ({ spec }: Pod): number => spec.requests.cpu ?? 0;
  const order = [...pods].sort(
    (left, right) => cpu(right) - cpu(left) || (podKey(left) < podKey(right) ? -1 : 1),
  );
  return order.every((pod) => {
    const place = choice.find((one) => objectionTo(pod, one, scene) === null);
    place?.pods.push(pod);
    return place !== undefined;
  });
}
