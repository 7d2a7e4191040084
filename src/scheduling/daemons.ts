// What daemons take from each instance type, before any pod is placed.
import type { PodSpec } from '../model/pod.ts';
import type { RequirementSet } from '../model/requirementSet.ts';
import { untoleratedTaint } from '../model/taint.ts';
import type { DaemonSet } from '../model/workloads.ts';
import { type Bits, hasBit, noBits, unionBits } from './bits.ts';
import { type CompiledProvisioner, labelConflict, offersAllowing } from './compiledProvisioner.ts';
import { addScaled, type ResourceAxis, toVector, type Vector } from './resourceAxis.ts';
import { requirementAlternatives } from './terms.ts';

/** Types by index: what their daemons ask for. */
export interface DaemonOverhead {
  readonly byType: readonly Vector[];
  /** Daemons that hold host ports, with the offers on whose nodes they run. */
  readonly holdingPorts: readonly { readonly spec: PodSpec; readonly offers: Bits }[];
}

/**
 * Sums the requests of every DaemonSet that would run on a node of the type. Where a daemon may run on some
 * offerings of a type only, it is counted on all of them: a node must hold what may come.
 */
export function daemonOverhead(
  compiled: CompiledProvisioner,
  daemonSets: readonly DaemonSet[],
  axis: ResourceAxis,
): DaemonOverhead {
  const byType = compiled.types.map(() => new Float64Array(axis.size));
  const holdingPorts: { spec: PodSpec; offers: Bits }[] = [];
  for (const { spec } of daemonSets) {
    if (untoleratedTaint(compiled.provisioner.taints, spec.tolerations) !== null) continue;
    const offers = daemonOffers(compiled, requirementAlternatives(spec, []));
    const requests = toVector(axis, spec.requests);
    const counted = noBits(compiled.types.length);
    for (const [id, offer] of compiled.offers.entries()) {
      if (!hasBit(offers, id) || hasBit(counted, offer.type)) continue;
      const word = offer.type >>> 5;
      counted[word] = (counted[word] ?? 0) | (1 << (offer.type & 31));
      const sum = byType[offer.type];
      if (sum !== undefined) addScaled(sum, requests, 1);
    }
    if (spec.hostPorts.length > 0) holdingPorts.push({ spec, offers });
  }
  return { byType, holdingPorts };
}

function daemonOffers(compiled: CompiledProvisioner, alternatives: readonly RequirementSet[]): Bits {
  let offers = noBits(compiled.offers.length);
  for (const conditions of alternatives) {
    if (labelConflict(compiled, conditions) === null) {
      offers = unionBits(offers, offersAllowing(compiled, conditions));
    }
  }
  return offers;
}
