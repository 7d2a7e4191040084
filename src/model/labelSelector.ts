// Label selectors over pods and namespaces.

export interface LabelSelectorExpression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** `matchLabels` are folded into `In` expressions at the door. No expressions: matches everything. */
export interface LabelSelector {
  readonly expressions: readonly LabelSelectorExpression[];
}

/** True when the labels satisfy every expression. A null selector (absent in the manifest) matches nothing. */
export function selectorMatches(
  selector: LabelSelector | null,
  labels: Readonly<Record<string, string>>,
): boolean {
  return selector?.expressions.every((expression) => expressionMatches(expression, labels)) ?? false;
}

function expressionMatches(
  { key, operator, values }: LabelSelectorExpression,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
