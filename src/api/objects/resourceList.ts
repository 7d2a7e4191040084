// Resource lists as manifests write them, turned into integer amounts.
import { parseAmount, type Resources } from '../../model/resources.ts';
import type { Problem } from '../parsed.ts';
import { objectIn, type Raw } from './raw.ts';

/** Where the object that is being read stands in its manifest, and what was found wrong so far. */
export interface ReadingPlace {
  readonly path: string;
  readonly problems: Problem[];
}

/** Reads `raw[field]` as a resource list; amounts that are no quantity, or negative, are reported and left out. */
export function readResources(raw: Raw | null, field: string, { path, problems }: ReadingPlace): Resources {
  const list = objectIn(raw, field);
  const amounts: Record<string, number> = {};
  if (list === null) return amounts;
  for (const name in list) {
    const text = list[name];
    const amount = typeof text === 'string' || typeof text === 'number' ? parseAmount(name, text) : null;
    if (amount !== null && amount >= 0) amounts[name] = amount;
    else problems.push(notAQuantity(`${path}.${field}['${name}']`, text));
  }
  return amounts;
}

function notAQuantity(field: string, text: unknown): Problem {
  return {
    field,
    problem: `is ${JSON.stringify(text)}, which is no amount`,
    mend: 'write a Kubernetes quantity of zero or more, such as 500m or 1.5Gi',
  };
}
