// Label selectors of manifests: matchLabels, matchExpressions, and label keys that name the pod's own values.
import type { LabelSelector, LabelSelectorExpression } from '../../model/labelSelector.ts';
import { asRaw, objectsIn, type Raw, textIn, textMapIn, textsIn } from './raw.ts';
import type { ReadingPlace } from './resourceList.ts';

const OPERATORS: ReadonlySet<string> = new Set(['In', 'NotIn', 'Exists', 'DoesNotExist']);

/** Reads a selector. Absent is null (matches nothing); empty matches everything; unreadable is reported, and null. */
export function readLabelSelector(value: unknown, place: ReadingPlace): LabelSelector | null {
  const raw = asRaw(value);
  if (raw === null) return null;
  const labels = textMapIn(raw, 'matchLabels');
  const expressions: LabelSelectorExpression[] = Object.keys(labels).map((key) => ({
    key,
    operator: 'In',
    values: [labels[key] ?? ''],
  }));
  for (const [index, one] of objectsIn(raw, 'matchExpressions').entries()) {
    const expression = readExpression(one);
    if (expression === null) {
      place.problems.push(badExpression(`${place.path}.matchExpressions[${index}]`));
      return null;
    }
    expressions.push(expression);
  }
  return { expressions };
}

function readExpression(raw: Raw): LabelSelectorExpression | null {
  const key = textIn(raw, 'key');
  const operator = textIn(raw, 'operator');
  if (key === '' || !OPERATORS.has(operator)) return null;
  const values = textsIn(raw, 'values');
  const needsValues = operator === 'In' || operator === 'NotIn';
  if (needsValues !== values.length > 0) return null;
  return { key, operator: operator as LabelSelectorExpression['operator'], values };
}

function badExpression(field: string): { field: string; problem: string; mend: string } {
  return {
    field,
    problem: 'is no label condition',
    mend: 'give it a key and operator In or NotIn with values, or Exists or DoesNotExist without',
  };
}

/**
 * The selector with the values that the pod's own labels have for `keys`; keys that the pod does not carry are
 * passed over. The API server folds them into stored pods itself, so a condition already there is not repeated.
 * Source: Kubernetes, "Pod Topology Spread Constraints" (matchLabelKeys), KEP-3633 (affinity).
 */
export function foldLabelKeys(
  selector: LabelSelector | null,
  keys: readonly string[],
  operator: 'In' | 'NotIn',
  labels: Readonly<Record<string, string>>,
): LabelSelector | null {
  if (selector === null || keys.length === 0) return selector;
  const added = keys.flatMap((key): LabelSelectorExpression[] => {
    const value = labels[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
  const fresh = added.filter((one) => !selector.expressions.some((held) => isSameExpression(held, one)));
  return fresh.length === 0 ? selector : { expressions: [...selector.expressions, ...fresh] };
}

function isSameExpression(left: LabelSelectorExpression, right: LabelSelectorExpression): boolean {
  return (
    left.key === right.key && left.operator === right.operator && String(left.values) === String(right.values)
  );
}
