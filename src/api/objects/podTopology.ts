// Conditions on other pods: affinity, anti-affinity and topology spread.
import { normalizeLabel } from '../../model/labels.ts';
import type { PodAffinityTerm, PreferredPodAffinityTerm, TopologySpreadConstraint } from '../../model/pod.ts';
import type { Problem } from '../parsed.ts';
import { foldLabelKeys, readLabelSelector } from './labelSelector.ts';
import { numberIn, objectIn, objectsIn, type Raw, textIn, textsIn } from './raw.ts';
import type { ReadingPlace } from './resourceList.ts';

/** Where the terms stand, and the labels of the pod that carries them. */
export interface TopologyPlace extends ReadingPlace {
  readonly labels: Readonly<Record<string, string>>;
}

/** Required terms of `podAffinity` or `podAntiAffinity`. */
export function readPodAffinity(affinity: Raw | null, place: TopologyPlace): PodAffinityTerm[] {
  const field = 'requiredDuringSchedulingIgnoredDuringExecution';
  return objectsIn(affinity, field).flatMap((raw, index) => {
    const term = readAffinityTerm(raw, { ...place, path: `${place.path}.${field}[${index}]` });
    return term === null ? [] : [term];
  });
}

/** Preferred terms of `podAffinity` or `podAntiAffinity`; those without weight sway nothing and are left out. */
export function readPreferredPodAffinity(
  affinity: Raw | null,
  place: TopologyPlace,
): PreferredPodAffinityTerm[] {
  const field = 'preferredDuringSchedulingIgnoredDuringExecution';
  return objectsIn(affinity, field).flatMap((raw, index) => {
    const weight = numberIn(raw, 'weight') ?? 0;
    const inner = objectIn(raw, 'podAffinityTerm');
    if (inner === null || weight <= 0) return [];
    const path = `${place.path}.${field}[${index}].podAffinityTerm`;
    const term = readAffinityTerm(inner, { ...place, path });
    return term === null ? [] : [{ weight, term }];
  });
}

function readAffinityTerm(raw: Raw, place: TopologyPlace): PodAffinityTerm | null {
  const topologyKey = textIn(raw, 'topologyKey');
  if (topologyKey === '') {
    place.problems.push(missingTopologyKey(place.path));
    return null;
  }
  const written = readLabelSelector(raw.labelSelector, at(place, 'labelSelector'));
  const matched = foldLabelKeys(written, textsIn(raw, 'matchLabelKeys'), 'In', place.labels);
  return {
    selector: foldLabelKeys(matched, textsIn(raw, 'mismatchLabelKeys'), 'NotIn', place.labels),
    topologyKey: normalizeLabel(topologyKey),
    namespaces: textsIn(raw, 'namespaces'),
    namespaceSelector: readLabelSelector(raw.namespaceSelector, at(place, 'namespaceSelector')),
  };
}

/** Spread constraints with defaults: one domain at least, node affinity honoured, taints ignored. */
export function readTopologySpread(spec: Raw, place: TopologyPlace): TopologySpreadConstraint[] {
  const field = 'topologySpreadConstraints';
  return objectsIn(spec, field).flatMap((raw, index) => {
    const here = { ...place, path: `${place.path}.${field}[${index}]` };
    const topologyKey = textIn(raw, 'topologyKey');
    if (topologyKey === '') {
      place.problems.push(missingTopologyKey(here.path));
      return [];
    }
    const written = readLabelSelector(raw.labelSelector, at(here, 'labelSelector'));
    return [
      {
        topologyKey: normalizeLabel(topologyKey),
        maxSkew: Math.max(1, numberIn(raw, 'maxSkew') ?? 1),
        minDomains: Math.max(1, numberIn(raw, 'minDomains') ?? 1),
        whenUnsatisfiable: raw.whenUnsatisfiable === 'ScheduleAnyway' ? 'ScheduleAnyway' : 'DoNotSchedule',
        selector: foldLabelKeys(written, textsIn(raw, 'matchLabelKeys'), 'In', place.labels),
        nodeAffinityPolicy: raw.nodeAffinityPolicy === 'Ignore' ? 'Ignore' : 'Honor',
        nodeTaintsPolicy: raw.nodeTaintsPolicy === 'Honor' ? 'Honor' : 'Ignore',
      },
    ];
  });
}

function at(place: ReadingPlace, field: string): ReadingPlace {
  return { path: `${place.path}.${field}`, problems: place.problems };
}

function missingTopologyKey(path: string): Problem {
  return {
    field: `${path}.topologyKey`,
    problem: 'is missing',
    mend: 'name a node label, such as topology.kubernetes.io/zone',
  };
}
