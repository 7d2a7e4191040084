// One condition on a label, as users write it in node affinity and Provisioner requirements.

export type NodeSelectorOperator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';

/** Values are strings as on labels; Gt and Lt hold exactly one non-negative integer. */
export interface Requirement {
  readonly key: string;
  readonly operator: NodeSelectorOperator;
  readonly values: readonly string[];
  /** How many distinct values must stay allowed for a launch (Provisioner requirements only). */
  readonly minValues?: number;
}

/** A requirement per label: `key In [value]`, sorted by key. */
export function requirementsFromLabels(labels: Readonly<Record<string, string>>): readonly Requirement[] {
  return Object.keys(labels)
    .sort()
    .map((key) => ({ key, operator: 'In', values: [labels[key] ?? ''] }));
}

/** The labels that requirements pin down: those that are `In` with a single value. */
export function labelsFromRequirements(
  requirements: readonly Requirement[],
): Readonly<Record<string, string>> {
  const fixed = requirements.filter(({ operator, values }) => operator === 'In' && values.length === 1);
  return Object.fromEntries(fixed.map(({ key, values }) => [key, values[0] ?? '']));
}
