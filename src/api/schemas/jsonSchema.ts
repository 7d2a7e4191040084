// Turns our schemas into JSON Schema, in the two dialects needed: for ajv, and structural OpenAPI for a CRD.
import type { Rule, Schema } from './schema.ts';
import { ruleMessage } from './schema.ts';

/** A JSON Schema as plain data. */
export type JsonSchema = { readonly [keyword: string]: unknown };

type Dialect = 'ajv' | 'openApi';

const QUANTITY_MAX_LENGTH = 64;

/** A schema that ajv's strict mode takes. Rules are not part of it: `ruleProblems` applies them. */
export const toAjvSchema = (schema: Schema): JsonSchema => convert(schema, 'ajv');

/** A structural schema with CEL rules. Source: Kubernetes, "Specifying a structural schema", "Validation rules". */
export const toOpenApiSchema = (schema: Schema): JsonSchema => convert(schema, 'openApi');

function convert(schema: Schema, dialect: Dialect): JsonSchema {
  const { description, rules = [] } = schema;
  const converted = { description, ...keywords(schema, dialect) };
  if (dialect === 'ajv' || rules.length === 0) return converted;
  return { ...converted, 'x-kubernetes-validations': rules.map(validation) };
}

function keywords(schema: Schema, dialect: Dialect): JsonSchema {
  switch (schema.type) {
    case 'object':
      return objectKeywords(schema, dialect);
    case 'map': {
      const { type: _, description: __, rules: ___, values, ...bounds } = schema;
      return { type: 'object', ...bounds, additionalProperties: convert(values, dialect) };
    }
    case 'list': {
      const { type: _, description: __, rules: ___, items, ...bounds } = schema;
      return { type: 'array', ...bounds, items: convert(items, dialect) };
    }
    case 'text': {
      const { type: _, description: __, rules: ___, meaning: ____, ...bounds } = schema;
      return { type: 'string', ...bounds };
    }
    case 'quantity':
      return quantityKeywords(schema.pattern, dialect);
    case 'int32':
    case 'int64':
      return { type: 'integer', format: schema.type, ...numberBounds(schema) };
    case 'number':
      return { type: 'number', ...numberBounds(schema) };
    case 'flag':
      return { type: 'boolean' };
  }
}

function objectKeywords(schema: Schema & { readonly type: 'object' }, dialect: Dialect): JsonSchema {
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]) => [
    name,
    convert(property, dialect),
  ]);
  return {
    type: 'object',
    ...(schema.required === undefined ? {} : { required: schema.required }),
    ...(schema.preserveUnknownFields && dialect === 'openApi'
      ? { 'x-kubernetes-preserve-unknown-fields': true }
      : {}),
    ...(properties.length === 0 ? {} : { properties: Object.fromEntries(properties) }),
  };
}

function quantityKeywords(pattern: string, dialect: Dialect): JsonSchema {
  const bounds = { pattern, maxLength: QUANTITY_MAX_LENGTH, minimum: 0 };
  if (dialect === 'ajv') return { type: ['integer', 'string'], ...bounds };
  return { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }], ...bounds };
}

function numberBounds({ minimum, maximum }: { minimum?: number; maximum?: number }): JsonSchema {
  return { ...(minimum === undefined ? {} : { minimum }), ...(maximum === undefined ? {} : { maximum }) };
}

function validation(rule: Rule): JsonSchema {
  return {
    rule: rule.cel,
    message: ruleMessage(rule),
    ...(rule.field === '' ? {} : { fieldPath: `.${rule.field}` }),
  };
}
