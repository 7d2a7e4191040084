// Conditions on nodes: nodeSelector, node affinity terms and the topology terms of volumes.
import { normalizeLabel } from '../../model/labels.ts';
import type { NodeSelectorTerm, PreferredNodeTerm } from '../../model/pod.ts';
import type { NodeSelectorOperator, Requirement } from '../../model/requirement.ts';
import type { Problem } from '../parsed.ts';
import { listIn, numberIn, objectIn, objectsIn, type Raw, textIn, textMapIn, textsIn } from './raw.ts';
import type { ReadingPlace } from './resourceList.ts';

const VALUE_COUNTS: Readonly<Record<string, (values: readonly string[]) => boolean>> = {
  In: (values) => values.length > 0,
  NotIn: (values) => values.length > 0,
  Exists: (values) => values.length === 0,
  DoesNotExist: (values) => values.length === 0,
  Gt: (values) => values.length === 1 && /^-?\d+$/.test(values[0] ?? ''),
  Lt: (values) => values.length === 1 && /^-?\d+$/.test(values[0] ?? ''),
};

/** One condition on a node label, its key normalised; null when it is none the scheduler knows. */
export function readRequirement(raw: Raw): Requirement | null {
  const key = textIn(raw, 'key');
  const operator = textIn(raw, 'operator');
  const values = textsIn(raw, 'values');
  if (key === '' || VALUE_COUNTS[operator]?.(values) !== true) return null;
  return { key: normalizeLabel(key), operator: operator as NodeSelectorOperator, values };
}

/**
 * Reads ORed terms. A term that is empty or holds an unreadable condition matches no node, as in the scheduler,
 * so it is left out; the unreadable one is reported too.
 * Source: k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
 */
export function readTerms(terms: readonly Raw[], { path, problems }: ReadingPlace): NodeSelectorTerm[] {
  return terms.flatMap((term, index) => {
    const read = readTerm(term, { path: `${path}[${index}]`, problems });
    return read === null ? [] : [read];
  });
}

function readTerm(term: Raw, { path, problems }: ReadingPlace): NodeSelectorTerm | null {
  const expressions = objectsIn(term, 'matchExpressions');
  const matchFields = listIn(term, 'matchFields').length > 0;
  if (expressions.length === 0 && !matchFields) return null;
  const requirements: Requirement[] = [];
  for (const [index, expression] of expressions.entries()) {
    const requirement = readRequirement(expression);
    if (requirement === null) {
      problems.push(badRequirement(`${path}.matchExpressions[${index}]`));
      return null;
    }
    requirements.push(requirement);
  }
  return { requirements, matchFields };
}

function badRequirement(field: string): Problem {
  return {
    field,
    problem: 'is no condition that the scheduler knows',
    mend: 'give it a key and In or NotIn with values, Exists or DoesNotExist without, or Gt or Lt with one integer',
  };
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

/** Required node affinity of a pod spec: null when it has none, [] when no term of it can match. */
export function readRequiredNodeAffinity(
  affinity: Raw | null,
  place: ReadingPlace,
): NodeSelectorTerm[] | null {
  const required = objectIn(affinity, REQUIRED);
  if (required === null) return null;
  const path = `${place.path}.${REQUIRED}.nodeSelectorTerms`;
  return readTerms(objectsIn(required, 'nodeSelectorTerms'), { path, problems: place.problems });
}

/** Preferred node affinity; terms without conditions or weight sway nothing and are left out. */
export function readPreferredNodeAffinity(affinity: Raw | null, place: ReadingPlace): PreferredNodeTerm[] {
  return objectsIn(affinity, PREFERRED).flatMap((raw, index) => {
    const weight = numberIn(raw, 'weight') ?? 0;
    const preference = objectIn(raw, 'preference');
    if (preference === null || weight <= 0) return [];
    const path = `${place.path}.${PREFERRED}[${index}].preference`;
    const term = readTerm(preference, { path, problems: place.problems });
    return term === null ? [] : [{ weight, term }];
  });
}

/** A node selector, keys normalised and sorted; a deprecated key that contradicts its modern name keeps its own. */
export function readNodeSelector(spec: Raw): Readonly<Record<string, string>> {
  const written = textMapIn(spec, 'nodeSelector');
  const keys = Object.keys(written);
  if (keys.every((key) => normalizeLabel(key) === key)) return written;
  const entries = keys.map((key): [string, string] => {
    const modern = normalizeLabel(key);
    const contradicted = written[modern] !== undefined && written[modern] !== written[key];
    return [contradicted ? key : modern, written[key] ?? ''];
  });
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
}
