// Applies the rules of a schema to a value that fits it: what the API server does with their CEL.
import type { FieldPath } from './fieldPath.ts';
import { formatFieldPath } from './fieldPath.ts';
import type { Problem } from './parsed.ts';
import type { Rule, Schema } from './schemas/schema.ts';
import { childSchema } from './schemas/schemaAt.ts';

/** Every broken rule of the schema and of what lies below it. The value must fit the schema's keywords. */
export function ruleProblems(schema: Schema, value: unknown, path: FieldPath): readonly Problem[] {
  const own = (schema.rules ?? []).flatMap((rule) => brokenAt(rule, value, path));
  const below = entriesOf(value).flatMap(([segment, entry]) => {
    const child = childSchema(schema, segment);
    return child === null ? [] : ruleProblems(child, entry, [...path, segment]);
  });
  return [...own, ...below];
}

function brokenAt(rule: Rule, value: unknown, path: FieldPath): readonly Problem[] {
  // The value has the type that the rule is written for: the schema's keywords have been checked before.
  const offending = rule.offending(value as never);
  return offending.map((below) => ({
    field: formatFieldPath([...path, ...below]),
    problem: rule.problem,
    mend: rule.mend,
  }));
}

function entriesOf(value: unknown): readonly (readonly [string | number, unknown])[] {
  if (Array.isArray(value)) return value.map((entry, index) => [index, entry] as const);
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
