// What a Provisioner asks for where its manifest is silent.
import { LABEL, normalizeLabel } from '../model/labels.ts';
import type { Requirement } from '../model/requirement.ts';

/** Constraints on any of these say what types are wanted, so the general-purpose families are not added. */
const TYPE_LABELS = [
  LABEL.instanceType,
  LABEL.instanceFamily,
  LABEL.instanceCategory,
  LABEL.instanceGeneration,
] as const;

const SINGLE_DEFAULTS: readonly Requirement[] = [
  { key: LABEL.os, operator: 'In', values: ['linux'] },
  { key: LABEL.arch, operator: 'In', values: ['amd64'] },
  { key: LABEL.capacityType, operator: 'In', values: ['on-demand'] },
];

const GENERAL_PURPOSE: readonly Requirement[] = [
  { key: LABEL.instanceCategory, operator: 'In', values: ['c', 'm', 'r'] },
  { key: LABEL.instanceGeneration, operator: 'Gt', values: ['2'] },
];

/**
 * Requirements to add, as Karpenter v0.19 to v0.32 added them: on-demand, amd64 and linux where neither a
 * requirement nor a label of the Provisioner speaks of that, with whatever operator; and families c, m and r
 * above generation 2 where none speaks of the instance type, family, category or generation. Other labels
 * (size, CPUs, GPUs) do not switch the families off: a Provisioner of GPU types names its families.
 */
export function defaultRequirements(
  requirements: readonly Requirement[],
  labels: Readonly<Record<string, string>>,
): readonly Requirement[] {
  const spokenOf = new Set(
    [...requirements.map(({ key }) => key), ...Object.keys(labels)].map(normalizeLabel),
  );
  const single = SINGLE_DEFAULTS.filter(({ key }) => !spokenOf.has(key));
  return TYPE_LABELS.some((label) => spokenOf.has(label)) ? single : [...single, ...GENERAL_PURPOSE];
}
