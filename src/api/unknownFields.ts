// Finds fields that a schema does not know, and the name that was probably meant.
import type { FieldPath } from './fieldPath.ts';
import { formatFieldPath } from './fieldPath.ts';
import type { Problem } from './parsed.ts';
import type { Schema } from './schemas/schema.ts';
import { childSchema } from './schemas/schemaAt.ts';

/** A problem for each field that the schema does not know. The API server would drop them without a word. */
export function unknownFieldProblems(schema: Schema, value: unknown, path: FieldPath): readonly Problem[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) {
    if (schema.type !== 'list') return [];
    return value.flatMap((entry, index) => unknownFieldProblems(schema.items, entry, [...path, index]));
  }
  return Object.entries(value).flatMap(([key, entry]) => {
    const child = childSchema(schema, key);
    if (child !== null) return unknownFieldProblems(child, entry, [...path, key]);
    return schema.type === 'object'
      ? [unknownField(Object.keys(schema.properties ?? {}), [...path, key])]
      : [];
  });
}

/** The problem with one unknown field among the known ones. */
export function unknownField(known: readonly string[], path: FieldPath): Problem {
  const meant = closestName(known, String(path.at(-1)));
  return {
    field: formatFieldPath(path),
    problem: 'is no known field',
    mend: meant === null ? 'remove it' : `write ${meant}, or remove it`,
  };
}

const MAX_TYPOS = 3;

function closestName(known: readonly string[], written: string): string | null {
  if (written.length > 64) return null;
  const ranked = known
    .map((name) => ({ name, distance: editDistance(name.toLowerCase(), written.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.min(MAX_TYPOS, name.length / 3))
    .sort((left, right) => left.distance - right.distance);
  return ranked[0]?.name ?? null;
}

/** Levenshtein distance: letters to insert, delete or replace. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
