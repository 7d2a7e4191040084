// Validates a value against one of our schemas with ajv, and says what is wrong in sentences for people.
import type { ErrorObject, ValidateFunction } from 'ajv';
import { Ajv } from 'ajv';
import ajvFormats from 'ajv-formats';
import type { FieldPath } from './fieldPath.ts';
import { formatFieldPath } from './fieldPath.ts';
import type { Problem } from './parsed.ts';
import { toAjvSchema } from './schemas/jsonSchema.ts';
import type { Schema } from './schemas/schema.ts';
import { schemaAt } from './schemas/schemaAt.ts';

const ajv = new Ajv({
  strict: true,
  allErrors: true,
  allowUnionTypes: true,
  ownProperties: true,
  verbose: true,
});
ajvFormats.default(ajv, ['date-time', 'int32', 'int64']);

const compiled = new WeakMap<Schema, ValidateFunction>();

/**
 * What the schema's keywords find wrong, at most one problem for each field. Rules are not looked at.
 * @param path where the value stands in its manifest
 */
export function schemaProblems(schema: Schema, value: unknown, path: FieldPath): readonly Problem[] {
  const validate = compiled.get(schema) ?? ajv.compile(toAjvSchema(schema));
  compiled.set(schema, validate);
  if (validate(value)) return [];
  const byField = new Map<string, Problem>();
  for (const error of validate.errors ?? []) {
    const problem = describeError(error, { schema, value, path });
    if (!byField.has(problem.field)) byField.set(problem.field, problem);
  }
  return [...byField.values()];
}

interface Checked {
  readonly schema: Schema;
  readonly value: unknown;
  readonly path: FieldPath;
}

function describeError(error: ErrorObject, checked: Checked): Problem {
  const local = localPath(error, checked.value);
  const schema = schemaAt(checked.schema, local);
  const [problem, mend] = wordsFor(error, schema);
  return { field: formatFieldPath([...checked.path, ...local]), problem, mend };
}

/** The JSON pointer of an error as keys and indices; a missing field counts as there. */
function localPath({ instancePath, keyword, params }: ErrorObject, value: unknown): FieldPath {
  const path: (string | number)[] = [];
  let parent = value;
  for (const token of instancePath.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    const segment = Array.isArray(parent) ? Number(key) : key;
    path.push(segment);
    parent = (parent as Readonly<Record<string, unknown>>)[segment];
  }
  if (keyword === 'required') path.push(String(params.missingProperty));
  return path;
}

const KIND_OF_VALUE: Readonly<Record<Schema['type'], string>> = {
  object: 'a map of its fields',
  map: 'a map',
  list: 'a list',
  text: 'a text, in quotes if it looks like a number',
  quantity: 'an amount such as 500m, 4 or 10Gi',
  int32: 'a whole number',
  int64: 'a whole number',
  number: 'a number',
  flag: 'true or false',
};

/** Problem and mend for one error of ajv. */
function wordsFor({ keyword, params, data }: ErrorObject, schema: Schema | null): readonly [string, string] {
  const shown = `is ${showValue(data)}`;
  const limit = String(params.limit);
  switch (keyword) {
    case 'required':
      return ['is missing', schema === null ? 'set it' : `set it: ${firstSentence(schema.description)}`];
    case 'type':
      return [shown, `write ${schema === null ? 'another type of value' : KIND_OF_VALUE[schema.type]}`];
    case 'enum':
      return [shown, `write one of ${(params.allowedValues as string[]).join(', ')}`];
    case 'pattern':
      return [shown, `write ${meaningOf(schema)}`];
    case 'format':
      return [
        shown,
        params.format === 'date-time' ? 'write a time such as 2022-11-03T10:00:00Z' : 'lower it',
      ];
    case 'minimum':
      return [shown, `write ${limit} or more`];
    case 'maximum':
      return [shown, `write ${limit} or less`];
    case 'minLength':
      return ['is empty', 'write something, or remove the field'];
    case 'maxLength':
      return [`has ${String(data).length} characters`, `write at most ${limit}`];
    case 'minItems':
    case 'minProperties':
      return ['has too few entries', `write at least ${limit}`];
    case 'maxItems':
    case 'maxProperties':
      return ['has too many entries', `write at most ${limit}`];
    default:
      return [`breaks the rule ${keyword}`, 'see the documentation of the field'];
  }
}

function meaningOf(schema: Schema | null): string {
  return schema !== null && 'meaning' in schema ? (schema.meaning ?? 'another text') : 'another text';
}

const SHOWN_LENGTH = 60;

function showValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}

function firstSentence(description: string): string {
  const sentence = description.split(/[.;:] |\.$/)[0] ?? description;
  return /^[A-Z][a-z ]/.test(sentence) ? sentence.charAt(0).toLowerCase() + sentence.slice(1) : sentence;
}
