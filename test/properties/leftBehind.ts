// Nodes that consolidation should not have come to rest over: their pods fit elsewhere as things are.
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { type Pod, podKey } from '../../src/model/pod.ts';
import type { FragmentedCluster } from './consolidationClusters.ts';
import {
  budgetFaults,
  evictionFaults,
  evictionsUsd,
  haltFaults,
  occupies,
  reasonsToStay,
} from './consolidationRules.ts';
import { standingPlaces } from './movedOneByOne.ts';
import { objectionTo, type Place } from './oneByOne.ts';

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
    const wanted = Math.max(2 * evictionsUsd(snapshot, pods), wantedUsd(cluster, claim, pods.length));
    if ((claim.status.usdPerHour ?? 0) <= wanted) continue;
    if (fitElsewhere(cluster, claim, pods))
      return `${claim.name} stays though its ${pods.length} pods fit on other nodes, which saves more than ${wanted}`;
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

function wantedUsd({ snapshot }: FragmentedCluster, { spec }: NodeClaim, evicted: number): number {
  const owner = snapshot.provisioners.find(({ name }) => name === spec.provisioner);
  const { usdPerHour = 0, usdPerHourPerEvictedPod = 0 } = owner?.disruption.minimumSavings ?? {};
  return Math.max(usdPerHour, usdPerHourPerEvictedPod * evicted);
}

/** Largest first, each where it fits first: who finds a way so simply has found one. */
function fitElsewhere({ snapshot }: FragmentedCluster, claim: NodeClaim, pods: readonly Pod[]): boolean {
  const places: Place[] = standingPlaces(snapshot, { nodeClaims: [claim.name] }, pods).map((place) => ({
    ...place,
    pods: [...place.pods],
  }));
  const cpu = ({ spec }: Pod): number => spec.requests.cpu ?? 0;
  const order = [...pods].sort(
    (left, right) => cpu(right) - cpu(left) || (podKey(left) < podKey(right) ? -1 : 1),
  );
  return order.every((pod) => {
    const place = places.find((one) => objectionTo(pod, one, { places, snapshot }) === null);
    place?.pods.push(pod);
    return place !== undefined;
  });
}
