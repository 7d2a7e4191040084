// Finds the part of a schema that describes one field.
import type { FieldPath } from '../fieldPath.ts';
import type { Schema } from './schema.ts';

/** The schema of the field at a path below the schema's own value; null where it describes none. */
export function schemaAt(schema: Schema, path: FieldPath): Schema | null {
  let found: Schema | null = schema;
  for (const segment of path) {
    if (found === null) return null;
    found = childSchema(found, segment);
  }
  return found;
}

/** The schema of one entry of a value; null where it describes none. */
export function childSchema(schema: Schema, segment: string | number): Schema | null {
  switch (schema.type) {
    case 'object':
      return Object.hasOwn(schema.properties ?? {}, segment) ? (schema.properties?.[segment] ?? null) : null;
    case 'map':
      return schema.values;
    case 'list':
      return schema.items;
    default:
      return null;
  }
}
