// Applies the rules of a schema to a value that fits it: what the API server does with their CEL.
import type { FieldPath } from './fieldPath.ts';
import { formatFieldPath } from './fieldPath.ts';
import type { Problem } from './parsed.ts';
import type { Rule, Schema } from './schemas/schema.ts';
import { childSchema } from './schemas/schemaAt.ts';

/** What the rules are applied to. */
export interface RuleSubject {
  readonly value: unknown;
  /** Where the value stands in its manifest. */
  readonly path: FieldPath;
  /** Fields that do not fit the schema's keywords; rules that look at them are left out. */
  readonly faulty: readonly string[];
}

/** Every broken rule of the schema and of what lies below it. */
export function ruleProblems(schema: Schema, { value, path, faulty }: RuleSubject): readonly Problem[] {
  const problems: Problem[] = [];
  if (schema.rules !== undefined && isSound(path, faulty)) {
    for (const rule of schema.rules) problems.push(...brokenAt(rule, value, path));
  }
  for (const [segment, entry] of entriesOf(schema, value)) {
    const child = childSchema(schema, segment);
    if (child === null || !mayHoldRules(child)) continue;
    problems.push(...ruleProblems(child, { value: entry, path: [...path, segment], faulty }));
  }
  return problems;
}

function isSound(path: FieldPath, faulty: readonly string[]): boolean {
  if (faulty.length === 0) return true;
  const at = formatFieldPath(path);
  return !faulty.some((field) => field.startsWith(at));
}

/** Leaves without rules are most of a manifest, and need no look. */
function mayHoldRules(schema: Schema): boolean {
  return schema.rules !== undefined || ['object', 'map', 'list'].includes(schema.type);
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

/** Entries of a value that has the shape of its schema; none of a map where a list is wanted, or the reverse. */
function entriesOf(schema: Schema, value: unknown): readonly (readonly [string | number, unknown])[] {
  if (Array.isArray(value)) return schema.type === 'list' ? value.map((entry, index) => [index, entry]) : [];
  return typeof value === 'object' && value !== null && schema.type !== 'list' ? Object.entries(value) : [];
}
