// Whether anything in play counts by a wider domain than the node: then it matters which zone a node comes up in.
import { LABEL } from '../model/labels.ts';
import type { Pod, PodSpec } from '../model/pod.ts';

const known = new WeakMap<PodSpec, boolean>();

/**
 * True when a pod to place has a spread, affinity or anti-affinity over zones or the like, or a running pod has
 * anti-affinity of that kind. Preferences do not count.
 */
export function zonesMatter(pods: readonly Pod[], running: readonly { readonly spec: PodSpec }[]): boolean {
  return pods.some(({ spec }) => isZonal(spec)) || running.some(({ spec }) => isZonal(spec));
}

function isZonal(spec: PodSpec): boolean {
  const held = known.get(spec);
  if (held !== undefined) return held;
  const wide = ({ topologyKey }: { readonly topologyKey: string }): boolean => topologyKey !== LABEL.hostname;
  const zonal =
    spec.podAffinity.some(wide) ||
    spec.podAntiAffinity.some(wide) ||
    spec.topologySpread.some((one) => wide(one) && one.whenUnsatisfiable === 'DoNotSchedule');
  known.set(spec, zonal);
  return zonal;
}
