// Writes the published JSON Schema of scenario files.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { publishedScenarioSchema } from './scenarioSchema.ts';

/** Below the project's folder. */
export const SCENARIO_SCHEMA_PATH = 'docs/schemas/scenario.schema.json';

/** The text that the file must hold. */
export function scenarioSchemaText(): string {
  return `${JSON.stringify(publishedScenarioSchema(), null, 2)}\n`;
}

if (import.meta.main) {
  const path = join(import.meta.dirname, '../..', SCENARIO_SCHEMA_PATH);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, scenarioSchemaText());
}
