// Which node labels a pod accepts, one condition at a time, as the kube-scheduler's NodeAffinity filter reads them.
import { LABEL, normalizeLabel } from '../../model/labels.ts';
import type { NodeSelectorTerm, PodSpec } from '../../model/pod.ts';
import type { Requirement } from '../../model/requirement.ts';

export type Labels = Readonly<Record<string, string>>;

/** The value of a label under its modern or its deprecated name. */
export function labelValue(labels: Labels, key: string): string | undefined {
  return labels[key] ?? labels[normalizeLabel(key)];
}

/** True when the labels meet one condition. Source: Kubernetes, "Assigning Pods to Nodes", operators. */
export function meetsRequirement(requirement: Requirement, labels: Labels): boolean {
  const value = labelValue(labels, requirement.key);
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && requirement.values.includes(value);
    case 'NotIn':
      return value === undefined || !requirement.values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return isInteger(value) && Number(value) > Number(requirement.values[0]);
    case 'Lt':
      return isInteger(value) && Number(value) < Number(requirement.values[0]);
  }
}

/** True when one of the ORed terms holds. A term that names a node by field, or says nothing, holds nowhere. */
export function meetsAnyTerm(terms: readonly NodeSelectorTerm[], labels: Labels): boolean {
  return terms.some(
    (term) =>
      !term.matchFields &&
      term.requirements.length > 0 &&
      term.requirements.every((requirement) => meetsRequirement(requirement, labels)),
  );
}

/** True when node selector and required node affinity of the pod accept the labels. */
export function acceptsLabels(spec: PodSpec, labels: Labels): boolean {
  for (const key in spec.nodeSelector) {
    if (labelValue(labels, key) !== spec.nodeSelector[key]) return false;
  }
  return spec.nodeAffinity === null || meetsAnyTerm(spec.nodeAffinity, labels);
}

/** Label keys that decide anything for the pod: those that it selects nodes by or spreads over. */
export function keysOf(spec: PodSpec): string[] {
  const required = (spec.nodeAffinity ?? []).flatMap((term) => term.requirements.map(({ key }) => key));
  const terms = [...spec.podAffinity, ...spec.podAntiAffinity, ...spec.topologySpread];
  const keys = [
    ...Object.keys(spec.nodeSelector),
    ...required,
    ...terms.map(({ topologyKey }) => topologyKey),
  ];
  return keys.map(normalizeLabel).filter((key) => key !== LABEL.hostname);
}

function isInteger(value: string | undefined): boolean {
  return value !== undefined && /^-?\d+$/.test(value);
}
