// Conditions on labels as people read them: `zone in us-east-1a, us-east-1b`.
import type { ValueSet } from '../model/requirementSet.ts';

/** One condition in words. */
export function conditionText(key: string, set: ValueSet): string {
  const values = [...set.values].sort();
  const bounds = [
    ...(set.greaterThan === null ? [] : [`> ${set.greaterThan}`]),
    ...(set.lessThan === null ? [] : [`< ${set.lessThan}`]),
  ].join(' and ');
  if (!set.complement) return values.length === 0 ? `no ${key}` : `${key} in ${listed(values)}`;
  if (values.length > 0) return `${key} not in ${listed(values)}${bounds === '' ? '' : ` and ${bounds}`}`;
  return bounds === '' ? `${key}` : `${key} ${bounds}`;
}

function listed(values: readonly string[]): string {
  const most = 6;
  if (values.length <= most) return values.join(', ');
  return `${values.slice(0, most).join(', ')} and ${values.length - most} more`;
}
